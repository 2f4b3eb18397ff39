//! NVIDIA NIM (build.nvidia.com): OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// NVIDIA NIM (build.nvidia.com).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "nvidia",
    name: "NVIDIA NIM (build.nvidia.com)",
    otel: "nvidia",
    catalogue: "nvidia-nim",
    docs: "https://docs.api.nvidia.com/nim",
    base_url: BaseUrl::Fixed("https://integrate.api.nvidia.com/v1"),
    env: &["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
