//! The facts of an answer: shared by buffered answers and by the last event of a stream.

use trunkline_domain::{Text, Usage};

use super::super::error;
use crate::codec::{AnswerFacts, AnswerProblem, ErrorWords};
use crate::json::{Str, wire_object};
use trunkline_domain::chat::RawJson;

/// The longest id, model name or status kept, in bytes.
const NAME_BYTES_MAX: usize = 512;

wire_object! {
    /// A response.
    ignoring pub(super) struct Response {
        "id" => id: Str,
        "model" => model: Str,
        "status" => status: Str,
        "service_tier" => tier: Str,
        "output" => output: Vec<Item>,
        "usage" => usage: Reported,
        "error" => error: RawJson,
    }
}

wire_object! {
    /// An item of output, as far as it is measured.
    ignoring pub(super) struct Item {
        "content" => content: Vec<Piece>,
        "summary" => summary: Vec<Piece>,
        "name" => name: Str,
        "arguments" => arguments: Str,
        "input" => input: Str,
    }
}

wire_object! {
    ignoring pub(super) struct Piece { "text" => text: Str, "refusal" => refusal: Str }
}

wire_object! {
    /// Details are parts of the totals (`types/responses/response_usage.py`).
    ignoring pub(super) struct Reported {
        "input_tokens" => input: u64,
        "input_tokens_details" => input_details: InputDetails,
        "output_tokens" => output: u64,
        "output_tokens_details" => output_details: OutputDetails,
    }
}

wire_object! {
    ignoring pub(super) struct InputDetails {
        "cached_tokens" => cached: u64,
        "cache_write_tokens" => cache_writes: u64,
    }
}

wire_object! {
    ignoring pub(super) struct OutputDetails { "reasoning_tokens" => reasoning: u64 }
}

impl Reported {
    /// In disjoint classes.
    fn usage(&self) -> Option<Usage> {
        let (input, output) = (self.input?, self.output?);
        let details = self.input_details.as_ref();
        let cached = details.and_then(|details| details.cached).unwrap_or(0).min(input);
        let writes = details.and_then(|details| details.cache_writes).unwrap_or(0).min(input - cached);
        let reasoning =
            self.output_details.as_ref().and_then(|details| details.reasoning).unwrap_or(0).min(output);
        Some(Usage {
            input_tokens: input - cached - writes,
            cache_read_tokens: cached,
            // The dialect does not say how long the entry lives.
            cache_write_5m_tokens: writes,
            output_tokens: output - reasoning,
            reasoning_tokens: reasoning,
            ..Usage::default()
        })
    }
}

impl Item {
    fn bytes(&self) -> u64 {
        let length = |text: &Option<Str>| text.as_ref().map_or(0, |text| text.0.len() as u64);
        let pieces = self.content.iter().chain(&self.summary).flatten();
        let pieces = pieces.map(|piece| length(&piece.text) + length(&piece.refusal));
        pieces.fold(length(&self.name) + length(&self.arguments) + length(&self.input), u64::saturating_add)
    }
}

impl Response {
    /// What it says about itself; text is measured only where it is whole.
    pub(super) fn facts(&self) -> AnswerFacts {
        let output = self.output.iter().flatten().map(Item::bytes);
        AnswerFacts {
            usage: self.usage.as_ref().and_then(Reported::usage),
            id: name(self.id.as_ref()),
            model: name(self.model.as_ref()),
            service_tier: name(self.tier.as_ref()),
            finish: name(self.status.as_ref()),
            output_bytes: output.fold(0, u64::saturating_add),
        }
    }

    /// The error it is instead of an answer.
    pub(super) fn problem(&self) -> Option<ErrorWords> {
        self.error.as_ref().and_then(|error| error::words(error.get()))
    }
}

/// Reads a buffered answer.
pub(super) fn read(body: &[u8]) -> Result<AnswerFacts, AnswerProblem> {
    let problem = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let response: Response = serde_json::from_slice(body).map_err(|_| problem())?;
    if let Some(words) = response.problem() {
        return Err(AnswerProblem::Error(words));
    }
    if response.output.is_none() {
        return Err(problem());
    }
    Ok(response.facts())
}

fn name(text: Option<&Str>) -> Option<Text> {
    text.map(|text| text.0.clone()).filter(|text| !text.is_empty() && text.len() <= NAME_BYTES_MAX)
}

/// An error in the middle of a stream, whose words stand in the event itself.
pub(super) fn words_of_event(event: &[u8]) -> Option<ErrorWords> {
    wire_object! {
        ignoring struct Event { "code" => code: Str, "message" => message: Str, "param" => param: Str }
    }
    let event: Event = serde_json::from_slice(event).ok()?;
    let code = name(event.code.as_ref());
    Some(ErrorWords {
        message: event.message.map(|message| message.0),
        kind: code.clone(),
        code,
        param: name(event.param.as_ref()),
        ..ErrorWords::default()
    })
}
