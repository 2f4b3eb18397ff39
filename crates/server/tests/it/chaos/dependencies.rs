//! What the gateway itself stands on fails: its store, its disk, its journal, its clock, its own process. The same table as
//! for providers: what callers of every dialect saw, after how long, and what the ledger says.
//!
//! A real small disk needs the right to mount one, a clock that jumps needs libfaketime; where one is missing, the table
//! says that it was skipped. That the process is killed is tried here a few times, and a thousand times in
//! [`crate::kill`]. A thread of the process cannot be stopped alone: that the task between journal and store does nothing
//! is tried by a store that does not answer it until the process ends.
//!
//! Where to look first: [`Scene`], and [`double`] for what fails.

mod double;
mod scene;

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use trunkline_testkit::fake_provider::script::{After, End};
use trunkline_testkit::fake_provider::{Certificate, FakeProvider, Script, Setup, Validity};

use super::cases::account;
use super::table::Table;
use super::{SEED, is_full, keep};
use crate::small_disk::SmallDisk;
use crate::support::{USUAL, chat, serve, streamed};
use double::{Clock, Frozen};
use scene::{Asked, CHAT, Expected, Scene, WARM, patient};

/// Kills, in the short form and in the long one.
const KILLS: [u64; 2] = [4, 12];
/// Within how many milliseconds after callers have asked the gateway is killed: a stream takes about 400.
const KILL_MAX_MS: u64 = 450;
/// When something happens to streams that are under way.
const MIDWAY: Duration = Duration::from_millis(150);
/// How long the process stands still.
const STILL: Duration = Duration::from_millis(1_500);
/// The smallest journal there is, and requests that take as much of its room as one can.
const SMALL_JOURNAL: &str = "[server.limits]\nattempts_max = 16\n[storage]\njournal_bytes_max = 33554432\n";
/// More requests than it has room for.
const HELD_MAX: usize = 2_000;
const HOUR_MS: i64 = 3_600_000;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Failure {
    StoreFrozen,
    DrainStopped,
    DiskFull,
    JournalFull,
    JournalAgain,
    ClockJumps,
    ProcessStill,
    Killed,
}

