//! Google's Gemini by way of its own API (Google AI Studio), in its own dialect: the reference of it, so no quirks. The
//! model and whether to stream stand in the path; the key goes into `x-goog-api-key`.
//!
//! Read in google-genai 3.6.1 `google/genai/_api_client.py` (address, header, `GEMINI_API_KEY` and `GOOGLE_API_KEY`) and at
//! <https://ai.google.dev/gemini-api/docs/generate-content/api-errors> (errors). A wait is named in the message and in the
//! details of an error (<https://discuss.ai.google.dev/t/429-errors-despite-waiting-after-retrydelay/96899>), in no header.

use std::time::Duration;

use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::codec::ErrorWords;
use trunkline_wire::gemini::path::{Method, ModelPath};
use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, ErrorAnswer, PrepareError, UpstreamRequest};
use crate::classify::default_classify;
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
    apis: &[Api { operation: Operation::Chat, dialect: Dialect::GeminiGenerate, path: "/models" }],
    quirks: Quirks::REFERENCE,
    // Its listing names models under `models`, as `models/…`: another shape than any known here.
    listing: None,
    counts_tokens: true,
    adapter: &Gemini,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

/// What is said before a wait, in a message.
const WAIT: &str = "Please retry in ";

/// The longest wait believed.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// What its dialect needs, wherever it is spoken.
pub(crate) struct Gemini;

impl Adapter for Gemini {
    fn prepare(&self, target: &Target<'_>, request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        let method = match target.answering {
            Answering::Whole => Method::GenerateContent,
            Answering::Streamed => Method::StreamGenerateContent,
            Answering::Counted => Method::CountTokens,
        };
        request.path = ModelPath { model: target.model.as_str(), method }.to_upstream();
        Ok(())
    }

    fn classify(&self, answer: &ErrorAnswer<'_>) -> UpstreamError {
        let mut error = default_classify(answer);
        let Some(words) = answer.words else { return error };
        error.cause = by_words(answer.status, words).unwrap_or(error.cause);
        error.retry_after = error.retry_after.or_else(|| wait(words));
        error
    }
}

/// What Google's own words say more exactly than the status.
fn by_words(status: u16, words: &ErrorWords) -> Option<Cause> {
    let message = words.message.as_deref().unwrap_or_default();
    if let Some("API_KEY_INVALID" | "API_KEY_EXPIRED") = words.code.as_deref() {
        return Some(Cause::Unauthorized);
    }
    match (words.kind.as_deref()?, status) {
        ("INVALID_ARGUMENT", 400) if message.starts_with("The input token count") => {
            Some(Cause::ContextTooLong)
        }
        // An error inside a success has no status but its word.
        ("RESOURCE_EXHAUSTED", 200) => Some(Cause::RateLimited),
        ("UNAVAILABLE", 200) => Some(Cause::Overloaded),
        ("UNAUTHENTICATED", 200) => Some(Cause::Unauthorized),
        // A precondition that fails is the account's country or its bill, not the request.
        ("FAILED_PRECONDITION", 400) | ("PERMISSION_DENIED", 200) => Some(Cause::Forbidden),
        ("NOT_FOUND", 200) => Some(Cause::ModelNotFound),
        ("INVALID_ARGUMENT", 200) => Some(Cause::InvalidRequest),
        _ => None,
    }
}

/// The wait a message names: `Please retry in 10.68s.`
fn wait(words: &ErrorWords) -> Option<Duration> {
    let (_, rest) = words.message.as_deref()?.split_once(WAIT)?;
    let (seconds, _) = rest.split_once('s')?;
    let seconds = seconds.parse().ok().filter(|seconds: &f64| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok().filter(|wait| *wait <= WAIT_MAX)
}

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
            let target = Target { base_url, model: &model, api: &SPEC.apis[0], options: &[], answering };
            let mut request =
                UpstreamRequest { path: "/models".to_owned(), headers: HeaderMap::new(), edits: Vec::new() };
            Gemini.prepare(&target, &mut request).unwrap();
            assert_eq!(request.path, expected);
        }
    }

    #[test]
    fn a_wait_is_read_only_where_it_is_one() {
        let said =
            |message: &str| wait(&ErrorWords { message: Some(message.into()), ..ErrorWords::default() });
        assert_eq!(said("Quota exceeded.\nPlease retry in 10.5s."), Some(Duration::from_millis(10_500)));
        for none in
            ["Please retry in a few seconds.", "Please retry in -1s.", "Please retry in 1e99s.", "No."]
        {
            assert_eq!(said(none), None, "{none}");
        }
    }
}
