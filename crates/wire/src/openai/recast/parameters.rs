//! Tools, their choice, the answer's form and reasoning: the fields of a request with structure, both ways. What is not
//! written exactly as documented is opaque, so that nothing in it is lost.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    Effort, Opaque, OutputFormat, RawJson, Reasoning, StreamOptions, Thinking, Tool, ToolChoice, ToolKind,
};

use super::content::{Mark, tool_mark, write_mark};
use super::encode_messages::cache_marks;
use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Rest, Str, wire_object};
use crate::recast::loss::{restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

wire_object! {
    struct WireTool {
        "type" => kind: Str,
        "function" => function: Function,
        "custom" => custom: Custom,
        "cache_control" => cache_control: Mark,
    }
}

wire_object! {
    struct Function {
        "name" => name: Str,
        "description" => description: Str,
        "parameters" => parameters: RawJson,
        "strict" => strict: bool,
    }
}

wire_object! {
    struct Custom { "name" => name: Str, "description" => description: Str, "format" => format: RawJson }
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
        extras: trunkline_domain::chat::Extras::default(),
    })
}

impl WireTool {
    fn tool(self) -> Option<Tool> {
        let Self { kind, function, custom, cache_control, mut rest } = self;
        let (cache, form) = tool_mark(cache_control, &mut rest)?;
        let (name, description, kind) = match (&*kind?.0, function, custom) {
            ("function", Some(function), None) => {
                rest.nest("function", function.rest);
                let kind = ToolKind::Function { parameters: function.parameters, strict: function.strict };
                (function.name?.0, function.description, kind)
            }
            ("custom", None, Some(custom)) => {
                rest.nest("custom", custom.rest);
                let format = custom.format.map(|raw| Opaque { dialect: DIALECT, raw });
                (custom.name?.0, custom.description, ToolKind::Freeform { format })
            }
            _ => return None,
        };
        let description = description.map(|description| description.0);
        Some(Tool { name, description, kind, cache, extras: rest.extras(DIALECT, form) })
    }
}

/// Writes a tool; nothing where the dialect has none like it.
pub(super) fn write_tool(
    array: &mut Array<'_>,
    tool: &Tool,
    at: usize,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let path = || format!("tools[{at}]");
    let member = match &tool.kind {
        ToolKind::Function { .. } => "function",
        ToolKind::Freeform { .. } => "custom",
        ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => return array.raw(&opaque.raw),
        ToolKind::Opaque(_) => {
            return losses.dropped(Subject::Tools, path(), "the provider has no such tool");
        }
    };
    array.object(|object| {
        object.member("type", member);
        object.object(member, |inner| {
            inner.member("name", &tool.name);
            inner.optional("description", tool.description.as_ref());
            match &tool.kind {
                ToolKind::Function { parameters, strict } => {
                    if let Some(parameters) = parameters {
                        inner.raw("parameters", parameters);
                    }
                    inner.optional("strict", *strict);
                }
                ToolKind::Freeform { format: Some(format) } if format.dialect == DIALECT => {
                    inner.raw("format", &format.raw);
                }
                ToolKind::Freeform { format: Some(_) } => {
                    let path = format!("{}.format", path());
                    losses.dropped(Subject::Tools, path, "the grammar is in another dialect");
                }
                ToolKind::Freeform { format: None } | ToolKind::Opaque(_) => {}
            }
            restore_nested(inner, &tool.extras, DIALECT, member);
        });
        if let Some(mark) = &tool.cache {
            let marks = cache_marks(tool.extras.form(DIALECT), target.quirks.cache_marks);
            let written = write_mark(object, mark, marks, |object, member| {
                restore_nested(object, &tool.extras, DIALECT, member);
            });
            if written.is_err() {
                let path = format!("{}.cache", path());
                losses.dropped(Subject::Cache, path, "the provider takes no cache marks in this dialect");
            }
        }
        restore(object, &tool.extras, DIALECT, &path, losses);
    });
}

