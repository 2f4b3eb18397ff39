//! Mistral AI. It refuses fields it does not know with 422 `extra_forbidden`, `stream_options` among them; usage comes
//! unasked in the last chunk.
//!
//! Known fields: client-python `docs/models/chatcompletionstreamrequest.md` (`max_tokens`, `random_seed`; none of those
//! listed as unsupported below); refusals of `stream_options`, `max_completion_tokens` as reported in
//! <https://github.com/avante-corp/avante.nvim/issues/2347> and <https://github.com/editor-code-assistant/eca/issues/231>;
//! members of messages: client-python `docs/models/assistantmessage.md`, others refused as reported in
//! <https://github.com/BerriAI/litellm/issues/30835>; ids of calls as reported in
//! <https://github.com/nearai/ironclaw/issues/1241>; errors, flat and without an `error` object:
//! <https://docs.mistral.ai/resources/error-glossary>; the host: client-python `README.md`; an answer that is begun:
//! client-python `docs/models/assistantmessage.md` (`prefix`).

use trunkline_domain::attempt::Cause;
use trunkline_wire::quirks::{CallIds, Quirks, StreamUsage};

use crate::classify::rule::Says::{Code, Start};
use crate::classify::rule::{Errors, rule};
use crate::spec::{Api, BaseUrl, Prefill, PrefillMark, Proof, ProviderSpec};

/// Mistral AI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "mistral",
    name: "Mistral AI",
    otel: "mistral_ai",
    catalogue: "mistral",
    docs: "https://docs.mistral.ai/api",
    base_url: BaseUrl::Fixed("https://api.mistral.ai/v1"),
    env: &["MISTRAL_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    errors: ERRORS,
    quirks: Quirks {
        unsupported: &[
            "audio",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "modalities",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "store",
            "top_logprobs",
            "user",
            "verbosity",
            "web_search_options",
        ],
        unsupported_members: &[
            "annotations",
            "audio",
            "function_call",
            "reasoning",
            "reasoning_content",
            "reasoning_details",
            "refusal",
        ],
        call_ids: CallIds::Nine,
        renamed: &[("max_completion_tokens", "max_tokens"), ("seed", "random_seed")],
        stream_usage: StreamUsage::Always,
        ..Quirks::REFERENCE
    },
    prefill: Some(Prefill::chat(PrefillMark::Member("prefix"))),
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

const ERRORS: Errors = Errors {
    words: &[
        rule(
            Start("service tier capacity exceeded"),
            Cause::Overloaded,
            "https://github.com/continuedev/continue/issues/6185",
        ),
        rule(Code("rate_limited"), Cause::RateLimited, "https://github.com/raycast/extensions/issues/31107"),
    ],
    ..Errors::SHARED
};
