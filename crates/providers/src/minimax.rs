//! MiniMax (international): OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// MiniMax (international).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "minimax",
    name: "MiniMax (international)",
    otel: "minimax",
    catalogue: "minimax",
    docs: "https://platform.minimax.io/docs",
    base_url: BaseUrl::Fixed("https://api.minimax.io/v1"),
    env: &["MINIMAX_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
