//! Moonshot AI (Kimi, international): OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Moonshot AI (Kimi, international).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "moonshot",
    name: "Moonshot AI (Kimi, international)",
    otel: "moonshot",
    catalogue: "moonshot",
    docs: "https://platform.kimi.ai/docs",
    base_url: BaseUrl::Fixed("https://api.moonshot.ai/v1"),
    env: &["MOONSHOT_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
