//! Chats, completions and embeddings through the whole gateway.

use serde_json::json;

use super::support::{Fake, Gateway, account, chat, streamed};
use trunkline_testkit::fake_provider::Script;

#[tokio::test]
async fn a_chat_is_the_same_under_every_base_path() {
    let gateway = Gateway::start("");
    for base in ["/v1", "/api/v1", ""] {
        let answer = gateway.post(&format!("{base}/chat/completions"), &chat("sandbox/echo-small")).await;
        assert_eq!(answer.status, 200, "{base}: {}", answer.body);
        assert_eq!(answer.json()["object"], "chat.completion");
        assert!(answer.header("x-trunkline-cost-usd").unwrap().starts_with("0.0000"));
        assert_eq!(answer.header("x-trunkline-provider"), Some("sandbox"));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_cost_and_the_terminal_event() {
    let gateway = Gateway::start("");
    let answer = gateway.post("/v1/chat/completions", &streamed("sandbox/echo-small")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    assert!(answer.streamed_text().contains("Hello"), "{}", answer.body);
    let (before, end) = answer.body.trim_end().rsplit_once("\n\n").unwrap();
    assert_eq!(end, "data: [DONE]");
    assert!(before.rsplit("\n\n").next().unwrap().starts_with(": x-trunkline-cost-usd=0.0000"), "{before}");
}

#[tokio::test]
async fn completions_and_embeddings_are_served() {
    let gateway = Gateway::start("");
    let prompt = json!({ "model": "sandbox/echo-small", "prompt": "Hello" });
    let answer = gateway.post("/v1/completions", &prompt).await;
    assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("text_completion")));
    let input = json!({ "model": "sandbox/embed", "input": ["a", "b"] });
    let answer = gateway.post("/v1/embeddings", &input).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_described_model_is_asked_what_its_kind_says_and_anything_without_one() {
    let fake = Fake::with(&[]).await;
    for (kind, chats, embeds) in [("", 200, 200), ("chat", 200, 404), ("embedding", 404, 200)] {
        let described = if kind.is_empty() { String::new() } else { format!("kind = \"{kind}\", ") };
        let account = fake.account("one", 0).replace("context_window", &format!("{described}context_window"));
        let gateway = Gateway::start(&account);
        let input = json!({ "model": "acme/m", "input": ["a"] });
        let answer = gateway.post("/v1/embeddings", &input).await;
        assert_eq!(answer.status, embeds, "{kind}: {}", answer.body);
        assert_eq!(gateway.post("/v1/chat/completions", &chat("acme/m")).await.status, chats, "{kind}");
    }
}

#[tokio::test]
async fn a_body_of_any_dialect_is_explained_and_nothing_is_sent() {
    let fake = Fake::with(&[]).await;
    let gateway = Gateway::start(&fake.account("one", 0));
    for (body, operation) in [
        (chat("acme/m"), "chat"),
        (json!({ "model": "acme/m", "prompt": "x" }), "text_completion"),
        (json!({ "model": "acme/m", "input": "x" }), "embeddings"),
    ] {
        let answer = gateway.post("/v1/explain", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["operation"], operation);
    }
    let explained = gateway.post("/v1/explain?operation=chat", &chat("acme/m")).await.json();
    assert_eq!(explained["candidates"][0]["deployment"], "one/m");
    assert_eq!(gateway.post("/v1/explain", &json!({ "model": "acme/m" })).await.status, 400);
    assert!(fake.provider.log().iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn with_two_providers_of_which_one_is_dead_nobody_notices() {
    let fake = Fake::with(&[]).await;
    // A port nobody listens on: bound once, then given back.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = account("dead", &format!("http://{dead}/v1"), 0) + &fake.account("alive", 1);
    let gateway = Gateway::start(&config);
    let answer = gateway.post("/v1/chat/completions", &chat("acme/m")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-trunkline-attempts"), Some("2"));

    let id = answer.header("x-generation-id").unwrap();
    let data = gateway.get(&format!("/v1/generation?id={id}")).await.json()["data"].clone();
    let rows = data["provider_responses"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{data}");
    assert_eq!((&rows[0]["endpoint_id"], &rows[0]["cause"]), (&json!("dead/m"), &json!("connect_failed")));
    assert_eq!((&rows[1]["endpoint_id"], &rows[1]["cause"]), (&json!("alive/m"), &json!(null)));
    assert_eq!(rows[1]["state"], "settled");
    assert!(fake.provider.violations().is_empty(), "{:?}", fake.provider.violations());
}

#[tokio::test]
async fn when_every_provider_fails_the_error_names_each_cause() {
    let fake = Fake::with(&vec![Script::server_error(); 4]).await;
    let gateway = Gateway::start(&fake.account("only", 0));
    let answer = gateway.post("/v1/chat/completions", &chat("acme/m")).await;
    assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"), "{}", answer.body);
    assert!(answer.body.contains("only/m: server_error (status 500)"), "{}", answer.body);
    assert_eq!(answer.header("x-should-retry"), None);
}
