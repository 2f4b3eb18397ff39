//! Scaleway Generative APIs: OpenAI-compatible by its own word, not verified here.
//!
//! `SCW_SECRET_KEY` opens a whole cloud account and is not taken unasked.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Scaleway Generative APIs.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "scaleway",
    name: "Scaleway Generative APIs",
    otel: "scaleway",
    catalogue: "scaleway",
    docs: "https://www.scaleway.com/en/docs/generative-apis",
    base_url: BaseUrl::Fixed("https://api.scaleway.ai/v1"),
    env: &["SCALEWAY_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
