//! OpenAI itself: the reference of its dialects, so nothing differs. Some of its models answer in Responses only.
//!
//! Read in openai-openapi `openapi.yaml` (`createChatCompletion`, `createResponse`, `createCompletion`,
//! `createEmbedding`, `listModels`, `CompletionUsage`, `ErrorResponse`) and openai-python `src/openai/_client.py` (base URL,
//! `OPENAI_API_KEY`), `src/openai/types/shared/responses_model.py` (models of Responses that are none of chat's),
//! `src/openai/resources/responses/responses.py` (what is kept of them).

use trunkline_domain::UpstreamModel;
use trunkline_wire::quirks::Quirks;

use crate::adapter::Adapter;
use crate::spec::{Api, BaseUrl, Proof, ProviderSpec};

/// OpenAI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "openai",
    name: "OpenAI",
    otel: "openai",
    catalogue: "openai",
    docs: "https://developers.openai.com/api/docs",
    base_url: BaseUrl::Fixed("https://api.openai.com/v1"),
    env: &["OPENAI_API_KEY"],
    apis: &[Api::CHAT, Api::RESPONSES, Api::COMPLETIONS, Api::EMBEDDINGS],
    quirks: Quirks::REFERENCE,
    adapter: &OpenAi,
    keeps_responses: true,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

/// Models that have Responses and no chat; snapshots of them have a date behind.
const RESPONSES_ONLY: &[&str] = &[
    "computer-use-preview",
    "gpt-5-codex",
    "gpt-5-pro",
    "gpt-5.1-codex-max",
    "o1-pro",
    "o3-deep-research",
    "o3-pro",
    "o4-mini-deep-research",
];

struct OpenAi;

impl Adapter for OpenAi {
    fn serves(&self, api: &Api, model: &UpstreamModel) -> bool {
        *api != Api::CHAT || !RESPONSES_ONLY.iter().any(|only| is_of(model.as_str(), only))
    }
}

/// Whether a model is this one or a snapshot of it: the name, with nothing or a date behind.
fn is_of(model: &str, name: &str) -> bool {
    let Some(behind) = model.strip_prefix(name) else { return false };
    let date = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    behind.is_empty() || behind.strip_prefix('-').is_some_and(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_without_a_chat_answer_in_responses() {
        let chats = |model: &str| OpenAi.serves(&Api::CHAT, &UpstreamModel(model.into()));
        for model in ["gpt-5-pro", "gpt-5-pro-2025-10-06", "o1-pro-2025-03-19", "gpt-5-codex"] {
            assert!(!chats(model), "{model}");
            assert!(OpenAi.serves(&Api::RESPONSES, &UpstreamModel(model.into())), "{model}");
        }
        for model in ["gpt-5", "gpt-5-2025-08-07", "o3", "o1-pro-max", "gpt-5-codexes"] {
            assert!(chats(model), "{model}");
        }
    }
}
