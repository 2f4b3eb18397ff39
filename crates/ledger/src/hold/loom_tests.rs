//! Every interleaving of a few threads on the shipped type:
//! `RUSTFLAGS="--cfg loom" cargo test -p trunkline-ledger --release loom`.

#![cfg(loom)]

use super::*;

const NOW: UnixMs = UnixMs(1_700_000_000_000);

/// Three holds of 1 on a budget of 2, one released on the way. No serial order admits fewer than two or leaves more
/// than the limit in use.
#[test]
fn loom_no_over_admission_and_no_refusal_without_a_serial_order() {
    loom::model(|| {
        let account = Arc::new(OrganisationAccount::new());
        let key = account.cell(NanoUsd(2), BudgetWindow::Total, NanoUsd::ZERO, NOW);
        let team = account.cell(NanoUsd(3), BudgetWindow::Total, NanoUsd(1), NOW);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let account = Arc::clone(&account);
                loom::thread::spawn(move || account.hold(&[key, team], NanoUsd(1), NOW).ok())
            })
            .collect();
        let mine = account.hold(&[team, key], NanoUsd(1), NOW).ok();
        let figures = account.figures(key, NOW).unwrap();
        assert!(figures.settled.saturating_add(figures.held) <= figures.limit);
        let admitted: Vec<Hold> =
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).chain(mine).collect();
        assert_eq!(admitted.len(), 2, "two fit in every serial order, three in none");
        drop(admitted);
        let figures = account.figures(key, NOW).unwrap();
        assert_eq!((figures.settled, figures.held), (NanoUsd(2), NanoUsd::ZERO));
    });
}

/// Whether a release comes before or after, a refusal is explained by an order in which it came after.
#[test]
fn loom_a_release_beside_a_hold() {
    loom::model(|| {
        let account = Arc::new(OrganisationAccount::new());
        let narrow = account.cell(NanoUsd(1), BudgetWindow::Total, NanoUsd::ZERO, NOW);
        let wide = account.cell(NanoUsd(9), BudgetWindow::Total, NanoUsd::ZERO, NOW);
        let first = account.hold(&[wide, narrow], NanoUsd(1), NOW).unwrap();
        let releasing = loom::thread::spawn(move || first.release());
        let second = account.hold(&[wide, narrow], NanoUsd(1), NOW);
        releasing.join().unwrap();
        let held = account.figures(wide, NOW).unwrap().held;
        assert_eq!(
            held,
            if second.is_ok() { NanoUsd(1) } else { NanoUsd::ZERO },
            "a refusal leaves nothing held"
        );
        drop(second);
        assert_eq!(account.open_holds(), 0);
    });
}
