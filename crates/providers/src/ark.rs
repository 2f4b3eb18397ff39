//! ByteDance Volcengine Ark / BytePlus ModelArk (Doubao, Seed): OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// ByteDance Volcengine Ark / BytePlus ModelArk (Doubao, Seed).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ark",
    name: "ByteDance Volcengine Ark / BytePlus ModelArk (Doubao, Seed)",
    otel: "ark",
    catalogue: "bytedance-ark",
    docs: "https://www.volcengine.com/docs/82379",
    base_url: BaseUrl::Fixed("https://ark.cn-beijing.volces.com/api/v3"),
    env: &["ARK_API_KEY", "VOLCENGINE_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
