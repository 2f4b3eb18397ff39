//! The breaker of one credential for one model. Windows with a minimum volume; the caller's own errors never count;
//! after the open time one real request at a time may probe.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use trunkline_domain::attempt::{Cause, CauseClass, UpstreamError};
use trunkline_domain::id::KeyId;
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
    /// Whose calls those were, a bit a key; and whose failed.
    callers: [AtomicU64; 2],
    failing: [AtomicU64; 2],
    last_failure_ms: AtomicU64,
    open_until_ms: AtomicU64,
    open_ms: AtomicU64,
    probing: AtomicBool,
    barred_until_ms: AtomicU64,
    rate_limited: AtomicBool,
    first_content_ms: AtomicU32,
}

/// A call that a breaker has seen leave, for when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whose it is: one of sixty-four marks, by the key.
    mark: u64,
    role: Role,
}

/// What a call is to the breaker it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// One of many.
    Call,
    /// The one by which a half-open breaker finds out.
    Probe,
}

/// A breaker's counts, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakerFigures {
    /// Calls of the last ten to twenty seconds.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Monotonic millisecond until which it is open; 0 where it is closed.
    pub open_until_ms: u64,
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

    /// A call of a key is about to leave. Of those that meet a half-open breaker one is its probe; until that ends the
    /// breaker counts as open.
    pub fn begin(&self, now_ms: u64, key: KeyId) -> Pass {
        let half_open =
            self.open_ms.load(Ordering::Relaxed) > 0 && self.open_until_ms.load(Ordering::Relaxed) <= now_ms;
        let is_probe = half_open && !self.probing.swap(true, Ordering::Relaxed);
        Pass { mark: 1 << (key.0.as_u128() & 63), role: if is_probe { Role::Probe } else { Role::Call } }
    }

    /// A call ended well. Returns whether that closed the breaker.
    pub fn succeeded(&self, now_ms: u64, pass: Pass, first_content_ms: u64) -> bool {
        self.count(now_ms, pass, Outcome::Success);
        let closed = self.open_ms.swap(0, Ordering::Relaxed) > 0;
        self.probing.store(false, Ordering::Relaxed);
        let new = u32::try_from(first_content_ms).unwrap_or(u32::MAX);
        let old = self.first_content_ms.load(Ordering::Relaxed);
        let average = if old == 0 { new } else { old - (old >> AVERAGE_SHIFT) + (new >> AVERAGE_SHIFT) };
        self.first_content_ms.store(average.max(1), Ordering::Relaxed);
        closed
    }

    /// A call ended without saying anything about the provider: its caller left, or somebody else answered first.
    pub fn released(&self, pass: &mut Pass) {
        if std::mem::replace(&mut pass.role, Role::Call) == Role::Probe {
            self.probing.store(false, Ordering::Relaxed);
        }
    }

    /// A call failed. Returns whether that opened the breaker.
    pub fn failed(&self, now_ms: u64, pass: Pass, error: &UpstreamError) -> bool {
        self.released(&mut { pass });
        match error.cause.class() {
            CauseClass::Caller | CauseClass::Answer | CauseClass::Policy => return false,
            // Smaller requests pass.
            CauseClass::Target if error.cause == Cause::RequestOverLimit => return false,
            CauseClass::Credential => self.bar(now_ms, Duration::from_millis(REFUSED_MS), error),
            CauseClass::Capacity if error.cause == Cause::RateLimited || error.retry_after.is_some() => {
                self.bar(now_ms, Duration::from_millis(RATE_LIMITED_MS), error);
            }
            CauseClass::Capacity | CauseClass::Target | CauseClass::Provider | CauseClass::Network => {}
        }
        self.last_failure_ms.store(now_ms.max(1), Ordering::Relaxed);
        self.count(now_ms, pass, Outcome::Failure);
        let was_open_ms = self.open_ms.load(Ordering::Relaxed);
        if was_open_ms > 0 {
            // Calls that left before it opened, or because there was nobody else, say nothing new.
            if pass.role == Role::Probe {
                self.open(now_ms, (was_open_ms * 2).min(OPEN_MS_MAX));
            }
            return false;
        }
        let opens = self.too_many_failures() && self.is_everybodys();
        if opens {
            self.open(now_ms, OPEN_MS);
        }
        opens
    }

    /// Whether any call has ever ended.
    pub fn was_called(&self) -> bool {
        self.window.load(Ordering::Relaxed) > 0 || sum(&self.calls) > 0
    }

    /// Its counts.
    pub fn figures(&self, now_ms: u64) -> BreakerFigures {
        let open = self.open_ms.load(Ordering::Relaxed) > 0;
        let open_until_ms = if open { self.open_until_ms.load(Ordering::Relaxed) } else { 0 };
        if self.window.load(Ordering::Relaxed) + 1 < now_ms / WINDOW_MS {
            return BreakerFigures { open_until_ms, ..BreakerFigures::default() };
        }
        BreakerFigures { calls: sum(&self.calls), failures: sum(&self.failures), open_until_ms }
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
        let (calls, failures) = (sum(&self.calls), sum(&self.failures));
        calls >= VOLUME_MIN && failures * 100 >= calls * FAILED_SHARE_PERCENT
    }

    /// Whether the failures are not those of one key alone while others call too: what one caller does to a provider
    /// must not take it from the rest.
    fn is_everybodys(&self) -> bool {
        let marks = |slots: &[AtomicU64; 2]| {
            slots.iter().fold(0, |marks, slot| marks | slot.load(Ordering::Relaxed)).count_ones()
        };
        marks(&self.failing) > 1 || marks(&self.callers) < 2
    }

    fn count(&self, now_ms: u64, pass: Pass, outcome: Outcome) {
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
        mark(self.callers.get(current), pass);
        if outcome == Outcome::Failure {
            add_one(self.failures.get(current));
            mark(self.failing.get(current), pass);
        }
    }

    fn clear(&self, slot: usize) {
        for count in [self.calls.get(slot), self.failures.get(slot)].into_iter().flatten() {
            count.store(0, Ordering::Relaxed);
        }
        for marks in [self.callers.get(slot), self.failing.get(slot)].into_iter().flatten() {
            marks.store(0, Ordering::Relaxed);
        }
    }
}

