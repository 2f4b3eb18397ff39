//! Alibaba Cloud DashScope (China): OpenAI-compatible by its own word, not verified here.
//!
//! DashScope on the Chinese mainland. Its key's variable is DashScope's own, which means the international host; this
//! one is configured by name.

use crate::dashscope::ERRORS;
use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Alibaba Cloud DashScope (China).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "dashscope_cn",
    name: "Alibaba Cloud DashScope (China)",
    otel: "dashscope_cn",
    catalogue: "alibaba-dashscope-cn",
    docs: "https://www.alibabacloud.com/help/en/model-studio",
    base_url: BaseUrl::Fixed("https://dashscope.aliyuncs.com/compatible-mode/v1"),
    env: &[],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    errors: ERRORS,
    ..ProviderSpec::COMPATIBLE
};
