//! Tencent Hunyuan / TokenHub: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Tencent Hunyuan / TokenHub.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "hunyuan",
    name: "Tencent Hunyuan / TokenHub",
    otel: "hunyuan",
    catalogue: "tencent-hunyuan",
    docs: "https://cloud.tencent.com/document/product/1729",
    base_url: BaseUrl::Fixed("https://tokenhub.tencentmaas.com/v1"),
    env: &["TENCENT_TOKENHUB_API_KEY", "TENCENT_API_KEY", "HUNYUAN_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
