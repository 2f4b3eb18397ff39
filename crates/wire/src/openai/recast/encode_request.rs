//! Writing a request. The same request gives the same bytes, so that prompts cached by prefix stay cached.

use std::collections::HashSet;

use bytes::Bytes;
use trunkline_domain::chat::{ChatRequest, Effort, Reasoning, Thinking};

use super::{DIALECT, encode_messages, form, parameters};
use crate::codec::Subject;
use crate::cursor::Cursor;
use crate::json::{Object, object};
use crate::quirks::{Quirks, StreamUsage};
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{EncodeTarget, Losses, body_buffer};

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, target: &EncodeTarget<'_>, losses: &mut Losses) -> Bytes {
    let mut out = body_buffer(request);
    object(&mut out, |object| {
        object.member("model", target.model);
        let mut fields = Fields { object, quirks: target.quirks, losses };
        sampling(&mut fields, request, target);
        labels(&mut fields, request);
        output(&mut fields, request);
        reasoning(&mut fields, request, target);
        stream(&mut fields, request, target);
        tools(&mut fields, request, target);
        fields.rest(request);
        fields.object.array("messages", |messages| {
            encode_messages::encode(messages, request, target, fields.losses);
        });
    });
    out.into()
}

/// The top level, as the server takes it.
struct Fields<'o, 'b, 'l> {
    object: &'o mut Object<'b>,
    quirks: &'o Quirks,
    losses: &'l mut Losses,
}

impl Fields<'_, '_, '_> {
    /// Writes a field under the server's name for it, or notes that the server has none.
    fn put(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>, &str, &mut Losses)) {
        if let Some(name) = self.name(name) {
            write(self.object, name, self.losses);
        } else {
            let why = "the provider does not take this field";
            self.losses.dropped(Subject::of_field(name), name.to_owned(), why);
        }
    }

    fn member<T: serde::Serialize>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, |object, name, _| object.member(name, &value));
        }
    }

    /// Writes a field beyond the reference: where the caller itself wrote it, or the server is known to take it.
    fn extension<T: serde::Serialize>(&mut self, name: &str, by_caller: bool, value: Option<T>) {
        if value.is_some() && !by_caller && !self.quirks.extensions.contains(&name) {
            let why = "the provider does not take this field";
            return self.losses.dropped(Subject::of_field(name), name.to_owned(), why);
        }
        self.member(name, value);
    }

    fn name<'n>(&self, name: &'n str) -> Option<&'n str>
    where
        Self: 'n,
    {
        let renamed = self.quirks.renamed.iter().find(|(ours, _)| *ours == name).map(|(_, theirs)| *theirs);
        renamed.or_else(|| (!self.quirks.unsupported.contains(&name)).then_some(name))
    }

    /// Unknown fields, except those that have been written since: a `null` that was replaced, a cap that was clamped.
    fn rest(&mut self, request: &ChatRequest) {
        if !request.extras.is_of(DIALECT) {
            return lose_extras(&request.extras, &String::new, self.losses);
        }
        let mut written = HashSet::new();
        Cursor::new(self.object.written()).object(|key, _| {
            written.insert(key.to_vec());
        });
        for (key, value) in request.extras.fields() {
            let name = self.name(key);
            // Under the server's name, which two fields may share.
            if name.is_none_or(|name| written.insert(name.as_bytes().to_vec()))
                && (name.is_some() || !value.is_null())
            {
                self.put(key, |object, name, _| object.raw(name, value));
            }
        }
    }
}

fn sampling(fields: &mut Fields<'_, '_, '_>, request: &ChatRequest, target: &EncodeTarget<'_>) {
    let sampling = &request.sampling;
    let form = request.extras.form(DIALECT);
    let cap = target.output_max(sampling.output_max);
    let old = form & form::MAX_TOKENS != 0 || fields.name("max_completion_tokens").is_none();
    fields.member(if old { "max_tokens" } else { "max_completion_tokens" }, cap);
    fields.member("temperature", sampling.temperature.as_ref());
    fields.member("top_p", sampling.top_p.as_ref());
    fields.extension("top_k", form & form::TOP_K != 0, sampling.top_k);
    fields.extension("min_p", form & form::MIN_P != 0, sampling.min_p.as_ref());
    fields.member("frequency_penalty", sampling.frequency_penalty.as_ref());
    fields.member("presence_penalty", sampling.presence_penalty.as_ref());
    let repetition = sampling.repetition_penalty.as_ref();
    fields.extension("repetition_penalty", form & form::REPETITION_PENALTY != 0, repetition);
    fields.member("seed", sampling.seed);
    fields.member("n", sampling.n);
    match &*sampling.stop {
        [] => {}
        [stop] if form & form::STOP_STRING != 0 => fields.member("stop", Some(stop)),
        stops => fields.member("stop", Some(stops)),
    }
    fields.member("logprobs", sampling.logprobs);
    fields.member("top_logprobs", sampling.top_logprobs);
    fields.member("logit_bias", sampling.logit_bias.as_ref());
    match &sampling.prediction {
        Some(prediction) if prediction.dialect == DIALECT => {
            fields.member("prediction", Some(&prediction.raw));
        }
        Some(_) => fields.losses.dropped(Subject::Sampling, "prediction", "it is in another dialect"),
        None => {}
    }
}

