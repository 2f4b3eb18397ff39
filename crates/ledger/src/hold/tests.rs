//! Laws of holds in one process: all scopes or none, exactly what fits under concurrency, windows.

#![cfg(not(loom))]

use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;
const NOON: UnixMs = UnixMs(20_000 * DAY + DAY / 2);

fn account() -> Arc<OrganisationAccount> {
    Arc::new(OrganisationAccount::new())
}

fn used(account: &OrganisationAccount, cell: CellIx) -> (i64, i64) {
    let figures = account.figures(cell, NOON).unwrap();
    (figures.settled.0, figures.held.0)
}

#[test]
fn sixty_four_threads_against_a_budget_for_three_admit_three() {
    for _ in 0..20 {
        let account = account();
        let key = account.cell(NanoUsd(300), BudgetWindow::Total, NanoUsd::ZERO, NOON);
        let team = account.cell(NanoUsd(10_000), BudgetWindow::Day, NanoUsd::ZERO, NOON);
        let barrier = Barrier::new(64);
        let holds: Vec<Result<Hold, NoHold>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        account.hold(&[team, key], NanoUsd(100), NOON)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(holds.iter().filter(|hold| hold.is_ok()).count(), 3);
        assert_eq!((used(&account, key), used(&account, team)), ((0, 300), (0, 300)));
        assert_eq!(account.open_holds(), 3);
        drop(holds);
        assert_eq!((used(&account, key), account.open_holds()), ((300, 0), 0));
    }
}

#[test]
fn a_refusal_names_the_scope_without_room_and_holds_nothing() {
    let account = account();
    let wide = account.cell(NanoUsd(1_000), BudgetWindow::Total, NanoUsd::ZERO, NOON);
    let narrow = account.cell(NanoUsd(50), BudgetWindow::Day, NanoUsd(45), NOON);
    let NoHold::Refused(refusal) = account.hold(&[wide, narrow], NanoUsd(6), NOON).unwrap_err() else {
        panic!("nobody has taken over");
    };
    let expected = BudgetRefusal {
        limit: NanoUsd(50),
        settled: NanoUsd(45),
        held: NanoUsd::ZERO,
        asked: NanoUsd(6),
        window: BudgetWindow::Day,
        resets_at: Some(UnixMs(20_001 * DAY)),
    };
    assert_eq!(refusal, expected);
    assert_eq!((used(&account, wide), account.open_holds()), ((0, 0), 0));
    account.hold(&[wide, narrow], NanoUsd(5), NOON).unwrap().release();
}

#[test]
fn settling_books_the_actual_and_reports_what_passed_the_hold() {
    let account = account();
    let cell = account.cell(NanoUsd(100), BudgetWindow::Total, NanoUsd::ZERO, NOON);
    assert_eq!(account.hold(&[cell], NanoUsd(60), NOON).unwrap().settle(NanoUsd(10)), NanoUsd::ZERO);
    assert_eq!(used(&account, cell), (10, 0));
    assert_eq!(account.hold(&[cell], NanoUsd(90), NOON).unwrap().settle(NanoUsd(95)), NanoUsd(5));
    assert_eq!(used(&account, cell), (105, 0));
    assert!(account.hold(&[cell], NanoUsd::ZERO, NOON).is_err(), "nothing more is admitted past the limit");
}

#[test]
fn without_budgets_everything_is_admitted_and_overrun_is_still_told() {
    let account = account();
    assert_eq!(account.hold(&[], NanoUsd(7), NOON).unwrap().settle(NanoUsd(9)), NanoUsd(2));
    assert_eq!(account.hold(&[], NanoUsd::MAX, NOON).unwrap().settle(NanoUsd(9)), NanoUsd::ZERO);
}

#[test]
fn what_cannot_be_bounded_fits_no_budget() {
    let account = account();
    let cell = account.cell(NanoUsd::MAX, BudgetWindow::Total, NanoUsd(1), NOON);
    assert!(account.hold(&[cell], NanoUsd::MAX, NOON).is_err());
}

#[test]
fn a_scope_named_twice_holds_twice() {
    let account = account();
    let cell = account.cell(NanoUsd(10), BudgetWindow::Total, NanoUsd::ZERO, NOON);
    assert!(account.hold(&[cell, cell], NanoUsd(6), NOON).is_err());
    assert_eq!(used(&account, cell), (0, 0));
}

#[test]
fn a_hold_belongs_to_the_window_it_was_taken_in() {
    let account = account();
    let day = account.cell(NanoUsd(100), BudgetWindow::Day, NanoUsd(10), NOON);
    let total = account.cell(NanoUsd(1_000), BudgetWindow::Total, NanoUsd::ZERO, NOON);
    let yesterday = account.hold(&[day, total], NanoUsd(90), NOON).unwrap();
    let tomorrow = NOON.plus_ms(86_400_000);
    let today = account.hold(&[day, total], NanoUsd(100), tomorrow).unwrap();
    assert_eq!(yesterday.settle(NanoUsd(95)), NanoUsd(5));
    let figures = account.figures(day, tomorrow).unwrap();
    assert_eq!((figures.settled, figures.held), (NanoUsd::ZERO, NanoUsd(100)));
    today.release();
    let figures = account.figures(total, tomorrow).unwrap();
    assert_eq!(
        (figures.settled, figures.held),
        (NanoUsd(95), NanoUsd::ZERO),
        "a budget without end counts both"
    );
}

