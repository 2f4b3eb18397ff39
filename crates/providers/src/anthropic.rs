//! Anthropic itself, in its own dialect: the reference of it, so no quirks. The key goes into `x-api-key`, and every
//! request names the version of the API it was written for.
//!
//! Read in anthropic-sdk-python 0.121.0 `src/anthropic/_client.py` (address, `ANTHROPIC_API_KEY`, headers),
//! `types/model_list_params.py` (at most 1000 models a page) and at
//! <https://platform.claude.com/docs/en/api/rate-limits> (headers of its own; their resets are instants, which nobody
//! here can turn into a wait), <https://platform.claude.com/docs/en/api/errors>. Signatures of thinking "are compatible
//! across platforms (Claude APIs, Amazon Bedrock, and Google Cloud)":
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, "Thinking encryption"; what another model
//! signed is refused: <https://github.com/anthropics/anthropic-sdk-python/issues/1598>. A last message of the assistant's
//! is gone on with, but by models up to 4.5 only: those of 4.6 and later refuse it with 400
//! (<https://platform.claude.com/docs/en/about-claude/models/migration-guide>, "Prefill removal").

use http::{HeaderMap, HeaderName, HeaderValue};
use trunkline_domain::{Dialect, Operation, UpstreamModel};
use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, PrepareError, UpstreamRequest};
use crate::rate_limits::{RateLimitState, default_rate_limits};
use crate::spec::{
    Answering, Api, AuthScheme, BaseUrl, Listing, ListingShape, Prefill, PrefillMark, Proof, ProviderSpec,
    Target,
};

/// Anthropic.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "anthropic",
    name: "Anthropic",
    otel: "anthropic",
    catalogue: "anthropic",
    docs: "https://platform.claude.com/docs/en/api/overview",
    base_url: BaseUrl::Fixed("https://api.anthropic.com/v1"),
    env: &["ANTHROPIC_API_KEY"],
    auth: AuthScheme::Header("x-api-key"),
    apis: &[Api { operation: Operation::Chat, dialect: Dialect::AnthropicMessages, path: "/messages" }],
    quirks: Quirks::REFERENCE,
    listing: Some(Listing { path: "/models?limit=1000", shape: ListingShape::Data }),
    counts_tokens: true,
    portable_state: &[Dialect::AnthropicMessages],
    prefill: Some(Prefill {
        dialect: Dialect::AnthropicMessages,
        mark: PrefillMark::LastMessage,
        path: None,
    }),
    adapter: &Anthropic,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The version of the API this gateway writes requests for.
const OUR_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

struct Anthropic;

/// Beginnings of the ids of models that go on with a prefilled answer: what follows is nothing, or another `-`.
const CONTINUING: [&str; 12] = [
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    // As others write them.
    "claude-opus-4",
    "claude-sonnet-4",
    "claude-haiku-4",
];

/// Whether a Claude of this id goes on with a prefilled answer. Of one nobody knows yet, it does not.
pub(crate) fn claude_continues(model: &str) -> bool {
    let model = model.replace('.', "-");
    CONTINUING.iter().any(|known| match model.strip_prefix(known) {
        Some("") => true,
        // A version follows a bare generation: it must be named itself.
        Some(rest) => rest.starts_with('-') && !known.ends_with("-4"),
        None => false,
    })
}

impl Adapter for Anthropic {
    fn continues(&self, model: &UpstreamModel) -> bool {
        claude_continues(model.as_str())
    }

    /// A caller of this dialect says for itself which version it speaks.
    fn prepare(&self, target: &Target<'_>, request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        if target.answering == Answering::Counted {
            request.path.push_str("/count_tokens");
        }
        request.headers.entry(VERSION).or_insert(OUR_VERSION);
        Ok(())
    }

    fn listing_headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(VERSION, OUR_VERSION)])
    }

    fn rate_limits(&self, headers: &HeaderMap) -> RateLimitState {
        let count = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        RateLimitState {
            limit_requests: count("anthropic-ratelimit-requests-limit"),
            remaining_requests: count("anthropic-ratelimit-requests-remaining"),
            limit_tokens: count("anthropic-ratelimit-tokens-limit"),
            remaining_tokens: count("anthropic-ratelimit-tokens-remaining"),
            ..default_rate_limits(headers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_after_4_5_take_no_prefilled_answer() {
        for model in [
            "claude-3-5-haiku-20241022",
            "claude-3-opus-latest",
            "claude-opus-4-20250514",
            "claude-sonnet-4-0",
            "claude-opus-4-1-20250805",
            "claude-sonnet-4-5",
            "claude-haiku-4.5",
            "claude-opus-4-5-20251101",
        ] {
            assert!(claude_continues(model), "{model}");
        }
        for model in [
            "claude-opus-4-6",
            "claude-sonnet-4.6",
            "claude-opus-4-7",
            "claude-opus-5",
            "claude-mythos-5",
            "gpt-5",
        ] {
            assert!(!claude_continues(model), "{model}");
        }
    }

    #[test]
    fn a_callers_version_goes_before_ours() {
        let model = "claude-opus-5".into();
        let api = &SPEC.apis[0];
        let base_url = "https://api.anthropic.com/v1";
        let target = Target { base_url, model: &model, api, api_version: None, answering: Answering::Whole };
        for (theirs, sent) in [(None, "2023-06-01"), (Some("2099-01-01"), "2099-01-01")] {
            let headers =
                theirs.map(|theirs| (VERSION, HeaderValue::from_static(theirs))).into_iter().collect();
            let mut request = UpstreamRequest { path: api.path.to_owned(), headers, edits: Vec::new() };
            Anthropic.prepare(&target, &mut request).unwrap();
            assert_eq!(request.headers.get(VERSION).unwrap(), sent);
        }
    }
}
