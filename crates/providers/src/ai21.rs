//! AI21 Labs: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// AI21 Labs.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ai21",
    name: "AI21 Labs",
    otel: "ai21",
    catalogue: "ai21",
    docs: "https://docs.ai21.com",
    base_url: BaseUrl::Fixed("https://api.ai21.com/studio/v1"),
    env: &["AI21_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
