//! The end of a gateway: streams are finished, a second signal is not waited for, a killed one is taken over.

use http_body_util::BodyExt as _;
use rustix::process::Signal;
use tokio::net::TcpStream;

use super::support::{Fake, Gateway, USUAL, chat, read, streamed};
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, Answer, End};

const CHAT: &str = "/v1/chat/completions";

/// A stream that takes about a second.
fn slowly() -> Script {
    Script::answers(Answer { interval_ms: 100, ..Answer::default() })
}

#[tokio::test]
async fn a_stream_under_way_is_finished_and_nothing_new_is_accepted() {
    let fake = Fake::with(&[slowly()]).await;
    let mut gateway = Gateway::start(&fake.account("one", 0));
    let stream = gateway.begin(CHAT, &streamed("acme/m")).await;
    gateway.signal(Signal::TERM);
    gateway.logged("stopping").await;
    let admin = gateway.admin.clone();
    let answer = read(stream).await;
    assert_eq!(answer.streamed_text(), "Hello from the fake provider. It counts its words.");
    assert!(answer.body.trim_end().ends_with("data: [DONE]"));
    assert!(gateway.ended().await.success());
    assert!(TcpStream::connect(gateway.address()).await.is_err());
    assert!(TcpStream::connect(&admin).await.is_err());
    assert!(!gateway.data("addresses.json").exists() && !gateway.data("control.sock").exists());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_and_recorded() {
    let stalls = slowly().ending(End::Stall(After::Pieces(3)));
    let fake = Fake::with(&[stalls]).await;
    let mut gateway =
        Gateway::start(&("[server]\ndrain_timeout_s = 0\n\n".to_owned() + &fake.account("one", 0)));
    let stream = gateway.begin(CHAT, &streamed("acme/m")).await;
    let id = stream.headers()["x-generation-id"].to_str().unwrap().to_owned();
    gateway.signal(Signal::TERM);
    assert!(stream.into_body().collect().await.is_err());
    assert!(gateway.ended().await.success());
    rows_after_restart(&gateway, &id).await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_a_killed_gateway_is_taken_over() {
    for (first, second) in [(Signal::TERM, Some(Signal::TERM)), (Signal::KILL, None)] {
        let fake = Fake::with(&[Script::role_then_silence()]).await;
        let mut gateway = Gateway::start(&fake.account("one", 0));
        let _client = gateway.open(CHAT, &streamed("acme/m")).await;
        fake.asked().await;
        gateway.signal(first);
        if let Some(second) = second {
            gateway.logged("stopping").await;
            gateway.signal(second);
        }
        gateway.ended().await;
        let again = Gateway::start_in(&gateway.directory, &USUAL);
        let spent = again.get("/v1/key").await.json()["data"]["usage"].as_f64().unwrap();
        assert!(spent > 0.0, "an attempt that may be billed is charged");
    }
}

async fn rows_after_restart(gateway: &Gateway, id: &str) {
    let again = Gateway::start_in(&gateway.directory, &USUAL);
    let data = again.get(&format!("/v1/generation?id={id}")).await.json()["data"].clone();
    assert_eq!(data["provider_responses"].as_array().unwrap().len(), 1, "{data}");
    assert_eq!(again.post(CHAT, &chat("sandbox/echo-small")).await.status, 200);
}
