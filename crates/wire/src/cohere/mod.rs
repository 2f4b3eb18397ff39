//! Cohere's chat (`POST /v2/chat`), recast: requests and answers to and from the canonical chat. Only providers speak it;
//! no caller does, so there is no relay.
//!
//! Sources: cohere-python 7.0.9, `v2/raw_client.py` (request, stream), `types/*_v2*.py`, `types/citation.py`, `types/usage*.py`,
//! `v2/types/v2chat_stream_response.py`; <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/reference/errors>,
//! <https://docs.cohere.com/docs/streaming>, <https://docs.cohere.com/docs/tool-use-streaming>. What is not said there:
//!
//! - a message says its content, then its plan (`tool_plan`), then its calls; a plan is thinking, and thinking from elsewhere
//!   is content of type `thinking`;
//! - instructions come as one message at the head ("system turn must be the first in the list"); later ones as the user's;
//! - a document of text that is to be cited goes into `documents`, any other one into the message;
//! - citations keep their sources; those of thinking and plans, which nobody else has a place for, are passed over. A
//!   citation's place counts characters of its content block;
//! - usage is what is billed (`billed_units`), not what was processed (`tokens`), where both are said;
//! - log probabilities come by pieces of text of one or more tokens: a piece is one token here, the sum of its tokens'.
//!
//! | What ends a stream | |
//! |---|---|
//! | `message-end` | the answer is complete |
//! | `message-end` with `error`, or an object of an error | an error |
//! | anything else | the answer was cut |
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`response`], [`decode_stream`], [`encode_stream`];
//! [`form`] lists the spellings that are told apart.

mod decode_request;
mod decode_stream;
mod documents;
mod encode_messages;
mod encode_request;
mod encode_stream;
mod error;
mod finish;
mod message;
mod parameters;
mod response;
mod usage;

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
const DIALECT: Dialect = Dialect::CohereChat;

/// The codec.
pub(crate) static CODEC: CohereChat = CohereChat;

/// Cohere's dialect.
pub(crate) struct CohereChat;

impl CallerCodec for CohereChat {
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

    /// Answers have an id of no particular form.
    fn answer_id_prefix(&self) -> &'static str {
        ""
    }
}

impl ChatCodec for CohereChat {
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
    /// Of a request: `stream` is given although it is `false`.
    pub(super) const STREAM_FALSE: u32 = 1;

    /// Of a message: the content is an array although a string would do.
    pub(super) const CONTENT_ARRAY: u32 = 1;
    /// Of a message: the content is there and empty.
    pub(super) const CONTENT_EMPTY: u32 = 2;
    /// Of instructions: a message of their own, where they stand.
    pub(super) const APART: u32 = 4;

    /// Of a message or a tool's result: no content is given.
    pub(super) const NO_CONTENT: u32 = 8;

    /// Of a thought: it is the plan.
    pub(super) const TOOL_PLAN: u32 = 1;
    /// Of a thought: there, and empty.
    pub(super) const EMPTY: u32 = 2;
    /// Of a call: its type is not said.
    pub(super) const NO_TYPE: u32 = 4;
    /// Of a call: it has no arguments.
    pub(super) const NO_ARGUMENTS: u32 = 8;

    /// Of a tool: it has no schema.
    pub(super) const NO_PARAMETERS: u32 = 1;

    /// Of a request's reasoning: `thinking` is as the caller wrote it.
    pub(super) const THINKING: u32 = 1;
}
