//! A provider wholly described by configuration: `base_url`, and the models it has. It gets what is assumed of every
//! OpenAI-compatible server, and its key only if one is configured.

use crate::spec::{Api, AuthScheme, BaseUrl, Cloud, ProviderSpec};

/// A server the registry does not know.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "custom",
    name: "Custom",
    otel: "custom",
    catalogue: "custom",
    docs: "https://github.com/trunkline/trunkline",
    base_url: BaseUrl::PerCustomer("https://llm.example.com/v1"),
    auth: AuthScheme::OptionalBearer,
    clouds: &Cloud::ALL,
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
