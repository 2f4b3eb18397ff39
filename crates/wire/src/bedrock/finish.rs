//! Why an answer ended (`StopReason` of the service's model).

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason};

/// The dialect's words. The first of a reason is written for it.
const WORDS: &[(&str, FinishReason)] = &[
    ("end_turn", FinishReason::Stop),
    ("tool_use", FinishReason::ToolCalls),
    ("max_tokens", FinishReason::Length),
    ("stop_sequence", FinishReason::StopSequence),
    ("content_filtered", FinishReason::ContentFilter),
    ("guardrail_intervened", FinishReason::ContentFilter),
    ("malformed_model_output", FinishReason::Error),
    ("malformed_tool_use", FinishReason::Error),
    ("model_context_window_exceeded", FinishReason::ContextWindow),
];

/// Reads a reason; an empty one is none.
pub(super) fn decode(raw: Text, tool_calls: usize) -> Option<Finish> {
    if raw.is_empty() {
        return None;
    }
    let reason = WORDS.iter().find(|(word, _)| *word == &*raw).map(|(_, reason)| *reason);
    let reason = reason.unwrap_or(FinishReason::Other).given_tool_calls(tool_calls);
    Some(Finish { reason, raw, stop_sequence: None })
}

/// The word for a reason: its own where that is the dialect's. What has none keeps its own, which is not one of those
/// callers know.
pub(super) fn word(finish: &Finish) -> &str {
    let reason = match finish.reason {
        FinishReason::Refusal => FinishReason::ContentFilter,
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Length
        | FinishReason::ContextWindow
        | FinishReason::ToolCalls
        | FinishReason::ContentFilter
        | FinishReason::Pause
        | FinishReason::Error
        | FinishReason::Other => finish.reason,
    };
    if WORDS.contains(&(&*finish.raw, reason)) {
        return &finish.raw;
    }
    WORDS.iter().find(|(_, known)| *known == reason).map_or(&*finish.raw, |(word, _)| word)
}
