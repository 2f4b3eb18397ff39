//! Errors in both directions: bodies as in OpenAI's other dialects; in a stream the members of the error event
//! (openai-python, `types/responses/response_error_event.py`) stand beside an `error` object, at the sight of which the
//! official clients raise (`_streaming.py`): a caller who only looks for text must not take a broken answer for a whole
//! one.

use bytes::Bytes;
use trunkline_domain::Error;

use crate::codec::ErrorWords;
use crate::json::object;
use crate::openai;

/// The number of an error event. Nobody counts the events of a stream that passes by, so it is above all of them.
const LAST_SEQUENCE_NUMBER: u32 = u32::MAX;

/// What an error event says of its own type, which is no type of error.
const EVENT_TYPE: &str = "error";

/// Reads a provider's error: a body, an error event, or an answer that failed. `None` where it is none.
pub(super) fn read(body: &[u8]) -> Option<ErrorWords> {
    let mut words = openai::error::read(body)?;
    for word in [&mut words.kind, &mut words.code] {
        if word.as_deref() == Some(EVENT_TYPE) {
            *word = None;
        }
    }
    Some(words)
}

/// Writes an error as the body of an answer.
pub(super) fn body(error: &Error) -> Bytes {
    openai::error::body(error)
}

/// Writes an error as the end of a stream.
pub(super) fn event(error: &Error) -> Bytes {
    let said = openai::error::Object::of(error);
    let mut out = b"event: error\ndata: ".to_vec();
    object(&mut out, |event| {
        event.member("type", EVENT_TYPE);
        event.member("sequence_number", &LAST_SEQUENCE_NUMBER);
        event.member("code", said.code);
        event.member("message", said.message);
        event.member("param", &said.param);
        event.member("error", &said);
    });
    out.extend_from_slice(b"\n\n");
    out.into()
}
