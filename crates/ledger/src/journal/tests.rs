//! The journal through its own door: what is acknowledged is found again, what is promised fits, what is drained goes.

#![cfg(not(loom))]

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use trunkline_domain::id::{KeyId, RequestId};
use trunkline_domain::ledger::{AttemptEntry, EntryState, RequestRecord};
use trunkline_domain::{NanoUsd, TenantScope, Text, UnixMs};

use super::*;
use crate::api::{LedgerRecord, LedgerStore, StoreError, StoreFuture, UsageQuery, UsageRow};
use crate::memory::{MemoryStore, StoreMode};
use crate::samples;

const LONG: Duration = Duration::from_mins(1);

fn small(directory: &Path) -> JournalOptions {
    let segment_bytes = 64 << 10;
    JournalOptions {
        segment_bytes,
        cap_bytes: 8 * segment_bytes,
        in_flight_max: 64,
        attempts_max: 2,
        ..JournalOptions::new(directory)
    }
}

fn open(directory: &Path) -> (Journal, Recovered) {
    Journal::open(small(directory)).unwrap()
}

async fn whole_request(journal: &Journal, number: u128) {
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(number, 1))).await.unwrap();
    ticket.settle(samples::opening(number, 1).id, &samples::settlement(5));
    ticket.record(&samples::request(number));
}

/// Where writing stands once everything before is written.
async fn written(journal: &Journal) -> Position {
    let (done, written) = oneshot::channel();
    journal.queue.send(Message::Flush(done)).unwrap();
    written.await.unwrap()
}

fn drain(journal: &Journal, store: &Arc<MemoryStore>) -> JoinHandle<()> {
    let store: Arc<dyn LedgerStore> = Arc::<MemoryStore>::clone(store);
    tokio::spawn(journal.drainer().run(store, std::future::pending()))
}

fn states(records: &[LedgerRecord]) -> Vec<(u128, EntryState)> {
    let attempts = records.iter().filter_map(|record| match record {
        LedgerRecord::Attempt(entry) => Some((entry.opening.id.request.0.as_u128(), entry.settlement.state)),
        LedgerRecord::Request(_) | LedgerRecord::Correction(_) => None,
    });
    attempts.collect()
}

fn segments(directory: &Path) -> Vec<u64> {
    segment::list(directory).unwrap()
}

#[tokio::test]
async fn the_journal_of_a_process_that_ended_is_adopted_and_deleted_and_a_living_one_is_not() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("journal");
    let (journal, _) = open(&directory);
    whole_request(&journal, 1).await;
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(2, 1))).await.unwrap();
    let expected = [(1, EntryState::Settled), (2, EntryState::Interrupted)];
    assert!(Orphan::open(&directory).unwrap().is_none(), "somebody writes there");
    assert_eq!(states(&read_outstanding(&directory).unwrap()), expected, "what it can come to");
    journal.close();
    for _ in 0..2 {
        let orphan = Orphan::open(&directory).unwrap().unwrap();
        assert_eq!(states(&orphan.recovered.records), expected, "until it is deleted, the same rows");
    }
    let orphan = Orphan::open(&directory).unwrap().unwrap();
    let opening = std::thread::spawn({
        let directory = directory.clone();
        move || open(&directory).1
    });
    orphan.delete().unwrap();
    assert_eq!(opening.join().unwrap(), Recovered::default(), "whoever waited for the lock begins anew");
    assert!(Orphan::open(&home.path().join("none")).unwrap().is_none());
}

#[tokio::test]
async fn what_was_left_open_is_interrupted_at_its_hold_and_found_once() {
    let directory = TempDir::new().unwrap();
    let (journal, recovered) = open(directory.path());
    assert_eq!(recovered, Recovered::default());
    whole_request(&journal, 1).await;
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(2, 1))).await.unwrap();
    assert_eq!(journal.depth().open_attempts, 1);
    assert_eq!(
        states(&read_undrained(directory.path()).unwrap()),
        [(1, EntryState::Settled)],
        "2 is still under way"
    );
    journal.close();
    let expected = [(1, EntryState::Settled), (2, EntryState::Interrupted)];
    assert_eq!(states(&read_undrained(directory.path()).unwrap()), expected, "nobody is running");

    for _ in 0..3 {
        let (journal, recovered) = open(directory.path());
        assert_eq!((states(&recovered.records), recovered.dropped_bytes), (expected.to_vec(), 0));
        let LedgerRecord::Attempt(interrupted) = recovered.records.last().unwrap() else {
            panic!("not an attempt")
        };
        assert_eq!(interrupted.settlement.charge, samples::opening(2, 1).bound);
        assert_eq!(journal.depth().records, 3, "two attempts and a request");
        journal.close();
    }
}

