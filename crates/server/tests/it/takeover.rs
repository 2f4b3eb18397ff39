//! A gateway that takes over from another while requests are under way: nobody is refused, nothing is counted twice.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, Answer, End};

use super::protocols::{AS_CONFIGURED, certificate, tls};
use super::support::{Fake, Gateway, USUAL, begin, chat, directory, exchange, read, streamed, until};

const CHAT: &str = "/v1/chat/completions";
/// What a request costs, whatever it says.
const PRICE_USD: &str = "0.01";

/// A stream that takes about a second.
fn slowly() -> Script {
    Script::answers(Answer { interval_ms: 100, ..Answer::default() })
}

/// An account whose model costs the same for each request, so that a budget is a number of requests.
fn fixed(fake: &Fake) -> String {
    format!(
        "[providers.one]\nkind = \"custom\"\nbase_url = \"{}\"\nmodels = [{{ id = \"m\", name = \"acme/m\", \
         context_window = 8192, output_max = 1024, input_usd_per_million = 0, output_usd_per_million = 0, \
         per_request_usd = {PRICE_USD} }}]\n\n",
        fake.server.base_url()
    )
}

async fn gateway(fake: &Fake, key: &Value) -> Gateway {
    let mut gateway = Gateway::start(&fixed(fake));
    gateway.key = gateway.another_key(key).await;
    gateway
}

async fn budget(gateway: &Gateway) -> (String, String) {
    let budget = gateway.get("/v1/key").await.json()["data"]["budgets"][0].clone();
    let text = |name: &str| budget[name].as_str().unwrap_or_else(|| panic!("{budget}")).to_owned();
    (text("spent_usd"), text("held_usd"))
}

#[tokio::test]
async fn a_stream_goes_on_in_the_process_before_and_its_hold_counts_in_the_successor() {
    let fake = Fake::with(&[slowly()]).await;
    let key = json!({ "name": "three", "budgets": [{ "limit_usd": "0.03" }] });
    let mut first = gateway(&fake, &key).await;
    assert_eq!(first.post(CHAT, &chat("sandbox/echo-small")).await.status, 200);
    let stream = first.begin(CHAT, &streamed("acme/m")).await;

    let mut second = first.succeeded();
    assert_eq!((&second.listen, &second.admin), (&first.listen, &first.admin));
    assert_eq!(budget(&second).await.1, PRICE_USD, "held by the stream");
    assert_eq!(second.post(CHAT, &chat("acme/m")).await.status, 200);
    let third = second.succeeded();
    assert_eq!(third.post(CHAT, &chat("acme/m")).await.status, 402, "echo-small has used some of the rest");

    let answer = read(stream).await;
    assert!(answer.body.trim_end().ends_with("data: [DONE]"), "{answer:?}");
    assert_eq!(answer.streamed_text(), "Hello from the fake provider. It counts its words.");
    assert!(first.ended().await.success() && second.ended().await.success());
    until(|| (third.log().matches("the process before has ended").count() == 2).then_some(())).await;
    assert_eq!(budget(&third).await.1, "0", "its end was told over two processes");
    assert_eq!(third.post(CHAT, &chat("acme/m")).await.status, 402);
    assert!(third.data("addresses.json").exists() && third.data("control.sock").exists());
    assert!(!third.data("journal").exists() && !third.data("journal-2").exists(), "both are in the ledger");
}

#[tokio::test]
async fn a_process_killed_while_it_finishes_leaves_its_holds_spent() {
    let stalls = slowly().ending(End::Stall(After::Pieces(3)));
    let fake = Fake::with(&[stalls]).await;
    let key = json!({ "name": "two", "budgets": [{ "limit_usd": "0.02" }] });
    let mut first = gateway(&fake, &key).await;
    let _stream = first.begin(CHAT, &streamed("acme/m")).await;
    let second = first.succeeded();
    first.signal(Signal::KILL);
    first.ended().await;
    second.logged("the process before has ended").await;
    assert_eq!(budget(&second).await, (PRICE_USD.to_owned(), "0".to_owned()));
    assert_eq!(second.post(CHAT, &chat("acme/m")).await.status, 200);
    assert_eq!(second.post(CHAT, &chat("acme/m")).await.status, 402);
    second.logged("interrupted=1").await;
}

#[tokio::test]
async fn a_start_beside_a_process_that_finishes_counts_what_that_may_come_to() {
    let stalls = slowly().ending(End::Stall(After::Pieces(3)));
    let fake = Fake::with(&[stalls]).await;
    let key = json!({ "name": "one", "budgets": [{ "limit_usd": PRICE_USD }] });
    let first = gateway(&fake, &key).await;
    let _stream = first.begin(CHAT, &streamed("acme/m")).await;
    let mut second = first.succeeded();
    second.signal(Signal::KILL);
    second.ended().await;
    // Nobody hears the first one any more, and it goes on.
    let mut third = Gateway::start_in(&first.directory, &USUAL);
    third.key.clone_from(&first.key);
    assert_eq!(budget(&third).await, (PRICE_USD.to_owned(), "0".to_owned()));
    assert_eq!(third.post(CHAT, &chat("acme/m")).await.status, 402);
}

