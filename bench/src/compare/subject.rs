//! A server under measurement, and the two ways to measure it: what requests cost it, and how long they take.
//!
//! Look first at [`Subject::cost`]: path and drain are told apart by keeping the ledger file locked meanwhile.

use std::time::Duration;

use super::child::Server;
use super::ledger::Ledger;
use super::upstream::Upstream;
use crate::error::Result;
use crate::load::{Bound, Fleet, Outcome, Target, ratio};
use crate::process::{CpuReading, CpuSpent, resident_bytes};
use crate::question::{Provider, Question};
use tokio::time::Instant;

/// After the last answer, until what follows it at once (settling, the journal) is done too.
const AFTERMATH: Duration = Duration::from_millis(50);
/// A server that spends less than [`QUIET_NS`] in this time has nothing left to do.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_NS: u64 = 1_500_000;
/// How long rows may take to arrive in the ledger.
const DRAIN_DEADLINE: Duration = Duration::from_secs(90);

/// A server under measurement.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) server: Server,
    pub(super) target: Target,
    /// Only the gateway has one.
    pub(super) ledger: Option<Ledger>,
    /// Attempts of it that the upstream served, or that found nobody: as many rows must be there.
    pub(super) served: u64,
    /// Rows beyond that (or missing, below zero) which are already among the doubts.
    pub(super) rows_off: i64,
    /// Which share of the planned requests it gets; below 1 for slow ones.
    pub(super) share: f64,
    /// Why its figures may not be compared.
    pub(super) doubts: Vec<String>,
}

/// How much to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) connections: usize,
    /// Sent first, not measured.
    pub(super) warm_up: u64,
    pub(super) requests: u64,
}

/// What requests of one kind cost.
#[derive(Clone, Debug, Default)]
pub(super) struct Cost {
    pub(super) requests: u64,
    pub(super) events: u64,
    /// Until the answers were sent.
    pub(super) path: CpuSpent,
    /// Afterwards, until all rows were in the store.
    pub(super) drain_ns: u64,
}

impl Cost {
    /// Microseconds a request until its answer is sent.
    pub(super) fn path_us(&self) -> f64 {
        ratio(self.path.total_ns, self.requests) / 1e3
    }

    /// Microseconds a row from the journal to the store.
    pub(super) fn drain_us(&self) -> f64 {
        ratio(self.drain_ns, self.requests) / 1e3
    }

    /// Both.
    pub(super) fn sum_us(&self) -> f64 {
        ratio(self.path.total_ns + self.drain_ns, self.requests) / 1e3
    }

    /// Microseconds a stream event, everything included.
    pub(super) fn event_us(&self) -> f64 {
        ratio(self.path.total_ns + self.drain_ns, self.events) / 1e3
    }
}

impl Subject {
    /// A running server that has served nothing yet.
    pub(super) fn new(name: &'static str, server: Server, target: Target, ledger: Option<Ledger>) -> Self {
        Self { name, server, target, ledger, served: 0, rows_off: 0, share: 1.0, doubts: Vec::new() }
    }

