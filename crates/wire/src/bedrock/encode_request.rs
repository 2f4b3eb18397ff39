//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached. The model and
//! whether to stream stand in the path.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use trunkline_domain::chat::{ChatRequest, Extras, Number, RawJson};

use super::models::Family;
use super::reasoning::{self, Plan};
use super::{DIALECT, encode_messages, finish, form, parameters};
use crate::anthropic::recast::models as claude;
use crate::codec::Subject;
use crate::cursor::Cursor;
use crate::json::{Object, object};
use crate::recast::loss::lose_extras;
use crate::recast::{EncodeTarget, Losses, body_buffer};

const INFERENCE: &str = "inferenceConfig";
const ADDITIONAL: &str = "additionalModelRequestFields";
const OUTPUT: &str = "outputConfig";
const TIER: &str = "serviceTier";

/// Members of a request whose own unknown members are kept beside it, under `member.`.
const NESTED: &[&str] = &["toolConfig", INFERENCE, ADDITIONAL, OUTPUT, TIER];

/// The tiers of service.
const TIERS: &[&str] = &["priority", "default", "flex", "reserved"];

/// The most pairs of metadata, and the longest of each, in characters.
const METADATA_MAX: (usize, usize) = (16, 256);

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let plan = reasoning::plan(request, target, losses);
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        encode_messages::system(object, request, target, losses);
        let chooses = parameters::write_tools(object, request, target, losses);
        if encode_messages::any(request) || request.extras.form(DIALECT) & form::NO_MESSAGES == 0 {
            object.array("messages", |messages| {
                encode_messages::messages(messages, request, target, losses);
            });
        }
        inference(object, request, target, &plan, losses);
        additional(object, request, (target, &plan, chooses), losses);
        // Other dialects say which sequence it was unasked.
        let stops = !request.sampling.stop.is_empty() && Family::of(target.model) == Family::Claude;
        if stops && !request.extras.is_of(DIALECT) {
            object.member(finish::PATHS, &[finish::STOP_SEQUENCE][..]);
        }
        output(object, request, &plan, losses);
        labels(object, request, losses);
        lose_others(request, losses);
        rest(object, &request.extras, losses);
    });
    out.into()
}

fn inference(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    plan: &Plan,
    losses: &mut Losses,
) {
    let sampling = &request.sampling;
    let output_max = target.output_max(sampling.output_max);
    let mut drawn = |name: &'static str, value: Option<&Number>| {
        let value = value?;
        let nearest = value.as_f64().filter(|value| !(0.0..=1.0).contains(value));
        if let Some(why) = excluded(name, value, request, (target.model, plan)) {
            losses.dropped(Subject::Sampling, name, why);
            return None;
        }
        if let Some(nearest) = nearest {
            losses.adapted(Subject::Sampling, name, "the dialect's values end at 0 and 1");
            return Some(Number::from(u64::from(nearest > 1.0)));
        }
        Some(value.clone())
    };
    let temperature = drawn("temperature", sampling.temperature.as_ref());
    let top_p = drawn("top_p", sampling.top_p.as_ref());
    let said = output_max.is_some() || temperature.is_some() || top_p.is_some() || !sampling.stop.is_empty();
    if said || request.extras.form(DIALECT) & form::INFERENCE != 0 {
        object.object(INFERENCE, |config| {
            config.optional("maxTokens", output_max);
            config.optional("temperature", temperature);
            config.optional("topP", top_p);
            if !sampling.stop.is_empty() {
                config.member("stopSequences", &sampling.stop);
            }
            restore_nested(config, &request.extras, INFERENCE);
        });
    }
}

/// Why a way of drawing tokens is left out, if it is.
fn excluded(
    name: &str,
    value: &Number,
    request: &ChatRequest,
    (model, plan): (&str, &Plan),
) -> Option<&'static str> {
    if Family::of(model) == Family::Claude {
        if !claude::takes_sampling(model) {
            return Some("the model draws tokens as it sees fit");
        }
        if name == "top_p" && request.sampling.temperature.is_some() && claude::takes_one_of_two(model) {
            return Some("the model takes a temperature or this, not both");
        }
    }
    plan.excludes(name, value).then_some("the model does not combine it with thinking")
}

