//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached. The model and
//! whether to stream are not among them: they stand in the path.

use bytes::Bytes;
use trunkline_domain::chat::{ChatRequest, Extras, Number, Output, OutputFormat, RawJson, Sampling};

use super::config::MODALITIES;
use super::{DIALECT, encode_contents, form, reasoning, schema, tools};
use crate::codec::Subject;
use crate::json::{Object, object, wire_object};
use crate::recast::loss::{lose_extras, restore_nested};
use crate::recast::{EncodeTarget, Losses, body_buffer};

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        encode_contents::system(object, request, target, losses);
        tools::encode(object, request, losses);
        object.array("contents", |contents| {
            encode_contents::contents(contents, request, target, losses);
        });
        config(object, request, target, losses);
        labels(object, request, losses);
        rest(object, request, target, losses);
    });
    out.into()
}

fn config(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    let mut out = Vec::new();
    let mut empty = true;
    crate::json::object(&mut out, |config| {
        sampling(config, &request.sampling, target, losses);
        format(config, request.output.format.as_ref(), losses);
        output(config, &request.output, losses);
        reasoning::encode(config, request, target, losses);
        restore_nested(config, &request.extras, DIALECT, "generationConfig");
        empty = config.written() == b"{";
    });
    if empty && request.extras.form(DIALECT) & form::CONFIG == 0 {
        return;
    }
    if let Some(raw) = String::from_utf8(out).ok().and_then(|text| RawJson::parse(&text)) {
        object.raw("generationConfig", &raw);
    }
}

/// Whether a number is zero, however it is written.
fn is_zero(number: &Number) -> bool {
    number.as_f64() == Some(0.0)
}

fn sampling(config: &mut Object<'_>, sampling: &Sampling, target: &EncodeTarget<'_>, losses: &mut Losses) {
    config.optional("temperature", sampling.temperature.as_ref());
    config.optional("topP", sampling.top_p.as_ref());
    config.optional("topK", sampling.top_k);
    config.optional("candidateCount", sampling.n);
    config.optional("maxOutputTokens", target.output_max(sampling.output_max));
    if !sampling.stop.is_empty() {
        config.member("stopSequences", &sampling.stop);
    }
    config.optional("presencePenalty", sampling.presence_penalty.as_ref());
    config.optional("frequencyPenalty", sampling.frequency_penalty.as_ref());
    config.optional("seed", sampling.seed);
    config.optional("responseLogprobs", sampling.logprobs);
    config.optional("logprobs", sampling.top_logprobs);
    let lost = [
        ("min_p", sampling.min_p.as_ref().is_some_and(|min| !is_zero(min))),
        ("repetition_penalty", sampling.repetition_penalty.is_some()),
        ("logit_bias", sampling.logit_bias.as_ref().is_some_and(|bias| bias.get() != "{}")),
        ("prediction", sampling.prediction.is_some()),
    ];
    for (name, _) in lost.into_iter().filter(|(_, said)| *said) {
        losses.dropped(Subject::Sampling, name, "the provider does not take this field");
    }
}

const MIME: &str = "responseMimeType";
const JSON: &str = "application/json";

fn format(config: &mut Object<'_>, format: Option<&OutputFormat>, losses: &mut Losses) {
    match format {
        None => {}
        Some(OutputFormat::Text) => config.member(MIME, "text/plain"),
        Some(OutputFormat::JsonObject) => config.member(MIME, JSON),
        Some(OutputFormat::JsonSchema { name, description, schema, strict: _, extras }) => {
            let unsaid = [("name", name.is_some()), ("description", description.is_some())];
            for (member, _) in unsaid.into_iter().filter(|(_, said)| *said) {
                let why = "the dialect's schemas have neither name nor description";
                losses.dropped(Subject::Other, format!("output.format.{member}"), why);
            }
            lose_foreign(extras, "output.format", losses);
            let form = extras.form(DIALECT);
            if form & form::NO_MIME == 0 {
                config.member(MIME, JSON);
            }
            match schema {
                Some(schema) if form & form::SCHEMA_LOWER != 0 => config.raw("responseSchema", schema),
                Some(schema) if form & form::SCHEMA != 0 => {
                    config.raw("responseSchema", &schema::lower(schema));
                }
                Some(schema) => config.raw("responseJsonSchema", schema),
                None => {}
            }
        }
        Some(OutputFormat::Opaque(opaque)) if opaque.dialect == DIALECT => {
            wire_object! { struct Members {} }
            let members = serde_json::from_str::<Members>(opaque.raw.get()).unwrap_or_default();
            for (key, value) in members.rest.extras(DIALECT, 0).fields() {
                config.raw(key, value);
            }
        }
        Some(OutputFormat::Opaque(_)) => {
            losses.dropped(Subject::Schema, "output.format", "the provider has no such form of answer");
        }
    }
}

fn lose_foreign(extras: &Extras, level: &str, losses: &mut Losses) {
    if !extras.is_of(DIALECT) {
        lose_extras(extras, &|| level.to_owned(), losses);
    }
}

fn output(config: &mut Object<'_>, output: &Output, losses: &mut Losses) {
    let word = |name: &&str| MODALITIES.iter().find(|(_, known)| known == name).map(|(word, _)| *word);
    let names = || output.modalities.iter().map(|modality| &**modality);
    let known: Vec<&str> = names().filter_map(|name| word(&name)).collect();
    if known.len() < output.modalities.len() {
        losses.dropped(Subject::Content, "modalities", "the provider has no such modality");
    }
    // Text alone is what the dialect does unless told otherwise, but what was said is said again.
    if !known.is_empty() {
        config.member("responseModalities", &known);
    }
    match &output.speech {
        Some(speech) if speech.dialect == DIALECT => config.raw("speechConfig", &speech.raw),
        Some(_) => losses.dropped(Subject::Content, "audio", "the provider is told of voices in another way"),
        None => {}
    }
    if output.verbosity.is_some() {
        losses.dropped(Subject::Other, "verbosity", "the provider does not take this field");
    }
}

fn labels(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let labels = &request.labels;
    match labels.service_tier.as_deref() {
        None | Some("auto") => {}
        Some("default") => object.member("serviceTier", "standard"),
        Some(tier @ ("flex" | "priority")) => object.member("serviceTier", tier),
        Some(_) => losses.dropped(Subject::Labels, "service_tier", "the provider has no such tier"),
    }
    let lost = [
        ("user", labels.user.is_some(), Subject::Labels),
        ("safety_identifier", labels.safety_identifier.is_some(), Subject::Labels),
        ("metadata", labels.metadata.is_some(), Subject::Labels),
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

/// Unknown fields, except those that the server is known to refuse.
fn rest(object: &mut Object<'_>, request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) {
    if !request.extras.is_of(DIALECT) {
        return lose_extras(&request.extras, &String::new, losses);
    }
    let nested = |key: &str| key.starts_with("generationConfig.") || key.starts_with("toolConfig.");
    for (key, value) in request.extras.fields().iter().filter(|(key, _)| !nested(key)) {
        if !target.quirks.unsupported.contains(&&**key) {
            object.raw(key, value);
        } else if !value.is_null() {
            let why = "the provider does not take this field";
            losses.dropped(Subject::of_field(key), key.to_string(), why);
        }
    }
}