#[tokio::test]
async fn an_interrupted_attempt_without_a_bound_is_charged_nothing() {
    let directory = TempDir::new().unwrap();
    let (journal, _) = open(directory.path());
    let ticket = journal.ticket().await.unwrap();
    let opening = trunkline_domain::ledger::AttemptOpening { bound: NanoUsd::MAX, ..samples::opening(1, 1) };
    ticket.open(Arc::new(opening)).await.unwrap();
    journal.close();
    let records = read_undrained(directory.path()).unwrap();
    assert!(
        matches!(&records[..], [LedgerRecord::Attempt(entry)] if entry.settlement.charge == NanoUsd::ZERO)
    );
}

#[tokio::test]
async fn a_second_process_is_told_and_a_closed_journal_is_free() {
    let directory = TempDir::new().unwrap();
    let (journal, _) = open(directory.path());
    assert!(matches!(Journal::open(small(directory.path())), Err(JournalError::InUse(_))));
    journal.close();
    assert_eq!(journal.ticket().await.unwrap_err(), JournalFull::Closed);
    open(directory.path()).0.close();
}

#[tokio::test]
async fn records_reach_the_store_and_their_segments_go() {
    let directory = TempDir::new().unwrap();
    let (journal, _) = open(directory.path());
    let store = Arc::new(MemoryStore::new());
    let drainer = drain(&journal, &store);
    let long = journal.ticket().await.unwrap();
    long.open(Arc::new(samples::opening(1_000_000, 1))).await.unwrap();
    for number in 0..600 {
        whole_request(&journal, number).await;
        if number % 100 == 0 {
            journal.flush(LONG).await.unwrap();
        }
    }
    journal.flush(LONG).await.unwrap();
    assert_eq!((store.all_attempts().len(), store.all_requests().len()), (600, 600));
    // Deleting a segment may have copied the one opening forward.
    journal.flush(LONG).await.unwrap();
    assert_eq!(journal.depth(), Depth { records: 0, bytes: 0, open_attempts: 1, refused: 0 });
    assert!(segments(directory.path()).len() <= 3, "{:?}", segments(directory.path()));
    assert_eq!(read_undrained(directory.path()).unwrap(), []);

    drainer.abort();
    journal.close();
    let (journal, recovered) = open(directory.path());
    assert_eq!(
        states(&recovered.records),
        [(1_000_000, EntryState::Interrupted)],
        "its opening outlived the segment it was written to, and nothing drained comes back"
    );
    drain(&journal, &store);
    journal.flush(LONG).await.unwrap();
    let last: AttemptEntry = store.all_attempts().pop().unwrap();
    assert_eq!(last.settlement.state, EntryState::Interrupted);
    journal.close();
}

#[tokio::test]
async fn a_store_that_is_away_loses_nothing_and_holds_nobody_up() {
    for mode in [StoreMode::Failing, StoreMode::Frozen] {
        let directory = TempDir::new().unwrap();
        let (journal, _) = open(directory.path());
        let store = Arc::new(MemoryStore::new());
        store.set_mode(mode);
        drain(&journal, &store);
        for number in 0..20 {
            whole_request(&journal, number).await;
        }
        written(&journal).await;
        assert_eq!(journal.flush(Duration::from_millis(1)).await, Err(FlushTimeout));
        assert_eq!(journal.depth().records, 40);
        store.set_mode(StoreMode::Working);
        journal.flush(LONG).await.unwrap();
        assert_eq!((store.all_attempts().len(), journal.depth().records), (20, 0));
        journal.close();
    }
}

