//! GitHub Models: OpenAI-compatible by its own word, not verified here.
//!
//! `GITHUB_TOKEN` is set for many other reasons and makes no account by itself.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// GitHub Models.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "github_models",
    name: "GitHub Models",
    otel: "github_models",
    catalogue: "github-models",
    docs: "https://docs.github.com/en/github-models",
    base_url: BaseUrl::Fixed("https://models.github.ai/inference"),
    env: &[],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
