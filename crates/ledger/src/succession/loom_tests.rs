//! Every interleaving of handing over with what begins and ends meanwhile:
//! `RUSTFLAGS="--cfg loom" cargo test -p trunkline-ledger --release loom`.

#![cfg(loom)]

use std::sync::Mutex;

use trunkline_domain::access::RateLimits;

use super::*;
use crate::hold::OrganisationAccount;
use crate::window::RateState;

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const NOW_MS: u64 = 1_000_000;

/// Remembers what it is told. Its own mutex is no part of the model.
#[derive(Default)]
struct Notes(Mutex<Vec<Change>>);

impl Successor for Notes {
    fn tell(&self, change: Change) {
        self.0.lock().unwrap().push(change);
    }

    fn ask(&self, _: Question) -> Asked<'_> {
        Box::pin(async { None })
    }
}

fn heir() -> (Arc<Notes>, Heir) {
    let notes = Arc::new(Notes::default());
    (Arc::clone(&notes), Heir::new(notes))
}

/// A hold that ends beside the handing over is charged once: in what is handed over, or in what is told after it.
#[test]
fn loom_a_hold_that_ends_while_budgets_are_handed_over_is_charged_once() {
    loom::model(|| {
        let account = Arc::new(OrganisationAccount::new());
        let cell = account.cell(NanoUsd(9), BudgetWindow::Total, NanoUsd::ZERO, NOW);
        let hold = account.hold(&[cell], NanoUsd(3), NOW).unwrap();
        let (notes, heir) = heir();
        let ending = loom::thread::spawn(move || hold.settle(NanoUsd(2)));
        let states = account.hand_over(OrganisationId::FIRST, heir, NOW);
        ending.join().unwrap();
        let (mut settled, mut held) = (states[0].settled, states[0].held);
        for change in notes.0.lock().unwrap().iter() {
            let Change::Cell { released, charged, .. } = change else { panic!("{change:?}") };
            settled = settled.saturating_add(*charged);
            held = held.saturating_sub(*released);
        }
        assert_eq!((settled, held), (NanoUsd(2), NanoUsd::ZERO));
    });
}

/// A hold that begins beside the handing over is in what is handed over, or is not given here: never both, never neither.
#[test]
fn loom_a_hold_that_begins_while_budgets_are_handed_over_is_counted_by_one() {
    loom::model(|| {
        let account = Arc::new(OrganisationAccount::new());
        let cell = account.cell(NanoUsd(9), BudgetWindow::Total, NanoUsd::ZERO, NOW);
        let (_, heir) = heir();
        let beginning = {
            let account = Arc::clone(&account);
            loom::thread::spawn(move || account.hold(&[cell], NanoUsd(3), NOW).ok())
        };
        let states = account.hand_over(OrganisationId::FIRST, heir, NOW);
        let hold = beginning.join().unwrap();
        let held = states.first().map_or(NanoUsd::ZERO, |state| state.held);
        assert_eq!(held, if hold.is_some() { NanoUsd(3) } else { NanoUsd::ZERO });
    });
}

/// The same of a key's requests under way.
#[test]
fn loom_a_request_that_begins_or_ends_while_windows_are_handed_over_is_counted_by_one() {
    loom::model(|| {
        let state = Arc::new(RateState::new(RateLimits { rpm: None, tpm: None, concurrency: Some(9) }));
        let first = state.admit(NOW_MS, 0).unwrap();
        let (notes, heir) = heir();
        let other = {
            let state = Arc::clone(&state);
            loom::thread::spawn(move || {
                drop(first);
                state.admit(NOW_MS, 0).ok()
            })
        };
        let counts = state.hand_over(KeyId(uuid::Uuid::nil()), heir, NOW_MS);
        let second = other.join().unwrap();
        let ended = notes.0.lock().unwrap().len();
        let running = u32::from(second.is_some());
        assert_eq!(counts.in_flight - u32::try_from(ended).unwrap(), running, "{counts:?}");
    });
}
