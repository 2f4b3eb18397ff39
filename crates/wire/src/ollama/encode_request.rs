//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached.

use bytes::Bytes;
use trunkline_domain::chat::ChatRequest;

use super::{DIALECT, encode_messages, form, parameters};
use crate::codec::Subject;
use crate::json::{Object, object};
use crate::recast::loss::lose_extras;
use crate::recast::{EncodeTarget, Losses, body_buffer};

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        object.member("model", target.model);
        parameters::write_tools(object, request, losses);
        object.array("messages", |array| encode_messages::encode(array, request, losses));
        if let Some(format) = &request.output.format {
            parameters::write_output_format(object, format, losses);
        }
        parameters::write_reasoning(object, request, target, losses);
        parameters::write_options(object, request, target);
        object.optional("logprobs", request.sampling.logprobs);
        object.optional("top_logprobs", request.sampling.top_logprobs);
        let unsaid = request.extras.form(DIALECT) & form::STREAM_UNSAID != 0;
        if !target.stream || !unsaid {
            object.member("stream", &target.stream);
        }
        lose_others(request, losses);
        rest(object, request, losses);
    });
    out.into()
}

/// Notes what the dialect has no field for.
fn lose_others(request: &ChatRequest, losses: &mut Losses) {
    let (sampling, output, labels) = (&request.sampling, &request.output, &request.labels);
    if output.modalities.iter().any(|modality| &**modality != "text") {
        losses.dropped(Subject::Content, "modalities", "the provider answers in text only");
    }
    let lost = [
        ("n", sampling.n.is_some_and(|n| n > 1), Subject::Sampling),
        (
            "logit_bias",
            sampling.logit_bias.as_ref().is_some_and(|bias| bias.get() != "{}"),
            Subject::Sampling,
        ),
        ("prediction", sampling.prediction.is_some(), Subject::Sampling),
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

/// Unknown fields; those of the options are among them.
fn rest(object: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    if !request.extras.is_of(DIALECT) {
        return lose_extras(&request.extras, &String::new, losses);
    }
    for (key, value) in request.extras.fields().iter().filter(|(key, _)| !key.starts_with("options.")) {
        object.raw(key, value);
    }
}
