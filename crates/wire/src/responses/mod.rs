//! OpenAI's Responses: `POST /responses`, and what a provider keeps of it ([`kept`]). What is kept at an account for
//! everybody who calls it (`conversation`, stored prompts) and what is billed later (background answers) is refused by name.
//!
//! Sources: OpenAI's API reference (<https://platform.openai.com/docs/api-reference/responses>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>) and its Python SDK, version 3.57.0,
//! `openai/types/responses/`, `openai/lib/streaming/responses/_responses.py` (how clients put a stream together). Other
//! servers of the dialect: xAI (<https://docs.x.ai/developers/model-capabilities/text/comparison>), OpenRouter
//! (<https://openrouter.ai/docs/client-sdks/typescript/sdks/responses/README>), Azure
//! (<https://learn.microsoft.com/en-us/azure/foundry/openai/how-to/responses>).
//!
//! What ends a stream:
//!
//! | Dialect | Terminal event | May it be missing? |
//! |---|---|---|
//! | Responses | `response.completed`, `response.incomplete`; `response.failed` is an error | never: it brings the usage and the whole answer |
//!
//! An error in mid-stream is `event: error` and ends it too. Nothing says `[DONE]`; where a server does, it is passed by.
//!
//! Where to look first: `recast/` (to and from other dialects); `skim` and `relay` for requests, `answer` and `stream`
//! for answers.

mod answer;
mod error;
pub mod kept;
pub(crate) mod recast;
mod relay;
mod skim;
mod state;
mod stream;

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
const DIALECT: Dialect = Dialect::OpenaiResponses;

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
        skim::skim(envelope)
    }

    fn relay(&self, envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
        relay::relay(envelope, skim, target)
    }

    fn read_answer(&self, body: &[u8], quirks: &Quirks) -> Result<AnswerFacts, AnswerProblem> {
        answer::read(body, quirks.usage)
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

    fn annotate(&self, body: &Bytes, annotation: &Annotation<'_>) -> Option<Bytes> {
        answer::annotate(body, annotation)
    }

    fn rename_kept(&self, body: &Bytes, rename: &dyn Fn(&str) -> String) -> Option<Bytes> {
        answer::rename_kept(body, rename)
    }

    /// As `POST /responses/input_tokens` answers.
    fn token_count(&self, tokens: u64) -> Bytes {
        Bytes::from(format!("{{\"object\":\"response.input_tokens\",\"input_tokens\":{tokens}}}"))
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    /// None: the terminal event is the answer itself, so a stream without it is not whole.
    fn terminal_event(&self) -> Bytes {
        Bytes::new()
    }

    fn error_event(&self, error: &Error) -> Bytes {
        error::event(error)
    }
}
