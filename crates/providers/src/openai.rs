//! OpenAI itself: the reference of its dialects, so nothing differs.
//!
//! Read in openai-openapi `openapi.yaml` (`createChatCompletion`, `createCompletion`, `createEmbedding`,
//! `listModels`, `CompletionUsage`, `ErrorResponse`) and openai-python `src/openai/_client.py` (base URL,
//! `OPENAI_API_KEY`).

use trunkline_wire::quirks::Quirks;

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
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
