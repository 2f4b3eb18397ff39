//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached.

use std::collections::HashSet;

use bytes::Bytes;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Extras, Number, OutputFormat, RawJson, Sampling, Tool, ToolChoice, ToolKind,
};

use super::reasoning::{self, Plan};
use super::{DIALECT, cache, encode_messages, form, models};
use crate::codec::Subject;
use crate::cursor::Cursor;
use crate::json::{Array, Object, object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses, body_buffer};

/// The cap sent where nobody set one and the model's own maximum is not known: the dialect demands one.
const OUTPUT_DEFAULT: u64 = 4096;

/// Members of a request whose own unknown members are kept beside it, under `member.`.
const NESTED: &[&str] = &["metadata", "output_config"];

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let marked = cache::marked(request);
    let request = marked.as_ref().unwrap_or(request);
    let asked = request.sampling.output_max;
    let output_max = target.output_max(asked).or(target.output_max).unwrap_or(OUTPUT_DEFAULT);
    let plan = reasoning::plan(request, target, output_max, losses);
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        object.member("model", target.model);
        encode_messages::system(object, request, target, losses);
        tools(object, request, losses);
        object.array("messages", |messages| {
            encode_messages::messages(messages, request, target, losses);
        });
        object.member("max_tokens", &output_max);
        sampling(object, &request.sampling, (target.model, &plan), losses);
        plan.write_thinking(object, request, losses);
        output(object, request, &plan, losses);
        labels(object, request, losses);
        stream(object, request, target, losses);
        rest(object, request, target, losses);
    });
    out.into()
}

fn tools(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => {
            let why = "the dialect chooses among all tools: only those allowed are offered";
            losses.adapted(Subject::Tools, "tool_choice", why);
            Some(names)
        }
        _ => None,
    };
    let offered = |tool: &Tool| allowed.is_none_or(|names| names.contains(&tool.name));
    if request.tools.iter().any(offered) {
        object.array("tools", |array| {
            for (at, tool) in request.tools.iter().enumerate().filter(|(_, tool)| offered(tool)) {
                write_tool(array, tool, at, losses);
            }
        });
    }
    tool_choice(object, request, losses);
}

fn write_tool(array: &mut Array<'_>, tool: &Tool, at: usize, losses: &mut Losses) {
    let path = format!("tools[{at}]");
    let (parameters, strict) = match &tool.kind {
        ToolKind::Function { parameters, strict } => (parameters, strict),
        ToolKind::Opaque(opaque) if opaque.dialect == DIALECT => return array.raw(&opaque.raw),
        ToolKind::Freeform { .. } | ToolKind::Opaque(_) => {
            return losses.dropped(Subject::Tools, path, "the provider has no such tool");
        }
    };
    array.object(|object| {
        if tool.extras.form(DIALECT) & form::TYPED != 0 {
            object.member("type", "custom");
        }
        object.member("name", &tool.name);
        object.optional("description", tool.description.as_ref());
        match parameters {
            Some(parameters) => object.raw("input_schema", parameters),
            None => object.object("input_schema", |schema| {
                schema.member("type", "object");
                schema.object("properties", |_| {});
            }),
        }
        object.optional("strict", *strict);
        if let Some(cache) = &tool.cache {
            encode_messages::write_mark(object, cache, &tool.extras, &path, losses);
        }
        restore(object, &tool.extras, DIALECT, &|| path.clone(), losses);
    });
}

fn tool_choice(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let parallel = request.parallel_tool_calls;
    let (kind, name) = match &request.tool_choice {
        // Several at once is what the dialect does unless told otherwise.
        None if parallel != Some(false) || request.tools.is_empty() => return,
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("auto", None),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Function(name)) => ("tool", Some(name)),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == DIALECT => {
            return object.raw("tool_choice", &opaque.raw);
        }
        Some(ToolChoice::Freeform(_) | ToolChoice::Opaque(_)) => {
            return losses.dropped(Subject::Tools, "tool_choice", "the provider has no such choice");
        }
    };
    object.object("tool_choice", |choice| {
        choice.member("type", kind);
        choice.optional("name", name);
        if kind != "none" {
            choice.optional("disable_parallel_tool_use", parallel.map(|parallel| !parallel));
        }
    });
}

