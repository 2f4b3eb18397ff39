//! Responses: `POST /responses`, stateless. What a provider keeps for a caller (`previous_response_id`, `conversation`,
//! stored prompts, background answers) is refused by name: it would be found at one account only, by anybody.
//!
//! Sources: OpenAI's API reference (<https://platform.openai.com/docs/api-reference/responses>) and its Python SDK, version
//! 3.57.0, `openai/types/responses/`.
//!
//! What ends a stream:
//!
//! | Dialect | Terminal event | May it be missing? |
//! |---|---|---|
//! | responses | `response.completed`, `response.incomplete`; `response.failed` and `error` end it badly | no |
//!
//! Where to look first: `recast` (for callers of the dialect: their requests are read, their answers written); `prompt` for
//! requests, `answer` and `stream` for answers on their way through.

mod answer;
mod prompt;
pub(crate) mod recast;
mod state;
mod stream;

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, Operation};

use super::{AnswerMember, Shape, annotate, error, relay, skim};
use crate::codec::{
    Annotation, AnswerFacts, AnswerProblem, Codec, ErrorWords, FieldError, RelayEdits, RelayTarget, Skim,
    StreamTap,
};
use crate::envelope::Envelope;
use crate::json::object;
use crate::quirks::Quirks;
use crate::splice::Edit;
use crate::state::Judge;

/// The dialect of everything in this module.
const DIALECT: Dialect = Dialect::OpenaiResponses;

/// What the requests share with OpenAI's other ones.
const SHAPE: Shape = Shape {
    dialect: DIALECT,
    operation: Operation::Chat,
    prompt: prompt::read,
    output_caps: &["max_output_tokens"],
    streams: true,
    answer: AnswerMember::Choices,
};

/// The codec.
pub(crate) static CODEC: ResponsesCodec = ResponsesCodec;

/// The codec of OpenAI's Responses.
pub(crate) struct ResponsesCodec;

impl Codec for ResponsesCodec {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn skim(&self, envelope: &Envelope) -> Result<Skim, FieldError> {
        skim::skim(&SHAPE, envelope)
    }

    fn relay(&self, envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
        relay::relay(&SHAPE, envelope, skim, target)
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

    fn stream_tap(&self, _skim: &Skim, _quirks: &Quirks) -> Box<dyn StreamTap> {
        Box::new(stream::Tap::default())
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }

    fn annotate(&self, body: &Bytes, annotation: &Annotation<'_>) -> Option<Bytes> {
        annotate::annotate(body, annotation)
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    /// A stream without its own end was cut.
    fn terminal_event(&self) -> Bytes {
        Bytes::new()
    }

    /// `ResponseErrorEvent` (`types/responses/response_error_event.py`), and the object `error` beside it, without which
    /// OpenAI's clients take it for one more event and the end for a good one (openai-python, `_streaming.py`). Its number
    /// in the stream is not known here.
    fn error_event(&self, error: &Error) -> Bytes {
        let words = error::Object::of(error);
        let mut event = b"event: error\ndata: ".to_vec();
        object(&mut event, |object| {
            object.member("type", "error");
            object.member("code", words.code);
            object.member("message", words.message);
            object.member("param", &words.param);
            object.member("sequence_number", &0);
            object.member("error", &words);
        });
        event.extend_from_slice(b"\n\n");
        event.into()
    }
}
