//! Novita AI: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Novita AI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "novita",
    name: "Novita AI",
    otel: "novita",
    catalogue: "novita",
    docs: "https://novita.ai/docs",
    base_url: BaseUrl::Fixed("https://api.novita.ai/openai"),
    env: &["NOVITA_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
