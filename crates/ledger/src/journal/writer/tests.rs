//! A device that stops taking writes, and a thread that is gone: the door closes, openings are refused, and what was
//! queued is kept and written once writing works again.

#![cfg(not(loom))]

use std::path::Path;

use tempfile::TempDir;
use trunkline_domain::ledger::EntryState;

use super::super::{Journal, JournalOptions, NotWritten, read_undrained, recover};
use super::*;
use crate::samples;

fn recover(directory: &Path) -> (Journal, mpsc::Receiver<Message>) {
    let options = JournalOptions { segment_bytes: 64 << 10, ..JournalOptions::new(directory) };
    let shared = Arc::new(Shared::new(options));
    let lock = recover::lock(directory).unwrap();
    let (writer, _) = Writer::recover(Arc::clone(&shared), lock).unwrap();
    let (queue, messages) = mpsc::channel();
    (Journal { shared, desk: Arc::new(Desk::new(writer)), queue }, messages)
}

fn with_writer<T>(journal: &Journal, act: impl FnOnce(&mut Writer) -> T) -> T {
    act(journal.desk.0.lock().as_mut().unwrap())
}

/// What the thread would do.
fn work(journal: &Journal, messages: &mpsc::Receiver<Message>) {
    with_writer(journal, |writer| {
        for message in messages.try_iter() {
            writer.take(message);
        }
        writer.commit();
    });
}

#[tokio::test]
async fn a_write_error_closes_the_door_until_what_was_queued_is_written() {
    let directory = TempDir::new().unwrap();
    let (journal, messages) = recover(directory.path());
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(1, 1))).await.unwrap();
    assert!(messages.try_recv().is_err(), "it is written where it was brought");

    let whole = with_writer(&journal, |writer| {
        let broken = writer.current.unwritable(directory.path()).unwrap();
        std::mem::replace(&mut writer.current, broken)
    });
    let during = ticket.open(Arc::new(samples::opening(1, 2)));
    ticket.settle(samples::opening(1, 1).id, &samples::settlement(4));
    work(&journal, &messages);
    assert_eq!(during.await, Err(NotWritten::JournalFailed));
    assert!(matches!(journal.ticket().await, Err(JournalFull::Broken(_))));
    let refused = ticket.open(Arc::new(samples::opening(1, 3)));
    ticket.settle(samples::opening(1, 3).id, &samples::settlement(0));
    work(&journal, &messages);
    assert_eq!(refused.await, Err(NotWritten::JournalFailed));

    with_writer(&journal, |writer| writer.current = whole);
    work(&journal, &messages);
    assert!(journal.ticket().await.is_ok());
    journal.desk.0.lock().take();
    let rows: Vec<_> = read_undrained(directory.path())
        .unwrap()
        .into_iter()
        .map(|record| match record {
            LedgerRecord::Attempt(entry) => (entry.opening.id.ordinal, entry.settlement.state),
            other @ (LedgerRecord::Request(_) | LedgerRecord::Correction(_)) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rows, [(1, EntryState::Settled), (3, EntryState::Settled), (2, EntryState::Interrupted)]);
}

#[tokio::test]
async fn a_thread_that_is_gone_refuses_openings_and_tickets() {
    let directory = TempDir::new().unwrap();
    let (journal, messages) = recover(directory.path());
    let ticket = journal.ticket().await.unwrap();
    let held = journal.desk.0.lock();
    let queued = ticket.open(Arc::new(samples::opening(1, 1)));
    drop(held);
    drop(Closing(Arc::clone(&journal.shared)));
    drop(messages);
    assert_eq!(queued.await, Err(NotWritten::JournalFailed));
    assert_eq!(ticket.open(Arc::new(samples::opening(1, 2))).await, Err(NotWritten::JournalFailed));
    assert_eq!(journal.ticket().await.unwrap_err(), JournalFull::Closed);
}

#[tokio::test]
async fn while_another_writes_records_are_queued_and_those_behind_stay_in_order() {
    let directory = TempDir::new().unwrap();
    let (journal, messages) = recover(directory.path());
    let (ticket, other) = (journal.ticket().await.unwrap(), journal.ticket().await.unwrap());
    let held = journal.desk.0.lock();
    let queued = ticket.open(Arc::new(samples::opening(1, 1)));
    drop(held);
    ticket.settle(samples::opening(1, 1).id, &samples::settlement(4));
    ticket.record(&samples::request(1));
    other.open(Arc::new(samples::opening(2, 1))).await.unwrap();
    assert_eq!(with_writer(&journal, |writer| writer.open.len()), 1, "only the other's is written");
    work(&journal, &messages);
    assert_eq!(queued.await, Ok(()));
    journal.desk.0.lock().take();
    assert_eq!(read_undrained(directory.path()).unwrap().len(), 3);
}

#[tokio::test]
async fn a_settlement_and_the_requests_record_are_one_write() {
    let directory = TempDir::new().unwrap();
    let (journal, _messages) = recover(directory.path());
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(1, 1))).await.unwrap();
    let pending = |journal: &Journal| with_writer(journal, |writer| writer.queued.len());
    ticket.settle(samples::opening(1, 1).id, &samples::settlement(4));
    assert_eq!(pending(&journal), 1);
    ticket.record(&samples::request(1));
    assert_eq!(pending(&journal), 0);
    // An attempt may outlive its request: then nothing follows.
    let ticket = journal.ticket().await.unwrap();
    ticket.open(Arc::new(samples::opening(2, 1))).await.unwrap();
    ticket.record(&samples::request(2));
    ticket.settle(samples::opening(2, 1).id, &samples::settlement(4));
    assert_eq!(pending(&journal), 0);
}
