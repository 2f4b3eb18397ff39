//! What is left of a credential's own limits, as the provider's last answer said: what lets traffic go elsewhere before
//! it is refused. Not a limiter: nothing is refused here. Where to look first: [`Headroom::takes`].

use std::sync::atomic::{AtomicU64, Ordering};

use trunkline_providers::rate_limits::RateLimitState;

/// How long a figure is believed if the provider does not say when its window is full again.
const RESET_UNKNOWN_MS: u64 = 10_000;
/// Nobody has said how much is left.
const UNKNOWN: u64 = u64::MAX;

/// One credential's headroom. All fields are atomics: a race between two answers can lose one figure, which the next
/// answer brings again.
#[derive(Debug, Default)]
pub struct Headroom {
    requests: Left,
    tokens: Left,
}

#[derive(Debug)]
struct Left {
    remaining: AtomicU64,
    reset_ms: AtomicU64,
}

impl Default for Left {
    fn default() -> Self {
        Self { remaining: AtomicU64::new(UNKNOWN), reset_ms: AtomicU64::new(0) }
    }
}

/// What is left, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadroomFigures {
    /// Requests left in the provider's window.
    pub requests: Option<u64>,
    /// Tokens left in the provider's window.
    pub tokens: Option<u64>,
}

impl Headroom {
    /// An answer said what is left.
    pub fn observe(&self, now_ms: u64, state: &RateLimitState) {
        self.requests.observe(now_ms, state.remaining_requests, state.reset_requests_ms);
        self.tokens.observe(now_ms, state.remaining_tokens, state.reset_tokens_ms);
    }

    /// Whether a request of about so many tokens should pass the provider's limits.
    pub fn takes(&self, now_ms: u64, tokens: u64) -> bool {
        self.requests.takes(now_ms, 1) && self.tokens.takes(now_ms, tokens)
    }

    /// A request of about so many tokens leaves: the next one does not count on the same room.
    pub fn spend(&self, now_ms: u64, tokens: u64) {
        self.requests.spend(now_ms, 1);
        self.tokens.spend(now_ms, tokens);
    }

    /// What is left.
    pub fn figures(&self, now_ms: u64) -> HeadroomFigures {
        HeadroomFigures { requests: self.requests.known(now_ms), tokens: self.tokens.known(now_ms) }
    }
}

impl Left {
    fn observe(&self, now_ms: u64, remaining: Option<u64>, reset_ms: Option<u64>) {
        let Some(remaining) = remaining else { return };
        self.reset_ms.store(now_ms.saturating_add(reset_ms.unwrap_or(RESET_UNKNOWN_MS)), Ordering::Relaxed);
        self.remaining.store(remaining.min(UNKNOWN - 1), Ordering::Relaxed);
    }

    fn known(&self, now_ms: u64) -> Option<u64> {
        let remaining = self.remaining.load(Ordering::Relaxed);
        (remaining != UNKNOWN && self.reset_ms.load(Ordering::Relaxed) > now_ms).then_some(remaining)
    }

    fn takes(&self, now_ms: u64, amount: u64) -> bool {
        self.known(now_ms).is_none_or(|remaining| remaining >= amount)
    }

    fn spend(&self, now_ms: u64, amount: u64) {
        if let Some(remaining) = self.known(now_ms) {
            self.remaining.store(remaining.saturating_sub(amount), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_limits_is_taken() {
        let headroom = Headroom::default();
        assert!(headroom.takes(0, 1_000_000));
        headroom.spend(0, 1_000_000);
        assert_eq!(headroom.figures(0), HeadroomFigures::default());
    }

    #[test]
    fn the_last_requests_of_a_window_are_counted_down_until_it_is_full_again() {
        let headroom = Headroom::default();
        let state = RateLimitState {
            remaining_requests: Some(2),
            reset_requests_ms: Some(6_000),
            remaining_tokens: Some(500),
            ..RateLimitState::default()
        };
        headroom.observe(1_000, &state);
        assert!(headroom.takes(1_000, 500) && !headroom.takes(1_000, 501));
        headroom.spend(1_000, 100);
        headroom.spend(1_000, 100);
        assert!(!headroom.takes(6_999, 0));
        assert!(headroom.takes(7_000, 300));
        assert!(headroom.takes(11_000, 501), "a figure without a reset is not believed for ever");
    }
}
