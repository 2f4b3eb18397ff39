//! Structured output that is validated, as a caller over the network meets it.

use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use trunkline_testkit::fake_provider::Script;

use super::support::{Fake, Gateway, exchange};

const CHAT: &str = "/v1/chat/completions";

fn asked(stream: bool) -> Value {
    json!({
        "model": "extract",
        "stream": stream,
        "messages": [{ "role": "user", "content": "Ada Lovelace, born 1815" }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "person", "schema": {
            "type": "object",
            "properties": { "name": { "type": "string" }, "born": { "type": "integer" } },
            "required": ["name", "born"]
        } } }
    })
}

#[tokio::test]
async fn an_answer_that_does_not_hold_is_asked_for_again_or_ends_in_an_error() {
    let fake = Fake::with(&[]).await;
    let route = "[routes.extract]\ntargets = [\"fake/m\"]\njson_schema_validation = true\n";
    let gateway = Gateway::start(&format!("{}{route}", fake.account("fake", 0)));
    let push = |texts: &[&str]| {
        for text in texts {
            fake.provider.push(Script::ignores_format(text));
        }
    };
    let (good, bad) = (r#"{"name": "Ada", "born": 1815}"#, r#"{"name": "Ada", "born": "canary"}"#);

    push(&[bad, good]);
    let answer = gateway.post(CHAT, &asked(false)).await;
    assert_eq!(answer.json()["choices"][0]["message"]["content"], good, "{}", answer.body);
    assert_eq!(answer.header("x-trunkline-attempts"), Some("2"));
    let id = answer.header("x-generation-id").unwrap();
    let told = gateway.get(&format!("/v1/generation?id={id}")).await.json()["data"].clone();
    assert_eq!(told["provider_responses"][0]["cause"], "schema_mismatch", "{told}");
    assert_eq!(told["provider_responses"][1]["cause"], Value::Null, "{told}");

    push(&[bad, good]);
    let answer = gateway.post(CHAT, &asked(true)).await;
    assert_eq!(answer.streamed_text(), good, "{}", answer.body);

    for stream in [false, true] {
        push(&[bad, bad]);
        let answer = gateway.post(CHAT, &asked(stream)).await;
        assert_eq!((answer.status, &*answer.code()), (502, "upstream_schema_mismatch"), "{}", answer.body);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert!(
            answer.body.contains("/properties/born/type") && !answer.body.contains("canary"),
            "{}",
            answer.body
        );
    }
    let request = Request::get("/metrics").header("host", "gateway").body(Full::default()).unwrap();
    let metrics = exchange(TcpStream::connect(&gateway.admin).await.unwrap(), request).await.body;
    let line = "trunkline_attempts_total{provider=\"custom\",model=\"acme/m\",cause=\"schema_mismatch\"} 6";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn the_sandboxes_documents_hold() {
    let route = "[routes.extract]\ntargets = [\"sandbox/echo-small\"]\njson_schema_validation = true\n";
    let gateway = Gateway::start(route);
    for stream in [false, true] {
        let answer = gateway.post(CHAT, &asked(stream)).await;
        let text = if stream {
            answer.streamed_text()
        } else {
            answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
        };
        let document: Value = serde_json::from_str(&text).unwrap();
        assert!(document["born"].is_i64(), "{}", answer.body);
    }
    let explained = gateway.post("/v1/explain", &asked(false)).await.json();
    assert_eq!(explained["validation"], json!({ "format": "json_schema", "retries_max": 1 }), "{explained}");
}
