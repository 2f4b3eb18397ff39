//! Walks the steps of a plan until one commits. The only place that interprets [`Step`]; the only way to a provider
//! is [`attempt::begin`].

mod attempt;
mod exchange;
mod live;
mod receive;
mod refusal;

use std::time::Duration;

use tokio::time::Instant;
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::plan::{Candidate, CauseSet, Step};
use trunkline_domain::{Error, ErrorKind};

use crate::request::{Outgoing, Request};

pub use exchange::{Exchange, Piece};
pub use live::Done;
pub use receive::{Begun, Committed, Head};

/// The first wait before the same candidates are tried again; doubled each round.
const BACKOFF: Duration = Duration::from_millis(250);
/// A provider that asks for a longer wait than this is not waited for.
const BACKOFF_MAX: Duration = Duration::from_secs(4);

/// How one attempt came to nothing.
#[derive(Debug)]
pub enum Miss {
    /// Nothing was sent: no credential is free.
    NotTried(UpstreamError),
    /// It was sent and failed.
    Failed(UpstreamError),
    /// Nothing was sent: this deployment cannot be told what the caller asks.
    Unfit(Error),
    /// The request itself may go no further: budget, revoked key, defect.
    Refused(Error),
}

/// Tries candidates until one commits or none is left.
pub async fn run(request: &mut Request, outgoing: &Outgoing) -> Result<Committed, Error> {
    request.core.retries.earn();
    let deadline = request.arrived + outgoing.plan.limits.total;
    let left = outgoing.plan.limits.attempts_max;
    let mut walk = Walk { left, deadline, failures: Vec::new(), unfit: None };
    for round in 0_u32.. {
        match walk.step(request, outgoing, &outgoing.plan.root).await {
            Ok(committed) => return Ok(committed),
            Err(Stop::Refused(error)) => return Err(error),
            Err(Stop::Exhausted) => {}
        }
        let Some(wait) = walk.may_retry(request, round) else { break };
        tokio::time::sleep(wait).await;
    }
    Err(walk.unfit.filter(|_| walk.failures.is_empty()).unwrap_or_else(|| refusal::of(&walk.failures)))
}

/// A failed attempt, for the refusal's message.
#[derive(Debug)]
struct Failure {
    deployment: trunkline_domain::Text,
    error: UpstreamError,
    tried: bool,
}

struct Walk {
    left: u8,
    deadline: Instant,
    failures: Vec<Failure>,
    /// Why the first candidate that cannot be told what the caller asks cannot.
    unfit: Option<Error>,
}

enum Stop {
    /// Nothing of the step is left.
    Exhausted,
    /// The request may go no further.
    Refused(Error),
}

impl Walk {
    async fn step(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        step: &Step,
    ) -> Result<Committed, Stop> {
        match step {
            Step::Try(candidate) => self.attempt(request, outgoing, candidate).await,
            Step::InOrder { steps, on } => self.in_order(request, outgoing, steps, *on).await,
        }
    }

    async fn in_order(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        steps: &[Step],
        on: CauseSet,
    ) -> Result<Committed, Stop> {
        for step in steps {
            match Box::pin(self.step(request, outgoing, step)).await {
                Ok(committed) => return Ok(committed),
                Err(Stop::Refused(error)) => return Err(Stop::Refused(error)),
                Err(Stop::Exhausted) if self.left == 0 => break,
                Err(Stop::Exhausted) => {
                    let last = self.failures.last().map(|failure| failure.error.cause);
                    if last.is_some_and(|cause| !on.contains(cause)) {
                        break;
                    }
                }
            }
        }
        Err(Stop::Exhausted)
    }

    async fn attempt(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        candidate: &Candidate,
    ) -> Result<Committed, Stop> {
        if self.left == 0 {
            return Err(Stop::Exhausted);
        }
        if Instant::now() >= self.deadline {
            let late = "the request's total deadline passed before a provider answered: allow more time or ask for less";
            return Err(Stop::Refused(Error::new(ErrorKind::DeadlineExceeded, late)));
        }
        let label =
            request.snapshot.offers.get(candidate.deployment).map(|deployment| deployment.label.clone());
        let (error, tried) = match attempt::try_one(request, outgoing, candidate, self.deadline).await {
            Ok(committed) => return Ok(committed),
            Err(Miss::Refused(error)) => return Err(Stop::Refused(error)),
            Err(Miss::Unfit(error)) => {
                self.unfit.get_or_insert(error);
                return Err(Stop::Exhausted);
            }
            Err(Miss::NotTried(error)) => (error, false),
            Err(Miss::Failed(error)) => (error, true),
        };
        self.left -= u8::from(tried);
        self.failures.push(Failure { deployment: label.unwrap_or_else(|| "?".into()), error, tried });
        Err(Stop::Exhausted)
    }

    /// Whether the whole plan may be walked again, and after what wait: only for causes that pass by themselves, only
    /// within the retry budget, the attempts and the deadline.
    fn may_retry(&self, request: &Request, round: u32) -> Option<Duration> {
        let last = self.failures.last()?;
        let passes = match last.error.cause {
            Cause::RateLimited
            | Cause::Overloaded
            | Cause::ServerError
            | Cause::Cut
            | Cause::ConnectFailed
            | Cause::DnsFailed => true,
            Cause::InvalidRequest
            | Cause::ContextTooLong
            | Cause::ContentBlocked
            | Cause::Unauthorized
            | Cause::Forbidden
            | Cause::CreditsExhausted
            | Cause::ModelNotFound
            | Cause::Malformed
            | Cause::TlsFailed
            | Cause::ConnectTimeout
            | Cause::HeadersTimeout
            | Cause::FirstContentTimeout
            | Cause::IdleTimeout
            | Cause::TotalTimeout
            | Cause::ClientClosed
            | Cause::Cancelled
            | Cause::Internal => false,
        };
        if !passes || self.left == 0 {
            return None;
        }
        let asked =
            self.failures.iter().filter_map(|failure| failure.error.retry_after).max().unwrap_or_default();
        let ceiling = BACKOFF.saturating_mul(1 << round.min(4));
        let wait = asked.max(ceiling.mul_f64(rand::random::<f64>()));
        let in_time = wait <= BACKOFF_MAX && Instant::now() + wait < self.deadline;
        (in_time && request.core.retries.spend()).then_some(wait)
    }
}
