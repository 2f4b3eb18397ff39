//! Anthropic's Messages: `POST /messages`, and `POST /messages/count_tokens`, whose request is the same without what
//! concerns the answer.
//!
//! Sources: Anthropic's API reference (<https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>, <https://platform.claude.com/docs/en/api/errors>)
//! and its Python SDK, version 0.121.0, `anthropic/types/` and `anthropic/lib/streaming/_messages.py`.
//!
//! What ends a stream:
//!
//! | Dialect | Terminal event | May it be missing? |
//! |---|---|---|
//! | Messages | `event: message_stop` | as [`DoneMarker`](crate::quirks::DoneMarker) says, once `message_delta` has brought a `stop_reason` |
//!
//! An error in mid-stream is `event: error` and ends it too.
//!
//! Where to look first: `recast/` (to and from other dialects); `skim` and `relay` for requests, `answer` and `stream`
//! for answers, `usage` for how tokens are counted.

pub(crate) mod answer;
mod error;
pub(crate) mod recast;
mod relay;
mod skim;
mod state;
mod stream;
mod usage;

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, Operation};

use crate::codec::{
    Annotation, AnswerFacts, AnswerProblem, Codec, ErrorWords, FieldError, RelayEdits, RelayTarget, Skim,
    StreamTap,
};
use crate::envelope::Envelope;
use crate::quirks::Quirks;
use crate::splice::Edit;
use crate::state::Judge;

/// The dialect of everything in this module.
const DIALECT: Dialect = Dialect::AnthropicMessages;

/// The codec.
pub(crate) static CODEC: AnthropicCodec = AnthropicCodec;

/// The codec of Anthropic's Messages.
pub(crate) struct AnthropicCodec;

impl Codec for AnthropicCodec {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn skim(&self, envelope: &Envelope) -> Result<Skim, FieldError> {
        skim::skim(envelope)
    }

    fn relay(&self, envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
        relay::relay(envelope, skim, target)
    }

    fn read_answer(&self, body: &[u8], _quirks: &Quirks) -> Result<AnswerFacts, AnswerProblem> {
        answer::read(body)
    }

    fn review_state(&self, envelope: &Envelope, _model: &str, judge: Judge<'_>) -> Option<Edit> {
        state::review(envelope, judge)
    }

    fn find_state(&self, json: &[u8], each: &mut dyn FnMut(&str)) {
        state::find(json, each);
    }

    fn stream_tap(&self, _skim: &Skim, quirks: &Quirks) -> Box<dyn StreamTap> {
        Box::new(stream::Tap::new(quirks))
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }

    /// The dialect has no place for a cost.
    fn annotate(&self, _body: &Bytes, _annotation: &Annotation<'_>) -> Option<Bytes> {
        None
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    fn terminal_event(&self) -> Bytes {
        Bytes::from_static(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    }

    fn error_event(&self, error: &Error) -> Bytes {
        error::event(error)
    }
}
