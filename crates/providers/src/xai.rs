//! xAI. Its completion tokens do not include the reasoning tokens, and a wrong key is a 400 whose `error` is a string.
//! Reasoning models refuse `stop` and the penalties; that is a model's matter and is left to the provider's 400.
//!
//! Read in vercel/ai `packages/xai/src/convert-xai-chat-usage.ts` (usage), `packages/xai/src/xai-error.ts` (error
//! forms), `packages/xai/src/__fixtures__` (recorded answers), `packages/xai/src/xai-chat-language-model.ts`
//! (`max_completion_tokens`, `stream_options`) and at <https://docs.x.ai/developers/debugging> (statuses),
//! <https://docs.x.ai/developers/cost-tracking> (`usage.cost_in_usd_ticks`),
//! <https://docs.x.ai/developers/model-capabilities/text/comparison> (`/responses`, where reasoning is counted apart too),
//! <https://docs.x.ai/developers/model-capabilities/text/generate-text> (which it keeps for 30 days).

use trunkline_domain::attempt::Cause;
use trunkline_wire::quirks::{Quirks, UsageConvention};

use crate::classify::rule::Says::{Start, StartAnd};
use crate::classify::rule::{Errors, rule};
use crate::spec::{Api, BaseUrl, Proof, ProviderSpec};

/// xAI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "xai",
    name: "xAI",
    otel: "x_ai",
    catalogue: "xai",
    docs: "https://docs.x.ai",
    base_url: BaseUrl::Fixed("https://api.x.ai/v1"),
    env: &["XAI_API_KEY"],
    apis: &[Api::CHAT, Api::RESPONSES],
    errors: ERRORS,
    quirks: Quirks { usage: UsageConvention::ReasoningApart, ..Quirks::REFERENCE },
    keeps_responses: true,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

/// What the account lacks is said in a 403, and in a 429 that no waiting cures.
const ERRORS: Errors = Errors {
    words: &[
        rule(
            Start("you have run out of credits"),
            Cause::CreditsExhausted,
            "https://github.com/Wei-Shaw/sub2api/issues/4069",
        ),
        rule(
            StartAnd("your team ", "has either used all available credits"),
            Cause::CreditsExhausted,
            "https://github.com/continuedev/continue/issues/10373",
        ),
    ],
    ..Errors::SHARED
};
