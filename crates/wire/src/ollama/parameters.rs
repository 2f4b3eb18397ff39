//! Tools, the answer's form, thinking and options: the fields of a request with structure, both ways. What is not written
//! exactly as documented is opaque, so that nothing in it is lost.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Effort, Extras, Number, Opaque, OutputFormat, RawJson, Reasoning, Sampling, Thinking, Tool,
    ToolChoice, ToolKind,
};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Rest, Str, object, wire_object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

wire_object! {
    struct WireTool { "type" => kind: Str, "function" => function: Function }
}

wire_object! {
    struct Function { "name" => name: Str, "description" => description: Str, "parameters" => parameters: RawJson }
}

/// Reads a tool.
pub(super) fn tool(raw: RawJson) -> Tool {
    let known = serde_json::from_str::<WireTool>(raw.get()).ok().and_then(WireTool::tool);
    known.unwrap_or_else(|| Tool {
        name: Text::from(""),
        description: None,
        kind: ToolKind::Opaque(Opaque { dialect: DIALECT, raw }),
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

/// Writes the tools that may be called.
pub(super) fn write_tools(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let only: Option<Vec<&Text>> = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => Some(Vec::new()),
        Some(ToolChoice::Function(name)) => Some(vec![name]),
        Some(ToolChoice::Allowed { names, .. }) => Some(names.iter().collect()),
        Some(ToolChoice::Required | ToolChoice::Freeform(_) | ToolChoice::Opaque(_)) => {
            losses.dropped(Subject::Tools, "tool_choice", "the dialect does not say which tool to call");
            None
        }
    };
    if only.is_some() && !request.tools.is_empty() {
        let why = "the dialect does not say which tool to call: only those allowed are offered";
        losses.adapted(Subject::Tools, "tool_choice", why);
    }
    if request.parallel_tool_calls == Some(false) {
        let why = "the dialect does not say that tools are called one at a time";
        losses.dropped(Subject::Tools, "parallel_tool_calls", why);
    }
    let offered = |tool: &Tool| only.as_ref().is_none_or(|names| names.contains(&&tool.name));
    let offered: Vec<_> = request.tools.iter().enumerate().filter(|(_, tool)| offered(tool)).collect();
    if !offered.is_empty() {
        object.array("tools", |array| {
            for (at, tool) in offered {
                write_tool(array, tool, at, losses);
            }
        });
    }
}

fn write_tool(array: &mut Array<'_>, tool: &Tool, at: usize, losses: &mut Losses) {
    let path = || format!("tools[{at}]");
    let (parameters, strict) = match &tool.kind {
        ToolKind::Function { parameters, strict } => (parameters, *strict),
        ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => return array.raw(&opaque.raw),
        ToolKind::Freeform { .. } | ToolKind::Opaque(_) => {
            return losses.dropped(Subject::Tools, path(), "the provider has no such tool");
        }
    };
    if strict == Some(true) {
        let why = "the dialect does not hold arguments to their schema";
        losses.adapted(Subject::Tools, format!("{}.strict", path()), why);
    }
    if tool.cache.is_some() {
        let why = "the provider caches prompts by itself";
        losses.dropped(Subject::Cache, format!("{}.cache", path()), why);
    }
    array.object(|object| {
        object.member("type", "function");
        object.object("function", |function| {
            function.member("name", &tool.name);
            function.optional("description", tool.description.as_ref());
            match parameters {
                Some(parameters) => function.raw("parameters", parameters),
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

/// Reads `format`.
pub(super) fn output_format(raw: RawJson) -> OutputFormat {
    match raw.get() {
        "\"json\"" => OutputFormat::JsonObject,
        schema if schema.starts_with('{') => OutputFormat::JsonSchema {
            name: None,
            description: None,
            schema: Some(raw),
            strict: None,
            extras: Extras::default(),
        },
        _ => OutputFormat::Opaque(Opaque { dialect: DIALECT, raw }),
    }
}

/// Writes `format`.
pub(super) fn write_output_format(object: &mut Object<'_>, format: &OutputFormat, losses: &mut Losses) {
    match format {
        OutputFormat::Text => {}
        OutputFormat::JsonObject => object.member("format", "json"),
        OutputFormat::JsonSchema { name, description, schema, strict: _, extras } => {
            let unsaid = [("name", name.is_some()), ("description", description.is_some())];
            for (member, _) in unsaid.into_iter().filter(|(_, said)| *said) {
                let why = "the dialect's schemas have neither name nor description";
                losses.dropped(Subject::Other, format!("output.format.{member}"), why);
            }
            lose_extras(extras, &|| "output.format".to_owned(), losses);
            match schema {
                Some(schema) => object.raw("format", schema),
                None => object.member("format", "json"),
            }
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == DIALECT => object.raw("format", &opaque.raw),
        OutputFormat::Opaque(_) => {
            losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
        }
    }
}

/// The levels of `think`.
const LEVELS: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Max];

/// Reads `think`; `None` where it is not written as documented.
pub(super) fn reasoning(raw: &str) -> Option<Reasoning> {
    let switched = |thinking| Some(Reasoning { thinking: Some(thinking), ..Reasoning::default() });
    match raw {
        "true" => switched(Thinking::Enabled),
        "false" => switched(Thinking::Disabled),
        _ => {
            let level = serde_json::from_str::<Str>(raw).ok()?;
            let effort = Effort::parse(&level.0).filter(|effort| LEVELS.contains(effort))?;
            Some(Reasoning { effort: Some(effort), ..Reasoning::default() })
        }
    }
}

/// Writes `think`: a switch or a level.
pub(super) fn write_reasoning(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let Some(reasoning) = &request.reasoning else { return };
    lose_extras(&reasoning.extras, &|| "reasoning".to_owned(), losses);
    if reasoning.shown == Some(false) || reasoning.summary.is_some() {
        let why = "the dialect does not say how thinking is shown";
        losses.dropped(Subject::Other, "reasoning.summary", why);
    }
    if reasoning.thinking == Some(Thinking::Disabled) || reasoning.effort == Some(Effort::None) {
        return object.member("think", &false);
    }
    let effort = match (reasoning.effort, reasoning.budget_tokens) {
        (Some(effort), _) => Some(effort),
        (None, Some(budget)) => {
            let why = "the dialect takes a level: the least that covers the budget";
            losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", why);
            let output_max = target.output_max(request.sampling.output_max).or(target.output_max);
            Some(output_max.map_or(Effort::Medium, |output_max| Effort::of_budget(budget, output_max)))
        }
        (None, None) => None,
    };
    let Some(effort) = effort else {
        return object.optional("think", reasoning.thinking.map(|_| true));
    };
    let nearest = match effort {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::XHigh => Effort::High,
        Effort::Medium | Effort::High | Effort::Max => effort,
    };
    if nearest != effort && reasoning.effort.is_some() {
        let why = "the dialect has no such level: the nearest one";
        losses.adapted(Subject::Reasoning, "reasoning.effort", why);
    }
    object.member("think", nearest.as_str());
}

wire_object! {
    struct WireOptions {
        "num_predict" => num_predict: RawJson,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_k" => top_k: RawJson,
        "min_p" => min_p: Number,
        "repeat_penalty" => repeat_penalty: Number,
        "presence_penalty" => presence_penalty: Number,
        "frequency_penalty" => frequency_penalty: Number,
        "seed" => seed: i64,
        "stop" => stop: Vec<Str>,
    }
}

/// Reads `options`; gives back what else is in them.
pub(super) fn options(sampling: &mut Sampling, raw: &str) -> serde_json::Result<Rest> {
    let mut options: WireOptions = serde_json::from_str(raw)?;
    let mut rest = std::mem::take(&mut options.rest);
    // A negative number means "no end" or "all": no number of tokens or candidates, so it is kept as it is.
    let mut count = |name: &str, raw: Option<RawJson>| {
        let raw = raw?;
        let count = raw.get().parse().ok();
        if count.is_none() {
            rest.push(name, raw);
        }
        count
    };
    sampling.output_max = count("num_predict", options.num_predict);
    sampling.top_k = count("top_k", options.top_k);
    sampling.temperature = options.temperature;
    sampling.top_p = options.top_p;
    sampling.min_p = options.min_p;
    sampling.repetition_penalty = options.repeat_penalty;
    sampling.presence_penalty = options.presence_penalty;
    sampling.frequency_penalty = options.frequency_penalty;
    sampling.seed = options.seed;
    if let Some(stop) = options.stop {
        if let (true, Some(none)) = (stop.is_empty(), RawJson::parse("[]")) {
            rest.push("stop", none);
        }
        sampling.stop = stop.into_iter().map(|stop| stop.0).collect();
    }
    Ok(rest)
}

/// Writes `options`, if there is anything to say.
pub(super) fn write_options(into: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>) {
    let sampling = &request.sampling;
    let mut out = Vec::new();
    let mut empty = true;
    let output_max = target.output_max(sampling.output_max);
    object(&mut out, |options| {
        options.optional("num_predict", output_max);
        options.optional("temperature", sampling.temperature.as_ref());
        options.optional("top_p", sampling.top_p.as_ref());
        options.optional("top_k", sampling.top_k);
        options.optional("min_p", sampling.min_p.as_ref());
        options.optional("repeat_penalty", sampling.repetition_penalty.as_ref());
        options.optional("presence_penalty", sampling.presence_penalty.as_ref());
        options.optional("frequency_penalty", sampling.frequency_penalty.as_ref());
        options.optional("seed", sampling.seed);
        if !sampling.stop.is_empty() {
            options.member("stop", &sampling.stop);
        }
        if request.extras.is_of(DIALECT) {
            let own = request.extras.fields().iter();
            let own = own.filter_map(|(key, value)| key.strip_prefix("options.").map(|key| (key, value)));
            // A cap that came from elsewhere stands in the place of one without an end.
            for (key, value) in own.filter(|(key, _)| *key != "num_predict" || output_max.is_none()) {
                options.raw(key, value);
            }
        }
        empty = options.written() == b"{";
    });
    if empty && request.extras.form(DIALECT) & form::OPTIONS == 0 {
        return;
    }
    if let Some(raw) = String::from_utf8(out).ok().and_then(|text| RawJson::parse(&text)) {
        into.raw("options", &raw);
    }
}
