//! Responses, recast: requests and answers of OpenAI's Responses to and from the canonical chat.
//!
//! Sources: openai-python 3.57.0, `types/responses/response_create_params.py`, `response_input_param.py`,
//! `response_output_item.py`, `response_stream_event.py`. What is not said there:
//!
//! - Nothing is kept between two requests: references to items are refused by name, and a request that comes from another
//!   dialect says `store: false`, for there it means that nothing is stored.
//! - Items that follow each other and are the model's are one turn, the caller's outputs that follow each other too;
//!   `instructions` are the first turn.
//! - Items of tools the provider runs, and of the ones the caller runs but other dialects do not know, are opaque.
//! - `encrypted_content` is the seal of a thought as its maker wrote it, in whatever dialect; who made it is not said there.
//! - What an answer repeats of its request is written from the request, not from what a provider repeats.
//! - Ids of items name nothing elsewhere; they are kept for this dialect, and no loss in another.
//!
//! The last event of a stream is the whole answer, and every item is repeated when it ends: what is written is therefore
//! kept, up to [`encode_stream::OUTPUT_BYTES_MAX`]. A stream read is not held back.
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`response`], [`decode_stream`], [`encode_stream`];
//! [`form`] lists the spellings that are told apart.

mod citations;
mod content;
mod decode_request;
mod decode_stream;
mod encode_items;
mod encode_request;
mod encode_stream;
mod events;
mod finish;
mod items;
mod output;
mod parameters;
mod reasoning;
mod response;
mod response_object;
mod tools;

pub(crate) use tools::tool;

use bytes::Bytes;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, OutputFormat};

use super::{DIALECT, error};
use crate::codec::{AnswerProblem, ErrorWords, FieldError};
use crate::envelope::Envelope;
use crate::quirks::Quirks;
use crate::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, EncodeTarget, Losses, StreamDecoder, StreamEncoder,
};

/// The codec.
pub(crate) static CODEC: OpenaiResponses = OpenaiResponses;

/// OpenAI's Responses.
pub(crate) struct OpenaiResponses;

impl CallerCodec for OpenaiResponses {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn decode_request(&self, envelope: &Envelope) -> Result<ChatRequest, FieldError> {
        decode_request::decode(envelope)
    }

    fn output_format(&self, envelope: &Envelope) -> Result<Option<(&'static str, OutputFormat)>, FieldError> {
        decode_request::output_format(envelope)
    }

    fn encode_response(
        &self,
        response: &ChatResponse,
        identity: &AnswerIdentity<'_>,
        losses: &mut Losses,
    ) -> Bytes {
        response::encode(response, identity, losses)
    }

    fn stream_encoder(&self, identity: &AnswerIdentity<'_>) -> Box<dyn StreamEncoder> {
        Box::new(encode_stream::Encoder::new(identity))
    }

    fn answer_id_prefix(&self) -> &'static str {
        "resp_"
    }
}

impl ChatCodec for OpenaiResponses {
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &EncodeTarget<'_>,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError> {
        Ok(encode_request::encode(request, target, losses))
    }

    fn decode_response(&self, body: &[u8], quirks: &Quirks) -> Result<ChatResponse, AnswerProblem> {
        response::decode(body, quirks.usage)
    }

    fn stream_decoder(&self, quirks: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(decode_stream::Decoder::new(quirks))
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }
}

/// Spellings that mean the same and are told apart only to be restored. 0 is the spelling used for what comes from
/// another dialect.
mod form {
    /// Of a request, a tool, a thought, a citation or stream options: written in this dialect, whose defaults therefore hold.
    pub(super) const OWN: u32 = 1;
    /// Of a request: `stream` is given although it is `false`.
    pub(super) const STREAM_FALSE: u32 = 2;
    /// Of a request: `input` is a string.
    pub(super) const INPUT_STRING: u32 = 4;
    /// Of a request: `text` is there, though perhaps empty.
    pub(super) const TEXT: u32 = 8;
    /// Of a request: `background` is given although it is `false`.
    pub(super) const BACKGROUND_FALSE: u32 = 16;
    /// Of a request: `truncation` is given although it is `disabled`.
    pub(super) const TRUNCATION_DISABLED: u32 = 32;
    /// Of a request: `include` asks for encrypted reasoning.
    pub(super) const ENCRYPTED: u32 = 64;

    /// Of a message: its type is given.
    pub(super) const TYPED: u32 = 1 << 1;
    /// Of a message or an output: the content is an array although a string would do.
    pub(super) const CONTENT_ARRAY: u32 = 1 << 2;
    /// Of a message: instructions at the head, and yet a message.
    pub(super) const MESSAGE: u32 = 1 << 4;
    /// Of the first part of a message: the message before it is another one.
    pub(super) const APART: u32 = 1 << 5;
    /// Of a message or another item: how far it says it is.
    pub(super) const STATUS: u32 = 0b11 << 6;

    /// Of an opaque part: stands in a message's content, not beside it.
    pub(super) const IN_CONTENT: u32 = 1 << 8;
    /// Of a text: it has the type of the other side's.
    pub(super) const CROSSED: u32 = 1 << 9;
    /// Of a text: `annotations` is there.
    pub(super) const ANNOTATIONS: u32 = 1 << 10;
    /// Of a text: `logprobs` is an empty list.
    pub(super) const NO_LOGPROBS: u32 = 1 << 11;
    /// Of a part: where to cache up to is marked.
    pub(super) const BREAKPOINT: u32 = 1 << 12;
    /// Of a thought: `content` is an empty list.
    pub(super) const NO_CONTENT: u32 = 1 << 13;
    /// Of a thought: `summary` is missing.
    pub(super) const NO_SUMMARY: u32 = 1 << 14;
    /// Of a document: its bytes have no scheme before them.
    pub(super) const BARE_DATA: u32 = 1 << 15;
    /// Of a picture: `detail` is missing.
    pub(super) const NO_DETAIL: u32 = 1 << 17;
    /// Of an output: the tool's name is given.
    pub(super) const NAMED: u32 = 1 << 16;

    /// The states an item may be in.
    const STATES: [&str; 3] = ["completed", "incomplete", "in_progress"];

    /// The bits of a state; `None` for one that is not known.
    pub(super) fn of_status(status: &str) -> Option<u32> {
        (1..).zip(STATES).find(|(_, known)| *known == status).map(|(number, _)| number << 6)
    }

    /// The state of such bits.
    pub(super) fn status(form: u32) -> Option<&'static str> {
        let number = (form & STATUS) >> 6;
        (1..).zip(STATES).find(|(known, _)| *known == number).map(|(_, status)| status)
    }
}
