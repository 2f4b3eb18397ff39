//! Google's Gemini by way of its own API (Google AI Studio), in its own dialect: the reference of it, so no quirks. The
//! model and whether to stream stand in the path; the key goes into `x-goog-api-key`.
//!
//! Read in google-genai 3.6.1 `google/genai/_api_client.py` (address, header, `GEMINI_API_KEY` and `GOOGLE_API_KEY`) and at
//! <https://ai.google.dev/gemini-api/docs/generate-content/api-errors> (errors). A wait is named in the message and in the
//! details of an error (<https://discuss.ai.google.dev/t/429-errors-despite-waiting-after-retrydelay/96899>), in no header.

use trunkline_domain::attempt::Cause;
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::gemini::path::{Method, ModelPath};
use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, PrepareError, UpstreamRequest};
use crate::classify::rule::Says::Code;
use crate::classify::rule::{Errors, rule};
use crate::spec::{Answering, Api, AuthScheme, BaseUrl, Proof, ProviderSpec, Target};

/// Google AI Studio.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "gemini",
    name: "Google Gemini",
    otel: "gcp.gemini",
    catalogue: "google",
    docs: "https://ai.google.dev/api",
    base_url: BaseUrl::Fixed("https://generativelanguage.googleapis.com/v1beta"),
    env: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    auth: AuthScheme::Header("x-goog-api-key"),
    apis: &[
        Api { operation: Operation::Chat, dialect: Dialect::GeminiGenerate, path: "/models" },
        // What others are translated to comes first.
        Api { operation: Operation::Embeddings, dialect: Dialect::GeminiBatchEmbed, path: EMBED_MANY },
        Api { operation: Operation::Embeddings, dialect: Dialect::GeminiEmbed, path: EMBED_ONE },
    ],
    quirks: Quirks::REFERENCE,
    // Its listing names models under `models`, as `models/…`: another shape than any known here.
    listing: None,
    errors: ERRORS,
    counts_tokens: true,
    adapter: &Gemini,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

/// The paths of embeddings, before a model is put into them.
const EMBED_MANY: &str = "/models:batchEmbedContents";
const EMBED_ONE: &str = "/models:embedContent";

/// What its dialect needs, wherever it is spoken.
pub(crate) struct Gemini;

impl Adapter for Gemini {
    fn prepare(&self, target: &Target<'_>, request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        let method = match (target.api.path, target.answering) {
            (EMBED_MANY, _) => Method::BatchEmbedContents,
            (EMBED_ONE, _) => Method::EmbedContent,
            (_, Answering::Whole) => Method::GenerateContent,
            (_, Answering::Streamed) => Method::StreamGenerateContent,
            (_, Answering::Counted) => Method::CountTokens,
        };
        request.path = ModelPath { model: target.model.as_str(), method }.to_upstream();
        Ok(())
    }
}

const PAGE: &str = "https://ai.google.dev/gemini-api/docs/generate-content/api-errors";

/// What Google's own words say more exactly than the status.
pub(crate) const ERRORS: Errors = Errors {
    words: &[
        rule(Code("API_KEY_INVALID"), Cause::Unauthorized, PAGE),
        rule(Code("API_KEY_EXPIRED"), Cause::Unauthorized, PAGE),
        rule(
            Code("MODEL_CAPACITY_EXHAUSTED"),
            Cause::Overloaded,
            "https://github.com/google-gemini/gemini-cli/issues/23520",
        ),
        // A precondition that fails is the account's country or its bill, not the request.
        rule(Code("FAILED_PRECONDITION"), Cause::Forbidden, PAGE),
    ],
    ..Errors::SHARED
};

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn the_path_names_the_model_and_whether_to_stream() {
        let model = "gemini-3-flash".into();
        let base_url = "https://generativelanguage.googleapis.com/v1beta";
        for (answering, expected) in [
            (Answering::Whole, "/models/gemini-3-flash:generateContent"),
            (Answering::Streamed, "/models/gemini-3-flash:streamGenerateContent?alt=sse"),
            (Answering::Counted, "/models/gemini-3-flash:countTokens"),
        ] {
            let target = Target { base_url, model: &model, api: &SPEC.apis[0], api_version: None, answering };
            let mut request =
                UpstreamRequest { path: "/models".to_owned(), headers: HeaderMap::new(), edits: Vec::new() };
            Gemini.prepare(&target, &mut request).unwrap();
            assert_eq!(request.path, expected);
        }
        for (api, expected) in SPEC.apis[1..].iter().zip(["batchEmbedContents", "embedContent"]) {
            let target =
                Target { base_url, model: &model, api, api_version: None, answering: Answering::Whole };
            let mut request =
                UpstreamRequest { path: api.path.to_owned(), headers: HeaderMap::new(), edits: Vec::new() };
            Gemini.prepare(&target, &mut request).unwrap();
            assert_eq!(request.path, format!("/models/gemini-3-flash:{expected}"));
        }
    }
}
