//! Ollama's own API: chat (`POST /api/chat`) and the listing of models (`GET /api/tags`).
//!
//! Sources: ollama/ollama, commit fb30760, `docs/api.md` (Generate a chat completion), `api/types.go` (`ChatRequest`,
//! `Message`, `Options`, `ThinkValue`, `ChatResponse`), `server/routes.go` (`ChatHandler`, `streamResponse`),
//! `server/sched.go` (`ErrMaxQueue`), `llm/server.go` (`invalid format`), `docs/api/errors.mdx`. What is wrong in a body
//! is said as Go's `encoding/json` says it. The real one passes over members and options it does not know, and takes results
//! of calls nobody made; here they are refused, for what is passed over is not noticed: with `json: unknown field`, as the
//! same reader says where it is told to be strict.

pub(crate) mod answer;
pub(crate) mod strict;

use serde_json::json;

use super::findings::Said;

/// What a server says that has too much to do.
pub(crate) const BUSY: &str = "server busy, please try again.  maximum pending requests exceeded";

/// An error: a message, and a status unless a stream has begun.
pub(crate) fn error(status: u16, message: &str) -> Said {
    Said::new(status, json!({ "error": message }).to_string())
}
