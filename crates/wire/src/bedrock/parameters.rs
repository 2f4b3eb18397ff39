//! Tools, their choice and the answer's form, both ways (`ToolConfiguration`, `OutputConfig` of the service's model). What
//! is not written exactly as documented is opaque, so that nothing in it is lost.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Extras, Opaque, OutputFormat, RawJson, Tool, ToolChoice, ToolKind,
};

use super::models::Family;
use super::{DIALECT, blocks, encode_blocks, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Rest, Str, wire_object};
use crate::recast::loss::{restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

wire_object! {
    pub(super) struct ToolConfig { "tools" => tools: Vec<RawJson>, "toolChoice" => choice: RawJson }
}

wire_object! {
    struct WireTool { "toolSpec" => spec: ToolSpec, "cachePoint" => cache_point: RawJson }
}

wire_object! {
    struct ToolSpec {
        "name" => name: Str,
        "description" => description: Str,
        "inputSchema" => schema: InputSchema,
        "strict" => strict: bool,
    }
}

wire_object! {
    struct InputSchema { "json" => json: RawJson }
}

/// A raw value as this dialect's own.
fn opaque(raw: RawJson) -> Opaque {
    Opaque { dialect: DIALECT, raw }
}

/// Reads tools. A cache point marks the tool before it.
pub(super) fn tools(elements: Vec<RawJson>) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::with_capacity(elements.len());
    for raw in elements {
        let wire = serde_json::from_str::<WireTool>(raw.get()).unwrap_or_default();
        if let (None, Some(point)) = (&wire.spec, &wire.cache_point)
            && let Some(last) = tools.last_mut().filter(|last| last.cache.is_none())
        {
            let mut rest = Rest::default();
            if let Some(mark) = blocks::mark(point, &mut rest) {
                rest.nest("cachePointBlock", wire.rest);
                last.cache = Some(mark);
                let fields = last.extras.fields().iter().cloned();
                let mut kept = Rest::default();
                fields.for_each(|(key, value)| kept.push(&key, value));
                kept.join(rest);
                last.extras = kept.extras(DIALECT, last.extras.form(DIALECT));
                continue;
            }
        }
        tools.push(wire.tool().unwrap_or_else(|| Tool {
            name: Text::from(""),
            description: None,
            kind: ToolKind::Opaque(opaque(raw)),
            cache: None,
            extras: Extras::default(),
        }));
    }
    tools
}

impl WireTool {
    fn tool(self) -> Option<Tool> {
        let WireTool { spec: Some(spec), cache_point: None, mut rest } = self else { return None };
        rest.nest("toolSpec", spec.rest);
        let schema = spec.schema?;
        rest.nest("inputSchema", schema.rest);
        Some(Tool {
            name: spec.name?.0,
            description: spec.description.map(|description| description.0),
            kind: ToolKind::Function { parameters: Some(schema.json?), strict: spec.strict },
            cache: None,
            extras: rest.extras(DIALECT, 0),
        })
    }
}

wire_object! {
    struct WireChoice { "auto" => auto: Named, "any" => any: Named, "tool" => tool: Named }
}

wire_object! {
    struct Named { "name" => name: Str }
}

/// Reads `toolChoice`.
pub(super) fn tool_choice(raw: RawJson) -> ToolChoice {
    let read = serde_json::from_str::<WireChoice>(raw.get()).ok().filter(|choice| choice.rest.is_empty());
    let named = read.and_then(|choice| match (choice.auto, choice.any, choice.tool) {
        (Some(inner), None, None) => Some((ToolChoice::Auto, inner)),
        (None, Some(inner), None) => Some((ToolChoice::Required, inner)),
        (None, None, Some(inner)) => Some((ToolChoice::Function("".into()), inner)),
        _ => None,
    });
    match named {
        Some((choice, Named { name, rest })) if rest.is_empty() => match (choice, name) {
            (ToolChoice::Function(_), Some(name)) => ToolChoice::Function(name.0),
            (choice @ (ToolChoice::Auto | ToolChoice::Required), None) => choice,
            _ => ToolChoice::Opaque(opaque(raw)),
        },
        _ => ToolChoice::Opaque(opaque(raw)),
    }
}

