//! Why an answer ended (google-genai, `types.py`, `FinishReason`, `BlockedReason`).

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason};

use crate::codec::Subject;
use crate::recast::Losses;

/// The dialect's words; the first one of a class is written for it.
const WORDS: &[(&str, FinishReason)] = &[
    ("STOP", FinishReason::Stop),
    ("MAX_TOKENS", FinishReason::Length),
    ("SAFETY", FinishReason::ContentFilter),
    ("RECITATION", FinishReason::ContentFilter),
    ("LANGUAGE", FinishReason::ContentFilter),
    ("BLOCKLIST", FinishReason::ContentFilter),
    ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
    ("SPII", FinishReason::ContentFilter),
    ("IMAGE_SAFETY", FinishReason::ContentFilter),
    ("IMAGE_PROHIBITED_CONTENT", FinishReason::ContentFilter),
    ("IMAGE_RECITATION", FinishReason::ContentFilter),
    ("MODEL_ARMOR", FinishReason::ContentFilter),
    ("MALFORMED_FUNCTION_CALL", FinishReason::Error),
    ("UNEXPECTED_TOOL_CALL", FinishReason::Error),
    ("TOO_MANY_TOOL_CALLS", FinishReason::Error),
    ("MISSING_THOUGHT_SIGNATURE", FinishReason::Error),
    ("MALFORMED_RESPONSE", FinishReason::Error),
    ("OTHER", FinishReason::Other),
];

/// Reads a reason.
pub(super) fn decode(raw: Text, tool_calls: usize) -> Finish {
    let reason = WORDS.iter().find(|(word, _)| *word == &*raw).map(|(_, reason)| *reason);
    let reason = reason.unwrap_or(FinishReason::Other);
    // Only a natural end is one for the tools: `OTHER` is a failure here.
    let reason = if reason == FinishReason::Stop { reason.given_tool_calls(tool_calls) } else { reason };
    Finish { reason, raw, stop_sequence: None }
}

/// Reads the reason a prompt was blocked for: a filter's, whatever its word.
pub(super) fn blocked(raw: Text) -> Finish {
    Finish { reason: FinishReason::ContentFilter, raw, stop_sequence: None }
}

/// The word for a reason: the provider's own where this dialect has it in that class, else the class's.
pub(super) fn word(finish: &Finish) -> &'static str {
    let reason = match finish.reason {
        FinishReason::StopSequence | FinishReason::ToolCalls | FinishReason::Pause => FinishReason::Stop,
        FinishReason::ContextWindow => FinishReason::Length,
        FinishReason::Refusal => FinishReason::ContentFilter,
        FinishReason::Stop
        | FinishReason::Length
        | FinishReason::ContentFilter
        | FinishReason::Error
        | FinishReason::Other => finish.reason,
    };
    let own = WORDS.iter().find(|(word, known)| *known == reason && *word == &*finish.raw);
    let class = || WORDS.iter().find(|(_, known)| *known == reason);
    // No client of the dialect knows how it failed elsewhere.
    if own.is_none() && reason == FinishReason::Error {
        return "OTHER";
    }
    own.or_else(class).map_or("OTHER", |(word, _)| word)
}

/// Notes what the word for a reason leaves unsaid.
pub(super) fn lose(finish: &Finish, choice: u32, losses: &mut Losses) {
    if finish.stop_sequence.is_some() {
        let why = "the dialect does not say which sequence ended the answer";
        losses.dropped(Subject::Other, format!("choices[{choice}].stop_sequence"), why);
    }
}
