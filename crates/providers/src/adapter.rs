//! What data cannot say about a provider: a few synchronous, pure methods, all with defaults. No I/O, no clock. Where
//! to look first: [`Adapter`]; `anthropic.rs` and `gemini.rs` have one each. What an error means is data:
//! [`crate::classify`].

use http::HeaderMap;
use trunkline_domain::UpstreamModel;
use trunkline_wire::codec::ErrorWords;
use trunkline_wire::splice::Edit;

use crate::rate_limits::{RateLimitState, default_rate_limits};
use crate::spec::{Api, Target};

/// The hooks of a provider that needs code.
pub trait Adapter: Send + Sync {
    /// Whether an API serves this model: where one provider speaks several dialects, each for models of its own.
    fn serves(&self, _api: &Api, _model: &UpstreamModel) -> bool {
        true
    }

    /// Whether this model goes on with a prefilled answer, where the provider has a way to say so
    /// ([`ProviderSpec::prefill`](crate::spec::ProviderSpec::prefill)).
    fn continues(&self, _model: &UpstreamModel) -> bool {
        true
    }

    /// Changes path, headers or body edits before the request is signed and sent.
    fn prepare(&self, _target: &Target<'_>, _request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        Ok(())
    }

    /// Headers without which the listing of models is refused.
    fn listing_headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// What the provider's rate-limit headers say.
    fn rate_limits(&self, headers: &HeaderMap) -> RateLimitState {
        default_rate_limits(headers)
    }
}

/// An adapter that changes nothing: what an OpenAI-compatible provider needs.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Adapter for Plain {}

/// A path with the version of the API that is asked for.
pub fn versioned(path: &str, version: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}api-version={version}")
}

/// A request on its way to one deployment, before it is authorised.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    /// Path below the base URL, with its leading slash; a query may follow.
    pub path: String,
    /// Headers the gateway sends, those the caller may pass on included.
    pub headers: HeaderMap,
    /// Edits to the caller's body.
    pub edits: Vec<Edit>,
}

/// A failed answer: a status other than success, or an error found inside a success.
#[derive(Clone, Copy, Debug)]
pub struct ErrorAnswer<'a> {
    /// HTTP status; 200 for an error inside a success.
    pub status: u16,
    /// Response headers.
    pub headers: &'a HeaderMap,
    /// The provider's words, where the body had any.
    pub words: Option<&'a ErrorWords>,
    /// When the answer came, for `retry-after` given as a date.
    pub now: trunkline_domain::UnixMs,
}

/// Why a request cannot be made for this target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareError(
    /// For the operator: what is configured wrongly.
    pub String,
);
