//! OpenAI's Responses, and what is kept of them.
//!
//! Shapes: `openai/types/responses/response.py`, `response_stream_event.py`, `response_usage.py`,
//! `response_item_list.py` and `resources/responses/responses.py` of the official Python SDK 3.57.

pub(crate) mod answer;
pub(crate) mod kept;
pub(crate) mod strict;

use serde_json::Value;

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
    pub(crate) prompt_tokens: u64,
    pub(crate) wanted: Wanted,
}
