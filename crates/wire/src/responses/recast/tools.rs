//! Tools and their choice, both ways. What is not written exactly as documented is opaque, so that nothing in it is lost.
//!
//! The dialect holds arguments to a function's schema unless it is told otherwise; others do so only when told. A function
//! from elsewhere therefore says `strict: false` where it says nothing.

use serde_json::value::RawValue;
use trunkline_domain::chat::{Extras, Opaque, RawJson, Tool, ToolChoice, ToolKind};
use trunkline_domain::{Dialect, Text};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::recast::Losses;
use crate::recast::loss::restore;

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
                ToolKind::Freeform { format: format.map(|raw| Opaque { dialect: DIALECT, raw }) }
            }
            _ => return None,
        };
        let description = description.map(|description| description.0);
        Some(Tool { name: name?.0, description, kind, cache: None, extras: rest.extras(DIALECT, form::OWN) })
    }
}

/// Writes a tool; nothing where the dialect has none like it.
pub(super) fn write_tool(array: &mut Array<'_>, tool: &Tool, at: usize, losses: &mut Losses) {
    let path = || format!("tools[{at}]");
    let kind = match &tool.kind {
        ToolKind::Function { .. } => "function",
        ToolKind::Freeform { .. } => "custom",
        ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => return array.raw(&opaque.raw),
        ToolKind::Opaque(_) => {
            return losses.dropped(Subject::Tools, path(), "the provider has no such tool");
        }
    };
    if tool.cache.is_some() {
        let path = format!("{}.cache", path());
        losses.dropped(Subject::Cache, path, "the dialect marks parts of messages and outputs only");
    }
    let own = tool.extras.form(DIALECT) & form::OWN != 0;
    array.object(|object| {
        object.member("type", kind);
        object.member("name", &tool.name);
        object.optional("description", tool.description.as_ref());
        match &tool.kind {
            ToolKind::Function { parameters, strict } => {
                match parameters {
                    Some(parameters) => object.raw("parameters", parameters),
                    None if own => {}
                    None => object.member("parameters", &()),
                }
                object.optional("strict", strict.or((!own).then_some(false)));
            }
            ToolKind::Freeform { format: Some(format) } => {
                if let Some(format) = grammar(format) {
                    object.raw("format", &format);
                } else {
                    let path = format!("{}.format", path());
                    losses.dropped(Subject::Tools, path, "the grammar is in another dialect");
                }
            }
            ToolKind::Freeform { format: None } | ToolKind::Opaque(_) => {}
        }
        restore(object, &tool.extras, DIALECT, &path, losses);
    });
}

wire_object! {
    /// A grammar as OpenAI's chat dialect writes it.
    struct ChatFormat { "type" => kind: Str, "grammar" => grammar: Grammar }
}

wire_object! {
    struct Grammar { "syntax" => syntax: RawJson, "definition" => definition: RawJson }
}

/// A grammar in this dialect. OpenAI's chat dialect has the same one level deeper.
fn grammar(format: &Opaque) -> Option<RawJson> {
    if format.dialect == DIALECT {
        return Some(format.raw.clone());
    }
    let of_chat = (format.dialect == Dialect::OpenaiChat).then_some(&format.raw)?;
    let ChatFormat { kind, grammar, rest } = serde_json::from_str(of_chat.get()).ok()?;
    match (&*kind?.0, grammar) {
        ("text", None) if rest.is_empty() => Some(of_chat.clone()),
        ("grammar", Some(Grammar { syntax, definition, rest: inner }))
            if rest.is_empty() && inner.is_empty() =>
        {
            let (syntax, definition) = (syntax?, definition?);
            let (syntax, definition) = (syntax.get(), definition.get());
            RawJson::parse(&format!(
                "{{\"type\":\"grammar\",\"syntax\":{syntax},\"definition\":{definition}}}"
            ))
        }
        _ => None,
    }
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

/// Writes `tool_choice`.
pub(super) fn write_tool_choice(object: &mut Object<'_>, choice: &ToolChoice, losses: &mut Losses) {
    const KEY: &str = "tool_choice";
    let named = |object: &mut Object<'_>, kind: &str, name: &Text| {
        object.object(KEY, |choice| {
            choice.member("type", kind);
            choice.member("name", name);
        });
    };
    match choice {
        ToolChoice::Auto => object.member(KEY, "auto"),
        ToolChoice::None => object.member(KEY, "none"),
        ToolChoice::Required => object.member(KEY, "required"),
        ToolChoice::Function(name) => named(object, "function", name),
        ToolChoice::Freeform(name) => named(object, "custom", name),
        ToolChoice::Allowed { required, names } => object.object(KEY, |choice| {
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
        ToolChoice::Opaque(opaque) if opaque.dialect == DIALECT => object.raw(KEY, &opaque.raw),
        ToolChoice::Opaque(_) => losses.dropped(Subject::Tools, KEY, "the provider has no such choice"),
    }
}
