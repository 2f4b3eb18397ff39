//! What an answer says, as far as its validation needs to know: the text of each choice, and whether it says itself that it
//! is no document. Where to look first: [`Said`].

use std::collections::BTreeMap;

use trunkline_domain::chat::{ChatResponse, Delta, FinishReason, Part, PartKind, StreamEvent};
use trunkline_domain::validation::Verdict;

/// The choices of an answer, whole or as far as they have come.
#[derive(Debug, Default)]
pub(crate) struct Said(BTreeMap<u32, Choice>);

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// All of its text, thoughts not among it.
    text: String,
    calls_tools: bool,
    refuses: bool,
    finish: Option<FinishReason>,
}

impl Said {
    /// Of a whole answer.
    pub(crate) fn of(response: &ChatResponse) -> Self {
        let mut said = Self::default();
        for choice in &response.choices {
            let own = said.0.entry(choice.index).or_default();
            choice.parts.iter().for_each(|part| own.part(part));
            own.finish = choice.finish.as_ref().map(|finish| finish.reason);
        }
        said
    }

    /// Adds what a stream says next.
    pub(crate) fn absorb(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { choice, part, .. } => self.0.entry(*choice).or_default().part(part),
            StreamEvent::PartDelta { choice, delta: Delta::Text(text), .. } => {
                self.0.entry(*choice).or_default().text.push_str(text);
            }
            StreamEvent::Finish { choice, finish } => {
                self.0.entry(*choice).or_default().finish = Some(finish.reason);
            }
            StreamEvent::PartDelta { .. }
            | StreamEvent::PartStop { .. }
            | StreamEvent::Logprobs { .. }
            | StreamEvent::Start { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::ServiceTier(_)
            | StreamEvent::End => {}
        }
    }

    /// The choices.
    pub(super) fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.0.values()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Choice {
    fn part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Text { text, .. } => self.text.push_str(text),
            PartKind::ToolCall(_) => self.calls_tools = true,
            PartKind::Refusal(_) => self.refuses = true,
            PartKind::Reasoning(_)
            | PartKind::ToolResult(_)
            | PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::Opaque(_) => {}
        }
    }

    /// Its text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Why it is not to be a document, where it says so.
    pub(super) fn exemption(&self) -> Option<Verdict> {
        if self.calls_tools {
            return Some(Verdict::ToolCalls);
        }
        if self.refuses {
            return Some(Verdict::Refusal);
        }
        match self.finish? {
            FinishReason::ToolCalls => Some(Verdict::ToolCalls),
            FinishReason::Refusal | FinishReason::ContentFilter => Some(Verdict::Refusal),
            FinishReason::Length | FinishReason::ContextWindow => Some(Verdict::Truncated),
            FinishReason::Pause | FinishReason::Error => Some(Verdict::Unfinished),
            FinishReason::Stop | FinishReason::StopSequence | FinishReason::Other => None,
        }
    }
}
