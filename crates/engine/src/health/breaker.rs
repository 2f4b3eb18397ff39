//! The breaker of one credential for one model. Windows with a minimum volume; the caller's own errors never count;
//! after the open time one real request at a time may probe.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use trunkline_domain::attempt::{Cause, CauseClass, UpstreamError};
use trunkline_routing::world::Standing;

/// Failures are weighed over two windows of this length, the current and the last.
const WINDOW_MS: u64 = 10_000;
/// Fewer calls than this in both windows never open a breaker.
const VOLUME_MIN: u32 = 5;
/// A breaker opens when at least half of the calls failed.
const FAILED_SHARE_PERCENT: u32 = 50;
/// How long it stays open the first time; doubled with each probe that fails.
const OPEN_MS: u64 = 5_000;
/// How long it stays open at most.
const OPEN_MS_MAX: u64 = 120_000;
/// A failure makes a deployment come after healthy ones for this long.
const DEGRADED_MS: u64 = 30_000;
/// How long a rate-limited credential rests if the provider does not say.
const RATE_LIMITED_MS: u64 = 5_000;
/// How long a refused credential rests: somebody has to change it.
const REFUSED_MS: u64 = 60_000;
/// The longest rest a provider can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// Weight of a new measurement in the moving average, as a shift: one eighth.
const AVERAGE_SHIFT: u32 = 3;

/// One breaker. All fields are atomics: it is read and written on the hot path without a lock; a race between two
/// writers can lose one count, never a decision.
#[derive(Debug, Default)]
pub struct Breaker {
    window: AtomicU64,
    calls: [AtomicU32; 2],
    failures: [AtomicU32; 2],
    last_failure_ms: AtomicU64,
    open_until_ms: AtomicU64,
    open_ms: AtomicU64,
    probing: AtomicBool,
    barred_until_ms: AtomicU64,
    rate_limited: AtomicBool,
    first_content_ms: AtomicU32,
}

impl Breaker {
    /// How far the credential may be used for the model at `now_ms` (monotonic).
    pub fn standing(&self, now_ms: u64) -> Standing {
        let barred_until_ms = self.barred_until_ms.load(Ordering::Relaxed);
        if barred_until_ms > now_ms {
            return Standing::Barred {
                until_ms: barred_until_ms,
                rate_limited: self.rate_limited.load(Ordering::Relaxed),
            };
        }
        if self.open_ms.load(Ordering::Relaxed) > 0 {
            let waiting = self.open_until_ms.load(Ordering::Relaxed) > now_ms;
            return if waiting || self.probing.load(Ordering::Relaxed) {
                Standing::Open
            } else {
                Standing::Degraded
            };
        }
        match self.last_failure_ms.load(Ordering::Relaxed) {
            0 => Standing::Healthy,
            failed_ms if failed_ms + DEGRADED_MS > now_ms => Standing::Degraded,
            _ => Standing::Healthy,
        }
    }

    /// Live average time to the first content.
    pub fn first_content_ms(&self) -> u32 {
        self.first_content_ms.load(Ordering::Relaxed)
    }

    /// A call is about to leave: marks the probe of a half-open breaker.
    pub fn begin(&self, now_ms: u64) {
        if self.open_ms.load(Ordering::Relaxed) > 0 && self.open_until_ms.load(Ordering::Relaxed) <= now_ms {
            self.probing.store(true, Ordering::Relaxed);
        }
    }

    /// A call ended well.
    pub fn succeeded(&self, now_ms: u64, first_content_ms: u64) {
        self.count(now_ms, Outcome::Success);
        self.open_ms.store(0, Ordering::Relaxed);
        self.probing.store(false, Ordering::Relaxed);
        let new = u32::try_from(first_content_ms).unwrap_or(u32::MAX);
        let old = self.first_content_ms.load(Ordering::Relaxed);
        let average = if old == 0 { new } else { old - (old >> AVERAGE_SHIFT) + (new >> AVERAGE_SHIFT) };
        self.first_content_ms.store(average.max(1), Ordering::Relaxed);
    }

