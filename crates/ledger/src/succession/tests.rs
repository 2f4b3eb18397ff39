//! What is handed over is counted once, by whoever counts.

#![cfg(not(loom))]

use std::sync::Mutex;

use super::*;
use crate::hold::{Hold, NoHold, OrganisationAccount};
use crate::window::{NoPermit, RateState, second};
use trunkline_domain::access::RateLimits;

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const ORGANISATION: OrganisationId = OrganisationId::FIRST;

/// Remembers what it is told.
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

impl Notes {
    fn taken(&self) -> Vec<Change> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn heir() -> (Arc<Notes>, Heir) {
    let notes = Arc::new(Notes::default());
    (notes.clone(), Heir::new(notes))
}

fn used(account: &OrganisationAccount, cell: CellIx) -> (i64, i64) {
    let figures = account.figures(cell, NOW).unwrap();
    (figures.settled.0, figures.held.0)
}

#[test]
fn a_budget_goes_over_with_its_holds_and_their_ends_follow() {
    let before = Arc::new(OrganisationAccount::new());
    let cell = before.cell(NanoUsd(10), BudgetWindow::Month, NanoUsd(1), NOW);
    let untouched = before.cell(NanoUsd(10), BudgetWindow::Month, NanoUsd::ZERO, NOW);
    let holds: [Hold; 2] = [(); 2].map(|()| before.hold(&[cell], NanoUsd(3), NOW).unwrap());
    let (notes, heir) = heir();
    let states = before.hand_over(ORGANISATION, heir, NOW);
    assert_eq!(states.len(), 1, "{untouched:?} has nothing to hand over");
    assert!(matches!(before.hold(&[cell], NanoUsd(1), NOW), Err(NoHold::HandedOver(_))));

    let after = Arc::new(OrganisationAccount::new());
    let inherited = after.inherit(&states[0], NOW);
    assert!(after.hold(&[inherited], NanoUsd(1), NOW).is_err(), "nothing before its limit is known");
    after.change_limit(inherited, NanoUsd(10));
    assert_eq!(used(&after, inherited), (1, 6));
    let own = after.hold(&[inherited], NanoUsd(3), NOW).unwrap();
    assert!(after.hold(&[inherited], NanoUsd(1), NOW).is_err(), "settled and held in both are the limit");

    let [first, second] = holds;
    first.settle(NanoUsd(2));
    drop(second);
    for change in notes.taken() {
        let Change::Cell { organisation, cell: theirs, starts_at, released, charged } = change else {
            panic!("{change:?}")
        };
        assert_eq!((organisation, theirs), (ORGANISATION, cell));
        after.book(inherited, UnixMs(starts_at.0 + 1), released, charged);
        after.book(inherited, starts_at, released, charged);
    }
    assert_eq!(used(&after, inherited), (1 + 2 + 3, 3), "each end is booked once, in its own window");
    own.release();
}

#[test]
fn a_budget_that_is_taken_back_has_missed_nothing() {
    let account = Arc::new(OrganisationAccount::new());
    let cell = account.cell(NanoUsd(10), BudgetWindow::Total, NanoUsd::ZERO, NOW);
    let hold = account.hold(&[cell], NanoUsd(3), NOW).unwrap();
    account.hand_over(ORGANISATION, heir().1, NOW);
    hold.settle(NanoUsd(2));
    account.take_back();
    assert_eq!(used(&account, cell), (2, 0));
    drop(account.hold(&[cell], NanoUsd(8), NOW).unwrap());
}

#[test]
fn windows_go_over_and_leave_no_sooner_than_they_may() {
    let limits = RateLimits { rpm: Some(3), tpm: Some(100), concurrency: Some(2) };
    let before = Arc::new(RateState::new(limits));
    let (theirs_ms, ours_ms) = (500_900, 100);
    let early = before.admit(theirs_ms - 30_000, 10).unwrap();
    drop(early);
    let mut open = before.admit(theirs_ms, 40).unwrap();
    let (notes, heir) = heir();
    let key = trunkline_domain::id::KeyId(uuid::Uuid::nil());
    let counts = before.hand_over(key, heir, theirs_ms);
    assert_eq!((counts.in_flight, counts.requests.len()), (1, 2));
    assert!(matches!(before.admit(theirs_ms, 1), Err(NoPermit::HandedOver(_))));

    let seconds = Seconds { theirs: second(theirs_ms), ours: second(ours_ms) };
    let after = Arc::new(RateState::inherit(&counts, seconds, ours_ms));
    after.change_limits(limits);
    let figures = after.figures(ours_ms);
    assert_eq!(figures.requests.map(|figure| figure.remaining), Some(1));
    assert_eq!(figures.tokens.map(|figure| figure.remaining), Some(50));
    let permit = after.admit(ours_ms, 10).unwrap();
    assert!(after.admit(ours_ms, 1).is_err(), "two are under way, one in each process");

    open.correct_tokens(5);
    drop(open);
    for change in notes.taken() {
        if let Change::Tokens { second, held, actual, .. } = change {
            after.correct(seconds.ours(second), held, actual);
        } else {
            assert_eq!(change, Change::Ended { key });
            after.end();
        }
    }
    drop(permit);
    assert_eq!(after.in_flight(), 0);
    assert_eq!(after.figures(ours_ms).tokens.map(|figure| figure.remaining), Some(100 - 10 - 5 - 10));
    // The early one was counted 30 s before: it leaves a minute after that, and up to two seconds later.
    let left = |now_ms| after.figures(now_ms).requests.unwrap().remaining == 1;
    assert!(!left(ours_ms + 29_999) && left(ours_ms + 32_000));
}
