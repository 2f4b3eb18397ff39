//! Messages, recast: requests and answers of Anthropic's dialect to and from the canonical chat.
//!
//! Sources: anthropic-sdk-python 0.121.0, `types/message_create_params.py`, `types/*_param.py`, `types/message.py`,
//! `types/raw_message_stream_event.py`; sources by file id from `types/beta/beta_file_*_source_param.py`. What is not
//! said there:
//!
//! - server-side tools, their calls and their results are opaque, search results given by the caller too;
//! - instructions at the head of the messages are hoisted into `system`; those further down are messages of role
//!   `system`, where the model is known to take them ([`models`]);
//! - what the caller says about sampling is left out where the model takes none ([`models`]);
//! - `service_tier: standard_only` is what other dialects call `default`;
//! - the dialect's schemas always bind, so `strict` of a schema is neither read nor written;
//! - an answer without usage gets one of zeros, for the dialect's clients cannot do without;
//! - an empty signature is none: it stands where another provider's thinking is shown to a caller of this dialect.
//!
//! A stream is written as it comes, but for the stop reason, which the dialect sends together with the usage. A stream
//! read is held back only where a block unknown to the canonical form grows by deltas: it is put together first
//! ([`decode_stream::OPAQUE_BYTES_MAX`]).
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`response`], [`decode_stream`], [`encode_stream`];
//! [`form`] lists the spellings that are told apart.

mod blocks;
mod cache;
mod citations;
mod decode_request;
mod decode_stream;
mod encode_messages;
mod encode_request;
mod encode_stream;
mod finish;
mod messages;
pub(crate) mod models;
mod parameters;
pub(crate) mod reasoning;
mod response;
mod thinking;

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
pub(crate) static CODEC: AnthropicMessages = AnthropicMessages;

/// Anthropic's dialect.
pub(crate) struct AnthropicMessages;

impl CallerCodec for AnthropicMessages {
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
        "msg_"
    }
}

impl ChatCodec for AnthropicMessages {
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &EncodeTarget<'_>,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError> {
        Ok(encode_request::encode(request, target, losses))
    }

    fn decode_response(&self, body: &[u8], _quirks: &Quirks) -> Result<ChatResponse, AnswerProblem> {
        response::decode(body)
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
    /// Of a request: `stream` is given although it is `false`.
    pub(super) const STREAM_FALSE: u32 = 1;
    /// Of a request: `metadata` is there, though perhaps without a user.
    pub(super) const METADATA: u32 = 2;
    /// Of a request: `output_config` is there, though perhaps empty.
    pub(super) const OUTPUT_CONFIG: u32 = 4;
    /// Of a request's reasoning: `thinking` is as the caller wrote it.
    pub(super) const THINKING: u32 = 1;

    /// Of a turn or a tool's result: the content is an array although a string would do.
    pub(super) const CONTENT_ARRAY: u32 = 1;
    /// Of a turn or a tool's result: the content is there and empty.
    pub(super) const CONTENT_EMPTY: u32 = 2;
    /// Of a turn of instructions: a message, though at the head.
    pub(super) const MESSAGE: u32 = 4;
    /// Of a turn that could share the message of the one before, and of a tool's result: a message of its own.
    pub(super) const APART: u32 = 8;
    /// Of a turn of results: shares the message of the user's turn before.
    pub(super) const JOINED: u32 = 16;

    /// Of a text: `citations` is an empty list.
    pub(super) const NO_CITATIONS: u32 = 32;
    /// Of a thought: it has no signature.
    pub(super) const UNSIGNED: u32 = 64;
    /// Of a thought: its signature is empty.
    pub(super) const EMPTY_SIGNATURE: u32 = 128;
    /// Of a document: its content is a string.
    pub(super) const CONTENT_STRING: u32 = 256;
    /// Of a document: `citations` is there and does not say whether.
    pub(super) const CITATIONS: u32 = 512;

    /// Of a tool: its type, `custom`, is given.
    pub(super) const TYPED: u32 = 1;
}
