//! Cohere's API: chat (`POST /v2/chat`).
//!
//! Sources: cohere 7.3.1 for Python, `v2/raw_client.py` (members, ranges, statuses), `types/*_v2*.py`,
//! `v2/types/v2chat_stream_response.py`; <https://docs.cohere.com/reference/chat>,
//! <https://docs.cohere.com/docs/streaming>, <https://docs.cohere.com/docs/tool-use-streaming>. Wording:
//! <https://docs.cohere.com/reference/errors>; as reported, <https://github.com/OpenRouterTeam/openrouter-examples/issues/71>
//! (an unknown member) and <https://github.com/oracle/langchain-oracle/issues/10> (a call without its result). Where
//! neither says anything, the wording is this fake's own after `invalid request:`, as all the documented ones begin.

pub(crate) mod answer;
pub(crate) mod strict;

use serde_json::json;

use super::findings::Said;

/// An error: a message, and a status unless a stream has begun.
pub(crate) fn error(status: u16, message: &str) -> Said {
    Said::new(status, json!({ "id": "fake", "message": message }).to_string())
}

/// The same in a stream that has begun, which it ends.
pub(crate) fn error_event(message: &str) -> String {
    let end = json!({ "type": "message-end", "delta": { "error": message, "finish_reason": "ERROR" } });
    event("message-end", &end)
}

fn event(name: &str, data: &serde_json::Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
