//! What a provider keeps: whose it is, where it goes on, and how it is asked for again.

#![expect(
    clippy::disallowed_methods,
    reason = "bodies are made with `json!`, which calls `to_value` on literals: nothing is lost"
)]

use serde_json::{Value, json};
use trunkline_domain::access::{ModelPattern, RateLimits};
use trunkline_domain::id::OrganisationId;
use trunkline_domain::{Dialect, Error, ErrorKind, Secret};
use trunkline_engine::kept::{RecallAsk, Recalled};
use trunkline_engine::mint::{self, KeySpec};
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::Body;
use trunkline_wire::responses::kept::Recall;

use crate::rig::{Rig, Seen, budget, limits};

const RESPONSES: Dialect = Dialect::OpenaiResponses;

/// Two accounts that keep their answers, one that does not; and a chat model elsewhere.
const KEEPERS: &str = r#"
    [providers.east]
    kind = "openai"
    base_url = "http://east.test/v1"
    api_key = { env = "KEY" }
    priority = 0
    models = [{ id = "m-1", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 10 }]

    [providers.west]
    kind = "openai"
    base_url = "http://west.test/v1"
    api_key = { env = "KEY" }
    priority = 1
    models = [{ id = "m-2", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = 2, output_usd_per_million = 20 }]

    [providers.plain]
    kind = "custom"
    base_url = "http://plain.test/v1"
    api_key = { env = "KEY" }
    models = [{ id = "m-3", name = "acme/plain", context_window = 8000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 10 }]
"#;

async fn respond(rig: &Rig, body: Value) -> Result<Seen, Error> {
    rig.send(rig.inbound(RESPONSES, &body.to_string())).await
}

async fn first(rig: &Rig) -> Value {
    json_of(&respond(rig, json!({ "model": "acme/m", "input": "one two" })).await.unwrap().body)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn id(response: &Value) -> String {
    response["id"].as_str().unwrap().to_owned()
}

async fn again(rig: &Rig, recall: Recall, id: &str, query: Option<&str>) -> Result<Recalled, Error> {
    again_as(rig, &rig.key, recall, id, query).await
}

async fn again_as(
    rig: &Rig,
    key: &Secret<String>,
    recall: Recall,
    id: &str,
    query: Option<&str>,
) -> Result<Recalled, Error> {
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", key.expose()).parse().unwrap());
    let query = query.map(str::to_owned);
    rig.engine.recall(RecallAsk { dialect: RESPONSES, recall, id: id.into(), query, headers }).await
}

/// Another key of the same organisation.
async fn another_key(rig: &Rig, spec: KeySpec) -> Secret<String> {
    let (key, secret) = mint::key(spec, OrganisationId::FIRST, rig.engine.core().clock.now());
    rig.engine.keys().create(key).await.unwrap();
    secret
}

fn overloaded() -> Script {
    let error = Body::Error { kind: "server_error".into(), code: None, message: "Overloaded".into() };
    Script { status: Some(503), body: error, ..Script::default() }
}

#[tokio::test]
async fn an_answer_goes_on_at_the_account_that_keeps_it() {
    let rig = Rig::new(KEEPERS).await;
    rig.provider("east").push(overloaded());
    let one = first(&rig).await;
    assert_eq!(rig.provider("west").log().len(), 1, "east was overloaded");
    let theirs = rig.provider("west").log()[0].answer_id.clone().unwrap();
    assert!(id(&one).starts_with("resp_") && id(&one) != theirs);
    assert_eq!(one["previous_response_id"], Value::Null);
    let two = respond(&rig, json!({ "model": "acme/m", "input": "three", "previous_response_id": id(&one) }));
    let two = json_of(&two.await.unwrap().body);
    assert_eq!(two["previous_response_id"], one["id"]);
    // East has recovered and is preferred, but it does not have it.
    let (east, west) = (rig.provider("east").log(), rig.provider("west").log());
    assert_eq!((east.len(), west.len()), (1, 2));
    assert_eq!(json_of(&west[1].body)["previous_response_id"], json!(theirs));
    assert_eq!(two["usage"]["input_tokens"], json!(2 + 9 + 1), "what was said before is read again");
    assert_eq!(rig.provider("west").violations(), Vec::<String>::new());
    let rows = rig.rows().await;
    assert_eq!(rows.last().unwrap().settlement.usage.prompt_total(), 12);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn an_answer_that_goes_on_is_tried_nowhere_else() {
    let rig = Rig::new(KEEPERS).await;
    let one = first(&rig).await;
    (0..4).for_each(|_| rig.provider("east").push(overloaded()));
    let goes_on = json!({ "model": "acme/m", "input": "x", "previous_response_id": id(&one) });
    let error = respond(&rig, goes_on).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UpstreamOverloaded, "{error}");
    assert_eq!(rig.provider("west").log().len(), 0);
}

#[tokio::test]
async fn every_event_of_a_stream_names_the_answer_as_its_caller_does() {
    let rig = Rig::new(KEEPERS).await;
    let one = first(&rig).await;
    let goes_on =
        json!({ "model": "acme/m", "input": "x", "stream": true, "previous_response_id": id(&one) });
    let seen = respond(&rig, goes_on).await.unwrap();
    let theirs = rig.provider("east").log()[1].answer_id.clone().unwrap();
    let events = seen.body.lines().filter_map(|line| line.strip_prefix("data: ")).map(json_of);
    let responses: Vec<Value> = events.filter_map(|event| event.get("response").cloned()).collect();
    assert_eq!(responses.len(), 3);
    for response in &responses {
        assert_eq!(response["id"], responses[0]["id"]);
        assert_ne!(response["id"], json!(theirs));
        assert_eq!(response["previous_response_id"], one["id"]);
    }
    let body = again(&rig, Recall::Retrieve, &id(&responses[0]), None).await.unwrap().body;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), responses[2]);
}

