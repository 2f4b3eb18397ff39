//! Tools and their choice, both ways (google-genai, `types.py`, `Tool`, `FunctionDeclaration`, `FunctionCallingConfig`).

use trunkline_domain::Text;
use trunkline_domain::chat::{ChatRequest, Extras, Field, Opaque, RawJson, Tool, ToolChoice, ToolKind};

use super::{DIALECT, form, schema};
use crate::codec::Subject;
use crate::json::{Array, Object, Rest, Str, object, wire_object};
use crate::recast::Losses;
use crate::recast::loss::{restore, restore_nested};

wire_object! {
    struct WireTool { "functionDeclarations" | "function_declarations" => functions: Vec<Declaration> }
}

wire_object! {
    struct Declaration {
        "name" => name: Str,
        "description" => description: Str,
        "parameters" => parameters: RawJson,
        "parametersJsonSchema" | "parameters_json_schema" => json_schema: RawJson,
    }
}

wire_object! {
    struct Config { "functionCallingConfig" | "function_calling_config" => calling: RawJson }
}

wire_object! {
    struct Calling {
        "mode" => mode: Str,
        "allowedFunctionNames" | "allowed_function_names" => allowed: Vec<Str>,
    }
}

/// Reads `tools`. Functions are tools of their own; what else an object holds is opaque.
pub(super) fn decode(raw: &str) -> serde_json::Result<Vec<Tool>> {
    let elements: Vec<RawJson> = serde_json::from_str(raw)?;
    let mut tools = Vec::new();
    for raw in elements {
        match serde_json::from_str::<WireTool>(raw.get()).ok().and_then(functions) {
            Some((functions, others)) => {
                tools.extend(functions);
                tools.extend(others.map(|raw| opaque(raw, form::TOOL_JOINED)));
            }
            None => tools.push(opaque(raw, 0)),
        }
    }
    // The first function of all need not be told that it begins an object.
    let mut before = None;
    for tool in &mut tools {
        let function = matches!(tool.kind, ToolKind::Function { .. });
        if function && before != Some(true) {
            let form = tool.extras.form(DIALECT) & !form::TOOL_APART;
            tool.extras = Extras::new(DIALECT, form, tool.extras.fields().to_vec());
        }
        before = Some(function);
    }
    Ok(tools)
}

fn opaque(raw: RawJson, form: u32) -> Tool {
    Tool {
        name: Text::from(""),
        description: None,
        kind: ToolKind::Opaque(Opaque { dialect: DIALECT, raw }),
        cache: None,
        extras: Extras::new(DIALECT, form, Vec::new()),
    }
}

/// The functions an object declares, and its other members; `None` where it declares none, or one is not understood.
fn functions(tool: WireTool) -> Option<(Vec<Tool>, Option<RawJson>)> {
    let mut functions = Vec::new();
    for (place, declaration) in tool.functions?.into_iter().enumerate() {
        functions.push(function(declaration, if place == 0 { form::TOOL_APART } else { 0 })?);
    }
    if functions.is_empty() {
        return None;
    }
    if tool.rest.is_empty() {
        return Some((functions, None));
    }
    let mut out = Vec::new();
    object(&mut out, |object| {
        for (key, value) in tool.rest.extras(DIALECT, 0).fields() {
            object.raw(key, value);
        }
    });
    Some((functions, Some(String::from_utf8(out).ok().and_then(|text| RawJson::parse(&text))?)))
}

fn function(declaration: Declaration, mut form: u32) -> Option<Tool> {
    let Declaration { name, description, parameters, json_schema, mut rest } = declaration;
    let parameters = match (parameters, json_schema) {
        (Some(_), Some(_)) => return None,
        (Some(raw), None) => {
            let (lifted, spelled) = schema::lift(&raw);
            match spelled {
                Some(spelled) => form |= spelled,
                None => rest.push("parameters", raw),
            }
            Some(lifted)
        }
        (None, json_schema) => json_schema,
    };
    Some(Tool {
        name: name?.0,
        description: description.map(|description| description.0),
        kind: ToolKind::Function { parameters, strict: None },
        cache: None,
        extras: rest.extras(DIALECT, form),
    })
}

