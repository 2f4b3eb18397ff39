//! The attempt that goes on with a stream that broke off: like any other it takes a hold, opens a row and counts against
//! the attempts of its request and the gateway's budget of retries. Where to look first: [`resume`].

use tokio::time::Instant;
use trunkline_domain::ErrorKind;
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::plan::{Candidate, DeploymentIx};
use trunkline_domain::resume::{NotResumed, Seam};
use trunkline_routing::ask::Budgeted;
use trunkline_routing::resume::{Rest as Question, continuations};
use trunkline_wire::codec::FrameClass;

use super::attempt::{Started, begin};
use super::receive::{Head, Ready, Short, receive};
use super::walk::note;
use super::{Exchange, Miss};
use crate::request::{Outgoing, Request};
use crate::resume::{Rest, Transcript};
use crate::translate::Output;

/// A stream that goes on.
pub(crate) struct Resumed {
    /// Of the attempt that goes on.
    pub(crate) head: Head,
    /// What the last frame read was.
    pub(crate) class: FrameClass,
    /// What the caller is told at once.
    pub(crate) output: Output,
    /// The rest of it.
    pub(crate) exchange: Box<Exchange>,
}

/// Asks one after another of those who are known to go on with an answer, others of the same model first.
pub(crate) async fn resume(
    request: &mut Request,
    outgoing: &mut Outgoing,
    mut transcript: Transcript,
    broken: DeploymentIx,
) -> Result<Resumed, NotResumed> {
    let watch = outgoing.watch.clone().ok_or(NotResumed::Request)?;
    let generated = request.trail.attempts.last().map(|attempt| attempt.usage).unwrap_or_default();
    transcript.broke_off(&generated);
    let mut rest = Rest::of(request, &watch, &transcript).ok_or(NotResumed::Answer)?;
    rest.broken = outgoing.rest.take().map(|before| before.broken).unwrap_or_default();
    rest.broken.push(broken);
    let at_bytes = transcript.said().bytes();
    let question = Question {
        dialect: request.codec.dialect(),
        skim: &rest.skim,
        broken: &rest.broken,
        budgeted: if request.key.cells.is_empty() { Budgeted::No } else { Budgeted::Yes },
        now: request.core.clock.now(),
    };
    let candidates = continuations(&request.snapshot.offers, &outgoing.plan, &question);
    outgoing.rest = Some(Box::new(rest));
    let mut why = NotResumed::NobodyContinues;
    for candidate in &candidates {
        let (mut started, ready) = match attempt(request, outgoing, candidate).await {
            Ok(arrived) => arrived,
            Err(Unresumed::Next(reason)) => {
                why = reason;
                continue;
            }
            Err(Unresumed::Stop(reason)) => return Err(reason),
        };
        let (head, class) = ready;
        let seam = Seam { attempt: head.ordinal, at_bytes, overlap_bytes: started.exchange.overlap() };
        let output = started.exchange.attach(transcript);
        request.trail.seams.push(seam);
        let Started { edits, losses, exchange, .. } = started;
        request.trail.edits.extend(edits);
        request.trail.losses.extend(losses);
        return Ok(Resumed { head, class, output, exchange: Box::new(exchange) });
    }
    Err(why)
}

/// Why a candidate does not go on.
enum Unresumed {
    /// Somebody else may.
    Next(NotResumed),
    /// Nobody is asked any more.
    Stop(NotResumed),
}

async fn attempt(
    request: &mut Request,
    outgoing: &Outgoing,
    candidate: &Candidate,
) -> Result<(Started, (Head, FrameClass)), Unresumed> {
    let limits = &outgoing.plan.limits;
    let deadline = request.arrived + limits.total;
    if request.guard.attempts() >= limits.attempts_max {
        return Err(Unresumed::Stop(NotResumed::Attempts));
    }
    if Instant::now() >= deadline {
        return Err(Unresumed::Stop(NotResumed::Deadline));
    }
    if !request.core.retries.spend() {
        return Err(Unresumed::Stop(NotResumed::Retries));
    }
    let mut started = begin(request, outgoing, candidate, deadline).await.map_err(|miss| missed(&miss))?;
    let result = receive(request, &mut started, None).await;
    request.trail.upstream += started.dispatched.elapsed();
    match result {
        Ok((head, Ready::Stream(frames))) => {
            let class = frames.into_iter().next_back().map_or(FrameClass::Preamble, |(class, _)| class);
            Ok((started, (head, class)))
        }
        Ok((_, Ready::Whole(_))) => Err(lost(request, started, &UpstreamError::of(Cause::Malformed))),
        Err(Short::Failed(error)) => Err(lost(request, started, &error)),
        Err(Short::Late) => Err(lost(request, started, &UpstreamError::of(Cause::FirstContentTimeout))),
        // What is validated is whole before it is handed on, and never gone on with.
        Err(Short::Rejected(..)) => Err(lost(request, started, &UpstreamError::of(Cause::SchemaMismatch))),
    }
}

/// Nothing was sent.
fn missed(miss: &Miss) -> Unresumed {
    match miss {
        Miss::Refused(error) if error.kind == ErrorKind::BudgetExceeded => {
            Unresumed::Next(NotResumed::Budget)
        }
        Miss::Refused(_) => Unresumed::Stop(NotResumed::Failed),
        Miss::NotTried(_) | Miss::Unfit(_) => Unresumed::Next(NotResumed::Failed),
    }
}

/// It came to nothing. Whoever begins again would be as likely to do so the next time: nobody else is asked.
fn lost(request: &mut Request, started: Started, error: &UpstreamError) -> Unresumed {
    let done = started.exchange.fail(error);
    note(request, done);
    if error.cause == Cause::NotContinued {
        Unresumed::Stop(NotResumed::NotContinued)
    } else {
        Unresumed::Next(NotResumed::Failed)
    }
}