#[tokio::test]
async fn a_kept_answer_is_read_listed_and_deleted_at_no_cost() {
    let rig = Rig::with_key(KEEPERS, budget("1")).await;
    let one = first(&rig).await;
    let spent = rig.rows().await.len();
    let recalled = again(&rig, Recall::Retrieve, &id(&one), Some("stream=false")).await.unwrap();
    assert_eq!(recalled.status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&recalled.body).unwrap(), one);
    let items = again(&rig, Recall::InputItems, &id(&one), Some("limit=5&order=asc")).await.unwrap();
    let items: Value = serde_json::from_slice(&items.body).unwrap();
    assert_eq!(items["data"][0]["content"][0]["text"], "one two");
    let refused = again(&rig, Recall::Cancel, &id(&one), None).await.unwrap_err();
    assert_eq!((refused.status(), &*refused.message), (400, "Cannot cancel a synchronous response."));
    let deleted = again(&rig, Recall::Delete, &id(&one), None).await.unwrap();
    let deleted: Value = serde_json::from_slice(&deleted.body).unwrap();
    assert_eq!(deleted, json!({ "id": one["id"], "object": "response.deleted", "deleted": true }));
    let gone = again(&rig, Recall::Retrieve, &id(&one), None).await.unwrap_err();
    assert_eq!((gone.kind, gone.status()), (ErrorKind::NotFound, 404));
    assert_eq!(*gone.message, format!("Response with id '{}' not found.", id(&one)));
    let theirs = rig.provider("east").log()[0].answer_id.clone().unwrap();
    let paths: Vec<String> = rig.provider("east").log().into_iter().skip(1).map(|seen| seen.path).collect();
    let path = format!("/responses/{theirs}");
    let items = format!("{path}/input_items?limit=5&order=asc");
    assert_eq!(paths, [path.clone(), items, format!("{path}/cancel"), path.clone(), path]);
    assert_eq!(rig.rows().await.len(), spent, "none of it is a row");
    rig.assert_nothing_held();
}

