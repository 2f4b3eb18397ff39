//! Tools, their choice, the answer's form and thinking: the fields of a request with structure, both ways. What is not
//! written exactly as documented is opaque, so that nothing in it is lost.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Effort, Extras, Opaque, OutputFormat, RawJson, Reasoning, Thinking, Tool, ToolChoice,
    ToolKind,
};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

wire_object! {
    struct WireTool { "type" => kind: Str, "function" => function: Function }
}

wire_object! {
    struct Function { "name" => name: Str, "description" => description: Str, "parameters" => parameters: RawJson }
}

fn opaque(raw: RawJson) -> Opaque {
    Opaque { dialect: DIALECT, raw }
}

/// Reads a tool.
pub(super) fn tool(raw: RawJson) -> Tool {
    let known = serde_json::from_str::<WireTool>(raw.get()).ok().and_then(WireTool::tool);
    known.unwrap_or_else(|| Tool {
        name: Text::from(""),
        description: None,
        kind: ToolKind::Opaque(opaque(raw)),
        cache: None,
        extras: Extras::default(),
    })
}

impl WireTool {
    fn tool(self) -> Option<Tool> {
        let Self { kind, function, mut rest } = self;
        if &*kind?.0 != "function" {
            return None;
        }
        let Function { name, description, parameters, rest: inner } = function?;
        rest.nest("function", inner);
        let form = if parameters.is_none() { form::NO_PARAMETERS } else { 0 };
        Some(Tool {
            name: name?.0,
            description: description.map(|description| description.0),
            kind: ToolKind::Function { parameters, strict: None },
            cache: None,
            extras: rest.extras(DIALECT, form),
        })
    }
}

/// Makes every function strict or not; says whether there was one.
pub(super) fn set_strict(tools: &mut [Tool], value: bool) -> bool {
    let mut any = false;
    for tool in tools {
        if let ToolKind::Function { strict, .. } = &mut tool.kind {
            *strict = Some(value);
            any = true;
        }
    }
    any
}

/// Writes the tools, what is strict about them and which is to be chosen.
pub(super) fn write_tools(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let only: Option<Vec<&Text>> = match &request.tool_choice {
        Some(ToolChoice::Function(name)) => Some(vec![name]),
        Some(ToolChoice::Allowed { names, .. }) => Some(names.iter().collect()),
        Some(
            ToolChoice::Auto
            | ToolChoice::None
            | ToolChoice::Required
            | ToolChoice::Freeform(_)
            | ToolChoice::Opaque(_),
        )
        | None => None,
    };
    if only.is_some() {
        let why = "the dialect chooses among all tools: only those allowed are offered";
        losses.adapted(Subject::Tools, "tool_choice", why);
    }
    let offered = |tool: &Tool| only.as_ref().is_none_or(|names| names.contains(&&tool.name));
    let offered: Vec<_> = request.tools.iter().enumerate().filter(|(_, tool)| offered(tool)).collect();
    if !offered.is_empty() {
        object.array("tools", |array| {
            for (at, tool) in &offered {
                write_tool(array, tool, *at, losses);
            }
        });
        write_strict(object, &offered, losses);
    }
    match &request.tool_choice {
        Some(ToolChoice::None) => object.member("tool_choice", "NONE"),
        Some(ToolChoice::Required | ToolChoice::Function(_) | ToolChoice::Allowed { required: true, .. }) => {
            object.member("tool_choice", "REQUIRED");
        }
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == DIALECT => {
            object.raw("tool_choice", &opaque.raw);
        }
        Some(ToolChoice::Freeform(_) | ToolChoice::Opaque(_)) => {
            losses.dropped(Subject::Tools, "tool_choice", "the provider has no such choice");
        }
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) | None => {}
    }
    if request.parallel_tool_calls == Some(false) {
        let why = "the dialect does not say that tools are called one at a time";
        losses.dropped(Subject::Tools, "parallel_tool_calls", why);
    }
}

fn write_tool(array: &mut Array<'_>, tool: &Tool, at: usize, losses: &mut Losses) {
    let path = || format!("tools[{at}]");
    let parameters = match &tool.kind {
        ToolKind::Function { parameters, .. } => parameters,
        ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => return array.raw(&opaque.raw),
        ToolKind::Freeform { .. } | ToolKind::Opaque(_) => {
            return losses.dropped(Subject::Tools, path(), "the provider has no such tool");
        }
    };
    if tool.cache.is_some() {
        let why = "the dialect caches prompts by itself";
        losses.dropped(Subject::Cache, format!("{}.cache", path()), why);
    }
    array.object(|object| {
        object.member("type", "function");
        object.object("function", |function| {
            function.member("name", &tool.name);
            function.optional("description", tool.description.as_ref());
            match parameters {
                Some(parameters) => function.raw("parameters", parameters),
                // The dialect demands a schema: one without properties takes no arguments.
                None if tool.extras.form(DIALECT) & form::NO_PARAMETERS == 0 => {
                    function.object("parameters", |schema| {
                        schema.member("type", "object");
                        schema.object("properties", |_| {});
                    });
                }
                None => {}
            }
            restore_nested(function, &tool.extras, DIALECT, "function");
        });
        restore(object, &tool.extras, DIALECT, &path, losses);
    });
}

