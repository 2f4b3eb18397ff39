//! Chaos: everything that can fail does, and each caller still gets a whole answer or an error of its own dialect, with
//! a ledger that says what the providers say.
//!
//! The matrix: each way to fail ([`modes`]) × buffered and streamed × the caller's dialect × one provider or two × hedge
//! off and on × resume off and on ([`cases`]). Each case has providers, and so breakers, of its own; a gateway serves
//! some dozens of cases at once. What a caller saw is read in [`seen`], and everything is printed by [`table`].
//!
//! `TRUNKLINE_CHAOS=full` runs every case, otherwise a seeded sample; `TRUNKLINE_CHAOS_TABLE` names a file for the table.

mod cases;
mod dependencies;
mod load;
mod modes;
mod seen;
mod table;

use std::io::Write as _;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpSocket;

use super::kill::rows::Ledger;
use super::support::{Answer, Gateway, USUAL, chat, directory, until};
use cases::{Case, Certificates, Stage};
use modes::Mode;
use seen::{Outcome, ask};
use table::Table;

const SEED: u64 = 0x6368_616f_7320_3031;
/// Cases of a gateway: fewer than the retries that all its requests share.
const AT_ONCE: usize = 48;
/// Cases of the sample, for each way to fail.
const SAMPLE: usize = 4;
/// Bytes at which an answer is cut; its stream is some thousands long.
const CUTS: usize = 12;
const CUT_MAX: u64 = 7_500;
/// Requests that earn one hedge.
const EARN_ONE: usize = 20;

/// Whether everything is run.
fn is_full() -> bool {
    std::env::var("TRUNKLINE_CHAOS").is_ok_and(|text| text == "full")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_provider_does_callers_get_a_whole_answer_or_an_error() {
    let mut rng = StdRng::seed_from_u64(SEED);
    let cuts: Vec<u64> = (0..CUTS).map(|_| rng.random_range(0..CUT_MAX)).collect();
    let modes = Mode::all(if is_full() { &cuts } else { &cuts[..3] });
    let mut all = Vec::new();
    for mode in modes {
        let mut cases = cases::all(&[mode]);
        if !is_full() {
            cases.shuffle(&mut rng);
            cases.truncate(SAMPLE);
        }
        all.extend(cases);
    }
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for some in all.chunks(AT_ONCE) {
        wrong.extend(run(some, &mut table).await);
    }
    let told = format!("{} cases\n{}", all.len(), table.print());
    println!("{told}");
    keep(&told);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs some cases at once against one gateway; what is wrong about them.
async fn run(cases: &[Case], table: &mut Table<Mode>) -> Vec<String> {
    // Bound and never listened at by anybody: a connection to it is refused as long as it is kept.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nobody.local_addr().unwrap().port();
    let mut stages = Vec::new();
    let certificates = Certificates::new();
    for (number, case) in cases.iter().enumerate() {
        stages.push(Stage::new(*case, number, &certificates).await);
    }
    let accounts: String = stages.iter().map(|stage| stage.accounts(port)).collect();
    let directory = directory(&format!("[server.limits]\nattempts_max = 2\n\n{accounts}"));
    certificates.write(directory.path());
    let mut gateway = Gateway::start_in(&directory, &USUAL);
    gateway.key =
        gateway.another_key(&json!({ "name": "chaos", "budgets": [{ "limit_usd": "1000" }] })).await;
    let earn = 0..EARN_ONE * cases.iter().filter(|case| case.may_hedge()).count();
    let body = chat("sandbox/fixed-price");
    let earned = join_all(earn.map(|_| gateway.post("/v1/chat/completions", &body))).await;
    assert!(earned.iter().all(|answer| answer.status == 200), "{earned:?}");
    let asked = stages
        .iter()
        .map(|stage| ask(&gateway, (stage.case.dialect, stage.case.form), stage.request(&gateway)));
    let outcomes: Vec<(Outcome, u128)> = join_all(asked).await;
    until(|| stages.iter().all(Stage::is_over).then_some(())).await;
    let nothing_held = |answer: &Answer| answer.json()["data"]["budgets"][0]["held_usd"] == "0";
    gateway.get_until("/v1/key", nothing_held).await;
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());
    judge(&gateway, &stages, &outcomes, table).await
}

async fn judge(
    gateway: &Gateway,
    stages: &[Stage],
    outcomes: &[(Outcome, u128)],
    table: &mut Table<Mode>,
) -> Vec<String> {
    let mut ledger = Ledger::open(gateway).await;
    let mut wrong = Vec::new();
    for (stage, (outcome, took)) in stages.iter().zip(outcomes) {
        let rows = ledger.asked_for(&stage.model()).await;
        table.add(stage.case.tried(), outcome, *took, &rows);
        let found = stage.judge(outcome, &rows);
        wrong.extend(found.iter().map(|found| format!("{:?}: {outcome:?}: {found}", stage.case)));
    }
    wrong
}

/// Appends to the file that is named for it.
fn keep(text: &str) {
    if let Ok(path) = std::env::var("TRUNKLINE_CHAOS_TABLE") {
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        writeln!(file, "{text}").unwrap();
    }
}
