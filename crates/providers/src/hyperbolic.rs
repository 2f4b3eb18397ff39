//! Hyperbolic: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Hyperbolic.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "hyperbolic",
    name: "Hyperbolic",
    otel: "hyperbolic",
    catalogue: "hyperbolic",
    docs: "https://docs.hyperbolic.xyz",
    base_url: BaseUrl::Fixed("https://api.hyperbolic.xyz/v1"),
    env: &["HYPERBOLIC_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS],
    ..ProviderSpec::COMPATIBLE
};
