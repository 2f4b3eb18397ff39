//! Anthropic itself, in its own dialect: the reference of it, so no quirks. The key goes into `x-api-key`, and every
//! request names the version of the API it was written for.
//!
//! Read in anthropic-sdk-python 0.121.0 `src/anthropic/_client.py` (address, `ANTHROPIC_API_KEY`, headers),
//! `types/model_list_params.py` (at most 1000 models a page) and at
//! <https://platform.claude.com/docs/en/api/rate-limits> (headers of its own; their resets are instants, which nobody
//! here can turn into a wait), <https://platform.claude.com/docs/en/api/errors>. Signatures of thinking "are compatible
//! across platforms (Claude APIs, Amazon Bedrock, and Google Cloud)":
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, "Thinking encryption"; what another model
//! signed is refused: <https://github.com/anthropics/anthropic-sdk-python/issues/1598>.

use http::{HeaderMap, HeaderName, HeaderValue};
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, PrepareError, UpstreamRequest};
use crate::rate_limits::{RateLimitState, default_rate_limits};
use crate::spec::{Answering, Api, AuthScheme, BaseUrl, Listing, ListingShape, Proof, ProviderSpec, Target};

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
    adapter: &Anthropic,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The version of the API this gateway writes requests for.
const OUR_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

struct Anthropic;

impl Adapter for Anthropic {
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
    fn a_callers_version_goes_before_ours() {
        let model = "claude-opus-5".into();
        let api = &SPEC.apis[0];
        let base_url = "https://api.anthropic.com/v1";
        let target = Target { base_url, model: &model, api, options: &[], answering: Answering::Whole };
        for (theirs, sent) in [(None, "2023-06-01"), (Some("2099-01-01"), "2099-01-01")] {
            let headers =
                theirs.map(|theirs| (VERSION, HeaderValue::from_static(theirs))).into_iter().collect();
            let mut request = UpstreamRequest { path: api.path.to_owned(), headers, edits: Vec::new() };
            Anthropic.prepare(&target, &mut request).unwrap();
            assert_eq!(request.headers.get(VERSION).unwrap(), sent);
        }
    }
}
