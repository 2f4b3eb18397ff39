//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{ChatRequest, OutputFormat, RawJson, Turn};

use super::super::relay::GATEWAY_FIELDS;
use super::{DIALECT, config, contents, form, tools};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::fields::present_text;
use crate::json::field::{read, wrong};
use crate::json::{Rest, Str};

/// Fields with two spellings.
const SPELLINGS: &[(&str, &str)] = &[
    ("system_instruction", "systemInstruction"),
    ("tool_config", "toolConfig"),
    ("generation_config", "generationConfig"),
    ("safety_settings", "safetySettings"),
    ("cached_content", "cachedContent"),
    ("service_tier", "serviceTier"),
];

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader::default();
    for (name, raw) in envelope.members() {
        let spelled = SPELLINGS.iter().find(|(snake, _)| *snake == name);
        let canonical = spelled.map_or(name, |(_, camel)| camel);
        if canonical != name && envelope.contains(canonical) {
            let why = format!("`{name}`: the field is given twice, as `{canonical}` too");
            return Err(FieldError { field: name.to_owned().into(), message: why.into() });
        }
        if raw == "null" {
            reader.rest.push(canonical, RawJson::from(RawValue::NULL.to_owned()));
        } else if !GATEWAY_FIELDS.contains(&name) {
            reader.field(canonical, name, raw)?;
        }
    }
    if !envelope.contains("contents") {
        let message = "`contents` must be an array of contents";
        return Err(FieldError { field: "contents".into(), message: message.into() });
    }
    let Reader { mut request, system, form, mut rest, nested } = reader;
    request.turns.splice(..0, system);
    rest.nest("generationConfig", nested.config);
    rest.nest("toolConfig", nested.tools);
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

/// Reads the form of answer alone.
pub(super) fn output_format(envelope: &Envelope) -> Result<Option<(&'static str, OutputFormat)>, FieldError> {
    for field in ["generationConfig", "generation_config"] {
        let Some(raw) = present_text(envelope, field) else { continue };
        let format = config::output_format(raw).map_err(|error| wrong(field, &error))?;
        return Ok(format.map(|format| ("generationConfig.responseSchema", format)));
    }
    Ok(None)
}

#[derive(Default)]
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
    config: Rest,
    tools: Rest,
}

impl Reader {
    fn field(&mut self, canonical: &str, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        match canonical {
            "model" => {
                let model: Text = read::<Str>(name, raw)?.0;
                request.model = model.strip_prefix("models/").map_or(model.clone(), Text::from);
            }
            "systemInstruction" => self.system = Some(contents::system(name, raw)?),
            "contents" => request.turns = contents::decode(raw)?,
            "tools" => {
                request.tools = tools::decode(raw).map_err(|error| wrong(name, &error))?;
                if request.tools.is_empty() {
                    self.rest.push(canonical, read(name, raw)?);
                }
            }
            "toolConfig" => {
                let (choice, rest) = tools::choice(raw).map_err(|error| wrong(name, &error))?;
                request.tool_choice = choice;
                self.nested.tools = rest;
                self.form |= form::TOOL_CONFIG;
            }
            "generationConfig" => {
                self.nested.config = config::decode(request, raw)
                    .map_err(|(member, error)| wrong(&format!("{name}{member}"), &error))?;
                self.form |= form::CONFIG;
            }
            "serviceTier" => {
                let tier = read::<Str>(name, raw)?.0;
                match &*tier {
                    "standard" => request.labels.service_tier = Some("default".into()),
                    "flex" | "priority" => request.labels.service_tier = Some(tier),
                    _ => self.rest.push(canonical, read(name, raw)?),
                }
            }
            _ => self.rest.push(canonical, read(name, raw)?),
        }
        Ok(())
    }
}
