//! A device that stops taking writes, and a thread that is gone: the door closes, openings are refused, and what was
//! queued is kept and written once writing works again.

#![cfg(not(loom))]

use std::path::Path;

use tempfile::TempDir;
use trunkline_domain::ledger::EntryState;

use super::super::{Journal, JournalOptions, NotWritten, read_undrained, recover};
use super::*;
use crate::samples;

fn recover(directory: &Path) -> (Journal, Writer, mpsc::Receiver<Message>) {
    let options = JournalOptions { segment_bytes: 64 << 10, ..JournalOptions::new(directory) };
    let shared = Arc::new(Shared::new(options));
    let lock = recover::lock(directory).unwrap();
    let (writer, _) = Writer::recover(Arc::clone(&shared), lock).unwrap();
    let (queue, messages) = mpsc::channel();
    (Journal { shared, queue }, writer, messages)
}

fn work(writer: &mut Writer, messages: &mpsc::Receiver<Message>) {
    for message in messages.try_iter() {
        writer.take(message);
    }
    writer.commit();
}

#[tokio::test]
async fn a_write_error_closes_the_door_until_what_was_queued_is_written() {
    let directory = TempDir::new().unwrap();
    let (journal, mut writer, messages) = recover(directory.path());
    let ticket = journal.ticket().await.unwrap();
    let before = ticket.open(Arc::new(samples::opening(1, 1)));
    work(&mut writer, &messages);
    assert_eq!(before.await, Ok(()));

    let broken = writer.current.unwritable(directory.path()).unwrap();
    let whole = std::mem::replace(&mut writer.current, broken);
    let during = ticket.open(Arc::new(samples::opening(1, 2)));
    ticket.settle(samples::opening(1, 1).id, samples::settlement(4));
    work(&mut writer, &messages);
    assert_eq!(during.await, Err(NotWritten::JournalFailed));
    assert!(matches!(journal.ticket().await, Err(JournalFull::Broken(_))));
    let refused = ticket.open(Arc::new(samples::opening(1, 3)));
    ticket.settle(samples::opening(1, 3).id, samples::settlement(0));
    work(&mut writer, &messages);
    assert_eq!(refused.await, Err(NotWritten::JournalFailed));

    writer.current = whole;
    work(&mut writer, &messages);
    assert!(journal.ticket().await.is_ok());
    drop(writer);
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
    let (journal, writer, messages) = recover(directory.path());
    let ticket = journal.ticket().await.unwrap();
    let queued = ticket.open(Arc::new(samples::opening(1, 1)));
    drop(Closing(Arc::clone(&writer.shared)));
    drop((writer, messages));
    assert_eq!(queued.await, Err(NotWritten::JournalFailed));
    assert_eq!(ticket.open(Arc::new(samples::opening(1, 2))).await, Err(NotWritten::JournalFailed));
    assert_eq!(journal.ticket().await.unwrap_err(), JournalFull::Closed);
}
