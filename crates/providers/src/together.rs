//! Together AI. Its models are listed as a bare array, its only output cap is `max_tokens`, and a prompt that does not
//! fit is a 403.
//!
//! Read in togethercomputer/openapi `openapi.yaml` (`ChatCompletionRequest`, `ChatCompletionChunk`, `UsageData`,
//! `ModelInfoList`, `ErrorData`, the server's address, "the stream terminates with `data: [DONE]`"), the PyPI package
//! `together` 3.1.1 `together/_client.py` (`TOGETHER_API_KEY`) and at <https://docs.together.ai/docs/error-codes>
//! (402; 403 for too long a prompt). vercel/ai `packages/togetherai/src/togetherai-provider.ts` asks for usage by
//! `stream_options`.

use trunkline_domain::attempt::Cause;
use trunkline_wire::quirks::Quirks;

use crate::classify::rule::Errors;
use crate::spec::{Api, BaseUrl, Listing, ListingShape, Proof, ProviderSpec};

/// Together AI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "together",
    name: "Together AI",
    otel: "together",
    catalogue: "together",
    docs: "https://docs.together.ai",
    base_url: BaseUrl::Fixed("https://api.together.ai/v1"),
    env: &["TOGETHER_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    quirks: Quirks { renamed: &[("max_completion_tokens", "max_tokens")], ..Quirks::REFERENCE },
    listing: Some(Listing { path: "/models", shape: ListingShape::Bare }),
    // Its table of statuses has no 403 but the prompt that is too long.
    errors: Errors {
        statuses: &[(403, Cause::ContextTooLong, "https://docs.together.ai/docs/error-codes")],
        ..Errors::SHARED
    },
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
