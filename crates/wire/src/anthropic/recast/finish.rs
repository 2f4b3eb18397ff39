//! Why an answer ended (anthropic-sdk-python, `types/stop_reason.py`).

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason};

/// The dialect's words.
const WORDS: &[(&str, FinishReason)] = &[
    ("end_turn", FinishReason::Stop),
    ("max_tokens", FinishReason::Length),
    ("stop_sequence", FinishReason::StopSequence),
    ("tool_use", FinishReason::ToolCalls),
    ("pause_turn", FinishReason::Pause),
    ("refusal", FinishReason::Refusal),
    ("model_context_window_exceeded", FinishReason::ContextWindow),
];

/// Reads a reason; an empty one is none.
pub(super) fn decode(raw: Text, stop_sequence: Option<Text>, tool_calls: usize) -> Option<Finish> {
    if raw.is_empty() {
        return None;
    }
    let reason = WORDS.iter().find(|(word, _)| *word == &*raw).map(|(_, reason)| *reason);
    let reason = reason.unwrap_or(FinishReason::Other).given_tool_calls(tool_calls);
    Some(Finish { reason, raw, stop_sequence })
}

/// The word for a reason. What has none keeps its own, which is not one of those callers know.
pub(super) fn word(finish: &Finish) -> &str {
    let reason = match finish.reason {
        FinishReason::ContentFilter => FinishReason::Refusal,
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Length
        | FinishReason::ContextWindow
        | FinishReason::ToolCalls
        | FinishReason::Refusal
        | FinishReason::Pause
        | FinishReason::Error
        | FinishReason::Other => finish.reason,
    };
    WORDS.iter().find(|(_, known)| *known == reason).map_or(&*finish.raw, |(word, _)| word)
}
