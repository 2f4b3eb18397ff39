//! Why an answer ended, what it consumed, and the log probabilities of what it says (ollama/ollama `api/types.go`,
//! `llm/server.go`).

use trunkline_domain::chat::{Finish, FinishReason, Logprobs, Number, TokenLogprob};
use trunkline_domain::{Text, Usage};

use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::recast::Losses;

/// Reads a reason; older servers give none.
pub(super) fn decode(raw: Option<Text>, tool_calls: usize) -> Finish {
    let raw = raw.unwrap_or_else(|| Text::from("stop"));
    let reason = match &*raw {
        "stop" => FinishReason::Stop.given_tool_calls(tool_calls),
        "length" => FinishReason::Length,
        _ => FinishReason::Other,
    };
    Finish { reason, raw, stop_sequence: None }
}

/// The word for a reason.
pub(super) fn word(finish: &Finish) -> &str {
    match finish.reason {
        FinishReason::Other => &finish.raw,
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::ToolCalls
        | FinishReason::Refusal
        | FinishReason::ContentFilter
        | FinishReason::Pause
        | FinishReason::Error => "stop",
    }
}

/// Notes what the word for a reason leaves unsaid.
pub(super) fn lose(finish: &Finish, losses: &mut Losses) {
    if finish.stop_sequence.is_some() {
        let why = "the dialect does not say which sequence ended the answer";
        losses.dropped(Subject::Other, "choices[0].stop_sequence", why);
    }
    let unworded = matches!(
        finish.reason,
        FinishReason::Refusal | FinishReason::ContentFilter | FinishReason::Pause | FinishReason::Error
    );
    if unworded {
        let why = "the dialect has no word for such an end";
        losses.adapted(Subject::Other, "choices[0].finish", why);
    }
}

/// Usage from its two counts; `None` where neither is there. A count of zero is not sent.
pub(super) fn usage(prompt: Option<u64>, generated: Option<u64>) -> Option<Usage> {
    (prompt.is_some() || generated.is_some()).then(|| Usage {
        input_tokens: prompt.unwrap_or(0),
        output_tokens: generated.unwrap_or(0),
        ..Usage::default()
    })
}

/// Writes usage.
pub(super) fn write_usage(object: &mut Object<'_>, usage: &Usage) {
    object.member("prompt_eval_count", &usage.prompt_total());
    object.member("eval_count", &usage.completion_total());
}

wire_object! {
    ignoring pub(super) struct WireToken {
        "token" => token: Str,
        "logprob" => logprob: Number,
        "bytes" => bytes: Vec<u8>,
        "top_logprobs" => top: Vec<WireToken>,
    }
}

impl WireToken {
    fn token(self) -> Option<TokenLogprob> {
        let top = self.top.into_iter().flatten().filter_map(WireToken::token).collect();
        Some(TokenLogprob { token: self.token?.0, bytes: self.bytes, logprob: self.logprob?, top })
    }
}

/// The canonical form; `None` where nothing is said.
pub(super) fn logprobs(wire: Option<Vec<WireToken>>) -> Option<Logprobs> {
    let content: Vec<_> = wire.into_iter().flatten().filter_map(WireToken::token).collect();
    (!content.is_empty()).then(|| Logprobs { content, ..Logprobs::default() })
}

/// Writes log probabilities.
pub(super) fn write_logprobs(object: &mut Object<'_>, logprobs: &Logprobs, losses: &mut Losses) {
    if !logprobs.refusal.is_empty() {
        losses.dropped(Subject::Sampling, "logprobs.refusal", "the dialect has no refusals apart");
    }
    object.array("logprobs", |array| logprobs.content.iter().for_each(|token| write_token(array, token)));
}

fn write_token(array: &mut Array<'_>, token: &TokenLogprob) {
    array.object(|object| {
        object.member("token", &token.token);
        object.member("logprob", &token.logprob);
        object.optional("bytes", token.bytes.as_ref());
        if !token.top.is_empty() {
            object.array("top_logprobs", |top| token.top.iter().for_each(|token| write_token(top, token)));
        }
    });
}
