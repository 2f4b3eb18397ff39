//! What an answer says about itself (google-genai, `types.py`, `GenerateContentResponse`): one reader for buffered
//! answers and for the chunks of a stream, which have the same shape. Content is measured, never kept.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::value::RawValue;
use trunkline_domain::{Text, Usage};

use super::{error, usage};
use crate::codec::{AnswerFacts, AnswerProblem};
use crate::envelope::unquote;
use crate::json::{Str, wire_object};

/// The longest id, model name or finish reason kept, in bytes.
const NAME_BYTES_MAX: usize = 512;

wire_object! {
    /// An answer or a chunk of one, or an error in its place.
    ignoring pub(super) struct Piece {
        "candidates" => candidates: Vec<Candidate>,
        "promptFeedback" | "prompt_feedback" => feedback: Feedback,
        "usageMetadata" | "usage_metadata" => usage: usage::Reported,
        "modelVersion" | "model_version" => model: Str,
        "responseId" | "response_id" => id: Str,
        "error" => error: IgnoredAny,
    }
}

wire_object! {
    ignoring pub(super) struct Candidate {
        "index" => index: u32,
        "content" => content: Content,
        "finishReason" | "finish_reason" => finish: Str,
        "groundingMetadata" | "grounding_metadata" => grounding: Grounding,
    }
}

wire_object! {
    ignoring pub(super) struct Content { "parts" => parts: Vec<Part> }
}

wire_object! {
    /// A part, as far as it is measured.
    ignoring pub(super) struct Part {
        "text" => text: Measured,
        "functionCall" | "function_call" => call: Measured,
        "executableCode" | "executable_code" => code: Measured,
        "inlineData" | "inline_data" => data: IgnoredAny,
    }
}

wire_object! {
    ignoring pub(super) struct Feedback { "blockReason" | "block_reason" => reason: Str }
}

wire_object! {
    ignoring pub(super) struct Grounding { "webSearchQueries" | "web_search_queries" => queries: Vec<Str> }
}

impl Piece {
    /// Reads a piece; an error in its place, or what is none, is a problem.
    pub(super) fn read(json: &[u8]) -> Result<Self, AnswerProblem> {
        let problem = || error::read(json).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let piece: Self = serde_json::from_slice(json).map_err(|_| problem())?;
        let says = piece.candidates.is_some()
            || piece.feedback.is_some()
            || piece.usage.is_some()
            || piece.model.is_some()
            || piece.id.is_some();
        if says && piece.error.is_none() { Ok(piece) } else { Err(problem()) }
    }

    /// Adds what the piece says to the facts. Whether it holds content is the result.
    pub(super) fn absorb(self, facts: &mut AnswerFacts, searches: &mut u32) -> bool {
        let mut content = false;
        for (place, candidate) in (0_u32..).zip(self.candidates.unwrap_or_default()) {
            let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
            let bytes = parts.iter().map(Part::bytes).fold(0, u64::saturating_add);
            facts.output_bytes = facts.output_bytes.saturating_add(bytes);
            content |=
                bytes > 0 || candidate.finish.is_some() || parts.iter().any(|part| part.data.is_some());
            *searches = (*searches).max(candidate.grounding.map_or(0, |grounding| grounding.searches()));
            if candidate.index.unwrap_or(place) == 0 && candidate.finish.is_some() {
                facts.finish = candidate.finish.and_then(name);
            }
        }
        if let Some(reason) = self.feedback.and_then(|feedback| feedback.reason).and_then(name) {
            facts.finish = Some(reason);
            content = true;
        }
        facts.model = self.model.and_then(name).or(facts.model.take());
        facts.id = self.id.and_then(name).or(facts.id.take());
        if let Some(reported) = self.usage {
            facts.usage = reported.usage().or(facts.usage);
            facts.service_tier = reported.tier().cloned().or(facts.service_tier.take());
        }
        let searches = billed_searches(*searches, facts.model.as_deref());
        facts.usage = facts.usage.map(|usage| with_searches(usage, searches));
        content
    }
}

impl Grounding {
    /// How many searches there were: queries that say nothing, or the same again, are none
    /// (<https://discuss.ai.google.dev/t/168136>, which quotes the documentation).
    pub(super) fn searches(&self) -> u32 {
        let queries = self.queries.iter().flatten().map(|query| &*query.0).filter(|query| !query.is_empty());
        u32::try_from(queries.collect::<HashSet<&str>>().len()).unwrap_or(u32::MAX)
    }
}

/// The searches that are billed: each one, but a single one for a whole prompt up to Gemini 2.5
/// (<https://you.com/resources/gemini-web-search-api>, which quotes the documentation).
pub(super) fn billed_searches(queries: u32, model: Option<&str>) -> u32 {
    let per_prompt = model.is_some_and(|model| model.contains("gemini-2") || model.contains("gemini-1"));
    if per_prompt { queries.min(1) } else { queries }
}

pub(super) fn with_searches(mut usage: Usage, searches: u32) -> Usage {
    usage.units.searches = searches;
    usage
}

/// Reads a buffered answer.
pub(super) fn read(body: &[u8]) -> Result<AnswerFacts, AnswerProblem> {
    let mut facts = AnswerFacts::default();
    Piece::read(body)?.absorb(&mut facts, &mut 0);
    Ok(facts)
}

impl Part {
    fn bytes(&self) -> u64 {
        let measured = [&self.text, &self.call, &self.code].into_iter().flatten();
        measured.fold(0, |sum, measured| sum.saturating_add(measured.0))
    }
}

/// A name, if it is one.
fn name(text: Str) -> Option<Text> {
    Some(text.0).filter(|text| !text.is_empty() && text.len() <= NAME_BYTES_MAX)
}

/// The length of a value in bytes: of a string its own, of anything else as written.
#[derive(Clone, Copy)]
pub(super) struct Measured(u64);

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(json)?.get();
        let length = unquote(raw.as_bytes()).map_or(raw.len(), |text| text.len());
        Ok(Self(length as u64))
    }
}
