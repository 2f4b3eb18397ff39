//! Chat completions, recast: requests and answers of OpenAI's chat dialect to and from the canonical chat.
//!
//! Sources: openai-python 3.57.0, `types/chat/completion_create_params.py`, `chat_completion_*_param.py`,
//! `chat_completion.py`, `chat_completion_chunk.py`. What other servers add to the dialect and their callers rely on:
//!
//! - `reasoning_content` of an assistant's message (<https://api-docs.deepseek.com/guides/reasoning_model>), `reasoning`
//!   and `reasoning_details` (<https://openrouter.ai/docs/use-cases/reasoning-tokens>; OpenRouterTeam/typescript-sdk,
//!   `src/models/reasoningdetail*.ts`): so thinking and its signatures survive a caller of this dialect;
//! - `thinking` parts of content (mistralai/client-python, `models/thinkchunk.py`);
//! - `extra_content.google.thought_signature` of a tool call (<https://ai.google.dev/gemini-api/docs/thought-signatures>);
//! - `cache_control` of parts and tools (<https://openrouter.ai/docs/features/prompt-caching>), `reasoning` of a request,
//!   `images` of an answer (OpenRouter); `top_k`, `min_p`, `repetition_penalty`, `video_url` and `audio_url` (vLLM,
//!   <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>).
//!
//! What is not translated: `functions` and `function_call`, deprecated since 2023, are refused by name. The gateway's
//! own fields are taken out. A stream carries what its events name: unknown members of chunks are not kept.
//!
//! Where to look first: [`decode_request`], [`encode_request`], [`response`], [`decode_stream`], [`encode_stream`];
//! [`form`] lists the spellings that are told apart.

pub(crate) mod content;
mod decode_request;
mod decode_stream;
pub(crate) mod embeddings;
mod encode_messages;
pub(crate) mod encode_request;
mod encode_stream;
pub(crate) mod finish;
mod messages;
mod parameters;
mod reasoning;
mod response;

use bytes::Bytes;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, OutputFormat};

use super::error;
use crate::codec::{AnswerProblem, ErrorWords, FieldError};
use crate::envelope::Envelope;
use crate::quirks::Quirks;
use crate::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, EncodeTarget, Losses, StreamDecoder, StreamEncoder,
};

/// The dialect of everything in this module.
const DIALECT: Dialect = Dialect::OpenaiChat;

/// The codec.
pub(crate) static CODEC: OpenaiChat = OpenaiChat;

/// OpenAI's chat dialect.
pub(crate) struct OpenaiChat;

impl CallerCodec for OpenaiChat {
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
        "chatcmpl-"
    }
}

impl ChatCodec for OpenaiChat {
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &EncodeTarget<'_>,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError> {
        Ok(encode_request::encode(request, target, losses))
    }

    fn decode_response(&self, body: &[u8], quirks: &Quirks) -> Result<ChatResponse, AnswerProblem> {
        response::decode(body, quirks)
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
    /// Of a request: the cap is `max_tokens`, not `max_completion_tokens`.
    pub(super) const MAX_TOKENS: u32 = 1;
    /// Of a request: `stop` is a string.
    pub(super) const STOP_STRING: u32 = 2;
    /// Of a request: `stream` is given although it is `false`.
    pub(super) const STREAM_FALSE: u32 = 4;
    /// Of a request: the caller itself used these extensions.
    pub(super) const TOP_K: u32 = 8;
    /// Likewise.
    pub(super) const MIN_P: u32 = 16;
    /// Likewise.
    pub(super) const REPETITION_PENALTY: u32 = 32;
    /// Of a request's reasoning: `reasoning` is an object; otherwise `reasoning_effort`.
    pub(super) const REASONING_OBJECT: u32 = 1;

    /// Of a message: the content is an array although a string would do.
    pub(super) const CONTENT_ARRAY: u32 = 1;
    /// Of a message: the content is there and empty.
    pub(super) const CONTENT_EMPTY: u32 = 2;
    /// Of a message: thinking is in `reasoning_content`.
    pub(super) const REASONING_CONTENT: u32 = 4;
    /// Of a message: thinking is in `reasoning`.
    pub(super) const REASONING: u32 = 8;
    /// Of a message: thinking is in `reasoning_details`.
    pub(super) const REASONING_DETAILS: u32 = 16;

    /// Of a tool's result: the message has a `name`.
    pub(super) const NAMED: u32 = 32;

    /// Of a part: it stands in the content though it could stand beside it (a refusal), or only its own server takes it
    /// there (thinking, media by address).
    pub(super) const IN_CONTENT: u32 = 1;
    /// Of a part or a tool: the cache mark is a `prompt_cache_breakpoint`.
    pub(super) const BREAKPOINT: u32 = 2;
    /// Of a part or a tool: the cache mark is a `cache_control`.
    pub(super) const CACHE_CONTROL: u32 = 4;
    /// Of a tool call: the signature is in `extra_content`.
    pub(super) const EXTRA_CONTENT: u32 = 8;
}
