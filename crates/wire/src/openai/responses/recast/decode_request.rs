//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Effort, Number, Part, RawJson, Reasoning, Role, StreamOptions, Turn,
};

use super::super::super::relay::GATEWAY_FIELDS;
use super::{DIALECT, items, parameters};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::json::field::{read, text, wrong};
use crate::json::{Rest, Str, wire_object};

/// What may be asked to be included and is carried anyway.
const INCLUDED: [&str; 2] = ["reasoning.encrypted_content", LOGPROBS];
const LOGPROBS: &str = "message.output_text.logprobs";

wire_object! {
    struct TextConfig { "format" => format: RawJson, "verbosity" => verbosity: Str }
}

wire_object! {
    struct WireReasoning { "effort" => effort: Str, "summary" | "generate_summary" => summary: Str }
}

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader::default();
    for (name, raw) in envelope.members() {
        if raw != "null" && !GATEWAY_FIELDS.contains(&name) {
            reader.field(name, raw)?;
        }
    }
    if !envelope.contains("input") {
        let message = "`input` must be a string or an array of items";
        return Err(FieldError { field: "input".into(), message: message.into() });
    }
    let Reader { mut request, instructions, rest } = reader;
    request.turns.splice(..0, instructions.map(|text| Turn::new(Role::System, vec![Part::text(text)])));
    // The dialect's streams always end with it.
    request.stream_options = Some(StreamOptions { include_usage: Some(true), ..StreamOptions::default() });
    request.extras = rest.extras(DIALECT, 0);
    Ok(request)
}

#[derive(Default)]
struct Reader {
    request: ChatRequest,
    instructions: Option<Text>,
    rest: Rest,
}

impl Reader {
    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        match name {
            "model" => request.model = text(name, raw)?,
            "input" => request.turns = items::decode(raw)?,
            "instructions" => self.instructions = Some(text(name, raw)?),
            "stream" => request.stream = read(name, raw)?,
            "tools" => {
                let tools: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| wrong(name, &error))?;
                request.tools = tools.into_iter().map(parameters::tool).collect();
            }
            "tool_choice" => {
                let raw: &RawValue = serde_json::from_str(raw).map_err(|error| wrong(name, &error))?;
                request.tool_choice = Some(parameters::tool_choice(raw));
            }
            "parallel_tool_calls" => request.parallel_tool_calls = Some(read(name, raw)?),
            "text" => {
                let TextConfig { format, verbosity, rest } = read(name, raw)?;
                request.output.format = format.map(parameters::output_format);
                request.output.verbosity = verbosity.map(|verbosity| verbosity.0);
                self.rest.nest(name, rest.without_nulls());
            }
            "reasoning" => self.reasoning(name, raw)?,
            "include" => self.include(name, raw)?,
            // What the dialect does where nothing is said.
            "truncation" if raw == "\"disabled\"" => {}
            "background" if raw == "false" => {}
            _ => self.plain_field(name, raw)?,
        }
        Ok(())
    }

    fn plain_field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let ChatRequest { sampling, labels, .. } = &mut self.request;
        match name {
            "max_output_tokens" => sampling.output_max = Some(read(name, raw)?),
            "temperature" => sampling.temperature = Some(read::<Number>(name, raw)?),
            "top_p" => sampling.top_p = Some(read::<Number>(name, raw)?),
            "top_logprobs" => sampling.top_logprobs = Some(read(name, raw)?),
            "user" => labels.user = Some(text(name, raw)?),
            "safety_identifier" => labels.safety_identifier = Some(text(name, raw)?),
            "metadata" => labels.metadata = Some(read(name, raw)?),
            "prompt_cache_key" => labels.cache_key = Some(text(name, raw)?),
            "service_tier" => labels.service_tier = Some(text(name, raw)?),
            "store" => labels.store = Some(read(name, raw)?),
            _ => self.rest.push(name, read(name, raw)?),
        }
        Ok(())
    }

    fn reasoning(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let WireReasoning { effort, summary, mut rest } = read(name, raw)?;
        let known = effort.as_ref().and_then(|effort| Effort::parse(&effort.0));
        if let (Some(effort), None) = (&effort, known) {
            let raw = serde_json::value::to_raw_value(&*effort.0).map_err(|error| wrong(name, &error))?;
            rest.push("effort", RawJson::from(raw));
        }
        self.request.reasoning = Some(Reasoning {
            effort: known,
            summary: summary.map(|summary| summary.0),
            extras: rest.without_nulls().extras(DIALECT, 0),
            ..Reasoning::default()
        });
        Ok(())
    }

    fn include(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let included: Vec<Str> = read(name, raw)?;
        if included.iter().any(|what| &*what.0 == LOGPROBS) {
            self.request.sampling.logprobs = Some(true);
        }
        if !included.iter().all(|what| INCLUDED.contains(&&*what.0)) {
            self.rest.push(name, read(name, raw)?);
        }
        Ok(())
    }
}
