//! Log probabilities, both ways (google-genai, `types.py`, `LogprobsResult`).

use trunkline_domain::chat::{Logprobs, Number, RawJson, TokenLogprob};

use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::recast::Losses;

wire_object! {
    ignoring struct Found {
        "chosenCandidates" | "chosen_candidates" => chosen: Vec<Token>,
        "topCandidates" | "top_candidates" => top: Vec<Top>,
    }
}

wire_object! {
    ignoring struct Top { "candidates" => candidates: Vec<Token> }
}

wire_object! {
    ignoring struct Token { "token" => text: Str, "logProbability" | "log_probability" => logprob: Number }
}

impl Token {
    fn token(self) -> Option<TokenLogprob> {
        let (token, logprob) = (self.text?.0, self.logprob?);
        Some(TokenLogprob { token, bytes: None, logprob, top: Vec::new() })
    }
}

/// Reads a result; `None` where it says nothing.
pub(super) fn decode(raw: &RawJson) -> Option<Logprobs> {
    let Found { chosen, top, rest: _ } = serde_json::from_str(raw.get()).ok()?;
    let mut top = top.unwrap_or_default().into_iter();
    let content: Vec<TokenLogprob> = chosen?
        .into_iter()
        .filter_map(|token| {
            let top = top.next().and_then(|top| top.candidates).unwrap_or_default();
            let top = top.into_iter().filter_map(Token::token).collect();
            token.token().map(|token| TokenLogprob { top, ..token })
        })
        .collect();
    (!content.is_empty()).then_some(Logprobs { content, refusal: Vec::new() })
}

/// Writes `logprobsResult`.
pub(super) fn encode(object: &mut Object<'_>, logprobs: &Logprobs, losses: &mut Losses) {
    if !logprobs.refusal.is_empty() {
        losses.dropped(Subject::Sampling, "logprobs.refusal", "the dialect has no refusals apart");
    }
    object.object("logprobsResult", |result| {
        result.array("chosenCandidates", |chosen| write(chosen, &logprobs.content));
        if logprobs.content.iter().any(|token| !token.top.is_empty()) {
            result.array("topCandidates", |top| {
                for token in &logprobs.content {
                    top.object(|top| top.array("candidates", |candidates| write(candidates, &token.top)));
                }
            });
        }
    });
}

fn write(array: &mut Array<'_>, tokens: &[TokenLogprob]) {
    for token in tokens {
        array.object(|object| {
            object.member("token", &token.token);
            object.member("logProbability", &token.logprob);
        });
    }
}
