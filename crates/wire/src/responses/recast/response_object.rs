//! The answer as an object, at its beginning and at its end: its head, and what it repeats of the request
//! (openai-python, `types/responses/response.py`).

use trunkline_domain::chat::{ChatRequest, Effort, Extras};
use trunkline_domain::{Text, Usage};

use super::finish::Ending;
use super::{DIALECT, content, encode_items, parameters, tools};
use crate::json::{Object, object};
use crate::openai::usage;
use crate::recast::{AnswerIdentity, Losses};

/// What an answer says of itself, apart from its items.
pub(super) struct Head {
    id: String,
    model: String,
    created: i64,
    /// What is repeated of the request, as an object.
    repeated: Vec<u8>,
    pub(super) extras: Extras,
    pub(super) tier: Option<Text>,
    pub(super) usage: Option<Usage>,
}

impl Head {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        let mut repeated = Vec::new();
        object(&mut repeated, |object| repeat(object, identity.request));
        Self {
            id: identity.id.to_owned(),
            model: identity.model.to_owned(),
            created: identity.created,
            repeated,
            extras: Extras::default(),
            tier: None,
            usage: None,
        }
    }

    /// What the ids of items are made from.
    pub(super) fn stem(&self) -> &str {
        self.id.strip_prefix("resp_").unwrap_or(&self.id)
    }

    /// Writes the answer; without an ending it has just begun.
    pub(super) fn write(&self, object: &mut Object<'_>, output: &[u8], ending: Option<Ending<'_>>) {
        object.member("id", &self.id);
        object.member("object", "response");
        object.member("created_at", &self.created);
        object.member("status", ending.map_or("in_progress", Ending::status));
        match ending {
            Some(Ending::Failed) => object.object("error", |error| {
                error.member("code", "server_error");
                error.member("message", "the provider failed in mid-answer");
            }),
            Some(Ending::Completed | Ending::Incomplete(_)) | None => object.member("error", &()),
        }
        match ending {
            Some(Ending::Incomplete(Some(reason))) => {
                object.object("incomplete_details", |details| details.member("reason", reason));
            }
            Some(Ending::Completed | Ending::Failed | Ending::Incomplete(None)) | None => {
                object.member("incomplete_details", &());
            }
        }
        object.member("model", &self.model);
        object.elements("output", output);
        match &self.usage {
            Some(reported) => object.object("usage", |object| usage::write_responses(object, reported)),
            None => object.member("usage", &()),
        }
        object.optional("service_tier", self.tier.as_deref().map(tier));
        object.members_of(&self.repeated);
        if self.extras.is_of(DIALECT) {
            for (key, value) in self.extras.fields().iter().filter(|(key, _)| !key.contains('.')) {
                object.raw(key, value);
            }
        }
    }
}

/// The dialect's name of a tier: Anthropic calls the usual one `standard`.
fn tier(tier: &str) -> &str {
    if tier == "standard" { "default" } else { tier }
}

/// Writes what an answer repeats of its request. What the dialect cannot repeat was noted when the request was read or
/// is nobody's loss.
fn repeat(object: &mut Object<'_>, request: &ChatRequest) {
    let unnoted = &mut Losses::default();
    let instructions = encode_items::instructions(request);
    let instructions = instructions.and_then(|turn| turn.parts.first()).and_then(content::text_of);
    object.member("background", &false);
    object.member("instructions", &instructions);
    object.member("max_output_tokens", &request.sampling.output_max);
    match &request.labels.metadata {
        Some(metadata) => object.raw("metadata", metadata),
        None => object.object("metadata", |_| {}),
    }
    object.member("parallel_tool_calls", &request.parallel_tool_calls.unwrap_or(true));
    object.member("previous_response_id", &());
    object.optional("prompt_cache_key", request.labels.cache_key.as_ref());
    let reasoning = request.reasoning.as_ref();
    object.object("reasoning", |object| {
        object.member("effort", &reasoning.and_then(|reasoning| reasoning.effort).map(Effort::as_str));
        object.member("summary", &reasoning.and_then(|reasoning| reasoning.summary.as_ref()));
    });
    object.optional("safety_identifier", request.labels.safety_identifier.as_ref());
    object.member("store", &false);
    object.member("temperature", &request.sampling.temperature);
    object.object("text", |text| {
        match &request.output.format {
            Some(format) => parameters::write_format(text, format, unnoted),
            None => text.object("format", |format| format.member("type", "text")),
        }
        text.optional("verbosity", request.output.verbosity.as_ref());
    });
    match &request.tool_choice {
        Some(choice) => tools::write_tool_choice(object, choice, unnoted),
        None => object.member("tool_choice", "auto"),
    }
    object.array("tools", |array| {
        for (at, tool) in request.tools.iter().enumerate() {
            tools::write_tool(array, tool, at, unnoted);
        }
    });
    object.optional("top_logprobs", request.sampling.top_logprobs);
    object.member("top_p", &request.sampling.top_p);
    object.member("truncation", "disabled");
    object.optional("user", request.labels.user.as_ref());
}