/// The cap is met at the door. Every ticket that was given writes the most it may, and all of it is found again.
#[tokio::test]
async fn a_full_journal_refuses_at_the_door_and_keeps_every_promise() {
    let directory = TempDir::new().unwrap();
    let mut options = small(directory.path());
    options.in_flight_max = 10_000;
    let (journal, _) = Journal::open(options.clone()).unwrap();
    let mut tickets = Vec::new();
    let full = loop {
        match journal.ticket().await {
            Ok(ticket) => tickets.push(ticket),
            Err(full) => break full,
        }
    };
    assert_eq!(full, JournalFull::Cap { cap_bytes: options.cap_bytes });
    assert!(tickets.len() > 40, "{}", tickets.len());
    for (number, ticket) in tickets.iter().enumerate() {
        fill(ticket, number as u128).await;
    }
    let count = tickets.len();
    drop(tickets);
    let store = Arc::new(MemoryStore::new());
    drain(&journal, &store);
    journal.flush(LONG).await.unwrap();
    assert_eq!((store.all_attempts().len(), store.all_requests().len()), (2 * count, count));
    whole_request(&journal, 1 << 64).await;
    journal.close();
}

/// Writes all a ticket for two attempts has room for, each record about as large as it gets.
async fn fill(ticket: &Ticket, number: u128) {
    let long = |bytes: usize| Text::from("x".repeat(bytes));
    for ordinal in [1, 2] {
        let mut opening = samples::opening(number, ordinal);
        opening.payer.session = Some(long(1_200));
        ticket.open(Arc::new(opening)).await.unwrap();
        let mut end = samples::settlement(1);
        end.upstream_id = Some(long(900));
        ticket.settle(samples::opening(number, ordinal).id, &end);
    }
    let mut record = samples::request(number);
    record.client_request_id = Some(long(1_300));
    ticket.record(&record);
}

#[tokio::test]
async fn room_and_places_return_when_the_records_are_written() {
    let directory = TempDir::new().unwrap();
    let mut options = small(directory.path());
    options.in_flight_max = 1;
    let (journal, _) = Journal::open(options).unwrap();
    let store = Arc::new(MemoryStore::new());
    drain(&journal, &store);
    for number in 0..2_000 {
        whole_request(&journal, number).await;
        if number % 100 == 0 {
            journal.flush(LONG).await.unwrap();
        }
    }
    journal.flush(LONG).await.unwrap();
    assert_eq!(store.all_attempts().len(), 2_000);
    assert!(journal.ticket().await.is_ok(), "the only place is free again");
    journal.close();
}

#[tokio::test]
async fn a_ticket_takes_no_more_attempts_than_it_has_room_for() {
    let directory = TempDir::new().unwrap();
    let (journal, _) = open(directory.path());
    let ticket = journal.ticket().await.unwrap();
    for ordinal in [1, 2] {
        ticket.open(Arc::new(samples::opening(1, ordinal))).await.unwrap();
        ticket.settle(samples::opening(1, ordinal).id, &samples::settlement(0));
    }
    assert_eq!(ticket.open(Arc::new(samples::opening(1, 3))).await, Err(NotWritten::AttemptsExhausted));
    ticket.settle(samples::opening(1, 3).id, &samples::settlement(0));
    ticket.settle(samples::opening(1, 2).id, &samples::settlement(9));
    journal.close();
    let settled = states(&read_undrained(directory.path()).unwrap());
    assert_eq!(
        settled,
        [(1, EntryState::Settled); 2],
        "neither an unopened nor a second settlement leaves a record"
    );
}

#[tokio::test]
async fn power_durability_acknowledges_and_recovers_alike() {
    let directory = TempDir::new().unwrap();
    let options = JournalOptions { durability: Durability::Power, ..small(directory.path()) };
    let (journal, _) = Journal::open(options.clone()).unwrap();
    let store = Arc::new(MemoryStore::new());
    drain(&journal, &store);
    for number in 0..200 {
        whole_request(&journal, number).await;
    }
    journal.flush(LONG).await.unwrap();
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(500, 1))).await.unwrap();
    journal.close();
    let (journal, recovered) = Journal::open(options).unwrap();
    assert_eq!(states(&recovered.records), [(500, EntryState::Interrupted)]);
    journal.close();
}