#[tokio::test]
async fn a_kept_connection_is_served_once_more_by_who_counts_and_led_to_its_end() {
    let fake = Fake::with(&[]).await;
    let limits = json!({ "name": "three", "budgets": [{ "limit_usd": "0.03" }], "limits": { "rpm": 4 } });
    let mut first = gateway(&fake, &limits).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let stream = TcpStream::connect(first.address()).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { connection.await.ok() });
        let answer = read(sender.send_request(post(&first)).await.unwrap()).await;
        assert_eq!((answer.status, answer.header("connection")), (200, None));
        kept.push(sender);
    }
    let second = first.succeeded();
    // Two of the three are spent in the first process, by the figures of the second one more is not.
    for (sender, expected) in kept.iter_mut().zip([200, 402]) {
        let answer = read(sender.send_request(post(&first)).await.unwrap()).await;
        assert_eq!((answer.status, answer.header("connection")), (expected, Some("close")), "{answer:?}");
    }
    assert_eq!(budget(&second).await, ("0.03".to_owned(), "0".to_owned()));
    let limited = second.post(CHAT, &chat("acme/m")).await;
    assert_eq!(
        (limited.status, limited.code().as_str()),
        (429, "rate_limit_exceeded"),
        "four requests, in two processes"
    );
    assert!(first.ended().await.success());
    assert_eq!(fake.provider.log().iter().filter(|seen| seen.method == "POST").count(), 3);
}

#[tokio::test]
async fn an_http_2_connection_ends_in_good_order_after_its_stream() {
    let fake = Fake::with(&[slowly()]).await;
    let mut first = gateway(&fake, &json!({ "name": "any" })).await;
    let stream = TcpStream::connect(first.address()).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = first.request(Method::POST, &format!("http://gateway{CHAT}"));
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::<bytes::Bytes>::from(streamed("acme/m").to_string())).unwrap();
    let stream = sender.send_request(request).await.unwrap();
    let _second = first.succeeded();
    let answer = read(stream).await;
    assert!(answer.body.trim_end().ends_with("data: [DONE]"), "{answer:?}");
    connection.await.unwrap().unwrap();
    assert!(first.ended().await.success());
}

fn post(gateway: &Gateway) -> Request<Full<bytes::Bytes>> {
    let request = gateway.request(Method::POST, CHAT).header("content-type", "application/json");
    request.body(Full::from(chat("acme/m").to_string())).unwrap()
}

#[tokio::test]
async fn requests_at_once_are_counted_over_both_processes() {
    let fake = Fake::with(&[slowly()]).await;
    let first = gateway(&fake, &json!({ "name": "one", "limits": { "concurrency": 1 } })).await;
    let stream = first.begin(CHAT, &streamed("acme/m")).await;
    let second = first.succeeded();
    assert_eq!(second.post(CHAT, &chat("acme/m")).await.status, 429);
    read(stream).await;
    second.logged("the process before has ended").await;
    assert_eq!(second.post(CHAT, &chat("acme/m")).await.status, 200);
}

#[tokio::test]
async fn a_successor_that_fails_is_not_noticed() {
    let fake = Fake::with(&[slowly()]).await;
    let key = json!({ "name": "two", "budgets": [{ "limit_usd": "0.02" }] });
    let mut gateway = gateway(&fake, &key).await;
    gateway.get_until("/readyz", |answer| answer.status == 200).await;
    let stream = gateway.begin(CHAT, &streamed("acme/m")).await;
    let mut successor = UnixStream::connect(gateway.data("handover.sock")).await.unwrap();
    let hello = br#"{"protocol":1}"#;
    successor.write_all(&u32::try_from(hello.len()).unwrap().to_le_bytes()).await.unwrap();
    successor.write_all(hello).await.unwrap();
    // It has been given everything, and ends. The descriptors come with a byte of their own.
    successor.read_exact(&mut [0]).await.unwrap();
    successor.read_exact(&mut [0; 64]).await.unwrap();
    let waiting = tokio::spawn({
        let (address, request) = (gateway.address(), post(&gateway));
        async move { exchange(TcpStream::connect(address).await.unwrap(), request).await }
    });
    drop(successor);
    assert_eq!(waiting.await.unwrap().status, 200, "it waited");
    assert!(read(stream).await.body.trim_end().ends_with("data: [DONE]"));
    assert_eq!(budget(&gateway).await, ("0.02".to_owned(), "0".to_owned()));
    assert_eq!(gateway.post(CHAT, &chat("acme/m")).await.status, 402);
    gateway.another_key(&json!({ "name": "further" })).await;
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());
    assert!(!gateway.data("addresses.json").exists() && !gateway.data("handover.sock").exists());
}

