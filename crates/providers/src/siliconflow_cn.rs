//! SiliconFlow (China): OpenAI-compatible by its own word, not verified here.
//!
//! SiliconFlow on the Chinese mainland.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// SiliconFlow (China).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "siliconflow_cn",
    name: "SiliconFlow (China)",
    otel: "siliconflow_cn",
    catalogue: "siliconflow-cn",
    docs: "https://docs.siliconflow.cn",
    base_url: BaseUrl::Fixed("https://api.siliconflow.cn/v1"),
    env: &["SILICONFLOW_CN_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