    /// A call failed.
    pub fn failed(&self, now_ms: u64, error: &UpstreamError) {
        self.probing.store(false, Ordering::Relaxed);
        match error.cause.class() {
            CauseClass::Caller | CauseClass::Policy => return,
            CauseClass::Credential => self.bar(now_ms, Duration::from_millis(REFUSED_MS), error),
            CauseClass::Capacity if error.cause == Cause::RateLimited || error.retry_after.is_some() => {
                self.bar(now_ms, Duration::from_millis(RATE_LIMITED_MS), error);
            }
            CauseClass::Capacity | CauseClass::Target | CauseClass::Provider | CauseClass::Network => {}
        }
        self.last_failure_ms.store(now_ms.max(1), Ordering::Relaxed);
        self.count(now_ms, Outcome::Failure);
        let was_open_ms = self.open_ms.load(Ordering::Relaxed);
        if was_open_ms > 0 {
            self.open(now_ms, (was_open_ms * 2).min(OPEN_MS_MAX));
        } else if self.too_many_failures() {
            self.open(now_ms, OPEN_MS);
        }
    }

    fn bar(&self, now_ms: u64, default: Duration, error: &UpstreamError) {
        let rest = error.retry_after.unwrap_or(default).min(RETRY_AFTER_MAX);
        let until_ms = now_ms.saturating_add(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
        self.barred_until_ms.fetch_max(until_ms, Ordering::Relaxed);
        self.rate_limited.store(error.cause == Cause::RateLimited, Ordering::Relaxed);
    }

    fn open(&self, now_ms: u64, open_ms: u64) {
        self.open_until_ms.store(now_ms + open_ms, Ordering::Relaxed);
        self.open_ms.store(open_ms, Ordering::Relaxed);
    }

    fn too_many_failures(&self) -> bool {
        let sum =
            |counts: &[AtomicU32; 2]| counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u32>();
        let (calls, failures) = (sum(&self.calls), sum(&self.failures));
        calls >= VOLUME_MIN && failures * 100 >= calls * FAILED_SHARE_PERCENT
    }

    fn count(&self, now_ms: u64, outcome: Outcome) {
        let window = now_ms / WINDOW_MS;
        let before = self.window.swap(window, Ordering::Relaxed);
        let [current, last] = if window.is_multiple_of(2) { [0, 1] } else { [1, 0] };
        if before != window {
            self.clear(current);
            if before + 1 != window {
                self.clear(last);
            }
        }
        add_one(self.calls.get(current));
        if outcome == Outcome::Failure {
            add_one(self.failures.get(current));
        }
    }

    fn clear(&self, slot: usize) {
        for count in [self.calls.get(slot), self.failures.get(slot)].into_iter().flatten() {
            count.store(0, Ordering::Relaxed);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
}

fn add_one(count: Option<&AtomicU32>) {
    if let Some(count) = count {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(cause: Cause, retry_after_s: Option<u64>) -> UpstreamError {
        UpstreamError { retry_after: retry_after_s.map(Duration::from_secs), ..UpstreamError::of(cause) }
    }

    #[test]
    fn retry_after_seven_keeps_the_credential_out_for_seven_seconds() {
        let breaker = Breaker::default();
        breaker.failed(1_000, &error(Cause::RateLimited, Some(7)));
        assert_eq!(breaker.standing(7_999), Standing::Barred { until_ms: 8_000, rate_limited: true });
        assert_eq!(breaker.standing(8_000), Standing::Degraded);
    }

    #[test]
    fn a_callers_own_errors_never_count() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(1_000, &error(Cause::InvalidRequest, None));
        }
        assert_eq!(breaker.standing(1_001), Standing::Healthy);
    }

    #[test]
    fn it_opens_on_volume_and_closes_when_a_probe_succeeds() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(1_000, &error(Cause::ServerError, None));
        }
        assert_eq!(breaker.standing(1_001), Standing::Degraded);
        breaker.failed(1_000, &error(Cause::ServerError, None));
        assert_eq!(breaker.standing(1_001), Standing::Open);
        assert_eq!(breaker.standing(6_000), Standing::Degraded);
        breaker.begin(6_000);
        assert_eq!(breaker.standing(6_000), Standing::Open, "one probe at a time");
        breaker.succeeded(6_100, 20);
        assert_eq!(breaker.standing(40_000), Standing::Healthy);
    }

    #[test]
    fn a_failed_probe_doubles_the_wait() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(1_000, &error(Cause::ConnectFailed, None));
        }
        breaker.begin(6_000);
        breaker.failed(6_000, &error(Cause::ConnectFailed, None));
        assert_eq!(breaker.standing(15_999), Standing::Open);
        assert_eq!(breaker.standing(16_000), Standing::Degraded);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(1_000, &error(Cause::ServerError, None));
        }
        breaker.succeeded(45_000, 10);
        breaker.failed(45_001, &error(Cause::ServerError, None));
        assert_eq!(breaker.standing(45_002), Standing::Degraded);
    }
}
