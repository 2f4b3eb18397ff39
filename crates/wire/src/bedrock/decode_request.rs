//! Reading a request, field by field. The model stands in the path.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use trunkline_domain::chat::{ChatRequest, Effort, Number, RawJson, Reasoning, Thinking, Turn};

use super::messages::{self, wrong};
use super::{DIALECT, form, parameters};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::json::{Rest, Str, wire_object};

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader { form: form::NO_MESSAGES, ..Reader::default() };
    for (name, raw) in envelope.members() {
        if raw == "null" {
            reader.rest.push(name, RawJson::from(RawValue::NULL.to_owned()));
        } else {
            reader.field(name, raw)?;
        }
    }
    let Reader { mut request, system, form, mut rest, nested } = reader;
    request.turns.splice(..0, system);
    rest.join(nested);
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

#[derive(Default)]
struct Reader {
    request: ChatRequest,
    system: Option<Turn>,
    form: u32,
    rest: Rest,
    /// What the objects among the fields held besides: kept behind the fields, wherever they stood.
    nested: Rest,
}

wire_object! {
    struct Inference {
        "maxTokens" => output_max: u64,
        "temperature" => temperature: Number,
        "topP" => top_p: Number,
        "stopSequences" => stop: Vec<Str>,
    }
}

wire_object! {
    struct Additional { "thinking" => thinking: RawJson, "top_k" => top_k: RawJson }
}

wire_object! {
    struct WireThinking { "type" => kind: Str, "budget_tokens" => budget: u64 }
}

wire_object! {
    struct OutputConfig { "textFormat" => format: RawJson, "effort" => effort: RawJson }
}

wire_object! {
    struct Tier { "type" => kind: Str }
}

impl Reader {
    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        match name {
            "system" => match messages::system(raw)? {
                Some(turn) => self.system = Some(turn),
                None => self.keep(name, raw)?,
            },
            "messages" => {
                self.request.turns = messages::decode(raw)?;
                self.form &= !form::NO_MESSAGES;
            }
            "toolConfig" => {
                let parameters::ToolConfig { tools, choice, rest } = read(name, raw)?;
                self.request.tools = parameters::tools(tools.unwrap_or_default());
                self.request.tool_choice = choice.map(parameters::tool_choice);
                self.nested.nest(name, rest);
                self.form |= form::TOOL_CONFIG;
            }
            "inferenceConfig" => self.inference(name, raw)?,
            "additionalModelRequestFields" => self.additional(name, raw)?,
            "outputConfig" => self.output_config(name, raw)?,
            "requestMetadata" => self.request.labels.metadata = Some(read(name, raw)?),
            "serviceTier" => {
                let Tier { kind, rest } = read(name, raw)?;
                let kind = kind.ok_or_else(|| FieldError {
                    field: "serviceTier.type".into(),
                    message: "`serviceTier.type` must be a string".into(),
                })?;
                self.request.labels.service_tier = Some(kind.0);
                self.nested.nest(name, rest);
            }
            _ => self.keep(name, raw)?,
        }
        Ok(())
    }

    fn inference(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let Inference { output_max, temperature, top_p, stop, mut rest } = read(name, raw)?;
        let sampling = &mut self.request.sampling;
        sampling.output_max = output_max;
        sampling.temperature = temperature;
        sampling.top_p = top_p;
        if stop.as_ref().is_some_and(Vec::is_empty) {
            rest.push("stopSequences", read("stopSequences", "[]")?);
        }
        sampling.stop = stop.into_iter().flatten().map(|stop| stop.0).collect();
        self.nested.nest(name, rest);
        self.form |= form::INFERENCE;
        Ok(())
    }

    /// Reads what a model takes besides. Any value is allowed; only Claude's thinking and `top_k` are known here.
    fn additional(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let Ok(Additional { thinking, top_k, mut rest }) = serde_json::from_str(raw) else {
            return self.keep(name, raw);
        };
        if let Some(raw) = thinking {
            match reasoning(&raw) {
                Some(reasoning) => {
                    let effort = self.request.reasoning.take().and_then(|reasoning| reasoning.effort);
                    self.request.reasoning = Some(Reasoning { effort, ..reasoning });
                }
                None => rest.push("thinking", raw),
            }
        }
        if let Some(raw) = top_k {
            self.request.sampling.top_k = serde_json::from_str(raw.get()).ok();
            if self.request.sampling.top_k.is_none() {
                rest.push("top_k", raw);
            }
        }
        self.nested.nest(name, rest);
        self.form |= form::ADDITIONAL;
        Ok(())
    }

    fn output_config(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let OutputConfig { format, effort, mut rest } = read(name, raw)?;
        self.request.output.format = format.map(parameters::output_format);
        if let Some(raw) = effort {
            let named = serde_json::from_str::<Str>(raw.get()).ok();
            match named.and_then(|name| Effort::parse(&name.0)) {
                Some(effort) => self.request.reasoning.get_or_insert_default().effort = Some(effort),
                None => rest.push("effort", raw),
            }
        }
        self.nested.nest(name, rest);
        self.form |= form::OUTPUT_CONFIG;
        Ok(())
    }

    fn keep(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        self.rest.push(name, read(name, raw)?);
        Ok(())
    }
}

/// Reads Claude's `thinking`; `None` where it is not as documented.
fn reasoning(raw: &RawJson) -> Option<Reasoning> {
    let WireThinking { kind, budget, rest } = serde_json::from_str(raw.get()).ok()?;
    let thinking = match &*kind?.0 {
        "enabled" => Thinking::Enabled,
        "disabled" => Thinking::Disabled,
        "adaptive" => Thinking::Adaptive,
        _ => return None,
    };
    let extras = rest.extras(DIALECT, form::THINKING);
    Some(Reasoning { thinking: Some(thinking), budget_tokens: budget, extras, ..Reasoning::default() })
}

fn read<T: DeserializeOwned>(name: &str, raw: &str) -> Result<T, FieldError> {
    serde_json::from_str(raw).map_err(|error| wrong(name, &error))
}
