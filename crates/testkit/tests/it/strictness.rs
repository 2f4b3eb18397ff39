//! What it refuses and records.

use http::HeaderValue;
use serde_json::{Value, json};
use trunkline_testkit::fake_provider::GATEWAY_FIELDS;
use trunkline_testkit::fake_provider::{Caller, FakeProvider, Script, Setup};

use crate::{call, chat, post, scripted, send, with};

async fn assert_refused(path: &str, body: &str, expected: (&str, &str)) {
    let provider = scripted(&[]);
    let answer = send(&provider, call(path, body)).await.unwrap();
    let error = &answer.json()["error"];
    let word = |name: &str| error[name].as_str().unwrap_or_default();
    assert_eq!((answer.status, word("code"), word("param")), (400, expected.0, expected.1), "{path} {body}");
    assert!(!provider.violations().is_empty());
    assert_eq!(provider.log()[0].billed, None);
}

#[tokio::test(start_paused = true)]
async fn a_gateways_own_fields_must_not_leak() {
    for name in GATEWAY_FIELDS {
        let provider = scripted(&[]);
        let answer = post(&provider, "/chat/completions", &with(chat(), &json!({ *name: {} }))).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("unknown_parameter")));
        assert_eq!(provider.violations(), [format!("gateway field '{name}' leaked")]);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_missing_duplicate_and_mistyped_fields_are_refused() {
    const CHAT: &str = "/chat/completions";
    for (field, code) in [
        (json!({ "top_k": 3 }), "unknown_parameter"),
        (json!({ "n": 0 }), "invalid_type"),
        (json!({ "max_tokens": 1.5 }), "invalid_type"),
        (json!({ "stream": 1 }), "invalid_type"),
        (json!({ "messages": [] }), "empty_array"),
        (json!({ "model": null }), "invalid_type"),
        (json!({ "stream_options": {} }), "invalid_value"),
    ] {
        let name = field.as_object().unwrap().keys().next().unwrap().clone();
        assert_refused(CHAT, &with(chat(), &field).to_string(), (code, &name)).await;
    }
    let text = chat().to_string();
    assert_refused(CHAT, &text.replacen('{', r#"{"model":"other","#, 1), ("invalid_value", "model")).await;
    assert_refused(CHAT, &format!("{text} x"), ("", "")).await;
    assert_refused(CHAT, "[1]", ("", "")).await;
    assert_refused(CHAT, r#"{"model":"m"}"#, ("missing_required_parameter", "messages")).await;
    assert_refused("/completions", &text, ("unknown_parameter", "messages")).await;
    assert_refused("/embeddings", r#"{"model":"m","input":[]}"#, ("invalid_type", "input")).await;
    let nested = with(chat(), &json!({ "stream": true, "stream_options": { "extra": 1 } })).to_string();
    assert_refused(CHAT, &nested, ("unknown_parameter", "stream_options.extra")).await;
    let role = with(chat(), &json!({ "messages": [{ "role": "robot", "content": "x" }] })).to_string();
    assert_refused(CHAT, &role, ("invalid_value", "messages[0].role")).await;
}

#[tokio::test(start_paused = true)]
async fn authorisation_must_be_the_key() {
    let setup = Setup { key: Some("sk-fake".to_owned()), ..Setup::default() };
    let provider = FakeProvider::new(setup).unwrap();
    let mut statuses = Vec::new();
    for value in [None, Some("Bearer sk-other"), Some("sk-fake"), Some("Bearer sk-fake")] {
        let mut call = call("/chat/completions", &chat().to_string());
        call.authorization =
            value.map(|value| (http::header::AUTHORIZATION, HeaderValue::from_static(value)));
        statuses.push(send(&provider, call).await.unwrap().status);
    }
    assert_eq!(statuses, [401, 401, 401, 200]);
    assert_eq!(provider.violations().len(), 3);
    let logged = format!("{:?}", provider.log());
    assert!(!logged.contains("sk-other") && !logged.contains("sk-fake"));
}

#[tokio::test(start_paused = true)]
async fn only_a_gateways_own_headers_are_proper() {
    for (name, value) in [
        ("accept-encoding", "gzip"),
        ("cookie", "a=b"),
        ("connection", "keep-alive"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-stainless-lang", "python"),
        ("x-request-id", "caller"),
        ("openai-organization", "callers"),
        ("x-trunkline-receipt", "full"),
    ] {
        let provider = scripted(&[]);
        let mut call = call("/chat/completions", &chat().to_string());
        call.headers.insert(name, HeaderValue::from_static(value));
        assert_eq!(send(&provider, call).await.unwrap().status, 400, "{name}");
        assert!(provider.violations()[0].contains(name));
    }
    let setup = Setup { caller: Caller::Anyone, ..Setup::default() };
    let provider = FakeProvider::new(setup).unwrap();
    let mut call = call("/chat/completions", &chat().to_string());
    call.headers.insert("x-stainless-lang", HeaderValue::from_static("python"));
    assert_eq!(send(&provider, call).await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_uses_up_no_script() {
    let provider = scripted(&[Script::rate_limited(1)]);
    assert_eq!(post(&provider, "/chat/completions", &json!({})).await.status, 400);
    assert_eq!(post(&provider, "/chat/completions", &chat()).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn models_and_fields_can_be_those_of_a_certain_provider() {
    let setup =
        Setup { models: vec!["m".to_owned()], fields: vec!["provider".to_owned()], ..Setup::default() };
    let provider = FakeProvider::new(setup).unwrap();
    let known = with(chat(), &json!({ "provider": { "order": [] } }));
    assert_eq!(post(&provider, "/chat/completions", &known).await.status, 200);
    let other: Value = with(chat(), &json!({ "model": "other" }));
    assert_eq!(post(&provider, "/chat/completions", &other).await.status, 404);
}
