//! Cerebras Inference: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Cerebras Inference.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "cerebras",
    name: "Cerebras Inference",
    otel: "cerebras",
    catalogue: "cerebras",
    docs: "https://inference-docs.cerebras.ai",
    base_url: BaseUrl::Fixed("https://api.cerebras.ai/v1"),
    env: &["CEREBRAS_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS],
    ..ProviderSpec::COMPATIBLE
};
