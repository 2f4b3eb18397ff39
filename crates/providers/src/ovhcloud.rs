//! OVHcloud AI Endpoints: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// OVHcloud AI Endpoints.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ovhcloud",
    name: "OVHcloud AI Endpoints",
    otel: "ovhcloud",
    catalogue: "ovhcloud",
    docs: "https://www.ovhcloud.com/en/public-cloud/ai-endpoints",
    base_url: BaseUrl::Fixed("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1"),
    env: &["OVHCLOUD_API_KEY", "OVH_AI_ENDPOINTS_ACCESS_TOKEN"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    ..ProviderSpec::COMPATIBLE
};
