//! Cohere, in its own dialect. It has an OpenAI-compatible API too, at another host (`api.cohere.ai/compatibility/v1`), which
//! says less: no choice of tools, two efforts, no citations. Callers of OpenAI's dialect are translated to its own.
//!
//! Read in cohere-python 7.0.9 `src/cohere/environment.py` (address), `v2/raw_client.py` (path) and at
//! <https://docs.cohere.com/reference/errors> (errors: a message with the status), and in
//! cohere-openapi `cohere-openapi.yaml` (498: a deny-listed token). The variable is that of its documentation,
//! then that of its SDK.

use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, ErrorAnswer};
use crate::classify::default_classify;
use crate::spec::{Api, BaseUrl, Proof, ProviderSpec};

/// Cohere.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "cohere",
    name: "Cohere",
    otel: "cohere",
    catalogue: "cohere",
    docs: "https://docs.cohere.com/reference/chat",
    base_url: BaseUrl::Fixed("https://api.cohere.com"),
    env: &["COHERE_API_KEY", "CO_API_KEY"],
    apis: &[Api { operation: Operation::Chat, dialect: Dialect::CohereChat, path: "/v2/chat" }],
    quirks: Quirks::REFERENCE,
    // Its listing names models under `models`, by `name`: another shape than any known here.
    listing: None,
    adapter: &Cohere,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

/// The status of an answer or a request that holds what may not be said.
const DENIED: u16 = 498;

struct Cohere;

impl Adapter for Cohere {
    fn classify(&self, answer: &ErrorAnswer<'_>) -> UpstreamError {
        let error = default_classify(answer);
        if answer.status == DENIED { UpstreamError { cause: Cause::ContentBlocked, ..error } } else { error }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use trunkline_domain::UnixMs;

    use super::*;

    #[test]
    fn what_may_not_be_said_is_no_lack_of_room() {
        let headers = HeaderMap::new();
        let cause = |status| {
            Cohere.classify(&ErrorAnswer { status, headers: &headers, words: None, now: UnixMs(0) }).cause
        };
        assert_eq!((cause(498), cause(429)), (Cause::ContentBlocked, Cause::RateLimited));
    }
}
