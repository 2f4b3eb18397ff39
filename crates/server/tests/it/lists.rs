//! What the gateway says about models, providers, a generation and a key.

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};

use super::support::{Fake, Gateway, chat, streamed};

#[tokio::test]
async fn models_have_openais_fields_and_openrouters() {
    let gateway = Gateway::start("[routes.fast]\ntargets = [\"sandbox/echo-small\"]\n");
    for path in ["/v1/models", "/api/v1/models", "/models"] {
        let list = gateway.get(path).await.json();
        assert_eq!(list["object"], "list");
        let find =
            |id: &str| list["data"].as_array().unwrap().iter().find(|model| model["id"] == id).cloned();
        let model = find("sandbox/echo-small").unwrap();
        for (field, value) in [
            ("object", json!("model")),
            ("owned_by", json!("sandbox")),
            ("context_length", json!(131_072)),
            ("state", json!("listed")),
            ("simulated", json!(true)),
            ("kind", json!("model")),
        ] {
            assert_eq!(model[field], value, "{field}");
        }
        assert!(model["created"].is_i64());
        assert_eq!(model["pricing"]["prompt"], "0.0000001");
        assert_eq!(model["pricing"]["completion"], "0.0000004");
        assert_eq!(model["architecture"]["modality"], "text->text");
        assert_eq!(model["top_provider"]["max_completion_tokens"], 8_192);
        assert!(model["supported_parameters"].as_array().unwrap().contains(&json!("tools")));
        assert_eq!(find("fast").unwrap()["kind"], "route");
        assert_eq!(find("sandbox/fixed-price").unwrap()["pricing"]["request"], "0.0001");
        assert_eq!(
            find("sandbox/embed").unwrap()["architecture"]["output_modalities"],
            json!(["embeddings"])
        );
    }
}

#[tokio::test]
async fn one_model_is_found_by_name_alias_and_label_and_a_wrong_name_gets_near_ones() {
    let fake = Fake::with(&[]).await;
    let gateway = Gateway::start(&fake.account("one", 0));
    for (asked, id) in [("acme/m", "acme/m"), ("m", "acme/m"), ("one/m", "one/m"), ("acme%2Fm", "acme/m")] {
        let answer = gateway.get(&format!("/v1/models/{asked}")).await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(id)), "{asked}");
    }
    let answer = gateway.get("/v1/models/acme/n").await;
    assert_eq!((answer.status, &*answer.code()), (404, "model_not_found"));
    assert!(answer.body.contains("acme/m"), "{}", answer.body);
}

#[tokio::test]
async fn the_endpoints_of_a_model_are_its_deployments() {
    let fake = Fake::with(&[]).await;
    let gateway = Gateway::start(&(fake.account("one", 0) + &fake.account("two", 1)));
    let data = gateway.get("/api/v1/models/acme/m/endpoints").await.json()["data"].clone();
    assert_eq!(data["id"], "acme/m");
    let endpoints = data["endpoints"].as_array().unwrap();
    let mut deployments: Vec<&Value> = endpoints.iter().map(|endpoint| &endpoint["deployment"]).collect();
    deployments.sort_by_key(ToString::to_string);
    assert_eq!(deployments, [&json!("one/m"), &json!("two/m")]);
    assert_eq!(endpoints[0]["provider_name"], "Custom");
    assert_eq!(endpoints[0]["standing"], "healthy");
    assert_eq!(endpoints[0]["pricing"]["prompt"], "0.000001");
    assert_eq!(gateway.get("/v1/models/acme/none/endpoints").await.status, 404);
}

#[tokio::test]
async fn providers_say_how_far_they_are_proven() {
    let fake = Fake::with(&[]).await;
    let gateway = Gateway::start(&fake.account("one", 0));
    let data = gateway.get("/v1/providers").await.json()["data"].clone();
    let find =
        |slug: &str| data.as_array().unwrap().iter().find(|provider| provider["slug"] == slug).unwrap();
    assert_eq!(find("one")["kind"], "custom");
    assert!(["proven", "unverified"].contains(&find("one")["proof"].as_str().unwrap()));
    assert_eq!(find("sandbox")["simulated"], true);
}

