//! The walk over a plan: which step comes next after which failure, within attempts, deadline and budgets. Where to look
//! first: [`run`].

use std::time::Duration;

use tokio::time::Instant;
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::plan::{Candidate, CauseSet, Chain, DeploymentIx, Step};
use trunkline_domain::{Error, ErrorKind, Text};

use super::attempt::{Started, begin};
use super::live::Done;
use super::receive::{Begun, Committed, Head, Ready, Short, receive};
use super::{Miss, refusal};
use crate::request::{Outgoing, Request};
use crate::translate::Whole;
use crate::validate::Mismatch;

/// The first wait before the same candidates are tried again; doubled each round.
const BACKOFF: Duration = Duration::from_millis(250);
/// A provider that asks for a longer wait than this is not waited for.
const BACKOFF_MAX: Duration = Duration::from_secs(4);

/// Tries candidates until one commits or none is left.
pub async fn run(request: &mut Request, outgoing: &Outgoing) -> Result<Committed, Error> {
    request.core.retries.earn();
    request.core.hedges.earn();
    let deadline = request.arrived + outgoing.plan.limits.total;
    let left = outgoing.plan.limits.attempts_max;
    let mut walk = Walk { left, deadline, failures: Vec::new(), unfit: None };
    for round in 0_u32.. {
        match walk.step(request, outgoing, &outgoing.plan.root, Next::Nobody).await {
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
pub(super) struct Failure {
    pub(super) deployment: Text,
    pub(super) error: UpstreamError,
    pub(super) tried: bool,
}

/// A walk under way.
pub(super) struct Walk {
    /// Attempts that may still be dispatched.
    pub(super) left: u8,
    /// When the request is given up.
    pub(super) deadline: Instant,
    failures: Vec<Failure>,
    /// Why the first candidate that cannot be told what the caller asks cannot.
    unfit: Option<Error>,
}

/// Why a step came to nothing.
pub(super) enum Stop {
    /// Nothing of it is left.
    Exhausted,
    /// The request may go no further.
    Refused(Error),
}

/// Whether there is somebody else to ask when a step takes too long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Somebody,
    Nobody,
}

impl Walk {
    async fn step(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        step: &Step,
        next: Next,
    ) -> Result<Committed, Stop> {
        match step {
            Step::Try(candidate) => self.attempt(request, outgoing, candidate, next).await,
            Step::InOrder { steps, on } => self.in_order(request, outgoing, steps, *on, next).await,
            // Boxed: it holds two attempts, and every step would be as large as it is.
            Step::Hedge { first, second, after } => {
                Box::pin(self.hedge(request, outgoing, [first, second], *after, next)).await
            }
            Step::Fallback { first, chains } => self.fallback(request, outgoing, first, chains, next).await,
        }
    }

    async fn in_order(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        steps: &[Step],
        on: CauseSet,
        next: Next,
    ) -> Result<Committed, Stop> {
        for (place, step) in steps.iter().enumerate() {
            let next = if place + 1 < steps.len() { Next::Somebody } else { next };
            // Most steps are one candidate, which needs no place of its own.
            let ended = if let Step::Try(candidate) = step {
                self.attempt(request, outgoing, candidate, next).await
            } else {
                Box::pin(self.step(request, outgoing, step, next)).await
            };
            match ended {
                Err(Stop::Exhausted) if self.left > 0 && self.moves_on(on) => {}
                Err(Stop::Exhausted) => break,
                ended @ (Ok(_) | Err(Stop::Refused(_))) => return ended,
            }
        }
        Err(Stop::Exhausted)
    }

    async fn fallback(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        first: &Step,
        chains: &[Chain],
        next: Next,
    ) -> Result<Committed, Stop> {
        let patient = chains.iter().any(|chain| chain.on.contains(Cause::FirstContentTimeout));
        let inner = if patient { Next::Somebody } else { next };
        match Box::pin(self.step(request, outgoing, first, inner)).await {
            Err(Stop::Exhausted) if self.left > 0 => {}
            ended => return ended,
        }
        // Where nobody was tried, nobody could be: whoever is there for any cause.
        let chain = match self.failures.last() {
            Some(Failure { error, .. }) => chains.iter().find(|chain| chain.on.contains(error.cause)),
            None => chains.last(),
        };
        let Some(Chain { step, .. }) = chain else { return Err(Stop::Exhausted) };
        Box::pin(self.step(request, outgoing, step, next)).await
    }

    /// Tries one candidate, and again where its answer is not what was asked for, as far as that is wanted.
    pub(super) async fn attempt(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        candidate: &Candidate,
        next: Next,
    ) -> Result<Committed, Stop> {
        let mut retries = outgoing.check.as_ref().map_or(0, |check| check.retries_max());
        loop {
            let before = self.failures.len();
            let ended = self.once(request, outgoing, candidate, next).await;
            let again = matches!(ended, Err(Stop::Exhausted)) && retries > 0 && self.mismatched_since(before);
            if !again || self.may_try().is_err() || !request.core.retries.spend() {
                return ended;
            }
            retries -= 1;
        }
    }

    /// Whether the latest of the failures after the first `before` ones is an answer that is not what was asked for.
    fn mismatched_since(&self, before: usize) -> bool {
        let latest = self.failures.get(before..).and_then(<[_]>::last);
        latest.is_some_and(|failure| failure.error.cause == Cause::SchemaMismatch)
    }

    async fn once(
        &mut self,
        request: &mut Request,
        outgoing: &Outgoing,
        candidate: &Candidate,
        next: Next,
    ) -> Result<Committed, Stop> {
        self.may_try()?;
        let mut started = match begin(request, outgoing, candidate, self.deadline).await {
            Ok(started) => started,
            Err(miss) => return Err(self.missed(request, candidate.deployment, miss)),
        };
        self.left -= 1;
        let patience = self.patience(request, outgoing, next);
        let result = receive(request, &mut started, patience).await;
        self.conclude(request, started, result)
    }

    /// Until when an attempt is waited for if somebody else can be asked then: the request's own budget, unless that has
    /// passed already.
    pub(super) fn patience(&self, request: &Request, outgoing: &Outgoing, next: Next) -> Option<Instant> {
        if self.left == 0 || next == Next::Nobody {
            return None;
        }
        let until = request.arrived + outgoing.plan.limits.content_budget?;
        Some(until).filter(|until| *until > Instant::now())
    }

    /// Whether another attempt may be dispatched at all.
    pub(super) fn may_try(&self) -> Result<(), Stop> {
        if self.left == 0 {
            return Err(Stop::Exhausted);
        }
        if Instant::now() >= self.deadline {
            let late = "the request's total deadline passed before a provider answered: allow more time or ask for less";
            return Err(Stop::Refused(Error::new(ErrorKind::DeadlineExceeded, late)));
        }
        Ok(())
    }

    /// Whether the last failure leads on to another step.
    pub(super) fn moves_on(&self, on: CauseSet) -> bool {
        self.failures.last().is_none_or(|failure| on.contains(failure.error.cause))
    }

    /// Nothing was sent.
    pub(super) fn missed(&mut self, request: &Request, deployment: DeploymentIx, miss: Miss) -> Stop {
        match miss {
            Miss::Refused(error) => return Stop::Refused(error),
            Miss::Unfit(error) => drop(self.unfit.get_or_insert(error)),
            Miss::NotTried(error) => {
                self.failures.push(Failure { deployment: label(request, deployment), error, tried: false });
            }
        }
        Stop::Exhausted
    }

    /// An attempt has committed, or has come to nothing.
    pub(super) fn conclude(
        &mut self,
        request: &mut Request,
        started: Started,
        result: Result<(Head, Ready), Short>,
    ) -> Result<Committed, Stop> {
        request.trail.upstream += started.dispatched.elapsed();
        match result {
            Ok((head, ready)) => Ok(commit(request, started, head, ready)),
            Err(short) => {
                let done = self.lost(request, started, short);
                note(request, done);
                Err(Stop::Exhausted)
            }
        }
    }

    /// An attempt has come to nothing: settles it. What became of it is for the receipt.
    pub(super) fn lost(&mut self, request: &Request, started: Started, short: Short) -> Option<Done> {
        let deployment = label(request, started.deployment);
        let (error, done) = match short {
            Short::Failed(error) => {
                tracing::debug!(%deployment, cause = error.cause.as_str(), status = error.status, "attempt failed");
                let done = started.exchange.fail(&error);
                (error, done)
            }
            Short::Late => (UpstreamError::of(Cause::FirstContentTimeout), started.exchange.cancel()),
            Short::Rejected(facts, Mismatch(place)) => {
                let cause = Cause::SchemaMismatch;
                tracing::debug!(%deployment, cause = cause.as_str(), "an answer is not what was asked for");
                let done = started.exchange.reject(cause, &facts);
                (UpstreamError { message: Some(place), ..UpstreamError::of(cause) }, done)
            }
        };
        self.failures.push(Failure { deployment, error, tried: true });
        done
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
            | Cause::RequestOverLimit
            | Cause::Malformed
            | Cause::TlsFailed
            | Cause::ConnectTimeout
            | Cause::HeadersTimeout
            | Cause::FirstContentTimeout
            | Cause::IdleTimeout
            | Cause::TotalTimeout
            | Cause::ClientClosed
            | Cause::Cancelled
            | Cause::Internal
            | Cause::NotContinued
            // It was tried again already.
            | Cause::SchemaMismatch => false,
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

fn commit(request: &mut Request, started: Started, head: Head, ready: Ready) -> Committed {
    let Started { exchange, edits, losses, clamped, .. } = started;
    request.trail.edits = edits;
    request.trail.losses = losses;
    request.trail.clamped = clamped;
    if let Some(validation) = &mut request.trail.validation {
        validation.verdict = head.verdict;
    }
    match ready {
        Ready::Whole(Whole { facts, body, losses }) => {
            note(request, exchange.succeed(&facts));
            request.trail.losses.extend(losses);
            Committed { head, answer: Begun::Whole(body) }
        }
        Ready::Stream(frames) => Committed { head, answer: Begun::Stream(frames, Box::new(exchange)) },
    }
}

/// Puts a settled attempt into the receipt.
pub(super) fn note(request: &mut Request, done: Option<Done>) {
    if let Some(done) = done {
        request.trail.push(done.receipt, done.cost);
    }
}

fn label(request: &Request, deployment: DeploymentIx) -> Text {
    request.snapshot.offers.get(deployment).map_or_else(|| "?".into(), |deployment| deployment.label.clone())
}
