//! Azure OpenAI, its v1 API: one address per resource, no `api-version`, `model` names a deployment of the customer's.
//! Authorised by a key or by Microsoft Entra. Where the operator names a version of the API, the older one is spoken, whose
//! paths name the deployment and whose queries name the version (`/openai/deployments/{name}/…?api-version=…`); the address
//! then ends in `/openai`. Its Responses stand beside the deployments.
//!
//! Read at <https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle> (v1 API), in vercel/ai
//! `packages/azure/src/azure-openai-provider.ts` (address, `api-key` header, `AZURE_API_KEY`) and openai-python
//! `src/openai/lib/azure.py` (`AZURE_OPENAI_API_KEY`; `_deployments_endpoints` and `default_query` of the older API). The first chunk of a stream may have no choices and
//! `prompt_filter_results`, and no id. `GET /openai/v1/models` lists base models, not the deployments that `model`
//! must name, so there is no listing. `/responses`:
//! <https://learn.microsoft.com/en-us/azure/foundry/openai/how-to/responses>.

use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, PrepareError, UpstreamRequest, versioned};
use crate::spec::{Api, AuthScheme, BaseUrl, Cloud, Proof, ProviderSpec, Target};

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
    api_version: Some("2024-10-21"),
    adapter: &Azure,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

struct Azure;

impl Adapter for Azure {
    fn prepare(&self, target: &Target<'_>, request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        let Some(version) = target.api_version else { return Ok(()) };
        if target.api.path != Api::RESPONSES.path {
            request.path = format!("/deployments/{}{}", target.model.as_str(), request.path);
        }
        request.path = versioned(&request.path, version);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::spec::Answering;

    #[test]
    fn a_version_is_asked_for_at_the_deployment_and_none_at_the_v1_api() {
        let model = "my-gpt".into();
        let path = |api: &Api, api_version| {
            let answering = Answering::Whole;
            let target = Target { base_url: "https://x", model: &model, api, api_version, answering };
            let mut request =
                UpstreamRequest { path: api.path.to_owned(), headers: HeaderMap::new(), edits: Vec::new() };
            Azure.prepare(&target, &mut request).unwrap();
            assert!(request.edits.is_empty(), "the body stays as it is");
            request.path
        };
        assert_eq!(path(&Api::CHAT, None), "/chat/completions");
        assert_eq!(
            path(&Api::CHAT, Some("2024-10-21")),
            "/deployments/my-gpt/chat/completions?api-version=2024-10-21"
        );
        assert_eq!(
            path(&Api::EMBEDDINGS, Some("2024-10-21")),
            "/deployments/my-gpt/embeddings?api-version=2024-10-21"
        );
        assert_eq!(path(&Api::RESPONSES, Some("preview")), "/responses?api-version=preview");
    }
}
