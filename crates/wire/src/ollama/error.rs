//! Errors: `{"error": "…"}`, in the middle of a stream too (ollama/ollama `docs/api/errors.mdx`). Its OpenAI-compatible
//! API, and what stands before a server, say it in OpenAI's way.

use trunkline_domain::Text;

use crate::codec::{Codec, ErrorWords};
use crate::json::{Str, wire_object};
use crate::openai;

/// The longest message kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

wire_object! {
    ignoring struct Words { "error" => error: Str }
}

/// Reads a provider's error; `None` where it is none.
pub(super) fn read(body: &[u8]) -> Option<ErrorWords> {
    let Some(Str(message)) = serde_json::from_slice::<Words>(body).ok().and_then(|words| words.error) else {
        return openai::chat::CODEC.read_error(body);
    };
    let cut = message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
    Some(ErrorWords { message: Some(Text::from(cut)), ..ErrorWords::default() })
}
