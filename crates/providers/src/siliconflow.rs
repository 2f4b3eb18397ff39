//! SiliconFlow (international): OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// SiliconFlow (international).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "siliconflow",
    name: "SiliconFlow (international)",
    otel: "siliconflow",
    catalogue: "siliconflow",
    docs: "https://docs.siliconflow.com",
    base_url: BaseUrl::Fixed("https://api.siliconflow.com/v1"),
    env: &["SILICONFLOW_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
