//! The load generator: N connections that each send the next request when the last answer is there, until M requests
//! are sent or S seconds are over. Closed loop; with a rate, each request has its time, and where its connection was still
//! busy then, its latency counts from that time: a server that falls behind cannot hide it.
//!
//! HTTP/1.1 with keep-alive. Look first at [`Fleet`]: connecting and warming up are apart from what is measured.

mod connection;
mod outcome;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderValue;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::question::Question;
pub(crate) use connection::get;
use connection::{Connection, Failure};
pub(crate) use outcome::{Outcome, Summary, ratio};

/// Requests in one run, whatever is asked: their latencies are kept in memory.
pub(crate) const REQUESTS_MAX: u64 = 10_000_000;
/// Connections in one run.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;
/// A run with more errors than this has, usually, nothing more to say.
const ERRORS_MAX: u64 = 100;

/// Whom to ask for what.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The whole `authorization` header, where one is needed.
    pub(crate) authorization: Option<HeaderValue>,
}

/// When to stop, and how fast to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// Requests, at most [`REQUESTS_MAX`].
    pub(crate) requests: u64,
    /// Time after which no further request is sent.
    pub(crate) time: Duration,
    /// Requests a second over all connections; without it, as fast as answers come.
    pub(crate) rate: Option<f64>,
    /// Errors; after more of them no further request is sent.
    pub(crate) errors: u64,
}

impl Bound {
    /// So many requests, for a minute at most.
    pub(crate) fn requests(requests: u64) -> Self {
        Self { requests, time: Duration::from_mins(1), rate: None, errors: ERRORS_MAX }
    }
}

/// Open connections to one target.
pub(crate) struct Fleet {
    connections: Vec<Connection>,
    question: Question,
    body: Bytes,
}

/// What the connections of a run share.
struct Run {
    bound: Bound,
    start: Instant,
    sent: Cell<u64>,
    outcome: RefCell<Outcome>,
}

impl Fleet {
    /// Opens all connections; nothing is sent.
    pub(crate) async fn connect(target: &Target, question: Question, connections: usize) -> Result<Self> {
        if !(1..=CONNECTIONS_MAX).contains(&connections) {
            return Err(Error::Unexpected(format!("connections: 1 to {CONNECTIONS_MAX}")));
        }
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            open.push(Connection::open(target).await?);
        }
        Ok(Self { connections: open, question, body: question.body() })
    }

    /// Sends requests within the bound and waits for all answers.
    pub(crate) async fn run(&mut self, bound: Bound) -> Outcome {
        let bound = Bound { requests: bound.requests.min(REQUESTS_MAX), ..bound };
        let run = Run {
            bound,
            start: Instant::now(),
            sent: Cell::new(0),
            outcome: RefCell::new(Outcome::with_room_for(bound.requests)),
        };
        let (question, body) = (self.question, &self.body);
        join_all(self.connections.iter_mut().map(|connection| drive(connection, question, body, &run))).await;
        run.outcome.into_inner().finish(run.start.elapsed())
    }
}

impl Run {
    /// When the next request is to be sent; nothing when the run is over.
    fn next(&self) -> Option<Instant> {
        let number = self.sent.get();
        #[expect(clippy::cast_precision_loss, reason = "at most ten million requests")]
        let planned = self.bound.rate.map(|rate| Duration::from_secs_f64(number as f64 / rate.max(0.001)));
        let at = planned.unwrap_or_else(|| self.start.elapsed());
        let over = number >= self.bound.requests
            || at.max(self.start.elapsed()) >= self.bound.time
            || self.outcome.borrow().errors > self.bound.errors;
        if over {
            return None;
        }
        self.sent.set(number + 1);
        Some(self.start + at)
    }
}

async fn drive(connection: &mut Connection, question: Question, body: &Bytes, run: &Run) {
    while let Some(due) = run.next() {
        let mut start = due;
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
            // Timers wake up to a millisecond late, which is not the server's doing.
            start = Instant::now();
        }
        match connection.ask(question, body.clone()).await {
            Ok(answer) => run.outcome.borrow_mut().record(start, &answer),
            Err(failure) => {
                let mended = connection.mend(&failure).await;
                let (Failure::Refused(words) | Failure::Broken(words)) = failure;
                run.outcome.borrow_mut().fail(words);
                if mended.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
