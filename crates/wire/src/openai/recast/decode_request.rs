//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{ChatRequest, Number, Opaque, OutputFormat, RawJson, Reasoning};

use super::super::relay::GATEWAY_FIELDS;
use super::{DIALECT, form, messages, parameters};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::fields::present_text;
use crate::json::field::{borrowed, read, text, wrong};
use crate::json::{Rest, Str};

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader { request: ChatRequest::default(), form: 0, rest: Rest::default() };
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
    reader.settle_caps(envelope)?;
    let Reader { mut request, form, rest } = reader;
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

/// Reads the form of answer alone.
pub(super) fn output_format(envelope: &Envelope) -> Result<Option<(&'static str, OutputFormat)>, FieldError> {
    const FIELD: &str = "response_format";
    let Some(raw) = present_text(envelope, FIELD) else { return Ok(None) };
    Ok(Some((FIELD, parameters::output_format(borrowed(FIELD, raw)?))))
}

struct Reader {
    request: ChatRequest,
    form: u32,
    rest: Rest,
}

impl Reader {
    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        match name {
            "model" => self.request.model = text(name, raw)?,
            "messages" => self.request.turns = messages::decode(raw)?,
            "tools" | "tool_choice" | "parallel_tool_calls" | "functions" | "function_call" => {
                self.tool_field(name, raw)?;
            }
            "stream" => {
                self.request.stream = read(name, raw)?;
                self.form |= if self.request.stream { 0 } else { form::STREAM_FALSE };
            }
            "stream_options" => {
                let options = parameters::stream_options(raw).map_err(|error| wrong(name, &error))?;
                self.request.stream_options = Some(options);
            }
            "reasoning" | "reasoning_effort" => self.reasoning(name, raw)?,
            "response_format" | "verbosity" | "modalities" | "audio" => self.output_field(name, raw)?,
            "user" | "safety_identifier" | "metadata" | "prompt_cache_key" | "service_tier" | "store" => {
                self.label(name, raw)?;
            }
            _ => self.sampling_field(name, raw)?,
        }
        Ok(())
    }

    fn tool_field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        match name {
            "tools" => {
                let tools: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| wrong(name, &error))?;
                if tools.is_empty() {
                    self.rest.push(name, messages::empty_array());
                }
                self.request.tools = tools.into_iter().map(parameters::tool).collect();
            }
            "tool_choice" => {
                self.request.tool_choice = Some(parameters::tool_choice(borrowed(name, raw)?));
            }
            "parallel_tool_calls" => self.request.parallel_tool_calls = Some(read(name, raw)?),
            _ => {
                let message = format!("`{name}` is no longer supported: use `tools` and `tool_choice`");
                return Err(FieldError { field: name.to_owned().into(), message: message.into() });
            }
        }
        Ok(())
    }

    fn reasoning(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let read = match name {
            "reasoning" => parameters::reasoning(borrowed(name, raw)?),
            _ => parameters::effort(raw)
                .map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
        };
        match read {
            Some(reasoning) if self.request.reasoning.is_none() => self.request.reasoning = Some(reasoning),
            _ => self.keep(name, raw)?,
        }
        Ok(())
    }

    fn output_field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let output = &mut self.request.output;
        match name {
            "response_format" => output.format = Some(parameters::output_format(borrowed(name, raw)?)),
            "verbosity" => output.verbosity = Some(text(name, raw)?),
            "modalities" => {
                output.modalities = texts(name, raw)?;
                if output.modalities.is_empty() {
                    self.rest.push(name, messages::empty_array());
                }
            }
            _ => output.speech = Some(Opaque { dialect: DIALECT, raw: json(name, raw)? }),
        }
        Ok(())
    }

    fn label(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let labels = &mut self.request.labels;
        match name {
            "user" => labels.user = Some(text(name, raw)?),
            "safety_identifier" => labels.safety_identifier = Some(text(name, raw)?),
            "metadata" => labels.metadata = Some(json(name, raw)?),
            "prompt_cache_key" => labels.cache_key = Some(text(name, raw)?),
            "service_tier" => labels.service_tier = Some(text(name, raw)?),
            _ => labels.store = Some(read(name, raw)?),
        }
        Ok(())
    }

    fn sampling_field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let number = || read::<Number>(name, raw).map(Some);
        let sampling = &mut self.request.sampling;
        match name {
            "temperature" => sampling.temperature = number()?,
            "top_p" => sampling.top_p = number()?,
            "frequency_penalty" => sampling.frequency_penalty = number()?,
            "presence_penalty" => sampling.presence_penalty = number()?,
            "min_p" => {
                sampling.min_p = number()?;
                self.form |= form::MIN_P;
            }
            "repetition_penalty" => {
                sampling.repetition_penalty = number()?;
                self.form |= form::REPETITION_PENALTY;
            }
            "seed" => sampling.seed = Some(read(name, raw)?),
            "n" => sampling.n = Some(read(name, raw)?),
            "logprobs" => sampling.logprobs = Some(read(name, raw)?),
            "top_logprobs" => sampling.top_logprobs = Some(read(name, raw)?),
            "logit_bias" => sampling.logit_bias = Some(json(name, raw)?),
            "prediction" => sampling.prediction = Some(Opaque { dialect: DIALECT, raw: json(name, raw)? }),
            "stop" => self.stop(name, raw)?,
            // vLLM takes -1 for "all": no number of candidates, so it is kept as it is.
            "top_k" => match raw.parse() {
                Ok(top_k) => {
                    sampling.top_k = Some(top_k);
                    self.form |= form::TOP_K;
                }
                Err(_) => self.keep(name, raw)?,
            },
            // Read together, once all fields have been seen.
            "max_tokens" | "max_completion_tokens" => {}
            _ => self.keep(name, raw)?,
        }
        Ok(())
    }

    fn stop(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        if raw.starts_with('"') {
            self.request.sampling.stop = vec![text(name, raw)?];
            self.form |= form::STOP_STRING;
            return Ok(());
        }
        self.request.sampling.stop = texts(name, raw)?;
        if self.request.sampling.stop.is_empty() {
            self.rest.push(name, messages::empty_array());
        }
        Ok(())
    }

    /// Of two caps the smaller governs; the other one is kept as it is.
    fn settle_caps(&mut self, envelope: &Envelope) -> Result<(), FieldError> {
        let cap = |name: &str| match envelope.raw(name) {
            None | Some("null") => Ok(None),
            Some(raw) => read::<u64>(name, raw).map(Some),
        };
        let (old, new) = (cap("max_tokens")?, cap("max_completion_tokens")?);
        let by_old = match (old, new) {
            (Some(old), Some(new)) => old < new,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.request.sampling.output_max = if by_old { old } else { new };
        if by_old {
            self.form |= form::MAX_TOKENS;
        }
        if old.is_some() && new.is_some() {
            let other = if by_old { "max_completion_tokens" } else { "max_tokens" };
            self.keep(other, envelope.raw(other).unwrap_or("null"))?;
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        self.rest.push(name, json(name, raw)?);
        Ok(())
    }
}

fn texts(name: &str, raw: &str) -> Result<Vec<Text>, FieldError> {
    read::<Vec<Str>>(name, raw).map(|texts| texts.into_iter().map(|text| text.0).collect())
}

fn json(name: &str, raw: &str) -> Result<RawJson, FieldError> {
    read(name, raw)
}
