//! Responses, recast for callers of the dialect: their requests to the canonical chat, answers from it. Nothing is written
//! to a provider in this dialect but by relay: whoever speaks it speaks chat completions too.
//!
//! Sources: openai-python 3.57.0, `types/responses/response_create_params.py`, `response_input_item_param.py`,
//! `response.py`, `response_output_item.py`, `response_stream_event.py`. What is not said there:
//!
//! - items of the model's (thoughts, calls, messages) that follow each other are one turn; so are the outputs of calls;
//! - `include` of what a recast answer carries anyway (encrypted thoughts, log probabilities) is no loss;
//! - the events that close a part or an item repeat it whole, and the last one the whole answer: the dialect demands that
//!   a stream be kept until its end ([`encode_stream::KEPT_BYTES_MAX`]).
//!
//! Where to look first: [`decode_request`], [`encode_response`], [`encode_stream`].

mod decode_request;
mod encode_response;
mod encode_stream;
mod items;
mod parameters;

pub(crate) use parameters::tool;

use bytes::Bytes;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse};

use super::DIALECT;
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::recast::{AnswerIdentity, CallerCodec, Losses, StreamEncoder};

/// The codec.
pub(crate) static CODEC: OpenaiResponses = OpenaiResponses;

/// OpenAI's Responses, seen from its callers.
pub(crate) struct OpenaiResponses;

impl CallerCodec for OpenaiResponses {
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
        encode_response::encode(response, identity, losses)
    }

    fn stream_encoder(&self, identity: &AnswerIdentity<'_>) -> Box<dyn StreamEncoder> {
        Box::new(encode_stream::Encoder::new(identity))
    }

    fn answer_id_prefix(&self) -> &'static str {
        "resp_"
    }
}