/// Reads `toolConfig`: the choice, and what else it holds.
pub(super) fn choice(raw: &str) -> serde_json::Result<(Option<ToolChoice>, Rest)> {
    let Config { calling, mut rest } = serde_json::from_str(raw)?;
    let Some(raw) = calling else { return Ok((None, rest)) };
    let choice = match serde_json::from_str::<Calling>(raw.get()) {
        Ok(calling) if calling.only_validates() => {
            rest.push(CALLING, raw);
            ToolChoice::Auto
        }
        calling => {
            let read = calling.ok().and_then(Calling::choice);
            read.unwrap_or(ToolChoice::Opaque(Opaque { dialect: DIALECT, raw }))
        }
    };
    Ok((Some(choice), rest))
}

/// What a choice is called in `toolConfig`.
const CALLING: &str = "functionCallingConfig";

impl Calling {
    /// Whether the model may call any tool or none, as it may anyway, and only the form of its calls is held to their
    /// schemas. No other dialect has that of all tools at once: it is kept as it was written, and lost by name elsewhere.
    fn only_validates(&self) -> bool {
        let any = self.allowed.as_ref().is_none_or(Vec::is_empty);
        any && self.rest.is_empty() && self.mode.as_ref().is_some_and(|mode| &*mode.0 == "VALIDATED")
    }

    fn choice(self) -> Option<ToolChoice> {
        if !self.rest.is_empty() {
            return None;
        }
        let names = self.allowed.map(|names| names.into_iter().map(|name| name.0).collect::<Vec<Text>>());
        Some(match (&*self.mode?.0, names) {
            ("AUTO", None) => ToolChoice::Auto,
            ("NONE", None) => ToolChoice::None,
            ("ANY", None) => ToolChoice::Required,
            ("ANY", Some(names)) => match <[Text; 1]>::try_from(names) {
                Ok([name]) => ToolChoice::Function(name),
                Err(names) if names.is_empty() => return None,
                Err(names) => ToolChoice::Allowed { required: true, names },
            },
            ("VALIDATED", Some(names)) if !names.is_empty() => ToolChoice::Allowed { required: false, names },
            _ => return None,
        })
    }
}

/// Writes `tools` and `toolConfig`.
pub(super) fn encode(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let groups = groups(request, losses);
    if !groups.is_empty() {
        object.array("tools", |array| {
            for group in groups {
                write_group(array, &group, losses);
            }
        });
    }
    write_choice(object, request, losses);
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        let why = "the dialect does not say that tools are called one at a time";
        losses.dropped(Subject::Tools, "parallel_tool_calls", why);
    }
}

/// An object of `tools`.
#[derive(Default)]
struct Group<'a> {
    functions: Vec<(usize, &'a Tool)>,
    others: Option<&'a RawJson>,
}

fn groups<'a>(request: &'a ChatRequest, losses: &mut Losses) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (at, tool) in request.tools.iter().enumerate() {
        let form = tool.extras.form(DIALECT);
        match &tool.kind {
            ToolKind::Function { .. } => match groups.last_mut() {
                Some(group) if group.others.is_none() && form & form::TOOL_APART == 0 => {
                    group.functions.push((at, tool));
                }
                _ => groups.push(Group { functions: vec![(at, tool)], others: None }),
            },
            ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => match groups.last_mut() {
                Some(group) if form & form::TOOL_JOINED != 0 && group.others.is_none() => {
                    group.others = Some(&opaque.raw);
                }
                _ => groups.push(Group { functions: Vec::new(), others: Some(&opaque.raw) }),
            },
            ToolKind::Freeform { .. } | ToolKind::Opaque(_) => {
                losses.dropped(Subject::Tools, format!("tools[{at}]"), "the provider has no such tool");
            }
        }
    }
    groups
}

