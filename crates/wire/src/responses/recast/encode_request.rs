//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached.

use std::collections::HashSet;

use bytes::Bytes;
use trunkline_domain::chat::{ChatRequest, Number, PartKind, Role, Turn};

use super::super::relay::OUTPUT_CAP;
use super::{DIALECT, content, encode_items, form, parameters, reasoning, tools};
use crate::codec::Subject;
use crate::cursor::Cursor;
use crate::json::{Object, object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses, body_buffer};

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        object.member("model", target.model);
        let hoisted = encode_items::instructions(request);
        if let Some(turn) = hoisted {
            let text = turn.parts.first().and_then(content::text_of);
            object.member("instructions", text.map_or("", |text| text));
            encode_items::lose_of_instructions(turn, losses);
        }
        tools(object, request, losses);
        let from = usize::from(hoisted.is_some());
        match as_string(request, from) {
            Some(text) => object.member("input", text),
            None => object.array("input", |array| encode_items::encode(array, request, from, target, losses)),
        }
        sampling(object, request, target, losses);
        reasoning::encode(object, request, target, losses);
        output(object, request, losses);
        labels(object, request);
        stream(object, request, target, losses);
        rest(object, request, target, losses);
    });
    out.into()
}

/// The text that is all of the input, where the caller wrote it so.
fn as_string(request: &ChatRequest, from: usize) -> Option<&str> {
    let own = request.extras.form(DIALECT) & form::INPUT_STRING != 0;
    let [Turn { role: Role::User, parts, .. }] = request.turns.get(from..).filter(|_| own)? else {
        return None;
    };
    match &**parts {
        [] => Some(""),
        [only] => content::text_of(only).map(|text| &**text),
        _ => None,
    }
}

fn tools(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    if !request.tools.is_empty() {
        object.array("tools", |array| {
            for (at, tool) in request.tools.iter().enumerate() {
                tools::write_tool(array, tool, at, losses);
            }
        });
    }
    if let Some(choice) = &request.tool_choice {
        tools::write_tool_choice(object, choice, losses);
    }
    object.optional("parallel_tool_calls", request.parallel_tool_calls);
}

fn sampling(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    let sampling = &request.sampling;
    object.optional(OUTPUT_CAP, target.output_max(sampling.output_max));
    object.optional("temperature", sampling.temperature.as_ref());
    object.optional("top_p", sampling.top_p.as_ref());
    object.optional("top_logprobs", sampling.top_logprobs);
    let is_zero = |number: &Number| number.as_f64() == Some(0.0);
    let lost = [
        ("top_k", sampling.top_k.is_some()),
        ("min_p", sampling.min_p.as_ref().is_some_and(|value| !is_zero(value))),
        ("frequency_penalty", sampling.frequency_penalty.as_ref().is_some_and(|value| !is_zero(value))),
        ("presence_penalty", sampling.presence_penalty.as_ref().is_some_and(|value| !is_zero(value))),
        (
            "repetition_penalty",
            sampling.repetition_penalty.as_ref().is_some_and(|value| value.as_f64() != Some(1.0)),
        ),
        ("seed", sampling.seed.is_some()),
        ("n", sampling.n.is_some_and(|n| n != 1)),
        ("stop", !sampling.stop.is_empty()),
        ("logit_bias", sampling.logit_bias.as_ref().is_some_and(|bias| bias.get() != "{}")),
        ("prediction", sampling.prediction.is_some()),
    ];
    for (name, is_lost) in lost {
        if is_lost {
            losses.dropped(Subject::Sampling, name, "the dialect has no such parameter");
        }
    }
}

fn output(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let output = &request.output;
    let form = request.extras.form(DIALECT);
    if output.format.is_some() || output.verbosity.is_some() || form & form::TEXT != 0 {
        object.object("text", |object| {
            if let Some(format) = &output.format {
                parameters::write_format(object, format, losses);
            }
            object.optional("verbosity", output.verbosity.as_ref());
            restore_nested(object, &request.extras, DIALECT, "text");
        });
    }
    if output.speech.is_some() || output.modalities.iter().any(|modality| &**modality != "text") {
        losses.dropped(Subject::Content, "modalities", "the dialect's models answer in text");
    }
    let kept = request.extras.fields().iter().any(|(key, _)| &**key == "include");
    if kept && request.extras.is_of(DIALECT) {
        return;
    }
    let own = form & form::OWN != 0;
    // Whoever keeps nothing must be given the thinking to go on from it.
    let encrypted = if own { form & form::ENCRYPTED != 0 } else { thinks(request) };
    let names = parameters::included(encrypted, request.sampling.logprobs == Some(true));
    object.optional("include", (!names.is_empty()).then_some(names));
}

/// Whether a request is about thinking.
fn thinks(request: &ChatRequest) -> bool {
    let thought = |turn: &Turn| turn.parts.iter().any(|part| matches!(part.kind, PartKind::Reasoning(_)));
    request.reasoning.is_some() || request.turns.iter().any(thought)
}

fn labels(object: &mut Object<'_>, request: &ChatRequest) {
    let labels = &request.labels;
    object.optional("user", labels.user.as_ref());
    object.optional("safety_identifier", labels.safety_identifier.as_ref());
    object.optional("metadata", labels.metadata.as_ref());
    object.optional("prompt_cache_key", labels.cache_key.as_ref());
    object.optional("service_tier", labels.service_tier.as_ref());
    // Other dialects keep nothing unless they are told to.
    let own = request.extras.form(DIALECT) & form::OWN != 0;
    object.optional("store", labels.store.or((!own).then_some(false)));
}

fn stream(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    if target.stream {
        object.member("stream", &true);
    } else if request.extras.form(DIALECT) & form::STREAM_FALSE != 0 {
        object.member("stream", &false);
    }
    let Some(options) = &request.stream_options else { return };
    let level = || "stream_options".to_owned();
    if options.extras.is_of(DIALECT) && (target.stream || !request.stream) {
        object.object("stream_options", |object| restore(object, &options.extras, DIALECT, &level, losses));
    } else if !options.extras.is_of(DIALECT) {
        lose_extras(&options.extras, &level, losses);
    }
}

/// Spellings that say nothing, and unknown fields except those that have been written since: a `null` that was replaced,
/// a cap that was clamped.
fn rest(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    let form = request.extras.form(DIALECT);
    object.optional("background", (form & form::BACKGROUND_FALSE != 0).then_some(false));
    object.optional("truncation", (form & form::TRUNCATION_DISABLED != 0).then_some("disabled"));
    if !request.extras.is_of(DIALECT) {
        return lose_extras(&request.extras, &String::new, losses);
    }
    let mut written = HashSet::new();
    Cursor::new(object.written()).object(|key, _| {
        written.insert(key.to_vec());
    });
    let nested = |key: &str| key.starts_with("text.");
    for (key, value) in request.extras.fields().iter().filter(|(key, _)| !nested(key)) {
        if target.quirks.unsupported.contains(&&**key) {
            let why = "the provider does not take this field";
            losses.dropped(Subject::of_field(key), key.to_string(), why);
        } else if !written.contains(key.as_bytes()) {
            object.raw(key, value);
        }
    }
}
