//! Errors: `{"message"}` with the status, the error's name in the header `x-amzn-errortype` or, in a stream, of the message
//! (the exceptions of the service's model). Some of AWS's gateways write `Message`, some put the name into `__type`.

use trunkline_domain::Text;

use crate::codec::{Codec, ErrorWords};
use crate::json::{Str, wire_object};
use crate::openai;

/// The longest message kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

wire_object! {
    ignoring struct Words {
        "message" | "Message" => message: Str,
        "originalMessage" => original: Str,
        "__type" => kind: Str,
    }
}

/// Reads a provider's error body; `None` where it is none.
pub(super) fn read(body: &[u8]) -> Option<ErrorWords> {
    let words = serde_json::from_slice::<Words>(body).ok();
    match words.filter(|words| words.message.is_some() || words.kind.is_some()) {
        Some(words) => Some(words.words()),
        None => openai::chat::CODEC.read_error(body),
    }
}

/// Reads an exception of a stream, by its name and its payload.
pub(super) fn exception(name: Option<&[u8]>, payload: &[u8]) -> ErrorWords {
    let words = serde_json::from_slice::<Words>(payload).map_or_else(|_| ErrorWords::default(), Words::words);
    named(name, words)
}

/// An error of a stream whose words are headers.
pub(super) fn error(code: Option<&[u8]>, message: Option<&[u8]>) -> ErrorWords {
    let message = message.map(|message| cut(&String::from_utf8_lossy(message)));
    named(code, ErrorWords { message, ..ErrorWords::default() })
}

/// Names errors as answers do: `throttlingException` of a stream is `ThrottlingException`.
fn named(name: Option<&[u8]>, words: ErrorWords) -> ErrorWords {
    let name = name.map(String::from_utf8_lossy).filter(|name| !name.is_empty());
    let kind = name.map(|name| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        Text::from(first.into_iter().chain(letters).collect::<String>())
    });
    ErrorWords { code: kind.clone().or(words.code), kind: kind.or(words.kind), ..words }
}

impl Words {
    fn words(self) -> ErrorWords {
        let kind = self.kind.map(|kind| Text::from(kind.0.rsplit('#').next().unwrap_or_default()));
        let message = match (self.message, self.original) {
            (Some(message), Some(original)) => Some(cut(&format!("{}: {}", message.0, original.0))),
            (message, original) => message.or(original).map(|message| cut(&message.0)),
        };
        ErrorWords { message, code: kind.clone(), kind, ..ErrorWords::default() }
    }
}

fn cut(message: &str) -> Text {
    message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default().into()
}