fn write_group(array: &mut Array<'_>, group: &Group<'_>, losses: &mut Losses) {
    if let (Some(raw), []) = (group.others, &*group.functions) {
        return array.raw(raw);
    }
    array.object(|object| {
        object.array("functionDeclarations", |array| {
            for (at, tool) in &group.functions {
                write_function(array, tool, *at, losses);
            }
        });
        for (key, value) in group.others.map(fields).unwrap_or_default() {
            object.raw(&key, &value);
        }
    });
}

fn fields(raw: &RawJson) -> Vec<Field> {
    wire_object! { struct Members {} }
    let members = serde_json::from_str::<Members>(raw.get()).unwrap_or_default();
    members.rest.extras(DIALECT, 0).fields().to_vec()
}

fn write_function(array: &mut Array<'_>, tool: &Tool, at: usize, losses: &mut Losses) {
    let ToolKind::Function { parameters, strict } = &tool.kind else { return };
    let path = format!("tools[{at}]");
    let form = tool.extras.form(DIALECT);
    array.object(|object| {
        object.member("name", &tool.name);
        object.optional("description", tool.description.as_ref());
        let as_written = tool.extras.is_of(DIALECT)
            && tool.extras.fields().iter().any(|(key, value)| &**key == "parameters" && !value.is_null());
        match parameters {
            Some(parameters) if form & form::SCHEMA_LOWER != 0 => object.raw("parameters", parameters),
            Some(parameters) if form & form::SCHEMA != 0 => {
                object.raw("parameters", &schema::lower(parameters));
            }
            Some(parameters) if !as_written => object.raw("parametersJsonSchema", parameters),
            Some(_) | None => {}
        }
        restore(object, &tool.extras, DIALECT, &|| path.clone(), losses);
    });
    if *strict == Some(true) {
        let why = "the dialect decides by itself whether arguments must match";
        losses.adapted(Subject::Tools, format!("{path}.strict"), why);
    }
    if tool.cache.is_some() {
        losses.dropped(Subject::Cache, format!("{path}.cache"), "the dialect has no such marks");
    }
}

fn write_choice(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let (mode, names): (_, &[Text]) = match &request.tool_choice {
        None => ("", &[]),
        Some(ToolChoice::Auto) => ("AUTO", &[]),
        Some(ToolChoice::None) => ("NONE", &[]),
        Some(ToolChoice::Required) => ("ANY", &[]),
        Some(ToolChoice::Function(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { required: true, names }) => ("ANY", names),
        Some(ToolChoice::Allowed { required: false, names }) => ("VALIDATED", names),
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == DIALECT => ("", &[]),
        Some(ToolChoice::Freeform(_) | ToolChoice::Opaque(_)) => {
            losses.dropped(Subject::Tools, "tool_choice", "the provider has no such choice");
            ("", &[])
        }
    };
    let raw = match &request.tool_choice {
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == DIALECT => Some(&opaque.raw),
        _ => None,
    };
    // As the caller wrote it, if this says it.
    let kept = request.tool_choice == Some(ToolChoice::Auto) && keeps_choice(&request.extras);
    let mode = if kept { "" } else { mode };
    if mode.is_empty() && raw.is_none() && request.extras.form(DIALECT) & form::TOOL_CONFIG == 0 {
        return;
    }
    object.object("toolConfig", |config| {
        if let Some(raw) = raw {
            config.raw(CALLING, raw);
        } else if !mode.is_empty() {
            config.object(CALLING, |calling| {
                calling.member("mode", mode);
                if !names.is_empty() {
                    calling.member("allowedFunctionNames", names);
                }
            });
        }
        restore_nested(config, &request.extras, DIALECT, "toolConfig");
    });
}

/// Whether what else `toolConfig` held is the choice itself ([`Calling::only_validates`]).
fn keeps_choice(extras: &Extras) -> bool {
    let is_choice = |key: &str| key.strip_prefix("toolConfig.") == Some(CALLING);
    extras.is_of(DIALECT) && extras.fields().iter().any(|(key, _)| is_choice(key))
}