#[tokio::test]
async fn nobody_else_has_it_and_nobody_can_make_one_up() {
    let rig = Rig::new(KEEPERS).await;
    let one = first(&rig).await;
    let theirs = rig.provider("east").log()[0].answer_id.clone().unwrap();
    let stranger = another_key(&rig, KeySpec { name: "other".into(), ..KeySpec::default() }).await;
    for recall in Recall::ALL {
        let error = again_as(&rig, &stranger, recall, &id(&one), None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{recall:?}");
        let error = again(&rig, recall, &theirs, None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{recall:?}");
    }
    let body = json!({ "model": "acme/m", "input": "x", "previous_response_id": id(&one) }).to_string();
    let mut inbound = rig.inbound(RESPONSES, &body);
    inbound.headers.insert("authorization", format!("Bearer {}", stranger.expose()).parse().unwrap());
    let error = rig.send(inbound).await.unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::NotFound, Some("previous_response_id")));
    let forged = json!({ "model": "acme/m", "input": "x", "previous_response_id": theirs });
    assert_eq!(respond(&rig, forged).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(rig.provider("east").log().len(), 1, "nothing of it was sent");
    let nobody = again_as(&rig, &Secret::new("sk-tl-none".into()), Recall::Retrieve, &id(&one), None).await;
    assert_eq!(nobody.unwrap_err().kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_account_that_is_gone_is_named() {
    let rig = Rig::new(KEEPERS).await;
    let one = first(&rig).await;
    rig.reload(&KEEPERS.replace("providers.east", "providers.north")).await;
    let goes_on = json!({ "model": "acme/m", "input": "x", "previous_response_id": id(&one) });
    for error in [
        respond(&rig, goes_on).await.unwrap_err(),
        again(&rig, Recall::Retrieve, &id(&one), None).await.unwrap_err(),
    ] {
        assert_eq!((error.kind, error.status()), (ErrorKind::ProviderStateGone, 410));
        assert!(error.message.contains("`east`"), "{error}");
    }
    // Another model of another account is no better.
    let elsewhere = json!({ "model": "acme/plain", "input": "x", "previous_response_id": id(&one) });
    assert_eq!(respond(&rig, elsewhere).await.unwrap_err().kind, ErrorKind::ProviderStateGone);
}

#[tokio::test]
async fn a_keys_scope_and_limits_hold_for_what_is_kept() {
    let spec = KeySpec {
        models: vec![ModelPattern("acme/m".into())],
        ..limits(RateLimits { rpm: Some(2), ..RateLimits::default() })
    };
    let rig = Rig::with_key(KEEPERS, spec).await;
    let one = first(&rig).await;
    again(&rig, Recall::Retrieve, &id(&one), None).await.unwrap();
    let error = again(&rig, Recall::Retrieve, &id(&one), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    rig.reload(&KEEPERS.replacen("acme/m", "acme/other", 1)).await;
    let error = again(&rig, Recall::Retrieve, &id(&one), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn what_is_kept_is_not_bounded_by_the_body_but_by_the_window() {
    // 8,000 tokens of the window at $1 and 1,000 of output at $10 a million: $0.018.
    let rig = Rig::with_key(KEEPERS, budget("0.017")).await;
    let one = first(&rig).await;
    let small = json!({ "model": "acme/m", "input": "x", "max_output_tokens": 16 });
    respond(&rig, small.clone()).await.unwrap();
    let mut goes_on = small;
    goes_on["previous_response_id"] = one["id"].clone();
    respond(&rig, goes_on.clone()).await.unwrap();
    let poor = Rig::with_key(KEEPERS, budget("0.007")).await;
    let one = json_of(
        &respond(&poor, json!({ "model": "acme/m", "input": "x", "max_output_tokens": 16 }))
            .await
            .unwrap()
            .body,
    );
    goes_on["previous_response_id"] = one["id"].clone();
    assert_eq!(respond(&poor, goes_on).await.unwrap_err().kind, ErrorKind::BudgetExceeded);
}

#[tokio::test]
async fn what_would_cost_later_or_belongs_to_an_account_is_refused_by_name() {
    let rig = Rig::new(KEEPERS).await;
    for (field, value) in
        [("background", json!(true)), ("conversation", json!("conv_1")), ("prompt", json!({ "id": "p" }))]
    {
        let mut body = json!({ "model": "acme/m", "input": "x" });
        body[field] = value;
        let error = respond(&rig, body).await.unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some(field)));
    }
    let one = first(&rig).await;
    let error = again(&rig, Recall::Retrieve, &id(&one), Some("stream=true")).await.unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("stream")));
}

#[tokio::test]
async fn a_provider_that_keeps_nothing_leaves_nothing_to_go_on_from() {
    let rig = Rig::new(KEEPERS).await;
    let recast = respond(&rig, json!({ "model": "acme/plain", "input": "x" })).await.unwrap();
    let id = id(&json_of(&recast.body));
    assert_eq!(again(&rig, Recall::Retrieve, &id, None).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn explaining_says_who_does_not_have_it() {
    let rig = Rig::new(KEEPERS).await;
    let one = first(&rig).await;
    let body = json!({ "model": "acme/m", "input": "x", "previous_response_id": id(&one) }).to_string();
    let receipt = rig.engine.explain(rig.inbound(RESPONSES, &body)).await.unwrap();
    let text = serde_json::to_string(&receipt).unwrap();
    assert!(text.contains("\"kept_elsewhere\""), "{text}");
    let forged = body.replace(&id(&one), "resp_made_up");
    assert_eq!(
        rig.engine.explain(rig.inbound(RESPONSES, &forged)).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}
