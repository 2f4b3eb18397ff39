//! Moonshot AI (China): OpenAI-compatible by its own word, not verified here.
//!
//! Moonshot on the Chinese mainland: configured by name, since its variable is the international host's.

use crate::moonshot::ERRORS;
use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Moonshot AI (China).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "moonshot_cn",
    name: "Moonshot AI (China)",
    otel: "moonshot_cn",
    catalogue: "moonshot-cn",
    docs: "https://platform.moonshot.cn/docs",
    base_url: BaseUrl::Fixed("https://api.moonshot.cn/v1"),
    env: &[],
    apis: &[Api::CHAT],
    errors: ERRORS,
    ..ProviderSpec::COMPATIBLE
};
