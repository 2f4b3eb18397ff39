//! What a caller is told when something is wrong with its request.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;

use super::support::{Gateway, chat};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_request_without_a_valid_key_is_refused_on_every_route() {
    let gateway = Gateway::start("");
    for (method, path) in [
        (Method::POST, CHAT),
        (Method::POST, "/v1/completions"),
        (Method::POST, "/v1/embeddings"),
        (Method::POST, "/v1/explain"),
        (Method::POST, "/api/v1/chat/completions"),
        (Method::POST, "/chat/completions"),
        (Method::GET, "/v1/models"),
        (Method::GET, "/v1/models/sandbox/echo-small"),
        (Method::GET, "/v1/providers"),
        (Method::GET, "/v1/generation?id=gen-1"),
        (Method::GET, "/v1/key"),
    ] {
        for key in [None, Some("Bearer sk-tl-wrong")] {
            let mut request = Request::builder().method(method.clone()).uri(path).header("host", "gateway");
            if let Some(key) = key {
                request = request.header("authorization", key);
            }
            let answer =
                gateway.send(request.body(Full::from(chat("sandbox/echo-small").to_string())).unwrap()).await;
            assert_eq!((answer.status, &*answer.code()), (401, "invalid_api_key"), "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
    }
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_near_names() {
    let gateway = Gateway::start("");
    let answer = gateway.post(CHAT, &chat("sandbox/echo-smal")).await;
    assert_eq!((answer.status, &*answer.code()), (404, "model_not_found"));
    assert!(answer.body.contains("sandbox/echo-small"), "{}", answer.body);
    assert!(answer.header("x-generation-id").is_some());
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_with_the_place() {
    let gateway = Gateway::start("");
    let post = |body: &'static str| {
        let request = gateway.request(Method::POST, CHAT).header("content-type", "application/json");
        gateway.send(request.body(Full::from(body)).unwrap())
    };
    let answer = post("{\"model\": \"x\",,}").await;
    assert_eq!((answer.status, &*answer.code()), (400, "invalid_request"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("14"), "{}", answer.body);
    assert_eq!(post("").await.status, 400);
    let nameless = post("{\"messages\":[]}").await;
    assert_eq!(nameless.json()["error"]["param"], "model");
}

#[tokio::test]
async fn an_unknown_path_names_what_exists_and_a_wrong_method_what_is_allowed() {
    let gateway = Gateway::start("");
    let answer = gateway.get("/v2/chat").await;
    assert_eq!((answer.status, &*answer.code()), (404, "not_found"));
    assert!(answer.body.contains("/v1/chat/completions"), "{}", answer.body);
    let answer = gateway.get(CHAT).await;
    assert_eq!((answer.status, &*answer.code()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = gateway.post("/v1/models", &json!({})).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
}

#[tokio::test]
async fn only_plain_json_is_taken() {
    let gateway = Gateway::start("");
    for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
        let request = gateway.request(Method::POST, CHAT).header(name, value);
        let answer = gateway.send(request.body(Full::from("{}")).unwrap()).await;
        assert_eq!((answer.status, &*answer.code()), (415, "unsupported_media_type"));
        assert_eq!(answer.json()["error"]["param"], name);
    }
    let untyped =
        gateway.request(Method::POST, CHAT).body(Full::from(chat("sandbox/echo-small").to_string()));
    assert_eq!(gateway.send(untyped.unwrap()).await.status, 200);
}

#[tokio::test]
async fn the_clients_request_id_is_echoed_if_it_can_be() {
    let gateway = Gateway::start("");
    let ask = |id: &'static [u8]| {
        let request = gateway.request(Method::GET, "/v1/key").header("x-request-id", id);
        gateway.send(request.body(Full::<Bytes>::default()).unwrap())
    };
    assert_eq!(ask(b"mine-1").await.header("x-request-id"), Some("mine-1"));
    assert!(ask(b"two words").await.header("x-request-id").unwrap().starts_with("req-"));
    let answered = gateway.post(CHAT, &chat("sandbox/echo-small")).await;
    assert_eq!(answered.header("x-request-id"), answered.header("x-generation-id"));
}

#[tokio::test]
async fn web_pages_may_call_only_where_the_operator_says_so() {
    let gateway = Gateway::start("[server]\ncors_origins = [\"https://app.example\"]\n");
    let preflight = |origin: &'static str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri(CHAT)
            .header("host", "gateway")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        gateway.send(request.body(Full::<Bytes>::default()).unwrap())
    };
    let allowed = preflight("https://app.example").await;
    assert_eq!(
        (allowed.status, allowed.header("access-control-allow-origin")),
        (204, Some("https://app.example"))
    );
    let foreign = preflight("https://evil.example").await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (405, None));
    let off = Gateway::start("");
    let request = off.request(Method::GET, "/v1/models").header("origin", "https://app.example");
    let answer = off.send(request.body(Full::default()).unwrap()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}
