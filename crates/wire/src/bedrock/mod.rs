//! Amazon Bedrock's Converse (`POST /model/{modelId}/converse`, `…/converse-stream`), recast: requests and answers to and
//! from the canonical chat. Only providers speak it; no caller does, so there is no relay. The model and whether to stream
//! stand in the path.
//!
//! Sources: botocore 1.43.67, `botocore/data/bedrock-runtime/2023-09-30/service-2.json` (every shape);
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and `…_ConverseStream.html`;
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html> (`inputTokens` are those neither read from
//! nor written to a cache); answers recorded in vercel/ai, `packages/amazon-bedrock/src/__fixtures__/` (what is sent though
//! no shape has it: `type: tool_use` of a call, padding of events). What is not said there:
//!
//! - a cache point stands behind what it marks: it is the mark of the block, the tool or the instruction before it;
//! - a tool's result of JSON is its text;
//! - messages of one side that follow each other are one, and none is empty or blank: the dialect refuses them;
//! - what it has no field for is the model's own (`additionalModelRequestFields`): Claude's `thinking`, `top_k` and
//!   whether it calls one tool at a time, Nova's `topK` and `reasoningConfig`, OpenAI's effort. An effort is
//!   `outputConfig.effort` with Claude;
//! - guarded content, search results and the server's own tools are opaque;
//! - the measures of an answer (`metrics`) are the provider's own and passed over;
//! - some models of OpenAI's have been seen to count cached tokens among `inputTokens` in streams
//!   (<https://github.com/maximhq/bifrost/pull/6942>): they are counted as documented.
//!
//! | What ends a stream | |
//! |---|---|
//! | `messageStop` and `metadata` | the answer is complete |
//! | `messageStop` alone | complete where [`DoneMarker`](crate::quirks::DoneMarker) is optional, cut otherwise |
//! | an exception, an error | an error |
//! | anything else | the answer was cut |
//!
//! A stream read is held back only where a block is one value that comes in pieces: a call of the server's own tool, its
//! result, a picture ([`decode_stream::WHOLE_BYTES_MAX`]).
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`response`], [`decode_stream`], [`encode_stream`];
//! [`form`] lists the spellings that are told apart.

mod blocks;
mod citations;
mod decode_request;
mod decode_stream;
mod encode_blocks;
mod encode_messages;
mod encode_request;
mod encode_stream;
mod error;
mod finish;
mod media;
mod messages;
mod models;
mod parameters;
mod reasoning;
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
const DIALECT: Dialect = Dialect::BedrockConverse;

/// The codec.
pub(crate) static CODEC: BedrockConverse = BedrockConverse;

/// Bedrock's dialect.
pub(crate) struct BedrockConverse;

impl CallerCodec for BedrockConverse {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn decode_request(&self, envelope: &Envelope) -> Result<ChatRequest, FieldError> {
        decode_request::decode(envelope)
    }

    /// An answer of this dialect names neither itself nor its model.
    fn encode_response(
        &self,
        response: &ChatResponse,
        _identity: &AnswerIdentity<'_>,
        losses: &mut Losses,
    ) -> Bytes {
        response::encode(response, losses)
    }

    fn stream_encoder(&self, _identity: &AnswerIdentity<'_>) -> Box<dyn StreamEncoder> {
        Box::new(encode_stream::Encoder::default())
    }

    fn answer_id_prefix(&self) -> &'static str {
        ""
    }
}

impl ChatCodec for BedrockConverse {
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
    /// Of a request: it has no `messages`.
    pub(super) const NO_MESSAGES: u32 = 1;
    /// Of a request: `inferenceConfig` is there, though perhaps empty.
    pub(super) const INFERENCE: u32 = 2;
    /// Of a request: `additionalModelRequestFields` is there, though perhaps empty.
    pub(super) const ADDITIONAL: u32 = 4;
    /// Of a request: `outputConfig` is there, though perhaps empty.
    pub(super) const OUTPUT_CONFIG: u32 = 8;
    /// Of a request: `toolConfig` is there, though perhaps empty.
    pub(super) const TOOL_CONFIG: u32 = 16;

    /// Of a request's reasoning: `thinking` is as the caller wrote it.
    pub(super) const THINKING: u32 = 1;

    /// Of a turn of instructions: a message where it stands.
    pub(super) const MESSAGE: u32 = 1;
    /// Of a turn that could share the message of the one before, and of a tool's result: a message of its own.
    pub(super) const APART: u32 = 2;
    /// Of a turn: its content is there and empty.
    pub(super) const EMPTY: u32 = 4;

    /// Of a text: blank, and there nevertheless.
    pub(super) const BLANK: u32 = 4;
    /// Of a text: `citationsContent`, though perhaps without citations.
    pub(super) const CITED: u32 = 8;
    /// Of a text: its list of citations is there and empty.
    pub(super) const NO_CITATIONS: u32 = 16;
    /// Of a tool's result's text: JSON.
    pub(super) const JSON: u32 = 32;
    /// Of a call: its input is no object.
    pub(super) const NOT_OBJECT: u32 = 4;
    /// Of a call: its type, `tool_use`, is given.
    pub(super) const TYPED: u32 = 8;
    /// Of a thought: it has no signature.
    pub(super) const UNSIGNED: u32 = 4;
    /// Of a thought: its signature is empty.
    pub(super) const EMPTY_SIGNATURE: u32 = 8;
    /// Of a document: its name has characters the dialect does not take.
    pub(super) const ODD_NAME: u32 = 4;
    /// Of a document: `citations` is there and does not say whether.
    pub(super) const CITATIONS: u32 = 8;

    /// Of a citation: this dialect's.
    pub(super) const CITATION: u32 = 1;
}
