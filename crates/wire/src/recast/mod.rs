//! Recast: a request decoded from the caller's dialect into the canonical chat and encoded into the provider's, and the
//! answer the other way round. Two functions a dialect and direction, never one a pair of dialects.
//!
//! What it is: the seam the engine uses where caller and provider speak different dialects. What it is not: the relay
//! ([`Codec`](crate::codec::Codec)), which leaves the caller's bytes as they are and is used wherever the dialects are
//! the same.
//!
//! What every [`ChatCodec`] promises, tested by laws for each:
//!
//! - `encode_request(decode_request(x)) ≡ x` as JSON, nulls, unknown members and both of two equivalent spellings
//!   included, as long as the target sends what is asked and no more;
//! - `decode_request(encode_request(c)) == c` for every canonical value the dialect can say, and likewise for answers;
//! - `fold` of a stream's events is the buffered answer decoded, however the bytes of the stream were cut;
//! - what does not fit is in the [`Losses`] or the request is refused: nothing vanishes without a word.
//!
//! Where to look first: [`ChatCodec`]; [`StreamRecast`] (a stream, frame by frame); [`Losses`].

mod embeddings;
mod frames;
mod freeform;
pub(crate) mod loss;
mod stream;
mod tools;

use bytes::Bytes;
use trunkline_domain::chat::{ChatRequest, ChatResponse, Minted, Minter, OutputFormat, StreamEvent};
use trunkline_domain::{Dialect, Text};

use crate::codec::{AnswerFacts, AnswerProblem, ErrorWords, FieldError};
use crate::envelope::Envelope;
use crate::frame::Frame;
use crate::quirks::Quirks;

pub use embeddings::EmbeddingsCodec;
pub use frames::Frames;
pub use loss::{LOSSES_MAX, LossPolicy, Losses, Tolerance};
pub use stream::{StreamReading, StreamRecast};
pub use tools::FunctionTools;

/// One chat dialect, seen from its callers: their requests are read and their answers written. A dialect that providers
/// are only ever relayed to needs no more.
pub trait CallerCodec: Send + Sync {
    /// Which.
    fn dialect(&self) -> Dialect;

    /// Reads a request. What the dialect says in the path (Gemini: the model, whether to stream) is left at its default
    /// for the ingress to fill in. The error names the field as the caller wrote it.
    fn decode_request(&self, envelope: &Envelope) -> Result<ChatRequest, FieldError>;

    /// Puts together what the dialect's callers hand back in the pieces it was streamed in, for a provider of another
    /// dialect. Nothing unless callers do so.
    fn gather(&self, request: &mut ChatRequest) {
        let _ = request;
    }

    /// The form of answer a request asks for, and the field that says it: read alone, whatever the rest of the body is.
    /// `None` where nothing is said. A dialect nobody calls in has none.
    fn output_format(
        &self,
        _envelope: &Envelope,
    ) -> Result<Option<(&'static str, OutputFormat)>, FieldError> {
        Ok(None)
    }

    /// Writes an answer for the caller.
    fn encode_response(
        &self,
        response: &ChatResponse,
        identity: &AnswerIdentity<'_>,
        losses: &mut Losses,
    ) -> Bytes;

    /// Writes one streamed answer: one box a stream.
    fn stream_encoder(&self, identity: &AnswerIdentity<'_>) -> Box<dyn StreamEncoder>;

    /// What the dialect's ids of answers begin with; the engine puts something unique behind it. Empty where answers
    /// have no id.
    fn answer_id_prefix(&self) -> &'static str;
}

/// One chat dialect, seen from its providers too: requests are written for them and their answers read.
pub trait ChatCodec: CallerCodec {
    /// Writes a request for one deployment. What the dialect cannot say is lost by name; what would be a different
    /// request without it (no turns, half a tool call) is an error.
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &EncodeTarget<'_>,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError>;

    /// Reads a complete buffered answer with a success status. An answer that is an error object in spite of its status
    /// comes back as [`AnswerProblem::Error`].
    fn decode_response(&self, body: &[u8], quirks: &Quirks) -> Result<ChatResponse, AnswerProblem>;

    /// Reads one streamed answer: one box a stream.
    fn stream_decoder(&self, quirks: &Quirks) -> Box<dyn StreamDecoder>;

