//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::chat::{ChatRequest, Number, OutputFormat, RawJson, Role};

use super::super::relay::OUTPUT_CAP;
use super::super::skim::refuse_kept;
use super::{DIALECT, form, items, parameters, reasoning, tools};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::fields::present_text;
use crate::json::Rest;
use crate::json::field::{borrowed, read, text, wrong};
use crate::openai::relay::GATEWAY_FIELDS;

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader {
        request: ChatRequest::default(),
        form: form::OWN,
        rest: Rest::default(),
        text: Rest::default(),
    };
    refuse_kept(envelope)?;
    reader.conversation(envelope)?;
    for (name, raw) in envelope.members() {
        if raw == "null" {
            reader.rest.push(name, RawJson::from(RawValue::NULL.to_owned()));
        } else if !GATEWAY_FIELDS.contains(&name) {
            reader.field(name, raw)?;
        }
    }
    let Reader { mut request, form, mut rest, text } = reader;
    rest.nest("text", text);
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

/// Reads the form of answer alone.
pub(super) fn output_format(envelope: &Envelope) -> Result<Option<(&'static str, OutputFormat)>, FieldError> {
    const FIELD: &str = "text";
    let Some(raw) = present_text(envelope, FIELD) else { return Ok(None) };
    let text = parameters::text(raw).map_err(|error| wrong(FIELD, &error))?;
    Ok(text.format.map(|format| ("text.format", format)))
}

struct Reader {
    request: ChatRequest,
    form: u32,
    rest: Rest,
    /// What `text` held besides: kept behind the fields, wherever it stood.
    text: Rest,
}

impl Reader {
    /// Instructions go first, wherever they stand.
    fn conversation(&mut self, envelope: &Envelope) -> Result<(), FieldError> {
        let given = |name: &str| envelope.raw(name).filter(|raw| *raw != "null");
        if let Some(raw) = given("instructions") {
            self.request.turns.push(items::said(Role::System, text("instructions", raw)?));
        }
        let Some(raw) = given("input") else {
            let message = "`input` must be a string or an array of items";
            return Err(FieldError { field: "input".into(), message: message.into() });
        };
        if raw.starts_with('"') {
            self.form |= form::INPUT_STRING;
            self.request.turns.push(items::said(Role::User, text("input", raw)?));
            return Ok(());
        }
        items::decode(raw, &mut self.request.turns)
    }

    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        match name {
            "model" => request.model = text(name, raw)?,
            // Read before anything else.
            "instructions" | "input" => {}
            "background" => {
                let given: bool = read(name, raw)?;
                self.form |= if given { 0 } else { form::BACKGROUND_FALSE };
            }
            "tools" => {
                let tools: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| wrong(name, &error))?;
                request.tools = tools.into_iter().map(tools::tool).collect();
                if request.tools.is_empty() {
                    self.keep(name, raw)?;
                }
            }
            "tool_choice" => request.tool_choice = Some(tools::tool_choice(borrowed(name, raw)?)),
            "parallel_tool_calls" => request.parallel_tool_calls = Some(read(name, raw)?),
            "stream" => {
                request.stream = read(name, raw)?;
                self.form |= if request.stream { 0 } else { form::STREAM_FALSE };
            }
            "stream_options" => {
                let options = parameters::stream_options(raw).map_err(|error| wrong(name, &error))?;
                request.stream_options = Some(options);
            }
            "reasoning" => {
                let reasoning = reasoning::decode(raw).map_err(|error| wrong(name, &error))?;
                request.reasoning = Some(reasoning);
            }
            "text" | "include" => self.output(name, raw)?,
            "truncation" if raw == "\"disabled\"" => self.form |= form::TRUNCATION_DISABLED,
            _ => self.value(name, raw)?,
        }
        Ok(())
    }

    fn output(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        if name == "text" {
            let text = parameters::text(raw).map_err(|error| wrong(name, &error))?;
            request.output.format = text.format;
            request.output.verbosity = text.verbosity;
            self.text = text.rest;
            self.form |= form::TEXT;
            return Ok(());
        }
        let include = parameters::include(raw).map_err(|error| wrong(name, &error))?;
        request.sampling.logprobs = include.logprobs.then_some(true);
        self.form |= if include.encrypted { form::ENCRYPTED } else { 0 };
        if let Some(raw) = include.raw {
            self.rest.push(name, raw);
        }
        Ok(())
    }

    fn value(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let sampling = &mut self.request.sampling;
        let labels = &mut self.request.labels;
        match name {
            OUTPUT_CAP => sampling.output_max = Some(read(name, raw)?),
            "temperature" => sampling.temperature = Some(read::<Number>(name, raw)?),
            "top_p" => sampling.top_p = Some(read::<Number>(name, raw)?),
            "top_logprobs" => sampling.top_logprobs = Some(read(name, raw)?),
            "user" => labels.user = Some(text(name, raw)?),
            "safety_identifier" => labels.safety_identifier = Some(text(name, raw)?),
            "metadata" => labels.metadata = Some(read(name, raw)?),
            "prompt_cache_key" => labels.cache_key = Some(text(name, raw)?),
            "service_tier" => labels.service_tier = Some(text(name, raw)?),
            "store" => labels.store = Some(read(name, raw)?),
            _ => self.keep(name, raw)?,
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        self.rest.push(name, read(name, raw)?);
        Ok(())
    }
}
