//! DeepSeek. Prompt tokens from its cache stand beside the total as `prompt_cache_hit_tokens` and
//! `prompt_cache_miss_tokens`, reasoning tokens inside the completion.
//!
//! Read at <https://api-docs.deepseek.com/api/create-chat-completion> (`max_tokens` is the only output cap,
//! `stream_options`, `data: [DONE]`, usage), <https://api-docs.deepseek.com/quick_start/error_codes> (402, 422, 503)
//! and in vercel/ai `packages/deepseek/src/chat/__fixtures__` (recorded answers). Its completions API is on another
//! address (`/beta`) and is left out; that address is asked to go on with an answer that is begun
//! (<https://api-docs.deepseek.com/guides/chat_prefix_completion>: `prefix`).

use trunkline_domain::Dialect;
use trunkline_wire::quirks::{Quirks, UsageConvention};

use crate::spec::{BaseUrl, Prefill, PrefillMark, Proof, ProviderSpec};

/// DeepSeek.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "deepseek",
    name: "DeepSeek",
    otel: "deepseek",
    catalogue: "deepseek",
    docs: "https://api-docs.deepseek.com",
    base_url: BaseUrl::Fixed("https://api.deepseek.com"),
    env: &["DEEPSEEK_API_KEY"],
    quirks: Quirks {
        renamed: &[("max_completion_tokens", "max_tokens")],
        usage: UsageConvention::DeepSeek,
        ..Quirks::REFERENCE
    },
    prefill: Some(Prefill {
        dialect: Dialect::OpenaiChat,
        mark: PrefillMark::Member("prefix"),
        path: Some("/beta/chat/completions"),
    }),
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
