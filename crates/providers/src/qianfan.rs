//! Baidu Qianfan: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Baidu Qianfan.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "qianfan",
    name: "Baidu Qianfan",
    otel: "qianfan",
    catalogue: "baidu-qianfan",
    docs: "https://cloud.baidu.com/doc/qianfan",
    base_url: BaseUrl::Fixed("https://qianfan.baidubce.com/v2"),
    env: &["QIANFAN_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