#[test]
fn a_clock_that_jumps_back_forgives_nothing() {
    let account = account();
    let cell = account.cell(NanoUsd(10), BudgetWindow::Day, NanoUsd(10), NOON);
    assert!(account.hold(&[cell], NanoUsd(1), UnixMs(NOON.0 - 3 * DAY)).is_err());
    let resets_at = account.figures(cell, UnixMs(NOON.0 - 3 * DAY)).unwrap().resets_at;
    assert_eq!(resets_at, Some(UnixMs(19_998 * DAY)));
}

#[test]
fn months_start_anew_on_the_first() {
    let at = |text: &str| -> UnixMs { UnixMs(text.parse::<i64>().unwrap()) };
    let february_28 = at("1772236800000");
    let account = account();
    let cell = account.cell(NanoUsd(1), BudgetWindow::Month, NanoUsd::ZERO, february_28);
    assert_eq!(account.figures(cell, february_28).unwrap().resets_at, Some(at("1772323200000")));
}

#[test]
fn a_removed_budget_no_longer_limits_and_its_slot_is_not_mistaken() {
    let account = account();
    let old = account.cell(NanoUsd(1), BudgetWindow::Total, NanoUsd::ZERO, NOON);
    let hold = account.hold(&[old], NanoUsd(1), NOON).unwrap();
    assert!(account.remove(old) && !account.remove(old));
    let new = account.cell(NanoUsd(5), BudgetWindow::Total, NanoUsd::ZERO, NOON);
    drop(hold);
    assert_eq!(used(&account, new), (0, 0), "an old hold does not settle into the slot's new budget");
    assert!(account.hold(&[old], NanoUsd(100), NOON).is_ok());
    assert!(account.change_limit(new, NanoUsd(7)) && !account.change_limit(old, NanoUsd(7)));
}

#[derive(Clone, Debug)]
enum Act {
    Hold { amount: i64, cells: u8, after_ms: u64 },
    Settle { pick: usize, actual: i64 },
    Release { pick: usize },
    Drop { pick: usize },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..60_i64, 0..8_u8, 0..40_000_000_u64).prop_map(|(amount, cells, after_ms)| Act::Hold {
            amount,
            cells,
            after_ms
        }),
        (any::<usize>(), 0..60_i64).prop_map(|(pick, actual)| Act::Settle { pick, actual }),
        any::<usize>().prop_map(|pick| Act::Release { pick }),
        any::<usize>().prop_map(|pick| Act::Drop { pick }),
    ]
}

proptest! {
    #[test]
    fn settled_and_held_never_pass_the_limit_while_bills_keep_their_holds(acts in prop::collection::vec(act(), 1..80)) {
        let account = account();
        let mut now = NOON;
        let windows = [BudgetWindow::Day, BudgetWindow::Week, BudgetWindow::Total];
        let cells = windows.map(|window| account.cell(NanoUsd(100), window, NanoUsd::ZERO, now));
        let mut holds: Vec<Hold> = Vec::new();
        for act in acts {
            match act {
                Act::Hold { amount, cells: mask, after_ms } => {
                    now = now.plus_ms(after_ms);
                    let chosen: Vec<_> = (0..3).filter(|bit| mask >> bit & 1 == 1).map(|bit| cells[bit]).collect();
                    holds.extend(account.hold(&chosen, NanoUsd(amount), now));
                }
                Act::Settle { pick, actual } if !holds.is_empty() => {
                    let hold = holds.swap_remove(pick % holds.len());
                    let within = NanoUsd(actual).min(hold.amount());
                    prop_assert_eq!(hold.settle(within), NanoUsd::ZERO);
                }
                Act::Release { pick } if !holds.is_empty() => holds.swap_remove(pick % holds.len()).release(),
                Act::Drop { pick } if !holds.is_empty() => drop(holds.swap_remove(pick % holds.len())),
                Act::Settle { .. } | Act::Release { .. } | Act::Drop { .. } => {}
            }
            for cell in cells {
                let figures = account.figures(cell, now).unwrap();
                prop_assert!(figures.settled.saturating_add(figures.held) <= figures.limit);
                prop_assert!(figures.held >= NanoUsd::ZERO);
            }
        }
        drop(holds);
        for cell in cells {
            prop_assert_eq!(account.figures(cell, now).unwrap().held, NanoUsd::ZERO);
        }
        prop_assert_eq!(account.open_holds(), 0);
    }
}