/// Whether a number is zero, however it is written.
fn is_zero(number: &Number) -> bool {
    number.as_f64() == Some(0.0)
}

/// Why a way of drawing tokens is left out, if it is.
fn excluded(
    name: &str,
    value: &Number,
    sampling: &Sampling,
    (model, plan): (&str, &Plan),
) -> Option<&'static str> {
    if !models::takes_sampling(model) {
        Some("the model draws tokens as it sees fit")
    } else if name == "top_p" && sampling.temperature.is_some() && models::takes_one_of_two(model) {
        Some("the model takes a temperature or this, not both")
    } else if plan.excludes(name, value) {
        Some("the dialect does not combine it with thinking")
    } else {
        None
    }
}

fn sampling(object: &mut Object<'_>, sampling: &Sampling, target: (&str, &Plan), losses: &mut Losses) {
    let mut drawn = |name: &'static str, value: Option<&Number>| {
        let Some(value) = value else { return };
        let above = name == "temperature" && value.as_f64().is_some_and(|value| value > 1.0);
        if let Some(why) = excluded(name, value, sampling, target) {
            losses.dropped(Subject::Sampling, name, why);
        } else if above {
            losses.adapted(Subject::Sampling, name, "the dialect's temperatures end at 1");
            object.member(name, &1);
        } else {
            object.member(name, value);
        }
    };
    drawn("temperature", sampling.temperature.as_ref());
    drawn("top_p", sampling.top_p.as_ref());
    drawn("top_k", sampling.top_k.map(Number::from).as_ref());
    if !sampling.stop.is_empty() {
        object.member("stop_sequences", &sampling.stop);
    }
    let lost = [
        ("min_p", sampling.min_p.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.as_ref().is_some_and(|penalty| !is_zero(penalty))),
        ("presence_penalty", sampling.presence_penalty.as_ref().is_some_and(|penalty| !is_zero(penalty))),
        ("repetition_penalty", sampling.repetition_penalty.is_some()),
        ("seed", sampling.seed.is_some()),
        ("n", sampling.n.is_some_and(|n| n != 1)),
        ("logprobs", sampling.logprobs == Some(true)),
        ("top_logprobs", sampling.top_logprobs.is_some_and(|count| count > 0)),
        ("logit_bias", sampling.logit_bias.as_ref().is_some_and(|bias| bias.get() != "{}")),
        ("prediction", sampling.prediction.is_some()),
    ];
    for (name, _) in lost.into_iter().filter(|(_, said)| *said) {
        losses.dropped(Subject::Sampling, name, "the provider does not take this field");
    }
}

fn output(object: &mut Object<'_>, request: &ChatRequest, plan: &Plan, losses: &mut Losses) {
    let output = &request.output;
    let schema = schema(output.format.as_ref(), losses);
    if schema.is_some() || plan.effort.is_some() || request.extras.form(DIALECT) & form::OUTPUT_CONFIG != 0 {
        object.object("output_config", |config| {
            config.optional("effort", plan.effort.map(trunkline_domain::chat::Effort::as_str));
            match schema {
                Some(Schema::Raw(raw)) => config.raw("format", raw),
                Some(Schema::Of(schema, extras)) => config.object("format", |format| {
                    format.member("type", "json_schema");
                    format.raw("schema", schema);
                    restore(format, extras, DIALECT, &|| "output.format".to_owned(), losses);
                }),
                None => {}
            }
            restore_nested(config, &request.extras, DIALECT, "output_config");
        });
    }
    if output.verbosity.is_some() {
        losses.dropped(Subject::Other, "verbosity", "the provider does not take this field");
    }
    if output.modalities.iter().any(|modality| &**modality != "text") {
        losses.dropped(Subject::Content, "modalities", "the provider answers in text only");
    }
    if output.speech.is_some() {
        losses.dropped(Subject::Content, "audio", "the provider answers in text only");
    }
}

