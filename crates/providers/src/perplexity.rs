//! Perplexity: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Perplexity.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "perplexity",
    name: "Perplexity",
    otel: "perplexity",
    catalogue: "perplexity",
    docs: "https://docs.perplexity.ai",
    base_url: BaseUrl::Fixed("https://api.perplexity.ai"),
    env: &["PERPLEXITY_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
