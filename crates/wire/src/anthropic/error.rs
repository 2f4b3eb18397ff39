//! Errors in both directions (anthropic-sdk-python, `types/shared/error_response.py`; mid-stream: `_streaming.py`).

use bytes::Bytes;
use trunkline_domain::Error;

use crate::codec::{Codec, ErrorWords};
use crate::json::object;
use crate::openai;

/// Reads a provider's error body; `None` where it is none. The reader of OpenAI's dialect knows this dialect's shape,
/// `{"type": "error", "error": {"type", "message"}}`, and those of the servers that imitate either.
pub(super) fn read(body: &[u8]) -> Option<ErrorWords> {
    openai::chat::CODEC.read_error(body)
}

/// Writes an error as the body of an answer.
pub(super) fn body(error: &Error) -> Bytes {
    json(error).into()
}

/// Writes an error as the end of a stream.
pub(super) fn event(error: &Error) -> Bytes {
    [b"event: error\ndata: ", json(error).as_slice(), b"\n\n"].concat().into()
}

fn json(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    object(&mut out, |body| {
        body.member("type", "error");
        body.object("error", |words| {
            words.member("type", error.kind.facts().anthropic_type);
            words.member("message", &*error.message);
        });
    });
    out
}
