//! Google's Gemini: `POST /models/{model}:generateContent`, `:streamGenerateContent`, and `:countTokens`, whose request
//! holds the same `contents`, or a whole request under `generateContentRequest`. The model and whether to stream stand in
//! the path ([`path`]); whoever serves it fills them in.
//!
//! Sources: Google's API reference (<https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/caching>),
//! googleapis `google/ai/generativelanguage/v1beta/`, and google-genai 3.6.1, `google/genai/types.py`, `models.py`,
//! `errors.py`. The messages are protocol buffers in JSON: members are read as `lowerCamelCase` and as `snake_case`, and
//! written as the former.
//!
//! What ends a stream:
//!
//! | Dialect | Terminal event | May it be missing? |
//! |---|---|---|
//! | generateContent | none | an end of bytes is an end once every candidate has a `finishReason`, or the prompt was blocked |
//!
//! Where to look first: `recast/` (to and from other dialects); `skim` and `relay` for requests, `answer` and `stream`
//! for answers, `usage` for how tokens are counted.

mod answer;
pub(crate) mod embeddings;
mod error;
pub mod path;
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
const DIALECT: Dialect = Dialect::GeminiGenerate;

/// The codec.
pub(crate) static CODEC: GeminiCodec = GeminiCodec;

/// The codec of Gemini's generateContent.
pub(crate) struct GeminiCodec;

impl Codec for GeminiCodec {
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

    fn review_state(&self, envelope: &Envelope, model: &str, judge: Judge<'_>) -> Option<Edit> {
        state::review(envelope, model, judge)
    }

    fn find_state(&self, json: &[u8], each: &mut dyn FnMut(&str)) {
        state::find(json, each);
    }

    fn stream_tap(&self, skim: &Skim, _quirks: &Quirks) -> Box<dyn StreamTap> {
        Box::new(stream::Tap::new(skim.choices))
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }

    /// The dialect has no place for a cost.
    fn annotate(&self, _body: &Bytes, _annotation: &Annotation<'_>) -> Option<Bytes> {
        None
    }

    /// google-genai takes every line that is neither empty nor `data: ` for a piece of an error (`_api_client.py`,
    /// `_iter_response_stream`).
    fn comment(&self, _text: &str) -> Option<Bytes> {
        None
    }

    /// An event without a line: both of Google's clients pass over it.
    fn heartbeat(&self) -> Bytes {
        Bytes::from_static(b"\n\n")
    }

    /// `CountTokensResponse` (<https://ai.google.dev/api/tokens>).
    fn token_count(&self, tokens: u64) -> Bytes {
        Bytes::from(format!("{{\"totalTokens\":{tokens}}}"))
    }

    fn error_body(&self, error: &Error) -> Bytes {
        error::body(error)
    }

    /// There is none: the bytes end.
    fn terminal_event(&self) -> Bytes {
        Bytes::new()
    }

    fn error_event(&self, error: &Error) -> Bytes {
        error::event(error)
    }
}

/// The first of two spellings of a field that is there and not null, with its name.
fn present<'a>(envelope: &'a Envelope, spellings: [&'static str; 2]) -> Option<(&'static str, &'a [u8])> {
    let found = |name| envelope.raw_bytes(name).filter(|raw| *raw != b"null").map(|raw| (name, raw));
    spellings.into_iter().find_map(found)
}
