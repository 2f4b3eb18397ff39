//! Anthropic's and Google's clients at the door: paths, lists, counts and errors in their own languages.

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};

use super::support::{Answer, Gateway};

async fn ask(gateway: &Gateway, method: Method, path: &str, header: (&str, &str), body: &Value) -> Answer {
    let request = gateway.request(method, path).header(header.0, header.1);
    gateway.send(request.body(Full::from(body.to_string())).unwrap()).await
}

const ANTHROPIC: (&str, &str) = ("anthropic-version", "2023-06-01");
const NONE: (&str, &str) = ("accept", "*/*");

fn messages(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 32, "messages": [{ "role": "user", "content": "Hello" }] })
}

fn contents() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }] })
}

#[tokio::test]
async fn each_dialect_has_its_paths_and_its_answers() {
    let gateway = Gateway::start("");
    for path in ["/v1/messages", "/api/v1/messages", "/messages"] {
        let answer = ask(&gateway, Method::POST, path, ANTHROPIC, &messages("sandbox/echo-small")).await;
        assert_eq!((answer.status, &answer.json()["type"]), (200, &json!("message")), "{path}");
        assert!(answer.header("x-trunkline-cost-usd").is_some());
    }
    for base in ["/v1beta", "/v1"] {
        let path = format!("{base}/models/sandbox/echo-small");
        let whole = ask(&gateway, Method::POST, &format!("{path}:generateContent"), NONE, &contents()).await;
        assert!(whole.json()["candidates"][0]["content"]["parts"][0]["text"].is_string(), "{}", whole.body);
        let path = format!("{path}:streamGenerateContent");
        let events = ask(&gateway, Method::POST, &format!("{path}?alt=sse"), NONE, &contents()).await;
        assert!(events.body.starts_with("data: {"), "{}", events.body);
        let array = ask(&gateway, Method::POST, &path, NONE, &contents()).await;
        assert_eq!(array.header("content-type"), Some("application/json; charset=utf-8"));
        assert!(array.json().as_array().unwrap().len() > 1);
    }
}

#[tokio::test]
async fn vectors_are_asked_for_in_googles_form() {
    let gateway = Gateway::start("");
    let content = json!({ "parts": [{ "text": "Hello" }] });
    let one = json!({ "content": content, "outputDimensionality": 8 });
    for base in ["/v1beta", "/v1"] {
        let path = format!("{base}/models/sandbox/embed");
        let answer = ask(&gateway, Method::POST, &format!("{path}:embedContent"), NONE, &one).await;
        let values = &answer.json()["embedding"]["values"];
        assert_eq!(values.as_array().map(Vec::len), Some(8), "{}", answer.body);
        let many = json!({ "requests": [one, one, one] });
        let answer = ask(&gateway, Method::POST, &format!("{path}:batchEmbedContents"), NONE, &many).await;
        assert_eq!(answer.json()["embeddings"].as_array().map(Vec::len), Some(3), "{}", answer.body);
        assert!(answer.header("x-trunkline-cost-usd").is_some());
    }
    let path = "/v1beta/models/sandbox/embed:embedContent";
    let refused = ask(&gateway, Method::POST, path, NONE, &json!({})).await;
    assert_eq!((refused.status, &refused.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
}

#[tokio::test]
async fn a_prompt_is_counted_and_an_estimate_says_that_it_is_one() {
    let gateway = Gateway::start("");
    let path = "/v1/messages/count_tokens";
    let body = json!({ "model": "sandbox/echo-small", "messages": [{ "role": "user", "content": "one two three four" }] });
    let counted = ask(&gateway, Method::POST, path, ANTHROPIC, &body).await;
    assert_eq!(
        (counted.status, counted.header("x-trunkline-estimated")),
        (200, Some("true")),
        "{}",
        counted.body
    );
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 0);
    let path = "/v1beta/models/sandbox/echo-small:countTokens";
    let counted = ask(&gateway, Method::POST, path, NONE, &contents()).await;
    assert!(counted.json()["totalTokens"].as_u64().unwrap() > 0, "{}", counted.body);
}

#[tokio::test]
async fn every_error_is_in_the_callers_dialect() {
    let gateway = Gateway::start("");
    let bad = json!({ "model": "sandbox/echo-small", "messages": 7 });
    for (method, path, body, status, kind) in [
        (Method::POST, "/v1/messages", messages("no/such"), 404, "not_found_error"),
        (Method::POST, "/v1/messages", bad, 400, "invalid_request_error"),
        (Method::GET, "/v1/messages", Value::Null, 405, "invalid_request_error"),
        (Method::POST, "/v1/messages/batches", Value::Null, 404, "not_found_error"),
        (Method::GET, "/v1/models/no/such", Value::Null, 404, "not_found_error"),
    ] {
        let answer = ask(&gateway, method, path, ANTHROPIC, &body).await;
        assert_eq!(
            (answer.status, &answer.json()["type"]),
            (status, &json!("error")),
            "{path}: {}",
            answer.body
        );
        assert_eq!(answer.json()["error"]["type"], kind, "{path}");
    }
    for (method, path, status, word) in [
        (Method::POST, "/v1beta/models/no/such:generateContent", 404, "NOT_FOUND"),
        (Method::POST, "/v1beta/models/sandbox/echo-small:predict", 404, "NOT_FOUND"),
        (Method::POST, "/v1beta/nothing", 404, "NOT_FOUND"),
        (Method::GET, "/v1beta/models/no/such", 404, "NOT_FOUND"),
    ] {
        let answer = ask(&gateway, method, path, NONE, &contents()).await;
        assert_eq!((answer.status, &answer.json()["error"]["status"]), (status, &json!(word)), "{path}");
    }
}

#[tokio::test]
async fn models_are_listed_as_each_client_reads_them() {
    let gateway = Gateway::start("");
    let list = ask(&gateway, Method::GET, "/v1/models", ANTHROPIC, &Value::Null).await.json();
    let ids = |list: &Value, members: &str, id: &str| {
        let all = list[members].as_array().unwrap().iter();
        all.map(|model| model[id].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let known = ids(&list, "data", "id");
    assert!(known.contains(&"sandbox/echo-small".to_owned()) && !known.contains(&"sandbox/embed".to_owned()));
    assert_eq!((&list["has_more"], &list["data"][0]["type"]), (&json!(false), &json!("model")));
    let one = ask(&gateway, Method::GET, "/v1/models/sandbox/echo-small", ANTHROPIC, &Value::Null).await;
    assert_eq!(one.json()["id"], "sandbox/echo-small");
    let list = gateway.get("/v1beta/models").await.json();
    assert!(ids(&list, "models", "name").contains(&"models/sandbox/echo-small".to_owned()));
    let one = gateway.get("/v1beta/models/sandbox/echo-small").await.json();
    assert_eq!(
        (&one["name"], &one["inputTokenLimit"]),
        (&json!("models/sandbox/echo-small"), &json!(131_072))
    );
}

#[tokio::test]
async fn a_request_of_any_dialect_is_explained() {
    let gateway = Gateway::start("");
    let mut gemini = contents();
    gemini["model"] = json!("sandbox/echo-small");
    for (path, body) in
        [("/v1/explain?operation=messages", messages("sandbox/echo-small")), ("/v1/explain", gemini)]
    {
        let answer = gateway.post(path, &body).await;
        assert_eq!(answer.json()["candidates"][0]["deployment"], "sandbox/echo-small", "{}", answer.body);
    }
}