    /// The amount, scaled to what this subject can bear.
    pub(super) fn scaled(&self, requests: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of at most ten million requests"
        )]
        let scaled = (requests as f64 * self.share) as u64;
        scaled.clamp(requests.min(20), requests)
    }

    /// Sends requests and measures what they cost. The ledger file is locked while they run.
    pub(super) async fn cost(
        &mut self,
        upstream: &Upstream,
        question: Question,
        amount: Amount,
    ) -> Result<Cost> {
        let mut fleet = Fleet::connect(&self.target, question, amount.connections).await?;
        let served_before = upstream.served().await?;
        let warm_up = fleet.run(Bound::requests(self.scaled(amount.warm_up))).await;
        self.served += upstream.served().await? - served_before + unseen(question, &warm_up);
        self.settle().await?;

        let served_before = upstream.served().await?;
        let pause = match &self.ledger {
            Some(ledger) => Some(ledger.pause().await?),
            None => None,
        };
        let before = CpuReading::of(self.server.pid())?;
        let outcome = fleet.run(Bound::requests(self.scaled(amount.requests))).await;
        tokio::time::sleep(AFTERMATH).await;
        let path = CpuReading::of(self.server.pid())?.since(&before);
        if let Some(pause) = pause {
            pause.end().await?;
        }
        self.served += upstream.served().await? - served_before + unseen(question, &outcome);
        let drain_ns = self.settle().await?;
        self.check(question, &outcome);
        Ok(Cost { requests: outcome.answers, events: outcome.events, path, drain_ns })
    }

    /// Sends requests and returns what was seen, and the CPU time it took. Nothing is locked.
    pub(super) async fn ask(
        &mut self,
        upstream: &Upstream,
        question: Question,
        connections: usize,
        bound: Bound,
    ) -> Result<(Outcome, u64)> {
        let mut fleet = Fleet::connect(&self.target, question, connections).await?;
        let served_before = upstream.served().await?;
        let before = CpuReading::of(self.server.pid())?;
        let scaled = Bound {
            requests: self.scaled(bound.requests),
            rate: bound.rate.map(|rate| rate * self.share),
            ..bound
        };
        let outcome = fleet.run(scaled).await;
        tokio::time::sleep(AFTERMATH).await;
        let spent = CpuReading::of(self.server.pid())?.since(&before).total_ns;
        self.served += upstream.served().await? - served_before + unseen(question, &outcome);
        let rest = self.settle().await?;
        self.check(question, &outcome);
        Ok((outcome, spent + rest))
    }

    /// Resident memory, in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        resident_bytes(self.server.pid())
    }

    /// Waits until the server rests and every request has its row; the CPU time it took, in nanoseconds. For a server
    /// without a ledger there is nothing to wait for.
    pub(super) async fn settle(&mut self) -> Result<u64> {
        let Some(ledger) = self.ledger.clone() else { return Ok(0) };
        let start = Instant::now();
        let mut spent = 0;
        loop {
            spent += self.rest().await?;
            // Asking costs the gateway something too, so it is asked only where it seems to be done.
            let rows = ledger.rows()?;
            let rows_off = rows.cast_signed() - self.served.cast_signed();
            if rows_off == self.rows_off {
                return Ok(spent);
            }
            if start.elapsed() > DRAIN_DEADLINE {
                self.doubt(&format!("the ledger has {rows} rows for {} requests served", self.served));
                self.rows_off = rows_off;
                return Ok(spent);
            }
        }
    }

    /// Waits until the server spends next to nothing; what it spent until then, in nanoseconds.
    async fn rest(&self) -> Result<u64> {
        let first = CpuReading::of(self.server.pid())?;
        let mut last = first.clone();
        let start = Instant::now();
        while start.elapsed() < DRAIN_DEADLINE {
            tokio::time::sleep(QUIET).await;
            let now = CpuReading::of(self.server.pid())?;
            let spent = now.since(&last).total_ns;
            last = now;
            if spent < QUIET_NS {
                break;
            }
        }
        Ok(last.since(&first).total_ns)
    }

    pub(super) fn check(&mut self, question: Question, outcome: &Outcome) {
        if outcome.errors > 0 {
            let first = outcome.first_error.as_deref().unwrap_or("no words");
            self.doubt(&format!("{} requests failed ({}), first: {first}", outcome.errors, question.name()));
        }
    }

    pub(super) fn doubt(&mut self, why: &str) {
        self.doubts.push(format!("{}: {why}", self.name));
    }
}

/// Attempts that have a row and were seen by no upstream: those whose connection was refused.
fn unseen(question: Question, outcome: &Outcome) -> u64 {
    if question.provider == Provider::Absent { outcome.answers } else { 0 }
}
