//! A child process writes attempts and tells, line by line, what it is about to do and what was acknowledged. It is
//! killed at a seeded line. What was acknowledged must be recovered; what was never begun must not be.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use trunkline_domain::ledger::EntryState;
use trunkline_ledger::api::LedgerRecord;
use trunkline_ledger::journal::{Journal, JournalOptions};

use crate::samples;

const DIRECTORY: &str = "TRUNKLINE_TEST_CRASH_DIRECTORY";
const ROUNDS: u64 = 12;
const TASKS: u128 = 8;

fn options(directory: &Path) -> JournalOptions {
    JournalOptions {
        segment_bytes: 64 << 10,
        cap_bytes: 64 << 20,
        attempts_max: 2,
        ..JournalOptions::new(directory)
    }
}

fn say(what: &str, number: u128) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {number}").unwrap();
    out.flush().unwrap();
}

/// The child: `a_killed_process_loses_nothing_it_acknowledged` runs it.
#[test]
#[ignore = "run as a child process by the crash test"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (journal, _) = Journal::open(options(Path::new(&directory))).unwrap();
    runtime.block_on(async {
        for task in 0..TASKS {
            tokio::spawn(write_for_ever(journal.clone(), task));
        }
        std::future::pending::<()>().await;
    });
}

async fn write_for_ever(journal: Journal, task: u128) {
    for round in 0.. {
        let number = round * TASKS + task;
        let ticket = journal.ticket().await.unwrap();
        say("begin", number);
        ticket.open(Arc::new(samples::opening(number, 1))).await.unwrap();
        say("opened", number);
        ticket.settle(samples::opening(number, 1).id, &samples::settlement(5));
        // A second opening behind it in the queue: when it is acknowledged, so is the settlement.
        ticket.open(Arc::new(samples::opening(number, 2))).await.unwrap();
        say("settled", number);
        ticket.settle(samples::opening(number, 2).id, &samples::settlement(5));
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let directory = TempDir::new().unwrap();
    for seed in 0..ROUNDS {
        // Lines until the kill: any multiplier that scatters does.
        let lines = 1 + usize::try_from(seed * 7_919 % 1_500).unwrap();
        let directory = directory.path().join(seed.to_string());
        let said = run_and_kill(&directory, lines);
        let (journal, recovered) = Journal::open(options(&directory)).unwrap();
        journal.close();
        let rows: Vec<_> = recovered
            .records
            .iter()
            .filter_map(|record| match record {
                LedgerRecord::Attempt(entry) => Some(entry),
                LedgerRecord::Request(_) | LedgerRecord::Correction(_) => None,
            })
            .filter(|entry| entry.opening.id.ordinal == 1)
            .collect();
        let found: BTreeSet<u128> = rows.iter().map(|entry| entry.opening.id.request.0.as_u128()).collect();
        assert_eq!(found.len(), rows.len(), "one row per attempt");
        let settled: BTreeSet<u128> = rows
            .iter()
            .filter(|entry| entry.settlement.state == EntryState::Settled)
            .map(|entry| entry.opening.id.request.0.as_u128())
            .collect();
        assert!(said("opened").is_subset(&found), "seed {seed}: an acknowledged attempt is lost");
        assert!(said("settled").is_subset(&settled), "seed {seed}: an acknowledged settlement is lost");
        assert!(found.is_subset(&said("begin")), "seed {seed}: an attempt nobody began");
    }
}

fn run_and_kill(directory: &Path, lines: usize) -> impl Fn(&str) -> BTreeSet<u128> + use<> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<(String, u128)> = Vec::new();
    let mut read = |output: &mut dyn Iterator<Item = std::io::Result<String>>| {
        for line in output {
            let line = line.unwrap();
            if let Some((what, number)) = line.split_once(' ')
                && let Ok(number) = number.parse()
            {
                said.push((what.to_owned(), number));
            }
        }
    };
    read(&mut output.by_ref().take(lines));
    child.kill().unwrap();
    child.wait().unwrap();
    // What the child said before it died is said, even if it was not read yet.
    read(&mut output);
    move |what| said.iter().filter(|(said, _)| said == what).map(|(_, number)| *number).collect()
}
