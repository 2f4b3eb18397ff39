//! From a committed answer to what the caller reads. Relay passes the provider's bytes; what is added or withheld is
//! one of these: the usage-only chunk we asked for, the cost, heartbeats, the receipt, a terminal event.

mod buffered;
mod headers;
pub mod stream;

use trunkline_domain::Error;

use crate::answer::{Answer, AnswerBody};
use crate::execute::{Begun, Committed};
use crate::meter::prompt_estimate;
use crate::request::Request;

/// A refusal, with what its answer's headers still need.
#[derive(Debug)]
pub struct Refusal {
    /// What the caller is told.
    pub error: Error,
    /// Headers of every answer: ids, attempts, the key's own limits.
    pub headers: http::HeaderMap,
}

/// Delivers what committed in time for its head to be decided by it.
pub(crate) fn deliver(request: Request, committed: Committed) -> Answer {
    let Committed { head, answer } = committed;
    match answer {
        Begun::Whole(body) => buffered::deliver(request, &head, body),
        Begun::Stream(frames, exchange) => stream::deliver(request, head, frames, exchange),
    }
}

/// Answers how many tokens a prompt has with what the gateway itself makes of it, and says so.
pub(crate) fn estimate(request: Request) -> Answer {
    let body = request.codec.token_count(prompt_estimate(&request.skim));
    let headers = headers::estimated(&request);
    request.finish_alone(200);
    Answer { status: 200, headers, body: AnswerBody::Full(body) }
}

/// Ends a request with an error.
pub(crate) fn refuse(request: Request, error: Error) -> Refusal {
    let headers = headers::common(&request);
    request.fail(error.status(), &error);
    Refusal { error, headers }
}
