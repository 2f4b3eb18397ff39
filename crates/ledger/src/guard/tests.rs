//! Whatever way a request ends, money is settled and rows are written.

#![cfg(not(loom))]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use trunkline_domain::access::BudgetWindow;
use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::{AttemptEntry, EntryState, RequestRecord, Settlement};
use trunkline_domain::{NanoUsd, UnixMs};

use super::*;
use crate::api::LedgerRecord;
use crate::clock::Clock;
use crate::hold::{CellIx, Hold, OrganisationAccount};
use crate::journal::{Journal, JournalOptions, read_undrained};
use crate::samples;

const NOW: UnixMs = UnixMs(1_700_000_000_000);

#[derive(Debug, Default)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> UnixMs {
        NOW.plus_ms(self.monotonic_ms())
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Room {
    directory: TempDir,
    journal: Journal,
    clock: Arc<TestClock>,
    account: Arc<OrganisationAccount>,
    cell: CellIx,
}

impl Room {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (journal, _) = Journal::open(JournalOptions::new(directory.path())).unwrap();
        let account = Arc::new(OrganisationAccount::new());
        let cell = account.cell(NanoUsd(1_000), BudgetWindow::Total, NanoUsd::ZERO, NOW);
        Self { directory, journal, clock: Arc::new(TestClock::default()), account, cell }
    }

    async fn request(&self) -> RequestGuard {
        let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&self.clock);
        RequestGuard::new(self.journal.ticket().await.unwrap(), samples::request(1), clock)
    }

    fn hold(&self, amount: i64) -> Hold {
        self.account.hold(&[self.cell], NanoUsd(amount), NOW).unwrap()
    }

    fn pass(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    fn settled(&self) -> i64 {
        let figures = self.account.figures(self.cell, NOW).unwrap();
        assert_eq!((figures.held, self.account.open_holds()), (NanoUsd::ZERO, 0), "no hold is left");
        figures.settled.0
    }

    fn rows(self) -> (Vec<AttemptEntry>, Vec<RequestRecord>) {
        self.journal.close();
        read(self.directory.path())
    }
}

fn read(directory: &Path) -> (Vec<AttemptEntry>, Vec<RequestRecord>) {
    let (mut attempts, mut requests) = (Vec::new(), Vec::new());
    for record in read_undrained(directory).unwrap() {
        match record {
            LedgerRecord::Attempt(entry) => attempts.push(*entry),
            LedgerRecord::Request(record) => requests.push(*record),
            LedgerRecord::Correction(_) => panic!("nobody corrected anything"),
        }
    }
    (attempts, requests)
}

#[tokio::test]
async fn a_failover_leaves_a_void_row_a_settled_row_and_one_record() {
    let room = Room::new();
    let request = room.request().await;
    let (first, opened) = request.attempt(room.hold(600), samples::opening(99, 99));
    opened.await.unwrap();
    room.pass(30);
    first.release(Some(Cause::Overloaded));
    let (second, opened) = request.attempt(room.hold(700), samples::opening(99, 99));
    opened.await.unwrap();
    room.pass(70);
    assert_eq!(second.elapsed_ms(), 70);
    second.settle(samples::settlement(750));
    request.finish(200, None, Some(2));
    assert_eq!(room.settled(), 750);
    let (attempts, requests) = room.rows();
    let [first, second] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!((first.opening.id.ordinal, first.opening.bound), (1, NanoUsd(600)));
    assert_eq!(first.settlement, Settlement::void(Some(Cause::Overloaded), 30));
    assert_eq!((second.opening.id.ordinal, second.opening.id.request), (2, samples::request_id(1)));
    assert_eq!(second.settlement.overrun, NanoUsd(50));
    let [record] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(
        (record.attempts, record.final_attempt, record.status, record.total_ms),
        (2, Some(2), 200, 100)
    );
}

#[tokio::test]
async fn a_disconnect_charges_the_whole_hold_and_says_so() {
    let room = Room::new();
    let request = room.request().await;
    let (attempt, opened) = request.attempt(room.hold(600), samples::opening(1, 1));
    opened.await.unwrap();
    room.pass(40);
    drop(attempt);
    drop(request);
    assert_eq!(room.settled(), 600);
    let (attempts, requests) = room.rows();
    let end = &attempts[0].settlement;
    assert_eq!(
        (end.state, end.charge, end.cause),
        (EntryState::Estimated, NanoUsd(600), Some(Cause::ClientClosed))
    );
    assert_eq!(end.total_ms, 40);
    assert_eq!(requests[0].error.as_deref(), Some("client_closed"));
}

#[tokio::test]
async fn a_panic_settles_too() {
    let room = Room::new();
    let request = room.request().await;
    let (attempt, opened) = request.attempt(room.hold(600), samples::opening(1, 1));
    opened.await.unwrap();
    let panicking = std::panic::AssertUnwindSafe(move || {
        let _owned = (attempt, request);
        panic!("a defect");
    });
    assert!(std::panic::catch_unwind(panicking).is_err());
    assert_eq!(room.settled(), 600);
    let (attempts, requests) = room.rows();
    assert_eq!(attempts[0].settlement.cause, Some(Cause::Internal));
    assert_eq!((requests[0].status, requests[0].attempts), (500, 1));
}

#[tokio::test]
async fn a_refused_request_leaves_its_record_without_attempts() {
    let room = Room::new();
    let mut request = room.request().await;
    request.record_mut().unwrap().losses.push("logprobs".into());
    assert_eq!(request.attempts(), 0);
    request.finish(402, Some("budget_exceeded".into()), None);
    let (attempts, requests) = room.rows();
    assert!(attempts.is_empty());
    assert_eq!((requests[0].status, requests[0].attempts, requests[0].final_attempt), (402, 0, None));
    assert_eq!(requests[0].losses.len(), 1);
}

#[tokio::test]
async fn without_a_bound_a_disconnect_is_charged_nothing() {
    let room = Room::new();
    let request = room.request().await;
    let hold = room.account.hold(&[], NanoUsd::MAX, NOW).unwrap();
    let (attempt, opened) = request.attempt(hold, samples::opening(1, 1));
    opened.await.unwrap();
    drop(attempt);
    drop(request);
    let (attempts, _) = room.rows();
    assert_eq!(attempts[0].settlement.charge, NanoUsd::ZERO);
}
