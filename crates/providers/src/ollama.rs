//! Ollama on this machine: its own API and its OpenAI-compatible one, which has what callers of OpenAI's dialect say and
//! ignores the rest. Fields that one does not know are ignored, so an output cap must come as `max_tokens` to count. Others are
//! translated to its own, which takes `top_k`, `min_p` and whether to think.
//!
//! Read in ollama/ollama `docs/api.md`, `api/types.go`, `docs/api/introduction.mdx` (its own) and ollama/ollama `docs/api/openai-compatibility.mdx` (address, fields, endpoints), `openai/openai.go`
//! (`ChatCompletionRequest`, `Usage`, `NewError`) and `middleware/openai.go` (chunks, usage on request,
//! `data: [DONE]`).

use trunkline_domain::attempt::Cause;
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::quirks::Quirks;

use crate::classify::rule::Says::Start;
use crate::classify::rule::{Errors, rule};
use crate::local_server::LOCAL_SERVER;
use crate::spec::{Api, BaseUrl, Listing, ProviderSpec};

/// Ollama.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "ollama",
    name: "Ollama",
    otel: "ollama",
    catalogue: "ollama",
    docs: "https://docs.ollama.com/api/openai-compatibility",
    base_url: BaseUrl::Local { url: "http://127.0.0.1:11434", account: "ollama" },
    env: &["OLLAMA_API_KEY"],
    // A caller's own dialect comes first wherever it is; the first of the others is what the rest are translated to.
    apis: &[
        Api { operation: Operation::Chat, dialect: Dialect::OllamaChat, path: "/api/chat" },
        Api { path: "/v1/chat/completions", ..Api::CHAT },
        Api { path: "/v1/completions", ..Api::COMPLETIONS },
        Api { path: "/v1/embeddings", ..Api::EMBEDDINGS },
    ],
    errors: ERRORS,
    listing: Some(Listing { path: "/v1/models", ..Listing::OPENAI }),
    quirks: Quirks { renamed: &[("max_completion_tokens", "max_tokens")], ..Quirks::REFERENCE },
    ..LOCAL_SERVER
};

/// Its errors are a message and a status.
pub(crate) const ERRORS: Errors = Errors {
    words: &[
        rule(Start("server busy, please try again"), Cause::Overloaded, "ollama/ollama server/sched.go"),
        rule(Start("model '"), Cause::ModelNotFound, "ollama/ollama server/routes.go"),
        rule(Start("unauthorized"), Cause::Unauthorized, "ollama/ollama server/routes.go"),
    ],
    ..Errors::SHARED
};
