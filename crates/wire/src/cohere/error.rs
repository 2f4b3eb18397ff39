//! Errors: `{"id", "message"}` with the status (cohere-python 7.0.9, `core/api_error.py`;
//! <https://docs.cohere.com/reference/errors>). Servers that put something else in Cohere's place are read as OpenAI's
//! imitators.

use trunkline_domain::Text;

use crate::codec::{Codec, ErrorWords};
use crate::json::{Str, wire_object};
use crate::openai;

/// The longest message kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

wire_object! {
    ignoring struct Words { "message" => message: Str }
}

/// Reads a provider's error body; `None` where it is none.
pub(super) fn read(body: &[u8]) -> Option<ErrorWords> {
    match serde_json::from_slice::<Words>(body).ok().and_then(|words| words.message) {
        Some(message) => Some(of_message(&message.0)),
        None => openai::chat::CODEC.read_error(body),
    }
}

/// The words of an error that is a message and nothing else.
pub(super) fn of_message(message: &str) -> ErrorWords {
    let cut = message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
    ErrorWords { message: Some(Text::from(cut)), ..ErrorWords::default() }
}
