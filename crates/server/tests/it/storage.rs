//! The ledger is locked, its disk is full or its files are away: while the gateway serves, and when it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Executor as _};
use trunkline_domain::NanoUsd;
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::Answer;

use super::small_disk::SmallDisk;
use super::support::{Fake, Gateway, Process, USUAL, chat, directory, read, serve, streamed, until};

const CHAT: &str = "/v1/chat/completions";
/// Calls on a full disk: few enough for the room the journal has taken before.
const CALLS: usize = 200;

/// How many rows there are of models at providers; none where the ledger has only just been made.
async fn rows(gateway: &Gateway) -> usize {
    let mut rows = 0;
    for file in databases(gateway).into_iter().filter(|file| !file.ends_with("control.db")) {
        let mut ledger = SqliteConnectOptions::new().filename(file).read_only(true).connect().await.unwrap();
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM attempts WHERE model_asked LIKE 'acme/%'");
        let count: i64 = count.fetch_one(&mut ledger).await.unwrap_or_default();
        rows += usize::try_from(count).unwrap();
    }
    rows
}

fn databases(gateway: &Gateway) -> Vec<PathBuf> {
    let files = std::fs::read_dir(gateway.data("")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "db")).collect()
}

async fn rows_are(gateway: &Gateway, wanted: usize) {
    let waiting = async {
        while rows(gateway).await < wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the rows never came");
    assert_eq!(rows(gateway).await, wanted, "none of them twice");
}

#[tokio::test]
async fn a_locked_ledger_is_noticed_by_nobody_and_has_every_row_later() {
    let fake = Fake::with(&[]).await;
    let gateway = Gateway::start(&fake.account("one", 0));
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    rows_are(&gateway, 1).await;
    let locks = Locks::take(&gateway).await;
    for _ in 0..5 {
        assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
        let stream = read(gateway.begin(CHAT, &streamed("acme/m")).await).await;
        assert!(stream.body.trim_end().ends_with("data: [DONE]"), "{stream:?}");
    }
    assert_eq!(rows(&gateway).await, 1);
    locks.release().await;
    rows_are(&gateway, 11).await;
}

#[tokio::test]
async fn a_full_disk_is_noticed_by_nobody_and_its_rows_come_when_there_is_room() {
    let slowly = Script::answers(Answer { interval_ms: 100, ..Answer::default() });
    let fake = Fake::with(&[Script::default(), slowly]).await;
    let directory = directory(&fake.account("one", 0));
    let data = directory.path().join("data");
    let Some(disk) = SmallDisk::mount(&data) else {
        println!("SKIPPED: no right to mount a tmpfs");
        return;
    };
    let gateway = Gateway::start_in(&directory, &USUAL);
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    rows_are(&gateway, 1).await;
    let stream = gateway.begin(CHAT, &streamed("acme/m")).await;
    disk.fill();
    assert!(read(stream).await.body.trim_end().ends_with("data: [DONE]"));
    for _ in 0..CALLS / 20 {
        let body = chat("acme/m");
        for answer in join_all((0..20).map(|_| gateway.post(CHAT, &body))).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    // Where the ledger had to be read first, it cannot be now.
    let asked = gateway.get("/v1/key").await;
    assert!(asked.status == 200 || asked.code() == "store_unavailable", "{asked:?}");
    disk.free();
    rows_are(&gateway, CALLS + 2).await;
    assert_eq!(gateway.get("/v1/key").await.status, 200, "and is read again");
    let calls = fake.provider.log().iter().filter(|seen| seen.method == "POST").count();
    assert_eq!(calls, CALLS + 2);
}

/// Holds the write locks of all of a gateway's databases until it is told to let go.
struct Locks(Vec<SqliteConnection>);

impl Locks {
    async fn take(gateway: &Gateway) -> Self {
        let mut locks = Vec::new();
        for file in databases(gateway) {
            let mut lock = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
            lock.execute("BEGIN EXCLUSIVE").await.unwrap();
            locks.push(lock);
        }
        assert!(locks.len() >= 2, "the keys' and the month's");
        Self(locks)
    }

    async fn release(self) {
        for mut lock in self.0 {
            lock.execute("ROLLBACK").await.unwrap();
        }
    }
}

/// What a key has spent: by its budget, and by the ledger.
async fn spent(gateway: &Gateway) -> (String, f64) {
    let answer = gateway.get_until("/v1/key", |answer| answer.status == 200).await.json();
    let data = &answer["data"];
    (data["budgets"][0]["spent_usd"].as_str().unwrap().to_owned(), data["usage"].as_f64().unwrap())
}

/// Kills a gateway and starts another one over what it leaves, for the same key.
async fn killed_and_started(mut gateway: Gateway) -> Gateway {
    gateway.signal(Signal::KILL);
    gateway.ended().await;
    let (key, directory) = (gateway.key.clone(), Arc::clone(&gateway.directory));
    drop(gateway);
    let mut gateway = Gateway::start_in(&directory, &USUAL);
    gateway.key = key;
    gateway
}

#[tokio::test]
async fn a_start_beside_a_locked_ledger_serves_and_counts_what_was_left() {
    let fake = Fake::with(&[]).await;
    let mut gateway = Gateway::start(&fake.account("one", 0));
    gateway.key =
        gateway.another_key(&json!({ "name": "budgeted", "budgets": [{ "limit_usd": "1" }] })).await;
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    rows_are(&gateway, 1).await;
    let (one, _) = spent(&gateway).await;
    let locks = Locks::take(&gateway).await;
    for _ in 0..3 {
        assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    }
    let gateway = killed_and_started(gateway).await;
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    assert_eq!(rows(&gateway).await, 1, "the rest waits in the journal");
    let (before, _) = spent(&gateway).await;
    let nano = |usd: &str| usd.parse::<NanoUsd>().unwrap().0;
    assert_eq!(nano(&before), 5 * nano(&one), "what was left counts");
    locks.release().await;
    rows_are(&gateway, 5).await;
    let (after, usage) = spent(&gateway).await;
    assert_eq!((&after, after.parse::<f64>().unwrap()), (&before, usage), "and counts once");
}

#[tokio::test]
async fn a_start_without_the_ledgers_files_serves_whom_no_budget_holds_and_has_every_row_later() {
    let fake = Fake::with(&[]).await;
    let gateway = Gateway::start(&fake.account("one", 0));
    let budgeted =
        gateway.another_key(&json!({ "name": "budgeted", "budgets": [{ "limit_usd": "1" }] })).await;
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    rows_are(&gateway, 1).await;
    let locks = Locks::take(&gateway).await;
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    let (data, away) = (gateway.data(""), gateway.data("away"));
    std::fs::create_dir(&away).unwrap();
    let files: Vec<PathBuf> = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("ledger-"))
        .collect();
    let ledger = files.iter().find(|path| path.extension().unwrap() == "db").unwrap().clone();
    for file in &files {
        std::fs::rename(file, away.join(file.file_name().unwrap())).unwrap();
    }
    std::fs::create_dir(&ledger).unwrap();
    locks.release().await;
    let gateway = killed_and_started(gateway).await;
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    let refused = gateway.get_as(&budgeted, "/v1/models").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "store_unavailable"), "{refused:?}");
    std::fs::remove_dir(&ledger).unwrap();
    for file in files {
        std::fs::rename(away.join(file.file_name().unwrap()), file).unwrap();
    }
    rows_are(&gateway, 3).await;
    assert_eq!(gateway.get_as(&budgeted, "/v1/models").await.status, 200);
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_so_and_the_next_one_has_every_row() {
    let fake = Fake::with(&[]).await;
    let directory = directory(&fake.account("one", 0));
    let data = directory.path().join("data");
    let Some(disk) = SmallDisk::mount(&data) else {
        println!("SKIPPED: no right to mount a tmpfs");
        return;
    };
    let mut gateway = Gateway::start_in(&directory, &USUAL);
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    rows_are(&gateway, 1).await;
    disk.fill();
    for _ in 0..3 {
        assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 200);
    }
    gateway.signal(Signal::KILL);
    gateway.ended().await;
    let mut start = Process(serve(&directory, &USUAL).spawn().unwrap());
    assert_eq!(until(|| start.0.try_wait().unwrap()).await.code(), Some(1));
    let said = gateway.log();
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("journal") && last.contains("No space left on device"), "{said}");
    disk.free();
    rows_are(&Gateway::start_in(&directory, &USUAL), 4).await;
}
