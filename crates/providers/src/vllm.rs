//! vLLM's OpenAI-compatible server.
//!
//! Read in vllm-project/vllm `vllm/entrypoints/openai/chat_completion/protocol.py` (fields, answers) and
//! `vllm/entrypoints/openai/engine/protocol.py` (`UsageInfo`, `StreamOptions`, `ErrorInfo` with a number as code,
//! unknown fields ignored; `continue_final_message`, `add_generation_prompt`), <https://docs.vllm.ai/en/latest/serving/openai_compatible_server> (port, `--api-key`).

use trunkline_wire::quirks::{Quirks, StopSequence};

use crate::local_server::LOCAL_SERVER;
use crate::spec::{BaseUrl, Prefill, PrefillMark, ProviderSpec};

/// vLLM.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "vllm",
    name: "vLLM",
    otel: "vllm",
    catalogue: "vllm",
    docs: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server",
    base_url: BaseUrl::Local { url: "http://127.0.0.1:8000/v1", account: "local" },
    env: &["VLLM_API_KEY"],
    prefill: Some(Prefill::chat(PrefillMark::CONTINUE_FINAL_MESSAGE)),
    quirks: Quirks { stop_sequence: StopSequence::StopReason, ..Quirks::REFERENCE },
    ..LOCAL_SERVER
};
