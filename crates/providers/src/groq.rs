//! Groq. It answers `logprobs`, `logit_bias` and `top_logprobs` with 400.
//!
//! Read at <https://console.groq.com/docs/openai> (refused fields), <https://console.groq.com/docs/errors> (498),
//! <https://console.groq.com/docs/rate-limits> (requests per day, tokens per minute) and in groq-python
//! `src/groq/types/chat/chat_completion_chunk.py` (`usage` where `stream_options` asks for it, `x_groq.usage` always),
//! `src/groq/types/completion_usage.py`, `src/groq/_client.py` (address, `GROQ_API_KEY`).

use trunkline_wire::quirks::Quirks;

use crate::spec::{Api, BaseUrl, Proof, ProviderSpec};

/// Groq.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "groq",
    name: "Groq",
    otel: "groq",
    catalogue: "groq",
    docs: "https://console.groq.com/docs",
    base_url: BaseUrl::Fixed("https://api.groq.com/openai/v1"),
    env: &["GROQ_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    quirks: Quirks { unsupported: &["logit_bias", "logprobs", "top_logprobs"], ..Quirks::REFERENCE },
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
