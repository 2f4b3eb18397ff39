//! Zhipu BigModel (China): OpenAI-compatible by its own word, not verified here.
//!
//! Zhipu on the Chinese mainland; Z.ai is its international host.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Zhipu BigModel (China).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "zhipu",
    name: "Zhipu BigModel (China)",
    otel: "zhipu",
    catalogue: "zhipu",
    docs: "https://docs.bigmodel.cn",
    base_url: BaseUrl::Fixed("https://open.bigmodel.cn/api/paas/v4"),
    env: &["ZHIPU_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