#[tokio::test]
async fn a_generation_is_there_right_after_its_answer_buffered_or_streamed() {
    let gateway = Gateway::start("");
    for body in [chat("sandbox/fixed-price"), streamed("sandbox/fixed-price")] {
        let answer = gateway.post("/v1/chat/completions", &body).await;
        let id = answer.header("x-generation-id").unwrap().to_owned();
        let answer = gateway.get(&format!("/api/v1/generation?id={id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let data = &answer.json()["data"];
        assert_eq!(data["id"], id);
        assert_eq!(data["model"], "sandbox/fixed-price");
        assert_eq!(data["total_cost_usd"], "0.0001");
        assert_eq!(data["total_cost"], json!(0.0001));
        assert_eq!(data["streamed"], body["stream"] == json!(true));
        assert_eq!(data["finish_reason"], "stop");
        assert!(data["tokens_completion"].as_u64().unwrap() > 0);
        assert!(data["created_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(data["cancelled"], false);
    }
}

#[tokio::test]
async fn a_key_sees_its_own_models_and_its_own_generations_alone() {
    let gateway = Gateway::start("");
    let facts = json!({ "name": "narrow", "models": ["sandbox/echo-*"], "budgets": [{ "limit_usd": "1.5", "window": "day" }] });
    let narrow = gateway.another_key(&facts).await;
    let list = gateway.get_as(&narrow, "/v1/models").await.json();
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(ids, ["sandbox/echo-large", "sandbox/echo-small"]);
    for path in ["/v1/models/sandbox/flaky", "/v1/models/sandbox/flaky/endpoints"] {
        assert_eq!(gateway.get_as(&narrow, path).await.status, 404);
        assert_eq!(gateway.get(path).await.status, 200);
    }
    assert_eq!(gateway.get_as(&narrow, "/v1/providers").await.json()["data"][0]["models"], 2);

    let answer = gateway.post("/v1/chat/completions", &chat("sandbox/echo-small")).await;
    let path = format!("/v1/generation?id={}", answer.header("x-generation-id").unwrap());
    assert_eq!(gateway.get(&path).await.status, 200);
    assert_eq!(gateway.get_as(&narrow, &path).await.status, 404);

    let data = gateway.get_as(&narrow, "/v1/key").await.json()["data"].clone();
    assert_eq!(
        (&data["usage"], &data["limit"], &data["limit_remaining"]),
        (&json!(0.0), &json!(1.5), &json!(1.5))
    );
    assert_eq!((&data["limit_reset"], &data["budgets"][0]["limit_usd"]), (&json!("daily"), &json!("1.5")));
}

#[tokio::test]
async fn a_generation_nobody_made_is_not_found() {
    let gateway = Gateway::start("");
    for id in ["gen-00000000000000000000000000000001", "nonsense"] {
        assert_eq!(gateway.get(&format!("/v1/generation?id={id}")).await.status, 404);
    }
    assert_eq!(gateway.get("/v1/generation").await.status, 400);
}

#[tokio::test]
async fn a_key_says_what_it_has_spent() {
    let gateway = Gateway::start("");
    gateway.post("/v1/chat/completions", &chat("sandbox/fixed-price")).await;
    gateway.post("/v1/chat/completions", &chat("sandbox/fixed-price")).await;
    let data = gateway.get("/v1/key").await.json()["data"].clone();
    for field in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
        assert_eq!(data[field], json!(0.0002), "{field}");
    }
    assert_eq!(
        (&data["name"], &data["limit"], &data["is_free_tier"]),
        (&json!("first"), &json!(null), &json!(false))
    );
    assert!(!data.to_string().contains(&gateway.key));
}

#[tokio::test]
async fn a_head_is_answered_without_a_body() {
    let gateway = Gateway::start("");
    let head = gateway.request(Method::HEAD, "/v1/models").body(Full::default()).unwrap();
    let answer = gateway.send(head).await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
}
