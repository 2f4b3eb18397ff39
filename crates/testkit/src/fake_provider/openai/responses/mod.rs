//! OpenAI's Responses, without state: nothing is stored, so nothing is found again.
//!
//! Sources: openai-python 3.57.0, `types/responses/response_create_params.py`, `response_input_item_param.py`,
//! `namespace_tool_param.py` (requests), `response.py`, `response_output_item.py`, `response_stream_event.py` (answers).
//! `client_metadata` is in none of them: codex-cli 0.169.0 sends it in every request.

pub(super) mod answer;
pub(super) mod strict;
