//! Hugging Face Inference Providers: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Hugging Face Inference Providers.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "huggingface",
    name: "Hugging Face Inference Providers",
    otel: "huggingface",
    catalogue: "huggingface",
    docs: "https://huggingface.co/docs/inference-providers",
    base_url: BaseUrl::Fixed("https://router.huggingface.co/v1"),
    env: &["HF_TOKEN"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
