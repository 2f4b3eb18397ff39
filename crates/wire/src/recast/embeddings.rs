//! Recast of embeddings, the small sister of the chats': one request, one answer, no stream. What it is not: the relay,
//! which leaves bytes as they are. Where to look first: [`EmbeddingsCodec`].

use bytes::Bytes;
use trunkline_domain::Dialect;
use trunkline_domain::embeddings::{EmbeddingsRequest, EmbeddingsResponse};

use super::Losses;
use crate::codec::{AnswerProblem, ErrorWords, FieldError};
use crate::envelope::Envelope;

/// One dialect of embeddings, seen from its callers and its providers.
pub trait EmbeddingsCodec: Send + Sync {
    /// Which.
    fn dialect(&self) -> Dialect;

    /// Reads a request. The error names the field as the caller wrote it.
    fn decode_request(&self, envelope: &Envelope) -> Result<EmbeddingsRequest, FieldError>;

    /// Writes a request for a provider's model. What the dialect cannot say is lost by name; what would be a different
    /// request without it is an error.
    fn encode_request(
        &self,
        request: &EmbeddingsRequest,
        model: &str,
        losses: &mut Losses,
    ) -> Result<Bytes, FieldError>;

    /// Reads a complete answer with a success status.
    fn decode_response(&self, body: &[u8]) -> Result<EmbeddingsResponse, AnswerProblem>;

    /// Writes an answer for the caller, under the model's name for it.
    fn encode_response(
        &self,
        response: &EmbeddingsResponse,
        request: &EmbeddingsRequest,
        model: &str,
    ) -> Bytes;

    /// Reads the provider's error body; `None` where it is none.
    fn read_error(&self, body: &[u8]) -> Option<ErrorWords>;
}