/// The longest `user`, in bytes: <https://github.com/maximhq/bifrost/pull/1000>. Claude Code's are twice as long.
const USER_MAX: usize = 64;

/// The longest `safety_identifier`: openai-python 3.57.0, `types/chat/completion_create_params.py`.
const IDENTIFIER_MAX: usize = 128;

fn labels(fields: &mut Fields<'_, '_, '_>, request: &ChatRequest) {
    let labels = &request.labels;
    let users =
        [("user", &labels.user, USER_MAX), ("safety_identifier", &labels.safety_identifier, IDENTIFIER_MAX)];
    for (name, user, most) in users {
        if user.as_ref().is_some_and(|user| user.len() > most) {
            fields.losses.dropped(Subject::Labels, name, "providers refuse a name this long");
        } else {
            fields.member(name, user.as_ref());
        }
    }
    fields.member("metadata", labels.metadata.as_ref());
    fields.member("prompt_cache_key", labels.cache_key.as_ref());
    fields.member("service_tier", labels.service_tier.as_ref());
    fields.member("store", labels.store);
}

fn output(fields: &mut Fields<'_, '_, '_>, request: &ChatRequest) {
    let output = &request.output;
    if let Some(format) = &output.format {
        fields.put("response_format", |object, key, losses| {
            parameters::write_output_format(object, key, format, losses);
        });
    }
    fields.member("verbosity", output.verbosity.as_ref());
    fields.member("modalities", (!output.modalities.is_empty()).then_some(&output.modalities));
    match &output.speech {
        Some(speech) if speech.dialect == DIALECT => fields.member("audio", Some(&speech.raw)),
        Some(_) => fields.losses.dropped(Subject::Content, "audio", "the voice is named in another dialect"),
        None => {}
    }
}

fn reasoning(fields: &mut Fields<'_, '_, '_>, request: &ChatRequest, target: &EncodeTarget<'_>) {
    let Some(reasoning) = &request.reasoning else { return };
    let as_object = reasoning.extras.form(DIALECT) & form::REASONING_OBJECT != 0;
    if as_object || fields.quirks.extensions.contains(&"reasoning") {
        fields.put("reasoning", |object, key, losses| {
            parameters::write_reasoning(object, key, reasoning, losses);
        });
        return;
    }
    let effort = reasoning.effort.or_else(|| effort_of(reasoning, request, target, fields.losses));
    if reasoning.summary.is_some() || reasoning.shown == Some(false) {
        let why = "the dialect does not say how thinking is shown";
        fields.losses.dropped(Subject::Other, "reasoning.summary", why);
    }
    fields.member("reasoning_effort", effort.map(Effort::as_str));
    lose_extras(&reasoning.extras, &|| "reasoning".to_owned(), fields.losses);
}

/// The effort that stands for what the caller said instead of one.
pub(crate) fn effort_of(
    reasoning: &Reasoning,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) -> Option<Effort> {
    match (reasoning.thinking, reasoning.budget_tokens) {
        (Some(Thinking::Disabled), _) => Some(Effort::None),
        (_, Some(budget)) => {
            let output_max = target.output_max(request.sampling.output_max).or(target.output_max);
            let effort =
                output_max.map_or(Effort::Medium, |output_max| Effort::of_budget(budget, output_max));
            let why = "the dialect takes an effort: the least that covers the budget";
            losses.adapted(Subject::Reasoning, "reasoning.budget_tokens", why);
            Some(effort)
        }
        (Some(Thinking::Enabled | Thinking::Adaptive) | None, None) => None,
    }
}

/// Without usage in the stream there is nothing to meter by, so it is asked for where it must be.
fn stream(fields: &mut Fields<'_, '_, '_>, request: &ChatRequest, target: &EncodeTarget<'_>) {
    if !target.stream {
        if request.extras.form(DIALECT) & form::STREAM_FALSE != 0 {
            fields.member("stream", Some(false));
        }
        return;
    }
    fields.member("stream", Some(true));
    let options = request.stream_options.as_ref();
    let usage = match target.quirks.stream_usage {
        StreamUsage::OnRequest => Some(true),
        StreamUsage::Always => return,
        StreamUsage::AlwaysTolerant => options.and_then(|options| options.include_usage),
    };
    if (usage.is_none() && options.is_none()) || fields.name("stream_options").is_none() {
        return;
    }
    fields.put("stream_options", |object, key, losses| {
        object.object(key, |object| {
            object.optional("include_usage", usage);
            if let Some(options) = options {
                restore(object, &options.extras, DIALECT, &|| "stream_options".to_owned(), losses);
            }
        });
    });
}

fn tools(fields: &mut Fields<'_, '_, '_>, request: &ChatRequest, target: &EncodeTarget<'_>) {
    if !request.tools.is_empty() {
        fields.put("tools", |object, key, losses| {
            object.array(key, |array| {
                for (at, tool) in request.tools.iter().enumerate() {
                    parameters::write_tool(array, tool, at, target, losses);
                }
            });
        });
    }
    if let Some(choice) = &request.tool_choice {
        fields.put("tool_choice", |object, key, losses| {
            parameters::write_tool_choice(object, key, choice, losses);
        });
    }
    fields.member("parallel_tool_calls", request.parallel_tool_calls);
}
