//! SambaNova Cloud: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// SambaNova Cloud.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "sambanova",
    name: "SambaNova Cloud",
    otel: "sambanova",
    catalogue: "sambanova",
    docs: "https://docs.sambanova.ai",
    base_url: BaseUrl::Fixed("https://api.sambanova.ai/v1"),
    env: &["SAMBANOVA_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