/// What is wrong, or why it was not tried.
enum Verdict {
    Wrong(Vec<String>),
    Skipped(&'static str),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_gateway_stands_on_fails_callers_and_the_ledger_are_right() {
    let (mut table, mut wrong, mut skipped) = (Table::new(), Vec::new(), Vec::new());
    wrong.extend(store_frozen(&mut table).await);
    wrong.extend(drain_stopped(&mut table).await);
    wrong.extend(journal_full(&mut table).await);
    wrong.extend(process_still(&mut table).await);
    wrong.extend(killed(&mut table).await);
    let disk = (Failure::DiskFull, disk_full(&mut table).await);
    let clock = (Failure::ClockJumps, clock_jumps(&mut table).await);
    for (failure, tried) in [disk, clock] {
        match tried {
            Verdict::Wrong(found) => wrong.extend(found),
            Verdict::Skipped(why) => skipped.push(format!("SKIPPED {failure}: {why}\n")),
        }
    }
    let told = table.print() + &skipped.concat();
    println!("{told}");
    keep(&told);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn store_frozen(table: &mut Table<Failure>) -> Vec<String> {
    let scene = Scene::usual("").await;
    let frozen = Frozen::hold(&scene.databases());
    let asked = scene.ask().await;
    let mut wrong = early(&scene).await;
    drop(frozen);
    wrong.extend(scene.judge((Failure::StoreFrozen, Expected::Whole), &asked, table).await);
    wrong
}

/// Rows that nobody can have written.
async fn early(scene: &Scene) -> Vec<String> {
    let rows = scene.rows("acme/c%").await.len();
    (rows > 0).then(|| format!("{rows} rows got past the lock")).into_iter().collect()
}

async fn drain_stopped(table: &mut Table<Failure>) -> Vec<String> {
    let mut scene = Scene::usual("").await;
    let frozen = Frozen::hold(&scene.databases());
    let asked = scene.ask().await;
    scene.gateway.signal(Signal::TERM);
    assert!(scene.gateway.ended().await.success(), "{}", scene.gateway.log());
    let mut wrong = early(&scene).await;
    drop(frozen);
    scene.start_again();
    wrong.extend(scene.judge((Failure::DrainStopped, Expected::Whole), &asked, table).await);
    wrong
}

async fn disk_full(table: &mut Table<Failure>) -> Verdict {
    let mut disk = None;
    let scene = Scene::start("", |directory| {
        disk = SmallDisk::mount(&directory.path().join("data"));
        serve(directory, &USUAL)
    })
    .await;
    let Some(disk) = disk else { return Verdict::Skipped("no right to mount a tmpfs") };
    let filling = async {
        tokio::time::sleep(MIDWAY).await;
        disk.fill();
    };
    let (mut asked, ()) = tokio::join!(scene.ask(), filling);
    asked.extend(scene.ask().await);
    disk.free();
    Verdict::Wrong(scene.judge((Failure::DiskFull, Expected::Whole), &asked, table).await)
}

/// The journal has no room left: requests under way have taken it. Then they end.
async fn journal_full(table: &mut Table<Failure>) -> Vec<String> {
    let stalls = Script::default().ending(End::Stall(After::Pieces(3)));
    let holding = FakeProvider::new(Setup { otherwise: vec![stalls], ..Setup::default() }).unwrap();
    let certificate = Certificate::new(Validity::Valid).unwrap();
    let server = holding.listen_http2("127.0.0.1:0".parse().unwrap(), &certificate).await.unwrap();
    let account = patient(&account("holding", &server.base_url(), 0, &["acme/held".to_owned()]));
    let account = account.replace("priority", "ca_bundle = \"valid.pem\"\npriority");
    let scene = Scene::start(&format!("{SMALL_JOURNAL}\n{account}"), |directory| {
        std::fs::write(directory.path().join("valid.pem"), certificate.pem()).unwrap();
        serve(directory, &USUAL)
    })
    .await;
    let mut held = Vec::new();
    while held.len() < HELD_MAX {
        let response = scene.gateway.begin(CHAT, &streamed("acme/held")).await;
        if response.status() != 200 {
            break;
        }
        held.push(response);
    }
    let before = scene.calls().len();
    let refused = scene.ask().await;
    let mut wrong = Vec::new();
    if held.len() == HELD_MAX || scene.calls().len() != before {
        wrong.push(format!("{} held, {before} calls before, {} after", held.len(), scene.calls().len()));
    }
    drop(server);
    drop(held);
    // Room comes back as requests end.
    while scene.gateway.post(CHAT, &chat(WARM)).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = scene.ask().await;
    let full = Expected::Refused("journal_full");
    wrong.extend(scene.judge((Failure::JournalFull, full), &refused, table).await);
    wrong.extend(scene.judge((Failure::JournalAgain, Expected::Whole), &asked, table).await);
    wrong
}

/// The clock jumps an hour ahead while streams are under way, and back while others are. An account that is left alone
/// since the later hour is asked again before that hour comes.
async fn clock_jumps(table: &mut Table<Failure>) -> Verdict {
    let sick =
        vec![Script::rate_limited(1), Script::server_error(), Script::server_error(), Script::server_error()];
    let sick = FakeProvider::new(Setup { scripts: sick, ..Setup::default() }).unwrap();
    let server = sick.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let account = account("sick", &server.base_url(), 0, &["acme/sick".to_owned()]);
    let mut clock = None;
    let scene = Scene::start(&format!("[server.limits]\nattempts_max = 1\n\n{account}"), |directory| {
        let mut command = serve(directory, &USUAL);
        clock = Clock::new(directory.path());
        if let Some(clock) = &clock {
            clock.rule(&mut command);
        }
        command
    })
    .await;
    let Some(clock) = clock else { return Verdict::Skipped("libfaketime is not installed") };
    let jumping = async |hours| {
        tokio::time::sleep(MIDWAY).await;
        clock.set_hours_ahead(hours);
    };
    let (mut asked, ()) = tokio::join!(scene.ask(), jumping(1));
    let sick = async || scene.gateway.post(CHAT, &chat("acme/sick")).await.status;
    let failed = [sick().await, sick().await];
    let (ahead, ()) = tokio::join!(scene.ask(), jumping(0));
    while sick().await != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut wrong: Vec<String> =
        failed.iter().filter(|status| **status == 200).map(|_| "not sick".to_owned()).collect();
    asked.extend(scene.ask().await);
    wrong.extend(scene.judge((Failure::ClockJumps, Expected::Whole), &ahead, table).await);
    wrong.extend(scene.judge((Failure::ClockJumps, Expected::Whole), &asked, table).await);
    // It has really jumped.
    let opened = |rows: Vec<crate::kill::rows::Row>| rows.iter().map(|row| row.opened_at).collect::<Vec<_>>();
    let opened = opened(scene.rows("acme/c%").await);
    let spread = opened.iter().max().zip(opened.iter().min()).map(|(last, first)| last - first);
    if spread.is_none_or(|spread| spread < HOUR_MS) {
        wrong.push(format!("no jump: rows within {spread:?} ms"));
    }
    Verdict::Wrong(wrong)
}

async fn process_still(table: &mut Table<Failure>) -> Vec<String> {
    let scene = Scene::usual("").await;
    let standing = async {
        tokio::time::sleep(MIDWAY).await;
        scene.gateway.signal(Signal::STOP);
        tokio::time::sleep(STILL).await;
        scene.gateway.signal(Signal::CONT);
    };
    let (asked, ()) = tokio::join!(scene.ask(), standing);
    scene.judge((Failure::ProcessStill, Expected::Whole), &asked, table).await
}

async fn killed(table: &mut Table<Failure>) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut scene = Scene::usual("").await;
    let mut asked: Vec<Asked> = Vec::new();
    let kills = if is_full() { KILLS[1] } else { KILLS[0] };
    for kill in 0..kills {
        let instant = KILL_MAX_MS * kill / kills + rng.random_range(0..KILL_MAX_MS / kills);
        let killing = async {
            tokio::time::sleep(Duration::from_millis(instant)).await;
            scene.gateway.signal(Signal::KILL);
        };
        let (some, ()) = tokio::join!(scene.ask(), killing);
        asked.extend(some);
        scene.gateway.ended().await;
        scene.start_again();
    }
    let broke = asked.iter().any(|asked| asked.outcome == super::seen::Outcome::Gone);
    let mut wrong = scene.judge((Failure::Killed, Expected::WholeOrGone), &asked, table).await;
    wrong.extend((!broke).then(|| "no kill was noticed".to_owned()));
    wrong
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoreFrozen => "store frozen",
            Self::DrainStopped => "store frozen until the next start",
            Self::DiskFull => "disk full",
            Self::JournalFull => "journal full",
            Self::JournalAgain => "journal with room again",
            Self::ClockJumps => "clock jumps an hour ahead and back",
            Self::ProcessStill => "process stopped for 1.5 s",
            Self::Killed => "process killed, again and again",
        })
    }
}
