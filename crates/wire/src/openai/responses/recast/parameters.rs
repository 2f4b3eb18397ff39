//! Tools, their choice and the answer's form, both ways: an answer repeats them. What is not written exactly as documented
//! is opaque, so that nothing in it is lost.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{Extras, Opaque, OutputFormat, RawJson, Tool, ToolChoice, ToolKind};

use super::DIALECT;
use crate::json::{Array, Object, Str, wire_object};

wire_object! {
    struct WireTool {
        "type" => kind: Str,
        "name" => name: Str,
        "description" => description: Str,
        "parameters" => parameters: RawJson,
        "strict" => strict: bool,
        "format" => format: RawJson,
    }
}

/// A raw value as this dialect's own.
fn opaque(raw: &RawValue) -> Opaque {
    Opaque { dialect: DIALECT, raw: RawJson::from(raw.to_owned()) }
}

/// Reads a tool.
pub(crate) fn tool(raw: &RawValue) -> Tool {
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
        let Self { kind, name, description, parameters, strict, format, rest } = self;
        let kind = match (&*kind?.0, format) {
            ("function", None) => ToolKind::Function { parameters, strict },
            ("custom", format) if parameters.is_none() && strict.is_none() => {
                ToolKind::Freeform { format: format.and_then(grammar) }
            }
            _ => return None,
        };
        let description = description.map(|description| description.0);
        Some(Tool { name: name?.0, description, kind, cache: None, extras: rest.extras(DIALECT, 0) })
    }
}

/// A grammar; free text is none.
fn grammar(raw: RawJson) -> Option<Opaque> {
    (raw.get() != r#"{"type":"text"}"#).then_some(Opaque { dialect: DIALECT, raw })
}

/// Writes a tool as the caller gave it.
pub(super) fn write_tool(array: &mut Array<'_>, tool: &Tool) {
    let kind = match &tool.kind {
        ToolKind::Function { .. } => "function",
        ToolKind::Freeform { .. } => "custom",
        ToolKind::Opaque(opaque) => return array.raw(&opaque.raw),
    };
    array.object(|object| {
        object.member("type", kind);
        object.member("name", &tool.name);
        object.optional("description", tool.description.as_ref());
        match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                match parameters {
                    Some(parameters) => object.raw("parameters", parameters),
                    None => object.member("parameters", &()),
                }
                object.member("strict", strict);
            }
            ToolKind::Freeform { format: Some(format) } => object.raw("format", &format.raw),
            ToolKind::Freeform { format: None } | ToolKind::Opaque(_) => {}
        }
    });
}

wire_object! {
    struct WireChoice {
        "type" => kind: Str,
        "name" => name: Str,
        "mode" => mode: Str,
        "tools" => tools: Vec<WireChoice>,
    }
}

/// Reads `tool_choice`.
pub(super) fn tool_choice(raw: &RawValue) -> ToolChoice {
    let choice = match raw.get() {
        "\"auto\"" => Some(ToolChoice::Auto),
        "\"none\"" => Some(ToolChoice::None),
        "\"required\"" => Some(ToolChoice::Required),
        object => serde_json::from_str::<WireChoice>(object).ok().and_then(WireChoice::choice),
    };
    choice.unwrap_or_else(|| ToolChoice::Opaque(opaque(raw)))
}

impl WireChoice {
    fn choice(self) -> Option<ToolChoice> {
        let Self { kind, name, mode, tools, rest } = self;
        if !rest.is_empty() {
            return None;
        }
        match (&*kind?.0, name, mode, tools) {
            ("function", Some(name), None, None) => Some(ToolChoice::Function(name.0)),
            ("custom", Some(name), None, None) => Some(ToolChoice::Freeform(name.0)),
            ("allowed_tools", None, Some(mode), Some(tools)) => {
                let required = match &*mode.0 {
                    "auto" => false,
                    "required" => true,
                    _ => return None,
                };
                let name = |choice: WireChoice| match choice.choice() {
                    Some(ToolChoice::Function(name)) => Some(name),
                    _ => None,
                };
                let names = tools.into_iter().map(name).collect::<Option<Vec<_>>>()?;
                Some(ToolChoice::Allowed { required, names })
            }
            _ => None,
        }
    }
}

/// Writes `tool_choice` as the caller gave it.
pub(super) fn write_tool_choice(object: &mut Object<'_>, choice: Option<&ToolChoice>) {
    const KEY: &str = "tool_choice";
    let named = |object: &mut Object<'_>, kind: &str, name: &Text| {
        object.object(KEY, |choice| {
            choice.member("type", kind);
            choice.member("name", name);
        });
    };
    match choice {
        None | Some(ToolChoice::Auto) => object.member(KEY, "auto"),
        Some(ToolChoice::None) => object.member(KEY, "none"),
        Some(ToolChoice::Required) => object.member(KEY, "required"),
        Some(ToolChoice::Function(name)) => named(object, "function", name),
        Some(ToolChoice::Freeform(name)) => named(object, "custom", name),
        Some(ToolChoice::Allowed { required, names }) => object.object(KEY, |choice| {
            choice.member("type", "allowed_tools");
            choice.member("mode", if *required { "required" } else { "auto" });
            choice.array("tools", |tools| {
                for name in names {
                    tools.object(|tool| {
                        tool.member("type", "function");
                        tool.member("name", name);
                    });
                }
            });
        }),
        Some(ToolChoice::Opaque(opaque)) => object.raw(KEY, &opaque.raw),
    }
}

wire_object! {
    struct WireFormat {
        "type" => kind: Str,
        "name" => name: Str,
        "description" => description: Str,
        "schema" => schema: RawJson,
        "strict" => strict: bool,
    }
}

/// Reads `text.format`.
pub(super) fn output_format(raw: RawJson) -> OutputFormat {
    let format = serde_json::from_str::<WireFormat>(raw.get()).ok().and_then(|format| {
        let WireFormat { kind, name, description, schema, strict, rest } = format;
        match (&*kind?.0, schema) {
            ("text", None) => Some(OutputFormat::Text),
            ("json_object", None) => Some(OutputFormat::JsonObject),
            ("json_schema", schema) => Some(OutputFormat::JsonSchema {
                name: name.map(|name| name.0),
                description: description.map(|description| description.0),
                schema,
                strict,
                extras: rest.extras(DIALECT, 0),
            }),
            _ => None,
        }
    });
    format.unwrap_or(OutputFormat::Opaque(Opaque { dialect: DIALECT, raw }))
}

/// Writes `text.format` as the caller gave it.
pub(super) fn write_output_format(object: &mut Object<'_>, format: Option<&OutputFormat>) {
    const KEY: &str = "format";
    match format {
        None | Some(OutputFormat::Text) => object.object(KEY, |format| format.member("type", "text")),
        Some(OutputFormat::JsonObject) => object.object(KEY, |format| format.member("type", "json_object")),
        Some(OutputFormat::JsonSchema { name, description, schema, strict, .. }) => {
            object.object(KEY, |format| {
                format.member("type", "json_schema");
                format.member("name", name.as_deref().unwrap_or("answer"));
                format.optional("description", description.as_ref());
                if let Some(schema) = schema {
                    format.raw("schema", schema);
                }
                format.member("strict", strict);
            });
        }
        Some(OutputFormat::Opaque(opaque)) => object.raw(KEY, &opaque.raw),
    }
}
