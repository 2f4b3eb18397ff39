//! Laws of sliding windows, against a model that remembers every event.

#![cfg(not(loom))]

use proptest::prelude::*;

use super::*;

fn state(rpm: Option<u32>, tpm: Option<u64>, concurrency: Option<u32>) -> Arc<RateState> {
    Arc::new(RateState::new(RateLimits { rpm, tpm, concurrency }))
}

#[test]
fn a_refusal_says_which_limit_and_how_long() {
    let state = state(Some(2), None, None);
    for now_ms in [1_500, 2_500] {
        drop(state.admit(now_ms, 0).unwrap());
    }
    let refusal = state.admit(3_000, 0).unwrap_err().refusal().unwrap();
    assert_eq!(
        refusal,
        RateRefusal { which: RateLimitKind::Requests, limit: 2, remaining: 0, retry_after_ms: 59_000 }
    );
    assert!(state.admit(3_000 + 58_999, 0).is_err());
    assert!(state.admit(3_000 + 59_000, 0).is_ok(), "what retry_after promises is kept");
}

#[test]
fn concurrency_comes_back_when_the_permit_is_dropped() {
    let state = state(None, None, Some(1));
    let permit = state.admit(0, 0).unwrap();
    assert_eq!(state.admit(0, 0).unwrap_err().refusal().unwrap().which, RateLimitKind::Concurrency);
    drop(permit);
    assert!(state.admit(0, 0).is_ok());
    assert_eq!(state.in_flight(), 0);
}

#[test]
fn a_refused_request_counts_nowhere() {
    let state = state(Some(10), Some(100), None);
    drop(state.admit(0, 90).unwrap());
    assert_eq!(state.admit(0, 20).unwrap_err().refusal().unwrap().which, RateLimitKind::Tokens);
    let figures = state.figures(0);
    assert_eq!(figures.requests.unwrap().remaining, 9);
    assert_eq!(figures.tokens.unwrap().remaining, 10);
}

#[test]
fn tokens_are_corrected_where_they_were_held() {
    let state = state(None, Some(100), None);
    let mut permit = state.admit(0, 100).unwrap();
    assert!(state.admit(30_000, 1).is_err());
    permit.correct_tokens(40);
    drop(state.admit(30_000, 60).unwrap());
    permit.correct_tokens(41);
    assert_eq!(
        state.figures(61_000).tokens.unwrap().remaining,
        40,
        "the first second left with its correction"
    );
    permit.correct_tokens(0);
    assert_eq!(state.figures(61_000).tokens.unwrap().remaining, 40, "what has left cannot be corrected");
}

#[test]
fn a_request_above_the_whole_limit_runs_alone() {
    let state = state(None, Some(100), None);
    let mut permit = state.admit(0, 5_000).unwrap();
    assert!(state.admit(0, 1).is_err());
    permit.correct_tokens(250);
    let figure = state.figures(0).tokens.unwrap();
    assert_eq!(figure, RateFigure { limit: 100, remaining: 0, reset_ms: 61_000 });
}

#[test]
fn a_limit_of_zero_admits_nothing_and_no_limit_everything() {
    assert!(state(Some(0), None, None).admit(0, 0).is_err());
    assert!(state(None, Some(0), None).admit(0, 0).is_err());
    assert!(state(None, None, Some(0)).admit(0, 0).is_err());
    let unlimited = state(None, None, None);
    for _ in 0..1_000 {
        drop(unlimited.admit(0, u64::MAX).unwrap());
    }
    assert_eq!(unlimited.figures(0), RateFigures::default());
}

#[test]
fn a_lower_limit_remembers_what_was_counted() {
    let state = state(Some(10), None, None);
    for _ in 0..5 {
        drop(state.admit(0, 0).unwrap());
    }
    state.change_limits(RateLimits { rpm: Some(5), ..RateLimits::default() });
    assert!(state.admit(0, 0).is_err());
}

proptest! {
    /// The model remembers every admission. In any real minute there are never more than the limit, and a refusal is
    /// right for a window at most one second longer.
    #[test]
    fn never_too_lenient_and_at_most_a_second_too_strict(
        limit in 1..12_u64,
        steps in prop::collection::vec((0..9_000_u64, 1..5_u64), 1..150),
    ) {
        let state = state(None, Some(limit), None);
        let mut now_ms = 0;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        let within = |admitted: &[(u64, u64)], now_ms: u64, span_ms: u64| -> u64 {
            admitted.iter().filter(|(at, _)| now_ms - at < span_ms).map(|(_, tokens)| tokens).sum()
        };
        for (wait_ms, tokens) in steps {
            now_ms += wait_ms;
            let tokens = tokens.min(limit);
            match state.admit(now_ms, tokens) {
                Ok(_permit) => {
                    admitted.push((now_ms, tokens));
                    prop_assert!(within(&admitted, now_ms, 60_000) <= limit);
                }
                Err(refusal) => {
                    prop_assert!(within(&admitted, now_ms, 61_000) + tokens > limit);
                    let refusal = refusal.refusal().unwrap();
                    prop_assert_eq!(refusal.remaining, state.figures(now_ms).tokens.unwrap().remaining);
                    prop_assert!(refusal.retry_after_ms <= 61_000);
                    now_ms += refusal.retry_after_ms;
                    prop_assert!(state.admit(now_ms, tokens).is_ok());
                    admitted.push((now_ms, tokens));
                }
            }
        }
    }
}