/// A crash tears the last write anywhere. Whatever lies wholly before the tear is recovered, nothing else is.
#[tokio::test]
async fn a_torn_tail_is_dropped_and_counted_wherever_it_tears() {
    let directory = TempDir::new().unwrap();
    let (journal, _) = open(directory.path());
    let mut ends = Vec::new();
    for number in 0..4 {
        whole_request(&journal, number).await;
        ends.push(written(&journal).await.offset);
    }
    journal.close();
    let name = directory.path().join(format!("{:016x}.journal", segments(directory.path())[0]));
    let whole = std::fs::read(&name).unwrap();
    let end = *ends.last().unwrap();
    for tear in (HEADER_BYTES..end).step_by(37) {
        let torn = TempDir::new().unwrap();
        let copy = torn.path().join(name.file_name().unwrap());
        let mut bytes = whole.clone();
        bytes[usize::try_from(tear).unwrap()..].fill(0);
        std::fs::write(copy, bytes).unwrap();
        let (journal, recovered) = open(torn.path());
        let requests =
            recovered.records.iter().filter(|record| matches!(record, LedgerRecord::Request(_))).count();
        assert_eq!(requests, ends.iter().filter(|end| **end <= tear).count(), "torn at {tear}");
        let clean = tear == HEADER_BYTES || ends.contains(&tear);
        assert!(!clean || recovered.dropped_bytes == 0, "torn at {tear}");
        journal.close();
    }
}

#[test]
fn what_this_version_did_not_write_is_not_deleted() {
    let directory = TempDir::new().unwrap();
    let foreign = directory.path().join("0000000000000001.journal");
    std::fs::write(&foreign, b"TLJRNL99 something of a later version, longer than a header").unwrap();
    assert!(matches!(Journal::open(small(directory.path())), Err(JournalError::Io { .. })));
    assert!(foreign.exists());
}

#[test]
fn a_damaged_position_means_from_the_start() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).0.close();
    let position = recover::PositionFile::open(directory.path()).unwrap();
    position.store(Position { segment: 3, offset: 99 }).unwrap();
    assert_eq!(recover::read_position(directory.path()).unwrap(), Position { segment: 3, offset: 99 });
    let file = std::fs::OpenOptions::new().write(true).open(directory.path().join("drained")).unwrap();
    file.write_all_at(b"?", 9).unwrap();
    assert_eq!(recover::read_position(directory.path()).unwrap(), Position::default());
}

#[test]
fn nonsense_options_are_refused() {
    let directory = TempDir::new().unwrap();
    let good = small(directory.path());
    for bad in [
        JournalOptions { segment_bytes: 1, ..good.clone() },
        JournalOptions { cap_bytes: good.segment_bytes, ..good.clone() },
        JournalOptions { in_flight_max: 0, ..good.clone() },
        JournalOptions { attempts_max: 0, ..good.clone() },
    ] {
        assert!(matches!(Journal::open(bad), Err(JournalError::Options(_))));
    }
}

/// A store that takes a batch only when it is let.
struct Gated {
    store: MemoryStore,
    arrived: tokio::sync::Semaphore,
    let_through: tokio::sync::Semaphore,
}

impl LedgerStore for Gated {
    fn append<'a>(&'a self, scope: TenantScope, batch: &'a [LedgerRecord]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.arrived.add_permits(1);
            self.let_through.acquire().await.unwrap().forget();
            self.store.append(scope, batch).await
        })
    }

    fn attempts(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Vec<AttemptEntry>> {
        self.store.attempts(scope, request)
    }

    fn request(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Option<RequestRecord>> {
        self.store.request(scope, request)
    }

    fn usage<'a>(&'a self, scope: TenantScope, query: &'a UsageQuery) -> StoreFuture<'a, Vec<UsageRow>> {
        self.store.usage(scope, query)
    }

    fn spend_by_key(&self, scope: TenantScope, since: UnixMs) -> StoreFuture<'_, Vec<(KeyId, NanoUsd)>> {
        self.store.spend_by_key(scope, since)
    }
}

