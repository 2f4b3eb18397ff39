//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached.

use bytes::Bytes;
use trunkline_domain::chat::{ChatRequest, Number, Sampling};

use super::{DIALECT, documents, encode_messages, form, parameters};
use crate::codec::Subject;
use crate::json::{Object, object};
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{EncodeTarget, Losses, body_buffer};

/// The most texts that may end an answer.
const STOP_MAX: usize = 5;

/// The most candidates drawn from.
const TOP_K_MAX: u64 = 500;

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        object.member("model", target.model);
        parameters::write_tools(object, request, losses);
        documents::encode(object, request);
        object.array("messages", |array| encode_messages::encode(array, request, losses));
        if let Some(format) = &request.output.format {
            parameters::write_output_format(object, format, losses);
        }
        parameters::write_reasoning(object, request, target, losses);
        sampling(object, &request.sampling, target, losses);
        if target.stream {
            object.member("stream", &true);
        } else if request.extras.form(DIALECT) & form::STREAM_FALSE != 0 {
            object.member("stream", &false);
        }
        lose_others(request, losses);
        restore(object, &request.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

fn sampling(object: &mut Object<'_>, sampling: &Sampling, target: &EncodeTarget<'_>, losses: &mut Losses) {
    object.optional("max_tokens", target.output_max(sampling.output_max));
    let stops = sampling.stop.get(..STOP_MAX).unwrap_or(&sampling.stop);
    if stops.len() < sampling.stop.len() {
        losses.adapted(Subject::Sampling, "stop", "the dialect takes five texts at most: the first ones");
    }
    if !stops.is_empty() {
        object.member("stop_sequences", stops);
    }
    let mut within = |object: &mut Object<'_>, (ours, theirs), number: Option<&Number>, (least, most)| {
        let Some(number) = number else { return };
        let nearest = number.as_f64().map(|value: f64| value.clamp(least, most));
        match nearest.filter(|nearest| Some(*nearest) != number.as_f64()).and_then(Number::from_f64) {
            Some(nearest) => {
                losses.adapted(Subject::Sampling, ours, "the provider takes less of it: the nearest value");
                object.member(theirs, &nearest);
            }
            None => object.member(theirs, number),
        }
    };
    within(object, ("temperature", "temperature"), sampling.temperature.as_ref(), (0.0, f64::MAX));
    within(object, ("top_p", "p"), sampling.top_p.as_ref(), (0.01, 0.99));
    let penalty = sampling.frequency_penalty.as_ref();
    within(object, ("frequency_penalty", "frequency_penalty"), penalty, (0.0, 1.0));
    let penalty = sampling.presence_penalty.as_ref();
    within(object, ("presence_penalty", "presence_penalty"), penalty, (0.0, 1.0));
    if sampling.top_k.is_some_and(|top_k| top_k > TOP_K_MAX) {
        losses.adapted(Subject::Sampling, "top_k", "the provider takes less of it: the nearest value");
    }
    object.optional("k", sampling.top_k.map(|top_k| top_k.min(TOP_K_MAX)));
    object.optional("seed", sampling.seed);
    object.optional("logprobs", sampling.logprobs);
    let lost = [
        ("n", sampling.n.is_some_and(|n| n > 1)),
        ("min_p", sampling.min_p.as_ref().is_some_and(|least| least.as_f64() != Some(0.0))),
        ("repetition_penalty", sampling.repetition_penalty.is_some()),
        ("top_logprobs", sampling.top_logprobs.is_some_and(|top| top > 0)),
        ("logit_bias", sampling.logit_bias.as_ref().is_some_and(|bias| bias.get() != "{}")),
        ("prediction", sampling.prediction.is_some()),
    ];
    for (name, _) in lost.into_iter().filter(|(_, said)| *said) {
        losses.dropped(Subject::Sampling, name, "the provider does not take this field");
    }
}

/// Notes what the dialect has no field for.
fn lose_others(request: &ChatRequest, losses: &mut Losses) {
    let (output, labels) = (&request.output, &request.labels);
    if output.modalities.iter().any(|modality| &**modality != "text") {
        losses.dropped(Subject::Content, "modalities", "the provider answers in text only");
    }
    let lost = [
        ("audio", output.speech.is_some(), Subject::Content),
        ("verbosity", output.verbosity.is_some(), Subject::Other),
        ("user", labels.user.is_some(), Subject::Labels),
        ("safety_identifier", labels.safety_identifier.is_some(), Subject::Labels),
        ("metadata", labels.metadata.is_some(), Subject::Labels),
        ("prompt_cache_key", labels.cache_key.is_some(), Subject::Cache),
        ("service_tier", labels.service_tier.as_deref().is_some_and(|tier| tier != "auto"), Subject::Labels),
        ("store", labels.store == Some(true), Subject::State),
    ];
    for (name, _, subject) in lost.into_iter().filter(|(_, said, _)| *said) {
        losses.dropped(subject, name, "the provider does not take this field");
    }
    if let Some(options) = &request.stream_options {
        lose_extras(&options.extras, &|| "stream_options".to_owned(), losses);
    }
}
