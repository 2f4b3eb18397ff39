//! Ollama's own chat (`POST /api/chat`), recast: requests and answers to and from the canonical chat. Only providers speak it;
//! no caller does, so there is no relay.
//!
//! Sources: ollama/ollama, commit fb30760, `docs/api.md` (Generate a chat completion), `api/types.go` (`ChatRequest`,
//! `Message`, `ToolCall`, `Options`, `ThinkValue`, `ChatResponse`, `Metrics`), `server/routes.go` (`streamResponse`),
//! `llm/server.go` (`DoneReason`), `docs/api/errors.mdx`, `docs/api/usage.mdx`, `docs/capabilities/thinking.mdx`. What is
//! not said there:
//!
//! - a message has one text, which several are joined to, and pictures beside it, inline only;
//! - a message says its thinking, then its text, then its calls; a call's arguments are an object;
//! - answers have no id; of their times the one they were made at is read, how long things took is passed over;
//! - which tool is to be called cannot be said: without any allowed none is offered, of some only those are;
//! - an answer without `done_reason`, as older servers send it, ended by itself.
//!
//! | What ends a stream | |
//! |---|---|
//! | a line with `done: true` | the answer is complete |
//! | a line with `error` | an error |
//! | anything else | the answer was cut |
//!
//! A stream is written as it comes, but for a call's arguments, which the dialect has as one object
//! ([`encode_stream::ARGUMENTS_BYTES_MAX`]), and for the finish reason and usage, which come with the last line.
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`decode_stream`] (whole answers too), [`response`],
//! [`encode_stream`]; [`form`] lists the spellings that are told apart.

mod decode_request;
mod decode_stream;
mod encode_messages;
mod encode_request;
mod encode_stream;
mod error;
mod finish;
mod message;
mod parameters;
mod response;

use bytes::Bytes;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse};

use crate::codec::{AnswerProblem, ErrorWords, FieldError};
use crate::envelope::Envelope;
use crate::quirks::Quirks;
use crate::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, EncodeTarget, Losses, StreamDecoder, StreamEncoder,
};

/// The dialect of everything in this module.
const DIALECT: Dialect = Dialect::OllamaChat;

/// The codec.
pub(crate) static CODEC: OllamaChat = OllamaChat;

/// Ollama's dialect.
pub(crate) struct OllamaChat;

impl CallerCodec for OllamaChat {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn decode_request(&self, envelope: &Envelope) -> Result<ChatRequest, FieldError> {
        decode_request::decode(envelope)
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

    /// Answers have no id.
    fn answer_id_prefix(&self) -> &'static str {
        ""
    }
}

impl ChatCodec for OllamaChat {
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
    /// Of a request: it is to be streamed, for nothing else is said.
    pub(super) const STREAM_UNSAID: u32 = 1;
    /// Of a request: `options` is there, though perhaps empty.
    pub(super) const OPTIONS: u32 = 2;

    /// Of a message or a tool's result: it has no content.
    pub(super) const NO_CONTENT: u32 = 1;
    /// Of a tool's result: the tool is not named.
    pub(super) const UNNAMED: u32 = 2;

    /// Of a call: it has no arguments.
    pub(super) const NO_ARGUMENTS: u32 = 1;

    /// Of a tool: it has no schema.
    pub(super) const NO_PARAMETERS: u32 = 1;
}
