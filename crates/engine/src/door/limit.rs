//! How many requests may be under way: additive increase, multiplicative decrease, by the gateway's own lateness.
//!
//! The signal is how late a thread that serves requests comes back to a timer: what a request waits for that thread,
//! and nothing of a provider's time. As in `CoDel` the *least* lateness of a window counts, so one long step or a
//! burst changes nothing; only a thread that was late throughout is overloaded.
//!
//! What it is not: a bound of memory; that is the hard cap, and the bodies' own. Look first at [`Adaptive::adapt`].

use std::time::Duration;

use tokio::time::Instant;

/// A thread that is later than this throughout a window has more than it can do.
const LATE: Duration = Duration::from_millis(25);
/// The limit never falls below this part of its cap.
const FLOOR_PART: u32 = 16;
/// A step up is this part of the cap.
const STEP_PART: u32 = 64;

/// Measures one thread.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    beats: u32,
    least: Option<Duration>,
}

impl Pulse {
    /// Between two beats.
    pub(super) const EVERY: Duration = Duration::from_millis(50);
    const BEATS: u32 = 5;
    /// What is judged as a whole.
    pub(super) const WINDOW: Duration = Duration::from_millis(250);

    /// One beat came so late; at the end of a window, the least lateness of it.
    pub(super) fn beat(&mut self, lag: Duration) -> Option<Duration> {
        let least = self.least.map_or(lag, |least| least.min(lag));
        self.least = Some(least);
        self.beats += 1;
        if self.beats < Self::BEATS {
            return None;
        }
        *self = Self::default();
        Some(least)
    }
}

/// The limit as it moves.
#[derive(Debug)]
pub(super) struct Adaptive {
    limit: u32,
    floor: u32,
    cap: u32,
    /// When a thread was last found late.
    late: Option<Instant>,
}

impl Adaptive {
    pub(super) fn new(cap: u32) -> Self {
        Self { limit: cap, floor: (cap / FLOOR_PART).max(1), cap, late: None }
    }

    /// The limit after a window in which some thread was never less late than `lag`. Any thread's lateness lowers it,
    /// once a window; it rises while none is late and at least half of it is used.
    pub(super) fn adapt(&mut self, lag: Duration, now: Instant, in_flight: u32) -> u32 {
        let lately = self.late.is_some_and(|late| now.saturating_duration_since(late) < Pulse::WINDOW);
        if lag > LATE {
            if !lately {
                self.late = Some(now);
                let used = self.limit.min(in_flight);
                self.limit = (used - used / 10).clamp(self.floor, self.cap);
            }
        } else if !lately && in_flight >= self.limit / 2 {
            self.limit = self.limit.saturating_add((self.cap / STEP_PART).max(1)).min(self.cap);
        }
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EASY: Duration = Duration::from_millis(2);
    const HARD: Duration = Duration::from_millis(80);

    #[test]
    fn one_late_beat_in_a_window_is_nothing() {
        let mut pulse = Pulse::default();
        let told: Vec<_> = [HARD, HARD, EASY, HARD, HARD].map(|lag| pulse.beat(lag)).into();
        assert_eq!(told, [None, None, None, None, Some(EASY)]);
        assert_eq!(
            [HARD; 5].map(|lag| pulse.beat(lag)).last(),
            Some(&Some(HARD)),
            "the next window is its own"
        );
    }

    #[test]
    fn lateness_lowers_the_limit_from_what_is_used_to_its_floor_and_ease_raises_it_to_its_cap() {
        let mut adaptive = Adaptive::new(1_600);
        let mut now = Instant::now();
        assert_eq!(adaptive.adapt(HARD, now, 1_000), 900);
        assert_eq!(adaptive.adapt(HARD, now, 1_000), 900, "once a window, however many threads are late");
        assert_eq!(
            adaptive.adapt(EASY, now, 1_000),
            900,
            "one thread at ease does not outweigh one that is late"
        );
        for _ in 0..100 {
            now += Pulse::WINDOW;
            adaptive.adapt(HARD, now, adaptive.limit);
        }
        assert_eq!(adaptive.limit, 100);
        now += Pulse::WINDOW;
        assert_eq!(adaptive.adapt(EASY, now, 49), 100, "what is not used need not grow");
        for _ in 0..100 {
            adaptive.adapt(EASY, now, adaptive.limit);
        }
        assert_eq!(adaptive.limit, 1_600);
    }

    #[test]
    fn however_slow_a_provider_is_the_limit_stays() {
        let mut adaptive = Adaptive::new(64);
        let now = Instant::now();
        assert!((0..1_000).all(|_| adaptive.adapt(EASY, now, 64) == 64));
    }
}
