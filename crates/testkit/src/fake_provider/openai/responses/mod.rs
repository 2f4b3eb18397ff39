//! OpenAI's Responses, and what is kept of them.
//!
//! Shapes: `openai/types/responses/response_create_params.py`, `response_input_item_param.py`, `namespace_tool_param.py`
//! (requests), `response.py`, `response_output_item.py`, `response_stream_event.py`, `response_usage.py`,
//! `response_item_list.py` (answers) and `resources/responses/responses.py` of the official Python SDK 3.57.
//! `client_metadata` is in none of them: codex-cli 0.169.0 sends it in every request.

pub(crate) mod answer;
mod items;
pub(crate) mod kept;
pub(crate) mod strict;
mod tools;

use serde_json::Value;

use crate::fake_provider::cache::Piece;
use crate::fake_provider::speech::Wanted;

/// A request for a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) store: bool,
    pub(crate) previous: Option<String>,
    pub(crate) instructions: Value,
    pub(crate) tools: Value,
    /// The items, those of the answers before included.
    pub(crate) input: Vec<Value>,
    pub(crate) prompt: Vec<Piece>,
    /// Names of the tools that take any text.
    pub(crate) custom: Vec<String>,
    /// Whether thoughts are handed out, sealed.
    pub(crate) seals: bool,
    pub(crate) wanted: Wanted,
}

/// The type of an item, of a part of one, or of a tool.
fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or("message")
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
