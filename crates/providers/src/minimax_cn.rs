//! MiniMax (China): OpenAI-compatible by its own word, not verified here.
//!
//! MiniMax on the Chinese mainland: configured by name, since its variable is the international host's.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// MiniMax (China).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "minimax_cn",
    name: "MiniMax (China)",
    otel: "minimax_cn",
    catalogue: "minimax-cn",
    docs: "https://platform.minimaxi.com/docs",
    base_url: BaseUrl::Fixed("https://api.minimaxi.com/v1"),
    env: &[],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