wire_object! {
    struct WireChoice {
        "type" => kind: Str,
        "function" => function: Named,
        "custom" => custom: Named,
        "allowed_tools" => allowed: Allowed,
    }
}

wire_object! {
    struct Named { "name" => name: Str }
}

wire_object! {
    struct Allowed { "mode" => mode: Str, "tools" => tools: Vec<WireChoice> }
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
        let Self { kind, function, custom, allowed, rest } = self;
        if !rest.is_empty() {
            return None;
        }
        match (&*kind?.0, function, custom, allowed) {
            ("function", Some(named), None, None) => Some(ToolChoice::Function(named.only()?)),
            ("custom", None, Some(named), None) => Some(ToolChoice::Freeform(named.only()?)),
            ("allowed_tools", None, None, Some(allowed)) => {
                let required = match &*allowed.mode?.0 {
                    "auto" => false,
                    "required" => true,
                    _ => return None,
                };
                let name = |choice: WireChoice| match choice.choice() {
                    Some(ToolChoice::Function(name)) => Some(name),
                    _ => None,
                };
                let names = allowed.tools?.into_iter().map(name).collect::<Option<Vec<_>>>()?;
                allowed.rest.is_empty().then_some(ToolChoice::Allowed { required, names })
            }
            _ => None,
        }
    }
}

impl Named {
    fn only(self) -> Option<Text> {
        self.name.filter(|_| self.rest.is_empty()).map(|name| name.0)
    }
}

/// Writes `tool_choice`.
pub(super) fn write_tool_choice(
    object: &mut Object<'_>,
    key: &str,
    choice: &ToolChoice,
    losses: &mut Losses,
) {
    let named = |object: &mut Object<'_>, kind: &str, name: &Text| {
        object.object(key, |choice| {
            choice.member("type", kind);
            choice.object(kind, |named| named.member("name", name));
        });
    };
    match choice {
        ToolChoice::Auto => object.member(key, "auto"),
        ToolChoice::None => object.member(key, "none"),
        ToolChoice::Required => object.member(key, "required"),
        ToolChoice::Function(name) => named(object, "function", name),
        ToolChoice::Freeform(name) => named(object, "custom", name),
        ToolChoice::Allowed { required, names } => object.object(key, |choice| {
            choice.member("type", "allowed_tools");
            choice.object("allowed_tools", |allowed| {
                allowed.member("mode", if *required { "required" } else { "auto" });
                allowed.array("tools", |tools| {
                    for name in names {
                        tools.object(|tool| {
                            tool.member("type", "function");
                            tool.object("function", |named| named.member("name", name));
                        });
                    }
                });
            });
        }),
        ToolChoice::Opaque(opaque) if opaque.dialect == DIALECT => object.raw(key, &opaque.raw),
        ToolChoice::Opaque(_) => {
            losses.dropped(Subject::Tools, "tool_choice", "the provider has no such choice");
        }
    }
}

wire_object! {
    struct WireFormat { "type" => kind: Str, "json_schema" => schema: NamedSchema }
}

wire_object! {
    struct NamedSchema {
        "name" => name: Str,
        "description" => description: Str,
        "schema" => schema: RawJson,
        "strict" => strict: bool,
    }
}

/// Reads `response_format`.
pub(super) fn output_format(raw: &RawValue) -> OutputFormat {
    let format = serde_json::from_str::<WireFormat>(raw.get()).ok().and_then(|format| {
        if !format.rest.is_empty() {
            return None;
        }
        match (&*format.kind?.0, format.schema) {
            ("text", None) => Some(OutputFormat::Text),
            ("json_object", None) => Some(OutputFormat::JsonObject),
            ("json_schema", Some(schema)) => Some(OutputFormat::JsonSchema {
                name: schema.name.map(|name| name.0),
                description: schema.description.map(|description| description.0),
                schema: schema.schema,
                strict: schema.strict,
                extras: schema.rest.extras(DIALECT, 0),
            }),
            _ => None,
        }
    });
    format.unwrap_or_else(|| OutputFormat::Opaque(opaque(raw)))
}