#[tokio::test]
async fn a_takeover_where_nobody_serves_is_a_start() {
    let mut first = Gateway::start("");
    first.signal(Signal::TERM);
    assert!(first.ended().await.success());
    let second = first.succeeded();
    assert_eq!(second.post(CHAT, &chat("sandbox/echo-small")).await.status, 200);
}

#[tokio::test]
async fn a_process_that_was_succeeded_still_heeds_signals() {
    let fake = Fake::with(&[Script::role_then_silence()]).await;
    let mut first = gateway(&fake, &json!({ "name": "any" })).await;
    let mut stream = first.open(CHAT, &streamed("acme/m")).await;
    fake.asked().await;
    let second = first.succeeded();
    first.signal(Signal::TERM);
    second.logged("stopping: requests under way").await;
    first.signal(Signal::TERM);
    assert!(stream.read_to_end(&mut Vec::new()).await.is_ok(), "cut");
    tokio::time::timeout(Duration::from_secs(30), first.ended()).await.unwrap();
    assert_eq!(second.post(CHAT, &chat("sandbox/echo-small")).await.status, 200);
}

#[tokio::test]
async fn a_stream_over_tls_goes_on_while_the_gateway_is_replaced() {
    let fake = Fake::with(&[slowly()]).await;
    let tls_files = "[server.tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n";
    let directory = directory(&(fixed(&fake) + tls_files));
    let trusted = certificate(directory.path());
    let mut first = Gateway::start_in(&directory, &USUAL);
    let request = first.request(Method::POST, CHAT).header("content-type", "application/json");
    let request = request.body(Full::from(streamed("acme/m").to_string())).unwrap();
    let stream = begin(tls(&first, &trusted, "http/1.1").await.unwrap(), request).await;
    let second = first.succeeded();
    assert_eq!(second.listen, first.listen);
    let answer = exchange(tls(&second, &trusted, "http/1.1").await.unwrap(), post(&second)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = read(stream).await;
    assert_eq!(answer.streamed_text(), "Hello from the fake provider. It counts its words.");
    assert!(answer.body.trim_end().ends_with("data: [DONE]"), "{answer:?}");
    assert!(first.ended().await.success());
}

#[tokio::test]
async fn a_unix_socket_is_handed_over_with_whoever_waits_at_it() {
    let fake = Fake::with(&[slowly()]).await;
    let server = "[server]\nlisten = \"unix:gateway.sock\"\nadmin_listen = \"127.0.0.1:0\"\n\n";
    let directory = directory(&(server.to_owned() + &fixed(&fake)));
    let mut first = Gateway::start_in(&directory, &AS_CONFIGURED);
    let path = directory.path().join("gateway.sock");
    let file = std::fs::metadata(&path).unwrap().ino();
    let connect = || UnixStream::connect(&path);
    let request = first.request(Method::POST, CHAT).header("content-type", "application/json");
    let request = request.body(Full::from(streamed("acme/m").to_string())).unwrap();
    let stream = begin(connect().await.unwrap(), request).await;
    let flags = [AS_CONFIGURED.as_slice(), &["--takeover"]].concat();
    let mut second = Gateway::start_in(&directory, &flags);
    second.key.clone_from(&first.key);
    assert_eq!(exchange(connect().await.unwrap(), post(&second)).await.status, 200);
    assert!(read(stream).await.body.trim_end().ends_with("data: [DONE]"));
    assert!(first.ended().await.success());
    // The one that ends leaves the other's socket where it is.
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), file);
    assert_eq!(exchange(connect().await.unwrap(), post(&second)).await.status, 200);
}

#[tokio::test]
async fn what_needs_a_hold_is_refused_where_the_successor_is_gone() {
    let fake = Fake::with(&[Script::default(), slowly().ending(End::Stall(After::Pieces(3)))]).await;
    let key = json!({ "name": "two", "budgets": [{ "limit_usd": "0.02" }] });
    let first = gateway(&fake, &key).await;
    let stream = TcpStream::connect(first.address()).await.unwrap();
    let (mut kept, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    assert_eq!(read(kept.send_request(post(&first)).await.unwrap()).await.status, 200);
    let _stream = first.begin(CHAT, &streamed("acme/m")).await;
    let mut second = first.succeeded();
    second.signal(Signal::KILL);
    second.ended().await;
    let answer = read(kept.send_request(post(&first)).await.unwrap()).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "shutting_down"), "{answer:?}");
    assert_eq!(fake.provider.log().iter().filter(|seen| seen.method == "POST").count(), 2);
}
