//! generateContent, recast: requests and answers of Gemini's dialect to and from the canonical chat.
//!
//! Sources: google-genai 3.6.1, `types.py`, `models.py` (`_*_to_mldev`, `_*_from_mldev`);
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>. What is not said there:
//!
//! - members are read in both spellings of protocol buffers and written as `lowerCamelCase`; an opaque part, tool or
//!   choice is written as it came;
//! - a call without an id gets one made from its place, and a result without one belongs to the first call of its name
//!   that has no result yet; neither is written back;
//! - a result is an object: `{"output": text}`, `{"error": text}` and `{"result": text}` are that text, any other object is
//!   its own JSON as text, and a text that is a JSON object is written as that object;
//! - schemas from elsewhere are sent as JSON Schema (`parametersJsonSchema`, `responseJsonSchema`); Google's own kind is
//!   lifted to JSON Schema and lowered again ([`schema`]);
//! - grounding is read as citations without their places, which count bytes of parts and not characters of text; log
//!   probabilities without the ids of tokens; how many searches there were is read and not written;
//! - pieces of text that follow each other in an answer are one part, as a stream cannot tell them apart; when they come
//!   back, they are put together for everybody but Google ([`pieces`]).
//!
//! A stream is written as it comes, but for a call's arguments, which the dialect has as one object
//! ([`encode_stream::ARGUMENTS_BYTES_MAX`]), and for finish reasons and usage, which come with the last chunk. Of a stream
//! read, the finish reason waits for the end: older models repeat it in every chunk.
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`response`], [`decode_stream`], [`encode_stream`];
//! [`form`] lists the spellings that are told apart.

mod citations;
mod config;
mod contents;
mod decode_request;
mod decode_stream;
pub(crate) mod embeddings;
mod encode_contents;
mod encode_request;
mod encode_stream;
mod finish;
mod logprobs;
pub(super) mod parts;
mod pieces;
mod reasoning;
mod response;
mod schema;
mod tools;

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
pub(crate) static CODEC: GeminiGenerate = GeminiGenerate;

/// Gemini's dialect.
pub(crate) struct GeminiGenerate;

impl CallerCodec for GeminiGenerate {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn decode_request(&self, envelope: &Envelope) -> Result<ChatRequest, FieldError> {
        decode_request::decode(envelope)
    }

    fn gather(&self, request: &mut ChatRequest) {
        pieces::gather(request);
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

    /// Answers have an id of no particular form.
    fn answer_id_prefix(&self) -> &'static str {
        ""
    }
}

impl ChatCodec for GeminiGenerate {
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &EncodeTarget<'_>,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError> {
        Ok(encode_request::encode(request, target, losses))
    }

    fn decode_response(&self, body: &[u8], _quirks: &Quirks) -> Result<ChatResponse, AnswerProblem> {
        decode_stream::decode_whole(body)
    }

    fn stream_decoder(&self, _quirks: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(decode_stream::Decoder::default())
    }

    fn read_error(&self, body: &[u8]) -> Option<ErrorWords> {
        error::read(body)
    }
}

/// Spellings that mean the same and are told apart only to be restored. 0 is the spelling used for what comes from
/// another dialect.
mod form {
    /// Of a request: `generationConfig` is there, though perhaps empty.
    pub(super) const CONFIG: u32 = 1;
    /// Of a request: `toolConfig` is there, though perhaps empty.
    pub(super) const TOOL_CONFIG: u32 = 2;
    /// Of a request's reasoning: `thinkingConfig` is as the caller wrote it.
    pub(super) const THINKING: u32 = 1;

    /// Of a turn, or of a result that begins a content: its role is not said.
    pub(super) const NO_ROLE: u32 = 1;
    /// Of a turn: it has no list of parts.
    pub(super) const NO_PARTS: u32 = 2;
    /// Of a turn that could share the content of the one before, and of a tool's result: a content of its own.
    pub(super) const APART: u32 = 4;
    /// Of a turn of results: shares the content of the user's turn before.
    pub(super) const JOINED: u32 = 8;

    /// Of a part: `thought` is given although it is `false`.
    pub(super) const THOUGHT_FALSE: u32 = 16;
    /// Of a call or a result: it has no id.
    pub(super) const NO_ID: u32 = 32;
    /// Of a call: it has no arguments.
    pub(super) const NO_ARGS: u32 = 64;
    /// Of a result: its text is the member `result`.
    pub(super) const RESULT: u32 = 128;
    /// Of a result: it has a list of media, though perhaps empty.
    pub(super) const MEDIA: u32 = 256;

    /// Of a call: it has no signature, as the caller of this dialect wants it.
    pub(super) const NO_SIGNATURE: u32 = 512;

    /// Of a function or an opaque tool: shares the object of the tool before; of a function: begins an object.
    pub(super) const TOOL_JOINED: u32 = 1;
    /// See [`TOOL_JOINED`].
    pub(super) const TOOL_APART: u32 = 2;
    /// Of a function or a form of answer: the schema is Google's kind.
    pub(super) const SCHEMA: u32 = 4;
    /// Of a schema of Google's kind: its types are in lower case, as in JSON Schema.
    pub(super) const SCHEMA_LOWER: u32 = 8;
    /// Of a form of answer: its MIME type is not said.
    pub(super) const NO_MIME: u32 = 16;

    /// Of an answer: there is none, for the prompt was blocked.
    pub(super) const BLOCKED: u32 = 1;
}
