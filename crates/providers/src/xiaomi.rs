//! Xiaomi MiMo: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Xiaomi MiMo.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "xiaomi",
    name: "Xiaomi MiMo",
    otel: "xiaomi",
    catalogue: "xiaomi",
    docs: "https://platform.xiaomimimo.com",
    base_url: BaseUrl::Fixed("https://api.xiaomimimo.com/v1"),
    env: &["XIAOMI_API_KEY", "XIAOMI_MIMO_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