/// How `top_k` is said, if it is.
enum TopK {
    Plain(u64),
    Nova(u64),
}

fn top_k(request: &ChatRequest, target: &EncodeTarget<'_>, plan: &Plan, losses: &mut Losses) -> Option<TopK> {
    let top_k = request.sampling.top_k?;
    let family = Family::of(target.model);
    if family == Family::Nova {
        return Some(TopK::Nova(top_k));
    }
    let own = request.extras.form(DIALECT) & form::ADDITIONAL != 0;
    let why = if family == Family::Claude {
        excluded("top_k", &Number::from(top_k), request, (target.model, plan))
    } else {
        (!own).then_some("the dialect has no such field, nor is the model known to")
    };
    if let Some(why) = why {
        losses.dropped(Subject::Sampling, "top_k", why);
        return None;
    }
    Some(TopK::Plain(top_k))
}

/// What is said about calling several tools at once.
enum OneCall {
    /// In the choice itself, whose kind must be said.
    Auto,
    /// Beside the choice in `toolConfig`.
    Beside,
}

/// Several at once is what models do unless told otherwise; only Claude can be.
fn one_call(request: &ChatRequest, (model, chooses): (&str, bool), losses: &mut Losses) -> Option<OneCall> {
    if request.parallel_tool_calls != Some(false) || request.tools.is_empty() {
        return None;
    }
    if Family::of(model) != Family::Claude {
        let why = "the dialect does not say that tools are called one at a time";
        losses.dropped(Subject::Tools, "parallel_tool_calls", why);
        return None;
    }
    Some(if chooses { OneCall::Beside } else { OneCall::Auto })
}

/// Writes the fields that are the model's own.
fn additional(
    object: &mut Object<'_>,
    request: &ChatRequest,
    (target, plan, chooses): (&EncodeTarget<'_>, &Plan, bool),
    losses: &mut Losses,
) {
    let top_k = top_k(request, target, plan, losses);
    let one_call = one_call(request, (target.model, chooses), losses);
    let own = request.extras.form(DIALECT) & form::ADDITIONAL != 0;
    if !own && top_k.is_none() && one_call.is_none() && !plan.is_own() {
        return;
    }
    object.object(ADDITIONAL, |fields| {
        plan.write(fields, request, losses);
        match top_k {
            Some(TopK::Plain(top_k)) => fields.member("top_k", &top_k),
            Some(TopK::Nova(top_k)) => fields.object(INFERENCE, |config| config.member("topK", &top_k)),
            None => {}
        }
        if let Some(one_call) = one_call {
            fields.object("tool_choice", |choice| {
                if let OneCall::Auto = one_call {
                    choice.member("type", "auto");
                }
                choice.member("disable_parallel_tool_use", &true);
            });
        }
        restore_nested(fields, &request.extras, ADDITIONAL);
    });
}

fn output(object: &mut Object<'_>, request: &ChatRequest, plan: &Plan, losses: &mut Losses) {
    let format = parameters::known_format(request.output.format.as_ref(), losses);
    if format.is_none() && plan.effort.is_none() && request.extras.form(DIALECT) & form::OUTPUT_CONFIG == 0 {
        return;
    }
    object.object(OUTPUT, |config| {
        if let Some(format) = format {
            parameters::write_output_format(config, format);
        }
        config.optional("effort", plan.effort.map(trunkline_domain::chat::Effort::as_str));
        restore_nested(config, &request.extras, OUTPUT);
    });
}

fn labels(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let labels = &request.labels;
    if let Some(metadata) = &labels.metadata {
        if request.extras.is_of(DIALECT) || is_metadata(metadata) {
            object.raw("requestMetadata", metadata);
        } else {
            let why = "the dialect's metadata are up to 16 pairs of 256 plain characters each";
            losses.dropped(Subject::Labels, "metadata", why);
        }
    }
    match labels.service_tier.as_deref() {
        None | Some("auto") => {}
        Some(tier) if request.extras.is_of(DIALECT) || TIERS.contains(&tier) => {
            object.object(TIER, |object| {
                object.member("type", tier);
                restore_nested(object, &request.extras, TIER);
            });
        }
        Some(_) => losses.dropped(Subject::Labels, "service_tier", "the provider has no such tier"),
    }
}

/// Whether metadata are what the dialect takes.
fn is_metadata(raw: &RawJson) -> bool {
    let (pairs_max, length_max) = METADATA_MAX;
    let plain = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || ":_@$#=/+,-.".contains(c))
            && text.chars().count() <= length_max
    };
    serde_json::from_str::<BTreeMap<String, String>>(raw.get()).is_ok_and(|pairs| {
        (1..=pairs_max).contains(&pairs.len())
            && pairs.iter().all(|(key, value)| !key.is_empty() && plain(key) && plain(value))
    })
}

