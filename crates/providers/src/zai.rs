//! Z.ai (Zhipu, international): OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};
use crate::zhipu::ERRORS;

/// Z.ai (Zhipu, international).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "zai",
    name: "Z.ai (Zhipu, international)",
    otel: "zai",
    catalogue: "zai",
    docs: "https://docs.z.ai",
    base_url: BaseUrl::Fixed("https://api.z.ai/api/paas/v4"),
    env: &["ZAI_API_KEY"],
    apis: &[Api::CHAT],
    errors: ERRORS,
    ..ProviderSpec::COMPATIBLE
};
