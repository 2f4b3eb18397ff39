//! Every interleaving of a few threads on the shipped type:
//! `RUSTFLAGS="--cfg loom" cargo test -p trunkline-ledger --release loom`.

#![cfg(loom)]

use super::*;

const NOW_MS: u64 = 1_000_000;

/// Two requests at once and a third that ends meanwhile, where one at a time may run: never two, and whoever is refused
/// has counted nothing.
#[test]
fn loom_never_more_at_once_than_may_and_a_refusal_counts_nothing() {
    loom::model(|| {
        let limits = RateLimits { rpm: Some(9), tpm: Some(90), concurrency: Some(1) };
        let state = Arc::new(RateState::new(limits));
        let first = state.admit(NOW_MS, 10).unwrap();
        let ending = loom::thread::spawn(move || drop(first));
        let beside = {
            let state = Arc::clone(&state);
            loom::thread::spawn(move || state.admit(NOW_MS, 10).ok())
        };
        let mine = state.admit(NOW_MS, 10).ok();
        ending.join().unwrap();
        let admitted: Vec<RatePermit> = beside.join().unwrap().into_iter().chain(mine).collect();
        assert!(admitted.len() <= 1, "each waits for the first one's end, and for the other's");
        let counted = 1 + admitted.len() as u64;
        let figures = state.figures(NOW_MS);
        assert_eq!(figures.requests.map(|figure| figure.remaining), Some(9 - counted));
        assert_eq!(figures.tokens.map(|figure| figure.remaining), Some(90 - 10 * counted));
        drop(admitted);
        assert_eq!(state.in_flight(), 0);
    });
}

/// A correction beside an admission: what was held and not used is there for somebody else before or after, never lost.
#[test]
fn loom_a_correction_beside_an_admission() {
    loom::model(|| {
        let limits = RateLimits { rpm: None, tpm: Some(10), concurrency: None };
        let state = Arc::new(RateState::new(limits));
        let mut first = state.admit(NOW_MS, 8).unwrap();
        let correcting = loom::thread::spawn(move || first.correct_tokens(3));
        let second = state.admit(NOW_MS, 7).ok();
        correcting.join().unwrap();
        let used = 3 + if second.is_some() { 7 } else { 0 };
        assert_eq!(state.figures(NOW_MS).tokens.map(|figure| figure.remaining), Some(10 - used));
    });
}
