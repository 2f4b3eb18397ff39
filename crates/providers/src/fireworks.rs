//! Fireworks AI. Usage comes unasked in a stream's last chunk; fields it does not know are refused.
//!
//! Read in the PyPI package `fireworks-ai` 1.2.30 (`fireworks/types/chat/completion_create_params.py`: the fields it
//! takes; `fireworks/types/shared/usage_info.py`; `fireworks/_client.py`: `FIREWORKS_API_KEY`) and at
//! <https://docs.fireworks.ai/tools-sdks/openai-compatibility> (address, usage in streams),
//! <https://docs.fireworks.ai/guides/inference-error-codes> (402, 412). vercel/ai
//! `packages/fireworks/src/fireworks-provider.test.ts` has the refusal ("Extra inputs are not permitted") and sends
//! `stream_options` without harm.

use trunkline_wire::quirks::{Quirks, StreamUsage};

use crate::spec::{Api, BaseUrl, Proof, ProviderSpec};

/// Fireworks AI.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "fireworks",
    name: "Fireworks AI",
    otel: "fireworks",
    catalogue: "fireworks",
    docs: "https://docs.fireworks.ai",
    base_url: BaseUrl::Fixed("https://api.fireworks.ai/inference/v1"),
    env: &["FIREWORKS_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    quirks: Quirks {
        unsupported: &[
            "audio",
            "modalities",
            "prompt_cache_retention",
            "safety_identifier",
            "store",
            "verbosity",
            "web_search_options",
        ],
        stream_usage: StreamUsage::AlwaysTolerant,
        ..Quirks::REFERENCE
    },
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