/// A form of answer the dialect has.
enum Schema<'a> {
    Raw(&'a RawJson),
    Of(&'a RawJson, &'a Extras),
}

fn schema<'a>(format: Option<&'a OutputFormat>, losses: &mut Losses) -> Option<Schema<'a>> {
    match format? {
        OutputFormat::Text => None,
        OutputFormat::JsonSchema { name, description, schema: Some(schema), extras, .. } => {
            let unsaid = [("name", name.is_some()), ("description", description.is_some())];
            for (member, _) in unsaid.into_iter().filter(|(_, said)| *said) {
                let why = "the dialect's schemas have neither name nor description";
                losses.dropped(Subject::Other, format!("output.format.{member}"), why);
            }
            Some(Schema::Of(schema, extras))
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == DIALECT => Some(Schema::Raw(&opaque.raw)),
        OutputFormat::JsonObject | OutputFormat::JsonSchema { .. } | OutputFormat::Opaque(_) => {
            losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
            None
        }
    }
}

fn labels(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let labels = &request.labels;
    // The dialect's one name of a user is for detecting abuse, which is what the other one is for.
    let user = labels.user.as_ref().or(labels.safety_identifier.as_ref());
    if user.is_some() || request.extras.form(DIALECT) & form::METADATA != 0 {
        object.object("metadata", |metadata| {
            metadata.optional("user_id", user);
            restore_nested(metadata, &request.extras, DIALECT, "metadata");
        });
    }
    match labels.service_tier.as_deref() {
        Some("auto") => object.member("service_tier", "auto"),
        Some("default") => object.member("service_tier", "standard_only"),
        Some(_) => losses.dropped(Subject::Labels, "service_tier", "the provider has no such tier"),
        None => {}
    }
    if labels.cache_key.is_some() {
        let why = "the provider has no named caches: what is to be cached is marked";
        losses.adapted(Subject::Cache, "prompt_cache_key", why);
    }
    let lost = [
        ("safety_identifier", labels.user.is_some() && labels.safety_identifier.is_some(), Subject::Labels),
        ("metadata", labels.metadata.is_some(), Subject::Labels),
        ("store", labels.store == Some(true), Subject::State),
    ];
    for (name, _, subject) in lost.into_iter().filter(|(_, said, _)| *said) {
        losses.dropped(subject, name, "the provider does not take this field");
    }
}

fn stream(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    if target.stream || request.extras.form(DIALECT) & form::STREAM_FALSE != 0 {
        object.member("stream", &target.stream);
    }
    if let Some(options) = &request.stream_options {
        lose_extras(&options.extras, &|| "stream_options".to_owned(), losses);
    }
}

/// Unknown fields, except those that have been written since (a `null` that was replaced) and those the server is known
/// to refuse.
fn rest(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    if !request.extras.is_of(DIALECT) {
        return lose_extras(&request.extras, &String::new, losses);
    }
    let mut written = HashSet::new();
    Cursor::new(object.written()).object(|key, _| {
        written.insert(key.to_vec());
    });
    for (key, value) in request.extras.fields().iter().filter(|(key, _)| !is_nested(key)) {
        if written.contains(key.as_bytes()) {
            continue;
        }
        if target.quirks.unsupported.contains(&&**key) {
            if !value.is_null() {
                let why = "the provider does not take this field";
                losses.dropped(Subject::of_field(key), key.to_string(), why);
            }
        } else {
            object.raw(key, value);
        }
    }
}

fn is_nested(key: &Text) -> bool {
    key.split_once('.').is_some_and(|(member, _)| NESTED.contains(&member))
}
