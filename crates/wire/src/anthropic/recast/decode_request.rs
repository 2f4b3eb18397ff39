//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::chat::{ChatRequest, Number, OutputFormat, RawJson, Reasoning, Turn};

use super::super::relay::GATEWAY_FIELDS;
use super::{DIALECT, form, messages, parameters};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::fields::present_text;
use crate::json::field::{borrowed, read, text, wrong};
use crate::json::{Rest, Str};

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader {
        request: ChatRequest::default(),
        system: None,
        form: 0,
        rest: Rest::default(),
        nested: Nested::default(),
    };
    for (name, raw) in envelope.members() {
        if raw == "null" {
            reader.rest.push(name, RawJson::from(RawValue::NULL.to_owned()));
        } else if !GATEWAY_FIELDS.contains(&name) {
            reader.field(name, raw)?;
        }
    }
    if !envelope.contains("messages") {
        let message = "`messages` must be an array of messages";
        return Err(FieldError { field: "messages".into(), message: message.into() });
    }
    let Reader { mut request, system, form, mut rest, nested } = reader;
    request.turns.splice(..0, system);
    rest.nest("output_config", nested.output_config);
    rest.nest("metadata", nested.metadata);
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

/// Reads the form of answer alone: where it stands now, and where it stood in the beta of structured outputs
/// (anthropic-sdk-python, `types/beta/message_create_params.py`, `output_format`).
pub(super) fn output_format(envelope: &Envelope) -> Result<Option<(&'static str, OutputFormat)>, FieldError> {
    let (field, beta) = ("output_config", "output_format");
    if let Some(raw) = present_text(envelope, beta) {
        return Ok(Some((beta, parameters::output_format(read(beta, raw)?))));
    }
    let Some(raw) = present_text(envelope, field) else { return Ok(None) };
    let config = parameters::output_config(raw).map_err(|error| wrong(field, &error))?;
    Ok(config.format.map(|format| ("output_config.format", format)))
}

struct Reader {
    request: ChatRequest,
    system: Option<Turn>,
    form: u32,
    rest: Rest,
    nested: Nested,
}

/// What the objects among the fields held besides: kept behind the fields, wherever they stood.
#[derive(Default)]
struct Nested {
    output_config: Rest,
    metadata: Rest,
}

impl Reader {
    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        match name {
            "model" => request.model = text(name, raw)?,
            "system" => self.system = Some(messages::system(raw)?),
            "messages" => request.turns = messages::decode(raw)?,
            "tools" => {
                let tools: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| wrong(name, &error))?;
                request.tools = tools.into_iter().map(parameters::tool).collect();
                if request.tools.is_empty() {
                    self.keep(name, raw)?;
                }
            }
            "tool_choice" => {
                let (choice, parallel) = parameters::tool_choice(borrowed(name, raw)?);
                request.tool_choice = Some(choice);
                request.parallel_tool_calls = parallel;
            }
            "stream" => {
                request.stream = read(name, raw)?;
                self.form |= if request.stream { 0 } else { form::STREAM_FALSE };
            }
            "thinking" => self.thinking(name, raw)?,
            "output_config" => self.output_config(name, raw)?,
            "metadata" => {
                let (user, rest) = parameters::metadata(raw).map_err(|error| wrong(name, &error))?;
                request.labels.user = user;
                self.nested.metadata = rest;
                self.form |= form::METADATA;
            }
            "service_tier" => match raw {
                "\"auto\"" => request.labels.service_tier = Some("auto".into()),
                "\"standard_only\"" => request.labels.service_tier = Some("default".into()),
                _ => self.keep(name, raw)?,
            },
            _ => self.sampling_field(name, raw)?,
        }
        Ok(())
    }

    fn thinking(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let Some(reasoning) = parameters::thinking(borrowed(name, raw)?) else { return self.keep(name, raw) };
        let effort = self.request.reasoning.take().and_then(|reasoning| reasoning.effort);
        self.request.reasoning = Some(Reasoning { effort, ..reasoning });
        Ok(())
    }

    fn output_config(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let config = parameters::output_config(raw).map_err(|error| wrong(name, &error))?;
        if config.effort.is_some() {
            self.request.reasoning.get_or_insert_default().effort = config.effort;
        }
        self.request.output.format = config.format;
        self.nested.output_config = config.rest;
        self.form |= form::OUTPUT_CONFIG;
        Ok(())
    }

    fn sampling_field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let sampling = &mut self.request.sampling;
        match name {
            "max_tokens" => sampling.output_max = Some(read(name, raw)?),
            "temperature" => sampling.temperature = Some(read::<Number>(name, raw)?),
            "top_p" => sampling.top_p = Some(read::<Number>(name, raw)?),
            "top_k" => sampling.top_k = Some(read(name, raw)?),
            "stop_sequences" => {
                let stops: Vec<Str> = read(name, raw)?;
                sampling.stop = stops.into_iter().map(|stop| stop.0).collect();
                if sampling.stop.is_empty() {
                    self.keep(name, raw)?;
                }
            }
            _ => self.keep(name, raw)?,
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        self.rest.push(name, read(name, raw)?);
        Ok(())
    }
}
