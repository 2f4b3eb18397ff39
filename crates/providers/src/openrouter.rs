//! OpenRouter: itself an aggregator. It understands the fallback and preference fields, always reports usage and cost,
//! sends comment lines while it waits, and reports errors inside a 200 once a model has begun.
//!
//! Read in OpenRouterTeam/typescript-sdk `.speakeasy/in.openapi.yaml` (`ChatRequest`, `ChatUsage`, `ChatStreamChunk`,
//! `ChatFinishReasonEnum`, the error statuses, `[DONE]`) and at
//! <https://openrouter.ai/docs/client-sdks/python/components/chatstreamoptions> (`include_usage` has no effect),
//! <https://openrouter.ai/docs/api/reference/errors-and-debugging> (numeric codes, moderation as 403),
//! <https://openrouter.ai/docs/api_reference/streaming> (comments; closing stops the bill at some of its providers
//! only, so here it goes on), <https://openrouter.ai/openapi.json> (`ResponsesRequest`, `OpenResponsesResult`: Responses,
//! stateless: nothing is stored), <https://openrouter.ai/docs/api/reference/overview> ("Assistant Prefill": a last message
//! of the assistant's is gone on with; of Claude, what Anthropic says holds).

use trunkline_domain::UpstreamModel;
use trunkline_domain::attempt::Cause;
use trunkline_wire::quirks::{Quirks, StreamUsage};

use crate::adapter::Adapter;
use crate::anthropic::claude_continues;
use crate::classify::rule::Says::{End, Start};
use crate::classify::rule::{Errors, rule};
use crate::spec::{Api, BaseUrl, Prefill, PrefillMark, Proof, ProviderSpec};

/// OpenRouter.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "openrouter",
    name: "OpenRouter",
    otel: "openrouter",
    catalogue: "openrouter",
    docs: "https://openrouter.ai/docs",
    base_url: BaseUrl::Fixed("https://openrouter.ai/api/v1"),
    env: &["OPENROUTER_API_KEY"],
    apis: &[Api::CHAT, Api::RESPONSES, Api::EMBEDDINGS],
    quirks: Quirks {
        stream_usage: StreamUsage::AlwaysTolerant,
        understands: &["models", "provider", "session_id", "usage"],
        ..Quirks::REFERENCE
    },
    prefill: Some(Prefill::chat(PrefillMark::LastMessage)),
    // A 403 is a refused prompt or a key without the right; only the former begins like this.
    errors: Errors {
        words: &[
            rule(
                Start("request blocked:"),
                Cause::ContentBlocked,
                "https://openrouter.ai/docs/api/reference/errors-and-debugging",
            ),
            rule(
                End("is not a valid model id"),
                Cause::ModelNotFound,
                "https://github.com/MuiseDestiny/zotero-gpt/issues/483",
            ),
        ],
        ..Errors::SHARED
    },
    adapter: &OpenRouter,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

struct OpenRouter;

impl Adapter for OpenRouter {
    fn continues(&self, model: &UpstreamModel) -> bool {
        model.as_str().strip_prefix("anthropic/").is_none_or(claude_continues)
    }
}
