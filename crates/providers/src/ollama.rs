//! Ollama on this machine, its OpenAI-compatible API. Fields it does not know are ignored, so an output cap must come
//! as `max_tokens` to count.
//!
//! Read in ollama/ollama `docs/api/openai-compatibility.mdx` (address, fields, endpoints), `openai/openai.go`
//! (`ChatCompletionRequest`, `Usage`, `NewError`) and `middleware/openai.go` (chunks, usage on request,
//! `data: [DONE]`).

use trunkline_wire::quirks::Quirks;

use crate::local_server::LOCAL_SERVER;
use crate::spec::{BaseUrl, ProviderSpec};

/// Ollama.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ollama",
    name: "Ollama",
    otel: "ollama",
    catalogue: "ollama",
    docs: "https://docs.ollama.com/api/openai-compatibility",
    base_url: BaseUrl::Local { url: "http://127.0.0.1:11434/v1", account: "ollama" },
    env: &["OLLAMA_API_KEY"],
    quirks: Quirks { renamed: &[("max_completion_tokens", "max_tokens")], ..Quirks::REFERENCE },
    ..LOCAL_SERVER
};
