//! A disk that is really full: a small tmpfs. Needs the right to mount one; without it the test says that it was skipped.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use trunkline_ledger::api::LedgerRecord;
use trunkline_ledger::journal::{Journal, JournalFull, JournalOptions, read_undrained};

use crate::samples;

struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mount.then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.path().display());
    }
}

#[tokio::test]
async fn a_full_disk_is_met_at_the_door_and_never_by_a_record() {
    let Some(disk) = SmallDisk::mount(1) else {
        println!("SKIPPED: no right to mount a tmpfs");
        return;
    };
    let options =
        JournalOptions { segment_bytes: 128 << 10, attempts_max: 1, ..JournalOptions::new(disk.path()) };
    let (journal, _) = Journal::open(options).unwrap();
    let mut tickets = Vec::new();
    let full = loop {
        match journal.ticket().await {
            Ok(ticket) => tickets.push(ticket),
            Err(full) => break full,
        }
    };
    assert!(matches!(full, JournalFull::Disk(_)), "{full}");
    assert!(tickets.len() > 100);
    // Whatever else fills the rest of the disk, the promised records are written.
    std::fs::write(disk.path().join("ballast"), vec![1_u8; 2 << 20]).unwrap_err();
    for (number, ticket) in (0..).zip(&tickets) {
        ticket.open(Arc::new(samples::opening(number, 1))).await.unwrap();
        ticket.settle(samples::opening(number, 1).id, &samples::settlement(1));
        ticket.record(&samples::request(number));
    }
    journal.close();
    let records = read_undrained(disk.path()).unwrap();
    let attempts = records.iter().filter(|record| matches!(record, LedgerRecord::Attempt(_))).count();
    assert_eq!((attempts, records.len()), (tickets.len(), 2 * tickets.len()));
    drop(tickets);
    drop(journal);
}