fn sum(counts: &[AtomicU32; 2]) -> u32 {
    counts.iter().map(|count| count.load(Ordering::Relaxed)).fold(0, u32::saturating_add)
}

/// Sets a key's mark, where it is not set already: an atomic that is only read is shared between cores.
fn mark(marks: Option<&AtomicU64>, pass: Pass) {
    if let Some(marks) = marks
        && marks.load(Ordering::Relaxed) & pass.mark == 0
    {
        marks.fetch_or(pass.mark, Ordering::Relaxed);
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

    const ONE: Pass = Pass { mark: 1, role: Role::Call };
    const TWO: Pass = Pass { mark: 2, role: Role::Call };

    fn probe(breaker: &Breaker, now_ms: u64) -> Pass {
        let pass = breaker.begin(now_ms, KeyId(uuid::Uuid::from_u128(1)));
        assert_eq!(pass.role, Role::Probe);
        pass
    }

    fn error(cause: Cause, retry_after_s: Option<u64>) -> UpstreamError {
        UpstreamError { retry_after: retry_after_s.map(Duration::from_secs), ..UpstreamError::of(cause) }
    }

    #[test]
    fn retry_after_seven_keeps_the_credential_out_for_seven_seconds() {
        let breaker = Breaker::default();
        breaker.failed(1_000, ONE, &error(Cause::RateLimited, Some(7)));
        assert_eq!(breaker.standing(7_999), Standing::Barred { until_ms: 8_000, rate_limited: true });
        assert_eq!(breaker.standing(8_000), Standing::Degraded);
    }

    #[test]
    fn a_callers_own_errors_never_count() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(1_000, ONE, &error(Cause::InvalidRequest, None));
        }
        assert_eq!(breaker.standing(1_001), Standing::Healthy);
    }

    #[test]
    fn a_request_too_large_for_its_limit_bars_no_smaller_one() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(1_000, ONE, &error(Cause::RequestOverLimit, Some(7)));
        }
        assert_eq!(breaker.standing(1_001), Standing::Healthy);
    }

    #[test]
    fn it_opens_on_volume_and_closes_when_a_probe_succeeds() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(1_000, ONE, &error(Cause::ServerError, None));
        }
        assert_eq!(breaker.standing(1_001), Standing::Degraded);
        breaker.failed(1_000, ONE, &error(Cause::ServerError, None));
        assert_eq!(breaker.standing(1_001), Standing::Open);
        assert_eq!(breaker.standing(6_000), Standing::Degraded);
        let pass = probe(&breaker, 6_000);
        assert_eq!(breaker.standing(6_000), Standing::Open, "one probe at a time");
        assert_eq!(breaker.begin(6_000, KeyId(uuid::Uuid::from_u128(2))).role, Role::Call);
        breaker.succeeded(6_100, pass, 20);
        assert_eq!(breaker.standing(40_000), Standing::Healthy);
    }

    #[test]
    fn a_failed_probe_doubles_the_wait() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(1_000, ONE, &error(Cause::ConnectFailed, None));
        }
        let pass = probe(&breaker, 6_000);
        breaker.failed(6_000, ONE, &error(Cause::ConnectFailed, None));
        assert_eq!(breaker.standing(6_000), Standing::Open, "an older call that ends is not the probe");
        breaker.failed(6_000, pass, &error(Cause::ConnectFailed, None));
        assert_eq!(breaker.standing(15_999), Standing::Open);
        assert_eq!(breaker.standing(16_000), Standing::Degraded);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(1_000, ONE, &error(Cause::ServerError, None));
        }
        breaker.succeeded(45_000, ONE, 10);
        breaker.failed(45_001, ONE, &error(Cause::ServerError, None));
        assert_eq!(breaker.standing(45_002), Standing::Degraded);
    }

    #[test]
    fn one_abusive_key_does_not_take_a_provider_from_the_others() {
        let breaker = Breaker::default();
        breaker.succeeded(1_000, TWO, 10);
        for _ in 0..50 {
            assert!(!breaker.failed(1_000, ONE, &error(Cause::FirstContentTimeout, None)));
        }
        assert_eq!(breaker.standing(1_001), Standing::Degraded);
        assert!(breaker.failed(1_000, TWO, &error(Cause::ServerError, None)), "the others see it too");
        assert_eq!(breaker.standing(1_001), Standing::Open);
    }

    #[test]
    fn a_probe_whose_caller_left_does_not_keep_the_breaker_open() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(1_000, ONE, &error(Cause::ServerError, None));
        }
        let pass = probe(&breaker, 6_000);
        breaker.released(&mut { ONE });
        assert_eq!(breaker.standing(6_000), Standing::Open);
        breaker.released(&mut { pass });
        assert_eq!(breaker.standing(6_000), Standing::Degraded, "the next one may probe");
    }

    #[test]
    fn calls_that_were_under_way_when_it_opened_do_not_keep_it_open_longer() {
        let breaker = Breaker::default();
        for _ in 0..20 {
            breaker.failed(1_000, ONE, &error(Cause::ServerError, None));
        }
        assert_eq!(breaker.standing(5_999), Standing::Open);
        assert_eq!(breaker.standing(6_000), Standing::Degraded);
    }
}