    /// Reads the provider's error body (any status, any content type) into message and code. `None` where the body is
    /// not an error in this dialect.
    fn read_error(&self, body: &[u8]) -> Option<ErrorWords>;
}

/// Room for a request's body: what it says, escapes, and the rest.
pub(crate) fn body_buffer(request: &ChatRequest) -> Vec<u8> {
    let bytes = request.bytes();
    Vec::with_capacity(bytes + bytes / 16 + 1_024)
}

/// The deployment a request is encoded for.
#[derive(Clone, Copy, Debug)]
pub struct EncodeTarget<'a> {
    /// The provider's id of the model. Left out of the body where the dialect names it in the path.
    pub model: &'a str,
    /// How this server differs from the dialect's reference.
    pub quirks: &'a Quirks,
    /// Whether the provider is to stream, whatever the caller asked.
    pub stream: bool,
    /// A cap the hold asks for: clamps the caller's, or is inserted where there is none.
    pub output_cap: Option<u64>,
    /// The most the model can generate: for dialects that demand a cap where the caller set none.
    pub output_max: Option<u64>,
    /// Whose state this deployment accepts; `None` where nobody keeps track.
    pub minter: Option<&'a Minter>,
}

impl EncodeTarget<'_> {
    /// Whether a piece of provider state may be sent: it is in the target's dialect and not known to be somebody
    /// else's, or the same model made it elsewhere in another dialect. Any other is dropped with its part and a loss,
    /// never sent and never forged.
    pub fn accepts<T>(&self, state: &Minted<T>, dialect: Dialect) -> bool {
        let same_model = matches!(self.minter, Some(Minter::Model(_))) && self.is_own(state);
        same_model || (state.dialect == dialect && !self.is_foreign(state))
    }

    /// Whether a piece of provider state is known to be the target's own.
    pub fn is_own<T>(&self, state: &Minted<T>) -> bool {
        state.by.is_some() && state.by.as_ref() == self.minter
    }

    /// Whether a piece of provider state is known to be somebody else's, whatever its dialect: a server of one dialect
    /// may hand out state of another.
    pub fn is_foreign<T>(&self, state: &Minted<T>) -> bool {
        matches!((&state.by, self.minter), (Some(by), Some(minter)) if by != minter)
    }

    /// The cap to send, given the caller's.
    pub fn output_max(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.output_cap) {
            (Some(asked), Some(cap)) => Some(asked.min(cap)),
            (asked, cap) => asked.or(cap),
        }
    }
}

/// How an answer introduces itself to the caller.
#[derive(Clone, Copy, Debug)]
pub struct AnswerIdentity<'a> {
    /// Its id, prefix included.
    pub id: &'a str,
    /// The model's name for the caller.
    pub model: &'a str,
    /// When, in seconds since 1970.
    pub created: i64,
    /// What was asked: some dialects repeat it, and it says whether the stream is to carry usage.
    pub request: &'a ChatRequest,
}

/// Reads one streamed answer. After an error nothing more is asked of it.
pub trait StreamDecoder: Send {
    /// Reads one complete frame; adds the events it amounts to, which may be none. The first of a stream is
    /// [`StreamEvent::Start`].
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem>;

    /// The byte stream ended. Where that is a complete answer, adds the events still owed, [`StreamEvent::End`] last if
    /// it has not come; otherwise the answer was cut.
    fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Cut>;
}

/// The stream ended before the answer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream ended before the answer did")]
pub struct Cut;

/// Writes one streamed answer. May hold events back (a finish until the usage is known), until
/// [`StreamEvent::End`] at the latest.
pub trait StreamEncoder: Send {
    /// Writes what an event amounts to, which may be nothing. [`StreamEvent::End`] gives the dialect's terminal event.
    fn event(&mut self, event: &StreamEvent, out: &mut Frames);
}

impl AnswerFacts {
    /// The facts of a buffered answer.
    pub fn of(response: &ChatResponse) -> Self {
        let first = response.choices.iter().find(|choice| choice.index == 0);
        let parts = response.choices.iter().flat_map(|choice| &choice.parts);
        let named = |name: &Text| (!name.is_empty()).then(|| name.clone());
        Self {
            usage: response.usage,
            id: named(&response.id),
            model: named(&response.model),
            service_tier: response.service_tier.clone(),
            finish: first.and_then(|choice| choice.finish.as_ref()).map(|finish| finish.raw.clone()),
            output_bytes: parts.map(trunkline_domain::chat::Part::text_bytes).fold(0, u64::saturating_add),
        }
    }

    /// Adds what a streamed event says.
    pub fn absorb(&mut self, event: &StreamEvent) {
        self.output_bytes = self.output_bytes.saturating_add(event.text_bytes());
        match event {
            StreamEvent::Start { id, model, .. } => {
                self.id = (!id.is_empty()).then(|| id.clone());
                self.model = (!model.is_empty()).then(|| model.clone());
            }
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(tier) => self.service_tier = Some(tier.clone()),
            StreamEvent::Finish { choice: 0, finish } => self.finish = Some(finish.raw.clone()),
            StreamEvent::Finish { .. }
            | StreamEvent::PartStart { .. }
            | StreamEvent::PartDelta { .. }
            | StreamEvent::PartStop { .. }
            | StreamEvent::Logprobs { .. }
            | StreamEvent::End => {}
        }
    }
}