/// Notes what the dialect has no field for.
fn lose_others(request: &ChatRequest, losses: &mut Losses) {
    let (sampling, output, labels) = (&request.sampling, &request.output, &request.labels);
    let is_zero = |number: &Number| number.as_f64() == Some(0.0);
    let said = |number: &Option<Number>| number.as_ref().is_some_and(|number| !is_zero(number));
    let lost = [
        ("min_p", said(&sampling.min_p), Subject::Sampling),
        ("frequency_penalty", said(&sampling.frequency_penalty), Subject::Sampling),
        ("presence_penalty", said(&sampling.presence_penalty), Subject::Sampling),
        ("repetition_penalty", sampling.repetition_penalty.is_some(), Subject::Sampling),
        ("seed", sampling.seed.is_some(), Subject::Sampling),
        ("n", sampling.n.is_some_and(|n| n != 1), Subject::Sampling),
        ("logprobs", sampling.logprobs == Some(true), Subject::Sampling),
        ("top_logprobs", sampling.top_logprobs.is_some_and(|count| count > 0), Subject::Sampling),
        (
            "logit_bias",
            sampling.logit_bias.as_ref().is_some_and(|bias| bias.get() != "{}"),
            Subject::Sampling,
        ),
        ("prediction", sampling.prediction.is_some(), Subject::Sampling),
        ("modalities", output.modalities.iter().any(|modality| &**modality != "text"), Subject::Content),
        ("audio", output.speech.is_some(), Subject::Content),
        ("verbosity", output.verbosity.is_some(), Subject::Other),
        ("user", labels.user.is_some(), Subject::Labels),
        ("safety_identifier", labels.safety_identifier.is_some(), Subject::Labels),
        ("prompt_cache_key", labels.cache_key.is_some(), Subject::Cache),
        ("store", labels.store == Some(true), Subject::State),
    ];
    for (name, _, subject) in lost.into_iter().filter(|(_, said, _)| *said) {
        losses.dropped(subject, name, "the provider does not take this field");
    }
    if let Some(options) = &request.stream_options {
        lose_extras(&options.extras, &|| "stream_options".to_owned(), losses);
    }
}

/// The keys of an object that is being written.
fn written(object: &Object<'_>) -> HashSet<Vec<u8>> {
    let mut keys = HashSet::new();
    Cursor::new(object.written()).object(|key, _| {
        keys.insert(key.to_vec());
    });
    keys
}

/// Writes back what was kept for the object inside that `member` is, except what has been written since (a `null` that
/// was replaced).
fn restore_nested(object: &mut Object<'_>, extras: &Extras, member: &str) {
    let kept = |key: &'_ str| key.strip_prefix(member)?.strip_prefix('.').map(str::to_owned);
    if extras.is_of(DIALECT) {
        let written = written(object);
        for (key, value) in extras.fields() {
            if let Some(key) = kept(key).filter(|key| !written.contains(key.as_bytes())) {
                object.raw(&key, value);
            }
        }
    }
}

/// Writes back unknown fields, except those that have been written since.
fn rest(object: &mut Object<'_>, extras: &Extras, losses: &mut Losses) {
    if !extras.is_of(DIALECT) {
        return lose_extras(extras, &String::new, losses);
    }
    let written = written(object);
    let nested = |key: &str| key.split_once('.').is_some_and(|(member, _)| NESTED.contains(&member));
    for (key, value) in extras.fields().iter().filter(|(key, _)| !nested(key)) {
        if !written.contains(key.as_bytes()) {
            object.raw(key, value);
        }
    }
}
