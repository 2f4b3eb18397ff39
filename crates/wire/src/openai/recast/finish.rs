//! Why an answer ended, and the log probabilities of what it says: shared by buffered and streamed answers.

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason, Logprobs, Number, RawJson, TokenLogprob};

use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::quirks::{Quirks, StopSequence};
use crate::recast::Losses;

/// The words of this dialect: OpenAI's first in each class; Together says `eos`, Z.ai `sensitive` and `network_error`,
/// OpenRouter `error` (their documents of error and finish codes).
const WORDS: &[(&str, FinishReason)] = &[
    ("stop", FinishReason::Stop),
    ("eos", FinishReason::Stop),
    ("length", FinishReason::Length),
    ("tool_calls", FinishReason::ToolCalls),
    ("function_call", FinishReason::ToolCalls),
    ("content_filter", FinishReason::ContentFilter),
    ("sensitive", FinishReason::ContentFilter),
    ("error", FinishReason::Error),
    ("network_error", FinishReason::Error),
];

/// Reads a reason, and which stop sequence ended the answer; an empty one is none.
pub(super) fn decode(raw: &Text, tool_calls: usize, stop_sequence: Option<Text>) -> Option<Finish> {
    if raw.is_empty() {
        return None;
    }
    let reason = class(raw).unwrap_or(FinishReason::Other).given_tool_calls(tool_calls);
    let stopped = reason == FinishReason::Stop && stop_sequence.is_some();
    let reason = if stopped { FinishReason::StopSequence } else { reason };
    Some(Finish { reason, raw: raw.clone(), stop_sequence })
}

/// Takes the stop sequence from the member in which a server says it.
pub(super) fn stop_sequence(
    quirks: &Quirks,
    stop_reason: &mut Option<RawJson>,
    matched_stop: &mut Option<RawJson>,
) -> Option<Text> {
    let said = match quirks.stop_sequence {
        StopSequence::Unsaid => return None,
        StopSequence::StopReason => stop_reason,
        StopSequence::MatchedStop => matched_stop,
    };
    let sequence = serde_json::from_str::<Str>(said.as_ref()?.get()).ok()?;
    *said = None;
    Some(sequence.0)
}

fn class(word: &str) -> Option<FinishReason> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, class)| *class)
}

/// The word for a reason: the provider's own where it is one of this dialect and says the same.
pub(super) fn word(finish: &Finish) -> &str {
    if class(&finish.raw) == Some(finish.reason) {
        return &finish.raw;
    }
    match finish.reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::Pause => "stop",
        FinishReason::Error => "error",
        // Whatever it means, it is not one of the words callers know.
        FinishReason::Other => &finish.raw,
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Refusal | FinishReason::ContentFilter => "content_filter",
    }
}

/// Notes what the word for a reason leaves unsaid.
pub(crate) fn lose(finish: &Finish, choice: u32, losses: &mut Losses) {
    if finish.stop_sequence.is_some() {
        let why = "the dialect does not say which sequence ended the answer";
        losses.dropped(Subject::Other, format!("choices[{choice}].stop_sequence"), why);
    }
    if finish.reason == FinishReason::Pause {
        let why = "the dialect has no word for a pause: send the answer back to go on";
        losses.adapted(Subject::Other, format!("choices[{choice}].finish"), why);
    }
}

wire_object! {
    ignoring pub(super) struct WireLogprobs {
        "content" => content: Vec<WireToken>,
        "refusal" => refusal: Vec<WireToken>,
    }
}

wire_object! {
    ignoring pub(crate) struct WireToken {
        "token" => token: Str,
        "bytes" => bytes: Vec<u8>,
        "logprob" => logprob: Number,
        "top_logprobs" => top: Vec<WireToken>,
    }
}

impl WireLogprobs {
    /// The canonical form; `None` where nothing is said.
    pub(super) fn logprobs(self) -> Option<Logprobs> {
        let tokens = |tokens: Option<Vec<WireToken>>| {
            tokens.into_iter().flatten().filter_map(WireToken::token).collect::<Vec<_>>()
        };
        let logprobs = Logprobs { content: tokens(self.content), refusal: tokens(self.refusal) };
        (logprobs != Logprobs::default()).then_some(logprobs)
    }
}

impl WireToken {
    pub(crate) fn token(self) -> Option<TokenLogprob> {
        let top = self.top.into_iter().flatten().filter_map(WireToken::token).collect();
        Some(TokenLogprob { token: self.token?.0, bytes: self.bytes, logprob: self.logprob?, top })
    }
}

/// Writes log probabilities.
pub(super) fn write_logprobs(object: &mut Object<'_>, logprobs: &Logprobs) {
    object.object("logprobs", |object| {
        for (member, tokens) in [("content", &logprobs.content), ("refusal", &logprobs.refusal)] {
            if tokens.is_empty() {
                object.member(member, &());
            } else {
                object.array(member, |array| tokens.iter().for_each(|token| write_token(array, token)));
            }
        }
    });
}

fn write_token(array: &mut Array<'_>, token: &TokenLogprob) {
    array.object(|object| {
        write_alternative(object, token);
        object.array("top_logprobs", |top| {
            for token in &token.top {
                top.object(|object| write_alternative(object, token));
            }
        });
    });
}

fn write_alternative(object: &mut Object<'_>, token: &TokenLogprob) {
    object.member("token", &token.token);
    object.member("logprob", &token.logprob);
    object.member("bytes", &token.bytes);
}