/// All tools are strict or none is.
fn write_strict(object: &mut Object<'_>, tools: &[(usize, &Tool)], losses: &mut Losses) {
    let said = |tool: &Tool| match &tool.kind {
        ToolKind::Function { strict, .. } => Some(*strict),
        ToolKind::Freeform { .. } | ToolKind::Opaque(_) => None,
    };
    let strict: Vec<_> = tools.iter().filter_map(|(at, tool)| said(tool).map(|said| (at, said))).collect();
    let any = strict.iter().any(|(_, said)| *said == Some(true));
    if any {
        for (at, _) in strict.iter().filter(|(_, said)| *said != Some(true)) {
            let why = "the dialect has all tools strict or none: all are";
            losses.adapted(Subject::Tools, format!("tools[{at}].strict"), why);
        }
    }
    if any || (!strict.is_empty() && strict.iter().all(|(_, said)| *said == Some(false))) {
        object.member("strict_tools", &any);
    }
}

/// Reads `tool_choice`.
pub(super) fn tool_choice(raw: RawJson) -> ToolChoice {
    match raw.get() {
        "\"REQUIRED\"" => ToolChoice::Required,
        "\"NONE\"" => ToolChoice::None,
        _ => ToolChoice::Opaque(opaque(raw)),
    }
}

wire_object! {
    struct WireFormat { "type" => kind: Str, "json_schema" => schema: RawJson }
}

/// Reads `response_format`.
pub(super) fn output_format(raw: RawJson) -> OutputFormat {
    let known = serde_json::from_str::<WireFormat>(raw.get()).ok().and_then(|format| {
        match (&*format.kind?.0, format.schema) {
            ("text", None) if format.rest.is_empty() => Some(OutputFormat::Text),
            ("json_object", None) if format.rest.is_empty() => Some(OutputFormat::JsonObject),
            ("json_object", schema @ Some(_)) => Some(OutputFormat::JsonSchema {
                name: None,
                description: None,
                schema,
                strict: None,
                extras: format.rest.extras(DIALECT, 0),
            }),
            _ => None,
        }
    });
    known.unwrap_or_else(|| OutputFormat::Opaque(opaque(raw)))
}

/// Writes `response_format`.
pub(super) fn write_output_format(object: &mut Object<'_>, format: &OutputFormat, losses: &mut Losses) {
    const KEY: &str = "response_format";
    match format {
        OutputFormat::Text => object.object(KEY, |format| format.member("type", "text")),
        OutputFormat::JsonObject => object.object(KEY, |format| format.member("type", "json_object")),
        OutputFormat::JsonSchema { name, description, schema, strict: _, extras } => {
            let unsaid = [("name", name.is_some()), ("description", description.is_some())];
            for (member, _) in unsaid.into_iter().filter(|(_, said)| *said) {
                let why = "the dialect's schemas have neither name nor description";
                losses.dropped(Subject::Other, format!("output.format.{member}"), why);
            }
            object.object(KEY, |format| {
                format.member("type", "json_object");
                if let Some(schema) = schema {
                    format.raw("json_schema", schema);
                }
                restore(format, extras, DIALECT, &|| "output.format".to_owned(), losses);
            });
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == DIALECT => object.raw(KEY, &opaque.raw),
        OutputFormat::Opaque(_) => {
            losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
        }
    }
}

wire_object! {
    struct WireThinking { "type" => kind: Str, "token_budget" => budget: u64 }
}

/// Reads `thinking`; `None` where it is not written as documented.
pub(super) fn reasoning(raw: &str) -> Option<Reasoning> {
    let WireThinking { kind, budget, rest } = serde_json::from_str(raw).ok()?;
    let thinking = match kind.as_ref().map(|kind| &*kind.0) {
        Some("enabled") => Some(Thinking::Enabled),
        Some("disabled") => Some(Thinking::Disabled),
        None => None,
        Some(_) => return None,
    };
    let extras = rest.extras(DIALECT, form::THINKING);
    Some(Reasoning { thinking, budget_tokens: budget, extras, ..Reasoning::default() })
}

/// Writes `thinking`: a switch and a budget.
pub(super) fn write_reasoning(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let Some(reasoning) = &request.reasoning else { return };
    let own = reasoning.extras.form(DIALECT) & form::THINKING != 0;
    let disabled = reasoning.thinking == Some(Thinking::Disabled) || reasoning.effort == Some(Effort::None);
    if reasoning.shown == Some(false) || reasoning.summary.is_some() {
        let why = "the dialect does not say how thinking is shown";
        losses.dropped(Subject::Other, "reasoning.summary", why);
    }
    let budget = match (reasoning.budget_tokens, reasoning.effort) {
        _ if disabled && !own => None,
        (None, Some(effort)) => {
            let why = "the dialect takes a budget: a share of the output cap, where it is known";
            losses.adapted(Subject::Reasoning, "reasoning.effort", why);
            let output_max = target.output_max(request.sampling.output_max).or(target.output_max);
            output_max.map(|most| (most.saturating_mul(effort.budget_percent()) / 100).max(1))
        }
        // A budget must be a positive number.
        (Some(0), _) if !own => {
            losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", "a budget must be positive");
            Some(1)
        }
        (budget, _) => budget,
    };
    let kind = match reasoning.thinking {
        _ if disabled => Some("disabled"),
        None if own || (budget.is_none() && reasoning.effort.is_none()) => None,
        Some(Thinking::Enabled | Thinking::Adaptive | Thinking::Disabled) | None => Some("enabled"),
    };
    if kind.is_none() && !own {
        return lose_extras(&reasoning.extras, &|| "reasoning".to_owned(), losses);
    }
    object.object("thinking", |thinking| {
        thinking.optional("type", kind);
        thinking.optional("token_budget", budget);
        restore(thinking, &reasoning.extras, DIALECT, &|| "reasoning".to_owned(), losses);
    });
}
