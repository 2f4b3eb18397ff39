//! Nothing is lost when the gateway is killed (SIGKILL) at any instant: the ledger is compared, row by row, with the
//! log of the provider it called.
//!
//! Each round starts the gateway over the same data directory, with a provider of the round's own, makes one call and
//! then several at once, and kills the gateway at a seeded instant: when so many things have happened to its callers,
//! and up to two milliseconds later. The next start finds what is left. `TRUNKLINE_KILL_ROUNDS` says how many rounds.
//!
//! What must hold is in [`rows`]; how callers count what happens to them in [`callers`].

mod callers;
pub(crate) mod rows;

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::Instant;
use trunkline_domain::NanoUsd;
use trunkline_testkit::fake_provider::script::{After, Answer, End};
use trunkline_testkit::fake_provider::{Ending, FakeProvider, Script, Seen, Server, Setup};

use super::support::{Gateway, USUAL, account, chat, directory, exchange, serve, until};
use callers::{Callers, Form};
use rows::{Ledger, Tally};

const SEED: u64 = 0x7472_756e_6b6c_696e;
const ROUNDS: u64 = 50;
/// Callers at once, after the first.
const CALLERS: usize = 8;
/// About as many things as happen to all callers of a round.
const EVENTS: u64 = 70;
/// How long a round waits for events that do not come: some answers stall.
const PATIENCE: Duration = Duration::from_millis(200);
/// After how many microseconds, at most, a start is killed.
const STARTING_MAX: u64 = 80_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attempt_is_lost_whenever_the_gateway_is_killed() {
    let rounds = std::env::var("TRUNKLINE_KILL_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    let mut seeds = StdRng::seed_from_u64(SEED);
    let directory = directory("");
    let (mut key, mut tally, mut rows_before) = (None, Tally::default(), 0);
    let mut left: Option<(String, Vec<Seen>)> = None;
    for round in 0..=rounds {
        let mut rng = StdRng::seed_from_u64(seeds.random());
        let (provider, server) = provider(&mut rng).await;
        configure(&directory, &server.base_url());
        if left.is_some() && rng.random_ratio(1, 8) {
            kill_while_starting(&directory, rng.random_range(0..STARTING_MAX)).await;
        }
        let gateway = start(&directory).await;
        if key.is_none() {
            key = Some(create_key(&gateway).await);
        }
        let key = key.as_deref().unwrap();
        // Before this process has served anybody, everything that is left is in the ledger and counts.
        let mut ledger = Ledger::open(&gateway).await;
        let (rows_now, charged) = ledger.sums().await;
        assert_eq!(spent(&gateway, key).await, NanoUsd(charged), "round {round}");
        if let Some((session, calls)) = left.take() {
            let rows = ledger.rows(&format!("{session}-%")).await;
            tally += rows::compare(&calls, &rows, &format!("{session}-first"));
            assert_eq!(rows_before + i64::try_from(rows.len()).unwrap(), rows_now, "no row of nobody's");
        }
        rows_before = rows_now;
        let session = format!("round-{round}");
        serve_and_kill(gateway, key, &session, &mut rng).await;
        left = Some((session, ended(&provider, server).await));
    }
    println!("{rounds} rounds: {tally:?}");
    if rounds >= ROUNDS {
        tally.assert_telling();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_interrupted_attempt_can_have_cost_is_spent_before_anybody_is_admitted() {
    let provider = FakeProvider::new(Setup { otherwise: vec![stalls()], ..Setup::default() }).unwrap();
    let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let directory = directory("");
    configure(&directory, &server.base_url());
    let mut gateway = start(&directory).await;
    let key = create_key(&gateway).await;
    let mut callers = Callers::new(&gateway, &key);
    callers.call("only", Form::Streamed);
    assert!(callers.happened(3, Duration::from_secs(30)).await, "it was sent, a head came, and content");
    kill(&mut gateway).await;

    let mut gateway = start(&directory).await;
    let rows = Ledger::open(&gateway).await.rows("only").await;
    assert_eq!((rows.len(), rows[0].state.as_str(), rows[0].charge), (1, "interrupted", rows[0].bound));
    let spent = spent(&gateway, &key).await;
    assert_eq!(spent, NanoUsd(rows[0].bound));

    // Under a budget of just that much nothing more is admitted, not after another kill either.
    let budget = json!({ "budgets": [{ "limit_usd": spent.to_string() }] });
    admin(&gateway, Method::PATCH, "/admin/v1/keys/killed", &budget).await;
    for _ in 0..2 {
        gateway.key.clone_from(&key);
        let refused = gateway.post("/v1/chat/completions", &chat("acme/m")).await;
        assert_eq!((refused.status, refused.code().as_str()), (402, "budget_exceeded"));
        kill(&mut gateway).await;
        gateway = start(&directory).await;
    }
    assert_eq!(provider.log().len(), 1);
}

/// One call that is waited for, then several at once, and the kill in the middle of it.
async fn serve_and_kill(mut gateway: Gateway, key: &str, session: &str, rng: &mut StdRng) {
    let mut callers = Callers::new(&gateway, key);
    let instant = callers.happened(rng.random_range(0..EVENTS), PATIENCE);
    let more = Duration::from_micros(rng.random_range(0..2_000));
    let forms: Vec<Form> =
        (0..CALLERS).map(|_| if rng.random_ratio(2, 3) { Form::Streamed } else { Form::Buffered }).collect();
    let serving = async {
        callers.call(&format!("{session}-first"), Form::Buffered);
        callers.ended().await;
        for (caller, form) in forms.into_iter().enumerate() {
            callers.call(&format!("{session}-{caller}"), form);
        }
        callers.ended().await;
    };
    tokio::select! {
        () = serving => {}
        _ = instant => {}
    }
    let instant = Instant::now() + more;
    while Instant::now() < instant {
        std::hint::spin_loop();
    }
    kill(&mut gateway).await;
}

async fn start(directory: &Arc<TempDir>) -> Gateway {
    let gateway = Gateway::start_in(directory, &USUAL);
    gateway.get_until("/readyz", |answer| answer.status == 200).await;
    gateway
}

async fn kill(gateway: &mut Gateway) {
    gateway.signal(Signal::KILL);
    gateway.ended().await;
}

/// Kills a gateway in the middle of its start: while it takes over what the one before it left, perhaps.
async fn kill_while_starting(directory: &TempDir, after_micros: u64) {
    let mut starting = serve(directory, &USUAL).spawn().unwrap();
    tokio::time::sleep(Duration::from_micros(after_micros)).await;
    starting.kill().unwrap();
    starting.wait().unwrap();
}

fn stalls() -> Script {
    Script::default().ending(End::Stall(After::Pieces(3)))
}

/// The first call is answered at once; later ones meet what the seed says.
async fn provider(rng: &mut StdRng) -> (FakeProvider, Server) {
    let slow = Script::answers(Answer { first_content_ms: 2, interval_ms: 2, ..Answer::default() });
    let choices = [
        Script::default(),
        Script::default(),
        slow.clone(),
        slow.clone(),
        slow,
        Script { head_after_ms: 5, ..Script::default() },
        Script::default().ending(End::Cut(After::Pieces(4))),
        Script::server_error(),
        Script::hangs(),
        stalls(),
    ];
    let later = (0..2 * CALLERS).map(|_| choices[rng.random_range(0..choices.len())].clone());
    let setup = Setup { scripts: vec![Script::default()], otherwise: later.collect(), ..Setup::default() };
    let provider = FakeProvider::new(setup).unwrap();
    let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (provider, server)
}

/// All calls of a provider whose caller is gone.
async fn ended(provider: &FakeProvider, server: Server) -> Vec<Seen> {
    drop(server);
    until(|| provider.log().iter().all(|seen| seen.ending != Ending::Open).then_some(())).await;
    assert_eq!(provider.violations(), Vec::<String>::new());
    provider.log()
}

/// Two accounts at the same provider, so that what fails before its first content is tried again.
fn configure(directory: &TempDir, base_url: &str) {
    let config = format!(
        "[catalogue]\nlisting_refresh = false\n\n{}{}",
        account("one", base_url, 1),
        account("two", base_url, 2)
    );
    std::fs::write(directory.path().join("trunkline.toml"), config).unwrap();
}

/// A key with a budget that is never reached: what counts in it can be asked for.
async fn create_key(gateway: &Gateway) -> String {
    let wanted = json!({ "name": "killed", "budgets": [{ "limit_usd": "1000" }] });
    let made = admin(gateway, Method::POST, "/admin/v1/keys", &wanted).await;
    made["key"].as_str().unwrap().to_owned()
}

/// What counts in the key's budget, with nothing held.
async fn spent(gateway: &Gateway, key: &str) -> NanoUsd {
    let request =
        Request::get("/v1/key").header("host", "gateway").header("authorization", format!("Bearer {key}"));
    let answer = gateway.send(request.body(http_body_util::Full::default()).unwrap()).await.json();
    let budget = &answer["data"]["budgets"][0];
    assert_eq!(budget["held_usd"].as_str().unwrap().parse(), Ok(NanoUsd::ZERO), "{answer}");
    budget["spent_usd"].as_str().unwrap().parse().unwrap()
}

async fn admin(gateway: &Gateway, method: Method, path: &str, body: &Value) -> Value {
    let secrets = std::fs::read_to_string(gateway.data("first-run.txt")).unwrap();
    let token = secrets.lines().find_map(|line| line.strip_prefix("admin token: ")).unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "gateway")
        .header("authorization", format!("Bearer {token}"))
        .body(http_body_util::Full::from(body.to_string()))
        .unwrap();
    let answer = exchange(TcpStream::connect(&gateway.admin).await.unwrap(), request).await;
    assert!(answer.status < 300, "{answer:?}");
    answer.json()
}
