//! The three dialects OpenAI defined and nearly every provider speaks: chat completions, legacy completions and
//! embeddings. One codec; what differs between them is a [`Shape`].
//!
//! Sources: OpenAI's API reference (<https://platform.openai.com/docs/api-reference>) and its Python SDK, version
//! 3.57.0, `openai/types/` and `openai/_streaming.py`; OpenRouter's and LiteLLM's additional request fields from
//! <https://openrouter.ai/docs/api-reference/overview> and <https://docs.litellm.ai/docs/completion/input>.
//!
//! What ends a stream:
//!
//! | Dialect | Terminal event | May it be missing? |
//! |---|---|---|
//! | chat completions | `data: [DONE]` | as [`DoneMarker`](crate::quirks::DoneMarker) says, once every choice has its `finish_reason` |
//! | legacy completions | `data: [DONE]` | likewise |
//! | embeddings | never streamed | |
//!
//! Where to look first: `recast/` (chat, to and from other dialects); `skim` and `relay` for requests, `answer` and `stream` for answers, `usage` for how tokens are
//! counted.

pub(crate) mod annotate;
mod answer;
mod call_ids;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
mod members;
pub(crate) mod prompt;
pub(crate) mod recast;
pub(crate) mod relay;
pub(crate) mod skim;
mod state;
mod stream;
pub(crate) mod usage;

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

/// The codec of an OpenAI dialect.
pub(crate) struct OpenaiCodec(Shape);

/// In what the dialects differ.
struct Shape {
    dialect: Dialect,
    operation: Operation,
    /// Reads what the model is given.
    prompt: fn(&Envelope, &mut Skim) -> Result<(), FieldError>,
    /// The fields that cap the output; the first one is inserted where a cap is needed and none is there.
    output_caps: &'static [&'static str],
    /// Whether answers can be streamed.
    streams: bool,
    /// The member every answer has.
    answer: AnswerMember,
}

/// The member every answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnswerMember {
    Choices,
    Data,
}

impl Codec for OpenaiCodec {
    fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    fn operation(&self) -> Operation {
        self.0.operation
    }

    fn skim(&self, envelope: &Envelope) -> Result<Skim, FieldError> {
        skim::skim(&self.0, envelope)
    }

    fn relay(&self, envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
        relay::relay(&self.0, envelope, skim, target)
    }

    fn read_answer(&self, body: &[u8], quirks: &Quirks) -> Result<AnswerFacts, AnswerProblem> {
        answer::read(self.0.answer, body, quirks.usage)
    }

    /// Only the messages of a chat carry any.
    fn review_state(&self, envelope: &Envelope, _model: &str, judge: Judge<'_>) -> Option<Edit> {
        if self.0.operation == Operation::Chat { state::review(envelope, judge) } else { None }
    }

    fn find_state(&self, json: &[u8], each: &mut dyn FnMut(&str)) {
        if self.0.operation == Operation::Chat {
            state::find(json, each);
        }
    }

    fn stream_tap(&self, skim: &Skim, quirks: &Quirks) -> Box<dyn StreamTap> {
        Box::new(stream::Tap::new(skim.choices, quirks))
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }

    fn annotate(&self, body: &Bytes, annotation: &Annotation<'_>) -> Option<Bytes> {
        annotate::annotate(body, annotation)
    }

    /// A chunk without choices, which clients of the dialect pass over.
    fn receipt_event(&self, id: &str, receipt: &str) -> Option<Bytes> {
        Some(Bytes::from(format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"trunkline_receipt\":{receipt}}}\n\n"
        )))
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    fn terminal_event(&self) -> Bytes {
        Bytes::from_static(error::TERMINAL)
    }

    fn error_event(&self, error: &Error) -> Bytes {
        error::event(error)
    }
}
