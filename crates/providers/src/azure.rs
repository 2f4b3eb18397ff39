//! Azure OpenAI, its v1 API: one address per resource, no `api-version`, `model` names a deployment of the customer's.
//! Authorised by a key or by Microsoft Entra. Not the older `/openai/deployments/{name}` path.
//!
//! Read at <https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle> (v1 API), in vercel/ai
//! `packages/azure/src/azure-openai-provider.ts` (address, `api-key` header, `AZURE_API_KEY`) and openai-python
//! `src/openai/lib/azure.py` (`AZURE_OPENAI_API_KEY`). The first chunk of a stream may have no choices and
//! `prompt_filter_results`, and no id. `GET /openai/v1/models` lists base models, not the deployments that `model`
//! must name, so there is no listing. `/responses`:
//! <https://learn.microsoft.com/en-us/azure/foundry/openai/how-to/responses>.

use trunkline_wire::quirks::Quirks;

use crate::spec::{Api, AuthScheme, BaseUrl, Cloud, Proof, ProviderSpec};

/// Azure OpenAI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "azure",
    name: "Azure OpenAI",
    otel: "azure.ai.openai",
    catalogue: "azure",
    docs: "https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle",
    base_url: BaseUrl::PerCustomer("https://RESOURCE.openai.azure.com/openai/v1"),
    env: &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
    auth: AuthScheme::Header("api-key"),
    clouds: &[Cloud::Entra],
    apis: &[Api::CHAT, Api::RESPONSES, Api::COMPLETIONS, Api::EMBEDDINGS],
    quirks: Quirks::REFERENCE,
    listing: None,
    keeps_responses: true,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
