//! A gateway that is replaced again and again under streaming load: every answer is whole, a budget for so many calls admits
//! just as many, and the ledger has one row for each call the provider has seen.
//!
//! Each round starts a successor while callers, some on a connection they keep and some on a new one each time, stream
//! from a slow provider; processes finish their streams side by side. `TRUNKLINE_ROLLING_ROUNDS` says how many rounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use trunkline_domain::NanoUsd;
use trunkline_testkit::fake_provider::script::Answer;
use trunkline_testkit::fake_provider::{FakeProvider, Script, Setup};

use super::kill::rows::{self, Ledger};
use super::support::{Answer as Said, Gateway, USUAL, account, directory, read, until};

const ROUNDS: u64 = 4;
const CALLERS: u64 = 6;
/// Calls that end in each process, at least, before the next one takes over.
const CALLS_EACH: u64 = 8;
/// What `sandbox/fixed-price` costs, in nano-dollars.
const FIXED: i64 = 100_000;
/// The model and what its provider says.
const SAID: &str = "Hello from the fake provider. It counts its words.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_streaming_load_are_noticed_by_nobody() {
    let rounds = std::env::var("TRUNKLINE_ROLLING_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    let provider = provider();
    let server = provider.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut gateway = Gateway::start_in(&directory(&account("one", &server.base_url(), 0)), &USUAL);
    let paid = gateway.another_key(&json!({ "name": "paid", "budgets": [{ "limit_usd": "1000" }] })).await;
    // Half of the calls there will be: it is used up while processes come and go.
    let affordable = i64::try_from(rounds * CALLS_EACH / 2).unwrap();
    let limit = NanoUsd(affordable * FIXED).to_string();
    let counted =
        gateway.another_key(&json!({ "name": "counted", "budgets": [{ "limit_usd": limit }] })).await;

    let load = Arc::new(Load {
        address: gateway.address(),
        paid: paid.clone(),
        counted,
        calls: AtomicU64::new(0),
        admitted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(Arc::clone(&load).run(caller));
    }
    let mut before = Vec::new();
    for round in 0..=rounds {
        let enough = (round + 1) * CALLS_EACH;
        until(|| (callers.is_empty() || load.calls.load(Ordering::Relaxed) >= enough).then_some(())).await;
        if round < rounds {
            let next = gateway.succeeded();
            before.push(std::mem::replace(&mut gateway, next));
        }
    }
    until(|| (load.refused.load(Ordering::Relaxed) > 0).then_some(())).await;
    load.over.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    for process in &mut before {
        assert!(process.ended().await.success());
    }
    let log = || gateway.log();
    until(|| (log().matches("the process before has ended").count() as u64 == rounds).then_some(())).await;
    assert_eq!(load.admitted.load(Ordering::Relaxed), u64::try_from(affordable).unwrap(), "each one once");

    gateway.key = paid;
    let spent = spent(&gateway).await;
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());
    let mut ledger = Ledger::open(&gateway).await;
    let found = ledger.rows("rolling-%").await;
    let calls: Vec<_> = provider.log().into_iter().filter(|seen| seen.method == "POST").collect();
    rows::compare(&calls, &found, "");
    assert_eq!((found.len(), calls.len() as u64), (calls.len(), load.calls.load(Ordering::Relaxed)));
    assert!(found.iter().all(|row| row.state == "settled"), "{found:?}");
    let charged: i64 = found.iter().map(|row| row.charge).sum();
    assert_eq!(spent, NanoUsd(charged), "what the last process counts is what the ledger says");
    let (all, sum) = ledger.sums().await;
    assert_eq!((all, sum), (i64::try_from(calls.len()).unwrap() + affordable, charged + affordable * FIXED));
    println!("{rounds} restarts, {} streams, {affordable} counted calls", calls.len());
}

/// Some streams are over at once, some last for several restarts.
fn provider() -> FakeProvider {
    let paces = [10, 60, 0, 200];
    let otherwise = paces.map(|interval_ms| Script::answers(Answer { interval_ms, ..Answer::default() }));
    FakeProvider::new(Setup { otherwise: otherwise.to_vec(), ..Setup::default() }).unwrap()
}

/// What the paid key has spent, with nothing held.
async fn spent(gateway: &Gateway) -> NanoUsd {
    let answer = gateway.get("/v1/key").await.json();
    let budget = &answer["data"]["budgets"][0];
    assert_eq!(budget["held_usd"], "0", "{answer}");
    budget["spent_usd"].as_str().unwrap().parse().unwrap()
}

/// What all callers share.
struct Load {
    address: SocketAddr,
    paid: String,
    counted: String,
    /// Streams that ended.
    calls: AtomicU64,
    /// Counted calls that were answered, and that were refused.
    admitted: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
}

impl Load {
    /// Streams and counts, one after the other, until it is over. Every answer is what it would be without restarts.
    async fn run(self: Arc<Self>, caller: u64) {
        let mut kept = None;
        for call in 0_u64.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            if caller.is_multiple_of(2) {
                kept = None;
            }
            let session = format!("rolling-{caller}-{call}");
            let answer = self.call(&mut kept, &self.paid, "acme/m", &session).await;
            assert_eq!((answer.status, answer.streamed_text().as_str()), (200, SAID), "{answer:?}");
            assert!(answer.body.trim_end().ends_with("data: [DONE]"), "{answer:?}");
            self.calls.fetch_add(1, Ordering::Relaxed);
            let answer = self.call(&mut kept, &self.counted, "sandbox/fixed-price", "counted").await;
            match answer.status {
                200 => self.admitted.fetch_add(1, Ordering::Relaxed),
                402 => self.refused.fetch_add(1, Ordering::Relaxed),
                _ => panic!("{answer:?}"),
            };
        }
    }

    async fn call(
        &self,
        kept: &mut Option<SendRequest<Full<Bytes>>>,
        key: &str,
        model: &str,
        session: &str,
    ) -> Said {
        let said = format!("What is the weather? [[{session}]]");
        let body = json!({
            "model": model, "stream": true, "session_id": session, "messages": [{ "role": "user", "content": said }],
        });
        let request = Request::post("/v1/chat/completions")
            .header("host", "gateway")
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap();
        // A connection that was said to be at its end is not used again.
        let usable = match kept {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(async move { connection.await.ok() });
            *kept = Some(sender);
        }
        let sent = kept.as_mut().unwrap().send_request(request).await;
        read(sent.unwrap_or_else(|error| panic!("{session}: {error}"))).await
    }
}
