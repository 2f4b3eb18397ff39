//! Nebius Token Factory: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Nebius Token Factory.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "nebius",
    name: "Nebius Token Factory",
    otel: "nebius",
    catalogue: "nebius",
    docs: "https://docs.tokenfactory.nebius.com",
    base_url: BaseUrl::Fixed("https://api.tokenfactory.nebius.com/v1"),
    env: &["NEBIUS_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
