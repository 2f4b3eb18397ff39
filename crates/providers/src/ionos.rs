//! IONOS AI Model Hub: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// IONOS AI Model Hub.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ionos",
    name: "IONOS AI Model Hub",
    otel: "ionos",
    catalogue: "ionos",
    docs: "https://docs.ionos.com/cloud/ai/ai-model-hub",
    base_url: BaseUrl::Fixed("https://openai.inference.de-txl.ionos.com/v1"),
    env: &["IONOS_API_TOKEN"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
