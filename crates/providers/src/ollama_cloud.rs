//! Ollama Cloud: OpenAI-compatible by its own word, not verified here.
//!
//! Ollama's hosted models. `OLLAMA_API_KEY` goes to the local server; this one is configured by name.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Ollama Cloud.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ollama_cloud",
    name: "Ollama Cloud",
    otel: "ollama_cloud",
    catalogue: "ollama-cloud",
    docs: "https://docs.ollama.com/cloud",
    base_url: BaseUrl::Fixed("https://ollama.com/v1"),
    env: &[],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
