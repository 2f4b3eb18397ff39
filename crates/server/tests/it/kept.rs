//! Responses that a provider keeps, over HTTP: paths, errors, and ids that outlive the process.

use std::sync::Arc;

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::support::{Answer, Fake, Gateway, USUAL};

async fn ask(gateway: &Gateway, method: Method, path: &str) -> Answer {
    gateway.send(gateway.request(method, path).body(Full::default()).unwrap()).await
}

/// An account of a kind that keeps its responses, and the file of its key.
async fn keeper() -> (Fake, NamedTempFile, String) {
    let fake = Fake::with(&[]).await;
    let account = fake.account("keeper", 0).replace("\"custom\"", "\"openai\"");
    let key = NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "sk-fake").unwrap();
    let config = format!("{account}api_key = {{ file = \"{}\" }}\n", key.path().display());
    (fake, key, config)
}

async fn respond(gateway: &Gateway, body: &Value) -> Value {
    let answer = gateway.post("/v1/responses", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_kept_response_has_its_paths() {
    let (fake, _key, config) = keeper().await;
    let gateway = Gateway::start(&config);
    let first = respond(&gateway, &json!({ "model": "acme/m", "input": "one" })).await;
    let id = first["id"].as_str().unwrap();
    for base in ["/v1", "/api/v1", ""] {
        let path = format!("{base}/responses/{id}");
        let again = ask(&gateway, Method::GET, &path).await;
        assert_eq!((again.status, again.json()), (200, first.clone()), "{path}");
        assert_eq!(again.header("content-type"), Some("application/json"));
        let items = ask(&gateway, Method::GET, &format!("{path}/input_items?limit=1")).await;
        assert_eq!(items.json()["data"][0]["role"], "user", "{}", items.body);
        assert_eq!(ask(&gateway, Method::POST, &format!("{path}/cancel")).await.status, 400);
        assert_eq!(ask(&gateway, Method::POST, &path).await.status, 405);
    }
    let deleted = ask(&gateway, Method::DELETE, &format!("/v1/responses/{id}")).await;
    assert_eq!((&deleted.json()["id"], &deleted.json()["deleted"]), (&json!(id), &json!(true)));
    assert_eq!(fake.provider.violations().iter().filter(|it| !it.contains("Cannot cancel")).count(), 0);
    let other = gateway.another_key(&json!({ "name": "other" })).await;
    let theirs = gateway.get_as(&other, &format!("/v1/responses/{id}")).await;
    let error = &theirs.json()["error"];
    assert_eq!((theirs.status, &error["type"]), (404, &json!("invalid_request_error")), "{}", theirs.body);
    let nobody = gateway.get_as("sk-tl-nobody", &format!("/v1/responses/{id}")).await;
    assert_eq!((nobody.status, &*nobody.code()), (401, "invalid_api_key"));
}

#[tokio::test]
async fn ids_outlive_the_process() {
    let (_fake, _key, config) = keeper().await;
    let gateway = Gateway::start(&config);
    let first = respond(&gateway, &json!({ "model": "acme/m", "input": "one" })).await;
    let directory = Arc::clone(&gateway.directory);
    drop(gateway);
    let gateway = Gateway::start_in(&directory, &USUAL);
    let goes_on = json!({ "model": "acme/m", "input": "two", "previous_response_id": first["id"] });
    assert_eq!(respond(&gateway, &goes_on).await["previous_response_id"], first["id"]);
}
