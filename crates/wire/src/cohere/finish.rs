//! Why an answer ended, and the log probabilities of what it says (cohere-python 7.0.9, `types/chat_finish_reason.py`,
//! `types/finish_reason.py`, `types/logprob_item.py`).

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason, Number, TokenLogprob};

use super::message::text_of;
use crate::codec::Subject;
use crate::json::{Object, Str, wire_object};
use crate::recast::Losses;

/// The dialect's words; the first one of a class is written for it.
const WORDS: &[(&str, FinishReason)] = &[
    ("COMPLETE", FinishReason::Stop),
    ("STOP_SEQUENCE", FinishReason::StopSequence),
    ("MAX_TOKENS", FinishReason::Length),
    ("ERROR_LIMIT", FinishReason::ContextWindow),
    ("TOOL_CALL", FinishReason::ToolCalls),
    ("ERROR_TOXIC", FinishReason::ContentFilter),
    ("ERROR", FinishReason::Error),
    ("TIMEOUT", FinishReason::Error),
    ("USER_CANCEL", FinishReason::Other),
];

/// Reads a reason.
pub(super) fn decode(raw: Text, tool_calls: usize) -> Finish {
    let reason = WORDS.iter().find(|(word, _)| *word == &*raw).map(|(_, reason)| *reason);
    let reason = reason.unwrap_or(FinishReason::Other);
    // Only a natural end is one for the tools: what else ended it says so.
    let reason = if reason == FinishReason::Stop { reason.given_tool_calls(tool_calls) } else { reason };
    Finish { reason, raw, stop_sequence: None }
}

/// The word for a reason: the provider's own where this dialect has it in that class, else the class's.
pub(super) fn word(finish: &Finish) -> &str {
    let reason = match finish.reason {
        FinishReason::Pause => FinishReason::Stop,
        FinishReason::Refusal => FinishReason::ContentFilter,
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Length
        | FinishReason::ContextWindow
        | FinishReason::ToolCalls
        | FinishReason::ContentFilter
        | FinishReason::Error
        | FinishReason::Other => finish.reason,
    };
    let own = WORDS.iter().find(|(word, known)| *known == reason && *word == &*finish.raw);
    let class = || WORDS.iter().find(|(_, known)| *known == reason && reason != FinishReason::Other);
    own.or_else(class).map_or(&*finish.raw, |(word, _)| word)
}

/// Notes what the word for a reason leaves unsaid.
pub(super) fn lose(finish: &Finish, choice: u32, losses: &mut Losses) {
    if finish.stop_sequence.is_some() {
        let why = "the dialect does not say which sequence ended the answer";
        losses.dropped(Subject::Other, format!("choices[{choice}].stop_sequence"), why);
    }
}

wire_object! {
    /// Log probabilities of a piece of text.
    ignoring pub(super) struct Logprob { "text" => text: Str, "logprobs" => logprobs: Vec<Number> }
}

impl Logprob {
    /// The piece as one token; `None` where nothing is said of it.
    pub(super) fn token(self) -> Option<TokenLogprob> {
        let mut pieces = self.logprobs?;
        let logprob = match pieces.len() {
            0 => return None,
            1 => pieces.pop()?,
            _ => Number::from_f64(pieces.iter().filter_map(Number::as_f64).sum())?,
        };
        Some(TokenLogprob { token: text_of(self.text), bytes: None, logprob, top: Vec::new() })
    }
}

/// Writes a token's.
pub(super) fn write_logprob(object: &mut Object<'_>, token: &TokenLogprob) {
    object.member("text", &token.token);
    // Nobody else says the ids of tokens.
    object.array("token_ids", |_| {});
    object.member("logprobs", &[&token.logprob]);
}
