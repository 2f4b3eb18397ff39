//! Tools, their choice, thinking and the answer's form, read. What is not written exactly as documented is opaque, so
//! that nothing in it is lost.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    Effort, Extras, Opaque, OutputFormat, RawJson, Reasoning, Thinking, Tool, ToolChoice, ToolKind,
};

use super::blocks::{Mark, mark};
use super::{DIALECT, form};
use crate::json::{Rest, Str, wire_object};

wire_object! {
    struct WireTool {
        "type" => kind: Str,
        "name" => name: Str,
        "description" => description: Str,
        "input_schema" => input_schema: RawJson,
        "strict" => strict: bool,
        "cache_control" => cache_control: Mark,
    }
}

/// A raw value as this dialect's own.
fn opaque(raw: &RawValue) -> Opaque {
    Opaque { dialect: DIALECT, raw: RawJson::from(raw.to_owned()) }
}

/// Reads a tool.
pub(super) fn tool(raw: &RawValue) -> Tool {
    serde_json::from_str::<WireTool>(raw.get()).ok().and_then(WireTool::tool).unwrap_or_else(|| Tool {
        name: Text::from(""),
        description: None,
        kind: ToolKind::Opaque(opaque(raw)),
        cache: None,
        extras: Extras::default(),
    })
}

impl WireTool {
    fn tool(self) -> Option<Tool> {
        let form = match self.kind.as_ref().map(|kind| &*kind.0) {
            None => 0,
            Some("custom") => form::TYPED,
            Some(_) => return None,
        };
        let (cache, rest) = mark(self.cache_control, self.rest)?;
        let kind = ToolKind::Function { parameters: Some(self.input_schema?), strict: self.strict };
        let description = self.description.map(|description| description.0);
        Some(Tool { name: self.name?.0, description, kind, cache, extras: rest.extras(DIALECT, form) })
    }
}

wire_object! {
    struct WireChoice {
        "type" => kind: Str,
        "name" => name: Str,
        "disable_parallel_tool_use" => not_parallel: bool,
    }
}

/// Reads `tool_choice`, and whether several tools may be called at once.
pub(super) fn tool_choice(raw: &RawValue) -> (ToolChoice, Option<bool>) {
    let read = serde_json::from_str::<WireChoice>(raw.get()).ok().and_then(WireChoice::choice);
    read.unwrap_or_else(|| (ToolChoice::Opaque(opaque(raw)), None))
}

impl WireChoice {
    fn choice(self) -> Option<(ToolChoice, Option<bool>)> {
        if !self.rest.is_empty() {
            return None;
        }
        let choice = match (&*self.kind?.0, self.name) {
            ("auto", None) => ToolChoice::Auto,
            ("any", None) => ToolChoice::Required,
            ("none", None) if self.not_parallel.is_none() => ToolChoice::None,
            ("tool", Some(name)) => ToolChoice::Function(name.0),
            _ => return None,
        };
        Some((choice, self.not_parallel.map(|not_parallel| !not_parallel)))
    }
}

wire_object! {
    struct WireThinking { "type" => kind: Str, "budget_tokens" => budget_tokens: u64, "display" => display: Str }
}

/// Reads `thinking`; `None` where it is not written as documented.
pub(super) fn thinking(raw: &RawValue) -> Option<Reasoning> {
    let WireThinking { kind, budget_tokens, display, rest } = serde_json::from_str(raw.get()).ok()?;
    let thinking = match &*kind?.0 {
        "enabled" => Thinking::Enabled,
        "disabled" => Thinking::Disabled,
        "adaptive" => Thinking::Adaptive,
        _ => return None,
    };
    let shown = match display.as_ref().map(|display| &*display.0) {
        None => None,
        Some("summarized") => Some(true),
        Some("omitted") => Some(false),
        Some(_) => return None,
    };
    let extras = rest.extras(DIALECT, form::THINKING);
    Some(Reasoning { thinking: Some(thinking), budget_tokens, shown, extras, ..Reasoning::default() })
}

wire_object! {
    struct WireOutput { "effort" => effort: RawJson, "format" => format: RawJson }
}

wire_object! {
    struct WireFormat { "type" => kind: Str, "schema" => schema: RawJson }
}

/// What `output_config` says.
pub(super) struct OutputConfig {
    pub(super) effort: Option<Effort>,
    pub(super) format: Option<OutputFormat>,
    pub(super) rest: Rest,
}

/// Reads `output_config`.
pub(super) fn output_config(raw: &str) -> serde_json::Result<OutputConfig> {
    let WireOutput { effort, format, mut rest } = serde_json::from_str(raw)?;
    let named = |raw: &RawJson| serde_json::from_str::<Str>(raw.get()).ok();
    let known = effort.as_ref().and_then(named).and_then(|name| Effort::parse(&name.0));
    let known = known.filter(|effort| *effort >= Effort::Low);
    if let (Some(raw), None) = (effort, known) {
        rest.push("effort", raw);
    }
    Ok(OutputConfig { effort: known, format: format.map(output_format), rest })
}

/// Reads the form of an answer.
pub(super) fn output_format(raw: RawJson) -> OutputFormat {
    let read = serde_json::from_str::<WireFormat>(raw.get()).ok().and_then(|format| {
        let schema = (&*format.kind?.0 == "json_schema").then_some(format.schema?)?;
        Some(OutputFormat::JsonSchema {
            name: None,
            description: None,
            schema: Some(schema),
            strict: None,
            extras: format.rest.extras(DIALECT, 0),
        })
    });
    read.unwrap_or(OutputFormat::Opaque(Opaque { dialect: DIALECT, raw }))
}

wire_object! {
    struct WireMetadata { "user_id" => user_id: Str }
}

/// Reads `metadata`: the user, and what else it holds.
pub(super) fn metadata(raw: &str) -> serde_json::Result<(Option<Text>, Rest)> {
    let WireMetadata { user_id, rest } = serde_json::from_str(raw)?;
    Ok((user_id.map(|user| user.0), rest))
}
