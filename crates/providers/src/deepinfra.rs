//! DeepInfra: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// DeepInfra.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "deepinfra",
    name: "DeepInfra",
    otel: "deepinfra",
    catalogue: "deepinfra",
    docs: "https://deepinfra.com/docs",
    base_url: BaseUrl::Fixed("https://api.deepinfra.com/v1/openai"),
    env: &["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"],
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