/// Writes `toolConfig`; says whether it chooses a tool, for what else is said about tools must not contradict it.
pub(super) fn write_tools(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) -> bool {
    let offered = offered(request, losses);
    let choice = Choice::of(request, losses).filter(|_| !offered.is_empty());
    let own = request.extras.form(DIALECT) & form::TOOL_CONFIG != 0;
    if offered.is_empty() && !own {
        return false;
    }
    object.object("toolConfig", |config| {
        if !offered.is_empty() {
            config.array("tools", |array| {
                for (at, tool) in offered {
                    write_tool(array, (tool, at), target, losses);
                }
            });
        }
        match &choice {
            Some(Choice::Raw(raw)) => config.raw("toolChoice", raw),
            Some(Choice::Plain(kind)) => config.object("toolChoice", |choice| choice.object(kind, |_| {})),
            Some(Choice::Tool(name)) => config.object("toolChoice", |choice| {
                choice.object("tool", |tool| tool.member("name", name));
            }),
            None => {}
        }
        restore_nested(config, &request.extras, DIALECT, "toolConfig");
    });
    choice.is_some()
}

/// The tools that are offered, and their places.
fn offered<'a>(request: &'a ChatRequest, losses: &mut Losses) -> Vec<(usize, &'a Tool)> {
    let mut allowed = None;
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => {
            let why = "the dialect chooses among all tools: only those allowed are offered";
            losses.adapted(Subject::Tools, "tool_choice", why);
            allowed = Some(names);
        }
        Some(ToolChoice::None) if !request.tools.is_empty() => {
            if !has_tools_said(request) {
                let why = "the dialect has no such choice: no tool is offered";
                losses.adapted(Subject::Tools, "tool_choice", why);
                return Vec::new();
            }
            let why = "the dialect has no such choice, and a conversation with calls must offer its tools";
            losses.adapted(Subject::Tools, "tool_choice", why);
        }
        _ => {}
    }
    let mut offered = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        match &tool.kind {
            ToolKind::Function { .. } if allowed.is_none_or(|names| names.contains(&tool.name)) => {
                offered.push((at, tool));
            }
            ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => offered.push((at, tool)),
            ToolKind::Function { .. } => {}
            ToolKind::Freeform { .. } | ToolKind::Opaque(_) => {
                losses.dropped(Subject::Tools, format!("tools[{at}]"), "the provider has no such tool");
            }
        }
    }
    offered
}

/// Whether the conversation has calls or results in it.
fn has_tools_said(request: &ChatRequest) -> bool {
    let calls =
        |turn: &trunkline_domain::chat::Turn| turn.parts.iter().any(|part| part.tool_call().is_some());
    request.turns.iter().any(|turn| turn.role == trunkline_domain::chat::Role::Tool || calls(turn))
}