/// Writes `response_format`.
pub(super) fn write_output_format(
    object: &mut Object<'_>,
    key: &str,
    format: &OutputFormat,
    losses: &mut Losses,
) {
    match format {
        OutputFormat::Text => object.object(key, |format| format.member("type", "text")),
        OutputFormat::JsonObject => object.object(key, |format| format.member("type", "json_object")),
        OutputFormat::JsonSchema { name, description, schema, strict, extras } => {
            object.object(key, |format| {
                format.member("type", "json_schema");
                format.object("json_schema", |object| {
                    // The dialect demands a name; others have none.
                    object.member("name", name.as_deref().unwrap_or("answer"));
                    object.optional("description", description.as_ref());
                    if let Some(schema) = schema {
                        object.raw("schema", schema);
                    }
                    object.optional("strict", *strict);
                    restore(object, extras, DIALECT, &|| "output.format".to_owned(), losses);
                });
            });
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == DIALECT => object.raw(key, &opaque.raw),
        OutputFormat::Opaque(_) => {
            losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
        }
    }
}

wire_object! {
    struct WireReasoning {
        "effort" => effort: RawJson,
        "max_tokens" => max_tokens: u64,
        "exclude" => exclude: bool,
        "enabled" => enabled: bool,
        "summary" => summary: Str,
    }
}

/// An effort by its name in JSON.
pub(super) fn effort(raw: &str) -> Option<Effort> {
    serde_json::from_str::<Str>(raw).ok().and_then(|name| Effort::parse(&name.0))
}

/// Reads the object `reasoning`; `None` where it is not written as documented.
pub(super) fn reasoning(raw: &RawValue) -> Option<Reasoning> {
    let WireReasoning { effort: raw_effort, max_tokens, exclude, enabled, summary, mut rest } =
        serde_json::from_str(raw.get()).ok()?;
    let known = raw_effort.as_ref().and_then(|raw| effort(raw.get()));
    if let (Some(raw), None) = (raw_effort, known) {
        rest.push("effort", raw);
    }
    Some(Reasoning {
        thinking: enabled.map(|enabled| if enabled { Thinking::Enabled } else { Thinking::Disabled }),
        effort: known,
        budget_tokens: max_tokens,
        shown: exclude.map(|exclude| !exclude),
        summary: summary.map(|summary| summary.0),
        extras: rest.extras(DIALECT, form::REASONING_OBJECT),
    })
}

/// Writes the object `reasoning`.
pub(super) fn write_reasoning(
    object: &mut Object<'_>,
    key: &str,
    reasoning: &Reasoning,
    losses: &mut Losses,
) {
    object.object(key, |object| {
        object.optional("effort", reasoning.effort.map(Effort::as_str));
        object.optional("max_tokens", reasoning.budget_tokens);
        object.optional("exclude", reasoning.shown.map(|shown| !shown));
        match reasoning.thinking {
            Some(Thinking::Enabled | Thinking::Adaptive) => object.member("enabled", &true),
            Some(Thinking::Disabled) => object.member("enabled", &false),
            None => {}
        }
        object.optional("summary", reasoning.summary.as_ref());
        restore(object, &reasoning.extras, DIALECT, &|| "reasoning".to_owned(), losses);
    });
}

wire_object! {
    struct WireStreamOptions { "include_usage" => include_usage: bool }
}

/// Reads `stream_options`.
pub(super) fn stream_options(raw: &str) -> serde_json::Result<StreamOptions> {
    let WireStreamOptions { include_usage, rest } = serde_json::from_str(raw)?;
    Ok(StreamOptions { include_usage, extras: Rest::extras(rest, DIALECT, 0) })
}
