//! What a run of the load generator saw. Not what it cost the server (see [`crate::process`]).

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::statistics::percentile;

/// One good answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) bytes: u64,
    pub(super) events: u64,
    pub(super) first_byte: Instant,
    pub(super) end: Instant,
}

/// The sums of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Good answers.
    pub(crate) answers: u64,
    /// Requests without one: refused, cut, late, incomplete.
    pub(crate) errors: u64,
    /// The first error, in words.
    pub(crate) first_error: Option<String>,
    /// Bytes of good answers' bodies.
    pub(crate) bytes: u64,
    /// Server-sent events of good answers, `[DONE]` included.
    pub(crate) events: u64,
    /// The whole run, in nanoseconds.
    pub(crate) elapsed_ns: u64,
    /// From sending (or, with a rate, from when it should have been sent) to the last byte, in nanoseconds, sorted.
    latencies_ns: Vec<u64>,
    /// The same to the first byte of the body.
    first_bytes_ns: Vec<u64>,
}

/// An outcome in figures, for printing.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    answers: u64,
    errors: u64,
    first_error: Option<String>,
    bytes: u64,
    events: u64,
    requests_per_second: f64,
    p50_us: f64,
    p90_us: f64,
    p99_us: f64,
    max_us: f64,
    first_byte_p50_us: f64,
    first_byte_p99_us: f64,
}

impl Outcome {
    pub(super) fn with_room_for(requests: u64) -> Self {
        let room = usize::try_from(requests.min(1_000_000)).unwrap_or(0);
        Self {
            latencies_ns: Vec::with_capacity(room),
            first_bytes_ns: Vec::with_capacity(room),
            ..Self::default()
        }
    }

    pub(super) fn record(&mut self, start: Instant, answer: &Answer) {
        self.answers += 1;
        self.bytes += answer.bytes;
        self.events += answer.events;
        self.latencies_ns.push(nanoseconds(answer.end.saturating_duration_since(start)));
        self.first_bytes_ns.push(nanoseconds(answer.first_byte.saturating_duration_since(start)));
    }

    pub(super) fn fail(&mut self, problem: String) {
        self.errors += 1;
        self.first_error.get_or_insert(problem);
    }

    pub(super) fn finish(mut self, elapsed: Duration) -> Self {
        self.elapsed_ns = nanoseconds(elapsed);
        self.latencies_ns.sort_unstable();
        self.first_bytes_ns.sort_unstable();
        self
    }

    /// Latency of the given share of requests, in microseconds.
    pub(crate) fn latency_us(&self, share: f64) -> f64 {
        microseconds(percentile(&self.latencies_ns, share))
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        ratio(self.answers, self.elapsed_ns) * 1e9
    }

    /// The figures.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            answers: self.answers,
            errors: self.errors,
            first_error: self.first_error.clone(),
            bytes: self.bytes,
            events: self.events,
            requests_per_second: self.rate().round(),
            p50_us: self.latency_us(0.5),
            p90_us: self.latency_us(0.9),
            p99_us: self.latency_us(0.99),
            max_us: self.latency_us(1.0),
            first_byte_p50_us: microseconds(percentile(&self.first_bytes_ns, 0.5)),
            first_byte_p99_us: microseconds(percentile(&self.first_bytes_ns, 0.99)),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn microseconds(nanoseconds: u64) -> f64 {
    ratio(nanoseconds, 1_000)
}

/// A quotient; not a number where the divisor is zero.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a run are below 2^53")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { f64::NAN } else { part as f64 / whole as f64 }
}
