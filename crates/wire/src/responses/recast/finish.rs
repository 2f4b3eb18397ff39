//! Why an answer ended (openai-python, `types/responses/response.py`, `IncompleteDetails`): shared by buffered and
//! streamed answers.

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason};

/// Reads why an answer ended: its status, and the reason where it is incomplete.
pub(super) fn decode(status: Option<&Text>, reason: Option<&Text>, tool_calls: usize) -> Option<Finish> {
    let raw = reason.or(status)?;
    let class = match (&**raw, reason) {
        ("completed", None) => FinishReason::Stop,
        ("max_output_tokens", Some(_)) => FinishReason::Length,
        ("content_filter", Some(_)) => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    // An answer that was cut off did not end for the calls it got to.
    let class = if class == FinishReason::Stop { class.given_tool_calls(tool_calls) } else { class };
    Some(Finish { reason: class, raw: raw.clone(), stop_sequence: None })
}

/// How an answer says that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending<'a> {
    Completed,
    /// Why, where that is known.
    Incomplete(Option<&'a str>),
    Failed,
}

impl<'a> Ending<'a> {
    /// For a reason; an answer without one was cut.
    pub(super) fn of(finish: Option<&'a Finish>) -> Self {
        let Some(finish) = finish else { return Self::Incomplete(None) };
        match finish.reason {
            FinishReason::Stop
            | FinishReason::StopSequence
            | FinishReason::ToolCalls
            | FinishReason::Pause => Self::Completed,
            FinishReason::Length | FinishReason::ContextWindow => Self::Incomplete(Some("max_output_tokens")),
            // A refusal may have no word: an answer that says nothing must not look whole.
            FinishReason::ContentFilter | FinishReason::Refusal => Self::Incomplete(Some("content_filter")),
            FinishReason::Error => Self::Failed,
            // Whatever it means, callers must not take the answer for a whole one.
            FinishReason::Other => Self::Incomplete(Some(&finish.raw)),
        }
    }

    /// The status of the answer.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// The status of the item that was being written.
    pub(super) fn item_status(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) | Self::Failed => "incomplete",
        }
    }

    /// The name of the event.
    pub(super) fn event(self) -> &'static str {
        match self {
            Self::Completed => "response.completed",
            Self::Incomplete(_) => "response.incomplete",
            Self::Failed => "response.failed",
        }
    }
}