enum Choice<'a> {
    Raw(&'a RawJson),
    Plain(&'static str),
    Tool(&'a Text),
}

impl<'a> Choice<'a> {
    fn of(request: &'a ChatRequest, losses: &mut Losses) -> Option<Self> {
        match request.tool_choice.as_ref()? {
            ToolChoice::Auto => Some(Self::Plain("auto")),
            ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => Some(Self::Plain("any")),
            ToolChoice::Function(name) => Some(Self::Tool(name)),
            ToolChoice::Opaque(opaque) if opaque.dialect == DIALECT => Some(Self::Raw(&opaque.raw)),
            ToolChoice::None | ToolChoice::Allowed { required: false, .. } => None,
            ToolChoice::Freeform(_) | ToolChoice::Opaque(_) => {
                losses.dropped(Subject::Tools, "tool_choice", "the provider has no such choice");
                None
            }
        }
    }
}

fn write_tool(
    array: &mut Array<'_>,
    (tool, at): (&Tool, usize),
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let path = format!("tools[{at}]");
    match &tool.kind {
        ToolKind::Opaque(opaque) => array.raw(&opaque.raw),
        ToolKind::Function { parameters, strict } => array.object(|object| {
            object.object("toolSpec", |spec| {
                spec.member("name", &tool.name);
                spec.optional("description", tool.description.as_ref().filter(|words| !words.is_empty()));
                spec.object("inputSchema", |schema| {
                    match parameters {
                        Some(parameters) => schema.raw("json", parameters),
                        None => schema.object("json", |schema| {
                            schema.member("type", "object");
                            schema.object("properties", |_| {});
                        }),
                    }
                    restore_nested(schema, &tool.extras, DIALECT, "inputSchema");
                });
                spec.optional("strict", *strict);
                restore_nested(spec, &tool.extras, DIALECT, "toolSpec");
            });
            restore(object, &tool.extras, DIALECT, &|| path.clone(), losses);
        }),
        ToolKind::Freeform { .. } => {}
    }
    if let Some(cache) = &tool.cache {
        encode_blocks::write_mark(array, cache, &tool.extras, (&path, Family::of(target.model)), losses);
    }
}

wire_object! {
    struct WireFormat { "type" => kind: Str, "structure" => structure: Structure }
}

wire_object! {
    struct Structure { "jsonSchema" => schema: JsonSchema }
}

wire_object! {
    struct JsonSchema { "schema" => schema: Str, "name" => name: Str, "description" => description: Str }
}

/// Reads `outputConfig.textFormat`.
pub(super) fn output_format(raw: RawJson) -> OutputFormat {
    let read = serde_json::from_str::<WireFormat>(raw.get()).ok().and_then(|mut format| {
        let JsonSchema { schema, name, description, rest } = format.structure.as_mut()?.schema.take()?;
        let schema = schema?.0;
        // It is a text there and must come back as it was.
        let parsed = RawJson::parse(&schema).filter(|parsed| *parsed.get() == *schema)?;
        let plain =
            &*format.kind?.0 == "json_schema" && format.structure.is_some_and(|of| of.rest.is_empty());
        let mut kept = format.rest;
        kept.nest("jsonSchema", rest);
        plain.then(|| OutputFormat::JsonSchema {
            name: name.map(|name| name.0),
            description: description.map(|description| description.0),
            schema: Some(parsed),
            strict: None,
            extras: kept.extras(DIALECT, 0),
        })
    });
    read.unwrap_or_else(|| OutputFormat::Opaque(opaque(raw)))
}

/// Writes `outputConfig.textFormat`, where the dialect has such a form.
pub(super) fn write_output_format(config: &mut Object<'_>, format: &OutputFormat) {
    match format {
        OutputFormat::JsonSchema { name, description, schema: Some(schema), extras, .. } => {
            config.object("textFormat", |format| {
                format.member("type", "json_schema");
                format.object("structure", |structure| {
                    structure.object("jsonSchema", |object| {
                        object.member("schema", schema.get());
                        object.optional("name", name.as_ref());
                        object.optional("description", description.as_ref());
                        restore_nested(object, extras, DIALECT, "jsonSchema");
                    });
                });
                restore(format, extras, DIALECT, &String::new, &mut Losses::default());
            });
        }
        OutputFormat::Opaque(opaque) => config.raw("textFormat", &opaque.raw),
        OutputFormat::Text | OutputFormat::JsonObject | OutputFormat::JsonSchema { .. } => {}
    }
}

/// The form of the answer, if the dialect has it.
pub(super) fn known_format<'a>(
    format: Option<&'a OutputFormat>,
    losses: &mut Losses,
) -> Option<&'a OutputFormat> {
    let format = format?;
    match format {
        OutputFormat::Text => return None,
        OutputFormat::JsonSchema { schema: Some(_), extras, .. } => {
            if !extras.is_of(DIALECT) {
                crate::recast::loss::lose_extras(extras, &|| "output.format".to_owned(), losses);
            }
            return Some(format);
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == DIALECT => return Some(format),
        OutputFormat::JsonObject | OutputFormat::JsonSchema { .. } | OutputFormat::Opaque(_) => {}
    }
    losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
    None
}
