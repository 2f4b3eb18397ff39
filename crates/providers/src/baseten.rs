//! Baseten Model APIs: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Baseten Model APIs.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "baseten",
    name: "Baseten Model APIs",
    otel: "baseten",
    catalogue: "baseten",
    docs: "https://docs.baseten.co",
    base_url: BaseUrl::Fixed("https://inference.baseten.co/v1"),
    env: &["BASETEN_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
