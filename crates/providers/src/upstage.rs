//! Upstage: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Upstage.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "upstage",
    name: "Upstage",
    otel: "upstage",
    catalogue: "upstage",
    docs: "https://console.upstage.ai/docs",
    base_url: BaseUrl::Fixed("https://api.upstage.ai/v1"),
    env: &["UPSTAGE_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