#[tokio::test]
async fn an_opening_stays_until_its_settlement_in_a_later_segment_is_in_the_store() {
    let directory = TempDir::new().unwrap();
    let (journal, _) = open(directory.path());
    let gated = Arc::new(Gated {
        store: MemoryStore::new(),
        arrived: tokio::sync::Semaphore::new(0),
        let_through: tokio::sync::Semaphore::new(0),
    });
    let store: Arc<dyn LedgerStore> = gated.clone();
    let draining = tokio::spawn(journal.drainer().run(store, std::future::pending()));
    let arrived = async || gated.arrived.acquire().await.unwrap().forget();

    let long = journal.ticket().await.unwrap();
    long.open(Arc::new(samples::opening(1, 1))).await.unwrap();
    whole_request(&journal, 2).await;
    // The first batch ends in the first segment, the second goes on into the next.
    arrived().await;
    for number in 100..200 {
        whole_request(&journal, number).await;
    }
    assert!(segments(directory.path()).len() > 1);
    gated.let_through.add_permits(1);
    arrived().await;
    // It is settled behind what that batch holds.
    long.settle(samples::opening(1, 1).id, &samples::settlement(5));
    whole_request(&journal, 3).await;
    gated.let_through.add_permits(1);
    // The third batch comes when the second is remembered; it never gets through.
    arrived().await;
    draining.abort();
    draining.await.unwrap_err();
    journal.close();
    let left = states(&read_undrained(directory.path()).unwrap());
    assert!(left.contains(&(1, EntryState::Settled)), "{left:?}");
}

/// A store that refuses every batch with the row of one request.
struct Picky {
    store: MemoryStore,
    refuses: u128,
}

impl LedgerStore for Picky {
    fn append<'a>(&'a self, scope: TenantScope, batch: &'a [LedgerRecord]) -> StoreFuture<'a, ()> {
        if states(batch).iter().any(|(request, _)| *request == self.refuses) {
            return Box::pin(async { Err(StoreError::Conflict("a constraint failed".to_owned())) });
        }
        self.store.append(scope, batch)
    }

    fn attempts(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Vec<AttemptEntry>> {
        self.store.attempts(scope, request)
    }

    fn request(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Option<RequestRecord>> {
        self.store.request(scope, request)
    }

    fn usage<'a>(&'a self, scope: TenantScope, query: &'a UsageQuery) -> StoreFuture<'a, Vec<UsageRow>> {
        self.store.usage(scope, query)
    }

    fn spend_by_key(&self, scope: TenantScope, since: UnixMs) -> StoreFuture<'_, Vec<(KeyId, NanoUsd)>> {
        self.store.spend_by_key(scope, since)
    }
}

#[tokio::test]
async fn a_record_that_the_store_refuses_is_set_aside_and_holds_nothing_up() {
    let directory = TempDir::new().unwrap();
    let picky = Arc::new(Picky { store: MemoryStore::new(), refuses: 7 });
    let (journal, _) = open(directory.path());
    for number in 0..20 {
        whole_request(&journal, number).await;
    }
    let store: Arc<dyn LedgerStore> = picky.clone();
    let draining = tokio::spawn(journal.drainer().run(store, std::future::pending()));
    journal.flush(LONG).await.unwrap();
    assert_eq!((picky.store.all_attempts().len(), picky.store.all_requests().len()), (19, 20));
    assert_eq!((journal.depth().records, journal.depth().refused), (0, 1));
    draining.abort();
    draining.await.unwrap_err();
    journal.close();

    let kept = std::fs::read_to_string(directory.path().join("refused.jsonl")).unwrap();
    let kept: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(line["error"], "a constraint failed");
    assert_eq!(
        line["attempt"]["opening"],
        serde_json::from_str::<serde_json::Value>(&serde_json::to_string(&samples::opening(7, 1)).unwrap())
            .unwrap()
    );

    // The next process still knows of it, and does not try it again.
    let (journal, recovered) = open(directory.path());
    assert_eq!(recovered, Recovered::default());
    let draining = drain(&journal, &Arc::new(MemoryStore::new()));
    whole_request(&journal, 30).await;
    journal.flush(LONG).await.unwrap();
    assert_eq!(journal.depth().refused, 1);
    draining.abort();
    journal.close();
}
