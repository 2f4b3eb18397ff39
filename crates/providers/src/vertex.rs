//! Google's Vertex AI: Gemini in its own dialect and Claude in Anthropic's, each under its publisher; the model and
//! whether to stream stand in the path. The base URL holds project and location. Other publishers' models, and tuned
//! models behind endpoints of their own, are not served.
//!
//! Read in google-genai 3.6.1 `google/genai/_api_client.py` (addresses, `global` among them) and `_transformers.py`
//! (publishers), anthropic-sdk-python 2.13.0 `src/anthropic/lib/vertex/_client.py` (paths of Claude, no `model` in the
//! body, counting), and at
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude> (`anthropic_version`) and
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>.

use http::HeaderName;
use trunkline_domain::{Dialect, Operation, UpstreamModel};
use trunkline_wire::quirks::Quirks;
use trunkline_wire::splice::{Edit, EditValue};

use crate::adapter::{Adapter, PrepareError, UpstreamRequest};
use crate::gemini::{ERRORS, Gemini};
use crate::spec::{Answering, Api, AuthScheme, BaseUrl, Cloud, ProviderSpec, Target};

/// Vertex AI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "vertex",
    name: "Google Vertex AI",
    otel: "gcp.vertex_ai",
    catalogue: "google-vertex",
    docs: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    base_url: BaseUrl::PerCustomer(
        "https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION",
    ),
    env: &[],
    auth: AuthScheme::Bearer,
    clouds: &[Cloud::Google],
    apis: &[
        Api { operation: Operation::Chat, dialect: Dialect::GeminiGenerate, path: GEMINI },
        Api { operation: Operation::Chat, dialect: Dialect::AnthropicMessages, path: CLAUDE },
    ],
    quirks: Quirks::REFERENCE,
    listing: None,
    // Google's own words where Google refuses, Anthropic's where the model does; neither uses the other's.
    errors: ERRORS,
    counts_tokens: true,
    // As Anthropic says of Claude; of Gemini Google says nothing of the kind.
    portable_state: &[Dialect::AnthropicMessages],
    adapter: &Vertex,
    ..ProviderSpec::COMPATIBLE
};

const GEMINI: &str = "/publishers/google/models";
const CLAUDE: &str = "/publishers/anthropic/models";

/// The version of Anthropic's API on Vertex AI, in the body instead of a header.
const CLAUDE_VERSION: &str = "vertex-2023-10-16";
const VERSION_HEADER: HeaderName = HeaderName::from_static("anthropic-version");

struct Vertex;

impl Adapter for Vertex {
    fn serves(&self, api: &Api, model: &UpstreamModel) -> bool {
        let family = if api.path == CLAUDE { "claude-" } else { "gemini-" };
        model.as_str().starts_with(family)
    }

    fn prepare(&self, target: &Target<'_>, request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        if target.api.path != CLAUDE {
            Gemini.prepare(target, request)?;
            let below = request.path.strip_prefix("/models").unwrap_or(&request.path);
            request.path = format!("{GEMINI}{below}");
            return Ok(());
        }
        request.headers.remove(VERSION_HEADER);
        request.edits.push(Edit::insert("anthropic_version", EditValue::string(CLAUDE_VERSION)));
        let model = target.model.as_str();
        request.path = match target.answering {
            Answering::Whole => format!("{CLAUDE}/{model}:rawPredict"),
            Answering::Streamed => format!("{CLAUDE}/{model}:streamRawPredict"),
            // One path for all models: this body alone says which.
            Answering::Counted => format!("{CLAUDE}/count-tokens:rawPredict"),
        };
        if target.answering != Answering::Counted {
            request.edits.push(Edit::remove("model"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use trunkline_wire::envelope::Envelope;
    use trunkline_wire::splice::splice;

    use super::*;

    fn prepared(api: &Api, model: &str, answering: Answering, edits: Vec<Edit>) -> UpstreamRequest {
        let model = model.into();
        let target = Target { base_url: "https://x", model: &model, api, api_version: None, answering };
        let headers = HeaderMap::from_iter([(VERSION_HEADER, HeaderValue::from_static("2023-06-01"))]);
        let mut request = UpstreamRequest { path: api.path.to_owned(), headers, edits };
        Vertex.prepare(&target, &mut request).unwrap();
        request
    }

    #[test]
    fn each_model_is_served_under_its_publisher_only() {
        let [gemini, claude] = SPEC.apis else { panic!("two dialects") };
        let served = |model: &str| {
            let model = model.into();
            (Vertex.serves(gemini, &model), Vertex.serves(claude, &model))
        };
        assert_eq!(served("gemini-3-flash"), (true, false));
        assert_eq!(served("claude-opus-4-5@20251101"), (false, true));
        assert_eq!(served("meta/llama-4-scout-17b-16e-instruct-maas"), (false, false));
    }

    #[test]
    fn paths_name_publisher_model_and_answer() {
        let [gemini, claude] = SPEC.apis else { panic!("two dialects") };
        for (api, model, answering, expected) in [
            (
                gemini,
                "gemini-3-flash",
                Answering::Whole,
                "/publishers/google/models/gemini-3-flash:generateContent",
            ),
            (
                gemini,
                "gemini-3-flash",
                Answering::Streamed,
                "/publishers/google/models/gemini-3-flash:streamGenerateContent?alt=sse",
            ),
            (
                gemini,
                "gemini-3-flash",
                Answering::Counted,
                "/publishers/google/models/gemini-3-flash:countTokens",
            ),
            (claude, "claude-x@1", Answering::Whole, "/publishers/anthropic/models/claude-x@1:rawPredict"),
            (
                claude,
                "claude-x@1",
                Answering::Streamed,
                "/publishers/anthropic/models/claude-x@1:streamRawPredict",
            ),
            (
                claude,
                "claude-x@1",
                Answering::Counted,
                "/publishers/anthropic/models/count-tokens:rawPredict",
            ),
        ] {
            assert_eq!(prepared(api, model, answering, Vec::new()).path, expected);
        }
    }

    #[test]
    fn claude_finds_the_version_in_the_body_and_the_model_in_the_path() {
        let claude = &SPEC.apis[1];
        let body = Envelope::parse(Bytes::from_static(br#"{"model":"m","max_tokens":5}"#)).unwrap();
        let sent = |answering| {
            let edits = vec![Edit::replace("model", EditValue::string("claude-x@1"))];
            let request = prepared(claude, "claude-x@1", answering, edits);
            assert!(request.headers.is_empty());
            String::from_utf8(splice(&body, &request.edits).to_bytes().to_vec()).unwrap()
        };
        let whole = r#"{"max_tokens":5,"anthropic_version":"vertex-2023-10-16"}"#;
        assert_eq!(sent(Answering::Whole), whole);
        let counted = r#"{"model":"claude-x@1","max_tokens":5,"anthropic_version":"vertex-2023-10-16"}"#;
        assert_eq!(sent(Answering::Counted), counted);
    }
}
