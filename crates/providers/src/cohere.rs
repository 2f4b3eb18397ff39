//! Cohere, in its own dialect. It has an OpenAI-compatible API too, at another host (`api.cohere.ai/compatibility/v1`), which
//! says less: no choice of tools, two efforts, no citations. Callers of OpenAI's dialect are translated to its own.
//!
//! Read in cohere-python 7.0.9 `src/cohere/environment.py` (address), `v2/raw_client.py` (path) and at
//! <https://docs.cohere.com/reference/errors> (errors: a message with the status), and in
//! cohere-openapi `cohere-openapi.yaml` (498: a deny-listed token). The variable is that of its documentation,
//! then that of its SDK.

use trunkline_domain::attempt::Cause;
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::quirks::Quirks;

use crate::classify::rule::Says::Start;
use crate::classify::rule::{Errors, rule};
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
    errors: ERRORS,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

const PAGE: &str = "https://docs.cohere.com/reference/errors";

/// Its errors are a message and a status; what a message begins with says which of its kinds it is.
const ERRORS: Errors = Errors {
    words: &[
        rule(Start("no api key supplied"), Cause::Unauthorized, PAGE),
        rule(Start("invalid api token"), Cause::Unauthorized, PAGE),
        rule(Start("your api key has expired"), Cause::Unauthorized, PAGE),
        rule(Start("please add or update your payment method"), Cause::CreditsExhausted, PAGE),
        rule(Start("maximum billing reached"), Cause::CreditsExhausted, PAGE),
        rule(Start("model '"), Cause::ModelNotFound, PAGE),
        rule(Start("finetuned model"), Cause::ModelNotFound, PAGE),
        rule(Start("404 page not found"), Cause::ModelNotFound, PAGE),
        rule(Start("you are past the per minute request limit"), Cause::RateLimited, PAGE),
        rule(Start("you are using a trial key"), Cause::RateLimited, PAGE),
        rule(Start("please wait and try again later"), Cause::RateLimited, PAGE),
        rule(Start("trial token rate limit exceeded"), Cause::RateLimited, PAGE),
        rule(Start("too many tokens: multi-hop prompt is too long"), Cause::ContextTooLong, PAGE),
        rule(Start("too many tokens: minimal context could not"), Cause::ContextTooLong, PAGE),
        rule(Start("too many tokens: max tokens must be"), Cause::InvalidRequest, PAGE),
        rule(Start("invalid request:"), Cause::InvalidRequest, PAGE),
        rule(Start("invalid json syntax:"), Cause::InvalidRequest, PAGE),
    ],
    // What may not be said, in the request or the answer.
    statuses: &[(498, Cause::ContentBlocked, PAGE)],
    ..Errors::SHARED
};
