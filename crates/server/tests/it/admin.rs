//! The admin API: who may, what happens to keys, and what it tells.

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::support::{Answer, Gateway, chat, directory, exchange};

const CHAT: &str = "/v1/chat/completions";

/// An administrator of a gateway.
struct Admin<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> Admin<'a> {
    fn of(gateway: &'a Gateway) -> Self {
        let told = std::fs::read_to_string(gateway.data("first-run.txt")).unwrap();
        let token = told.lines().find_map(|line| line.strip_prefix("admin token: "));
        Self { gateway, token: token.unwrap().to_owned() }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let path = format!("/admin/v1{path}");
        ask(self.gateway, method, &path, Some(&format!("Bearer {}", self.token)), body.into()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, body.to_string()).await
    }

    /// Makes a key: its path and its secret.
    async fn make(&self, body: Value) -> (String, String) {
        let made = self.post("/keys", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let text = |name: &str| made.json()[name].as_str().unwrap().to_owned();
        (format!("/keys/{}", text("id")), text("key"))
    }
}

/// Asks the admin listener.
async fn ask(gateway: &Gateway, method: Method, path: &str, token: Option<&str>, body: Vec<u8>) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let stream = TcpStream::connect(&gateway.admin).await.unwrap();
    exchange(stream, request.body(Full::from(body)).unwrap()).await
}

/// The status of a chat with a key.
async fn chats(gateway: &Gateway, key: &str, model: &str) -> u16 {
    let request = Request::post(CHAT).header("host", "x").header("authorization", format!("Bearer {key}"));
    gateway.send(request.body(Full::from(chat(model).to_string())).unwrap()).await.status
}

#[tokio::test]
async fn every_path_wants_an_admin_token_and_a_callers_key_is_none() {
    let gateway = Gateway::start("");
    let callers = format!("Bearer {}", gateway.key);
    let token = Admin::of(&gateway).token;
    let unknown = format!("{token}x");
    for path in [
        "/keys",
        "/usage",
        "/config",
        "/catalogue",
        "/models",
        "/providers",
        "/health/deployments",
        "/no-such-path",
        "",
    ] {
        let path = format!("/admin/v1{path}");
        for credential in [None, Some(&*callers), Some(&*unknown), Some("Bearer "), Some(&*token)] {
            let answer = ask(&gateway, Method::GET, &path, credential, Vec::new()).await;
            assert_eq!(
                (answer.status, &*answer.code()),
                (401, "invalid_admin_token"),
                "{path} {credential:?}"
            );
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(ask(&gateway, Method::GET, "/v1/models", Some(&callers), Vec::new()).await.status, 404);
}

#[tokio::test]
async fn monitors_need_no_token_and_are_told_no_callers_words() {
    let gateway = Gateway::start("");
    gateway.post(CHAT, &chat("sandbox/echo-small")).await;
    gateway.post(CHAT, &chat("words-of-a-caller")).await;
    let plain = |path: &'static str| ask(&gateway, Method::GET, path, None, Vec::new());
    assert_eq!(plain("/healthz").await.json(), json!({ "status": "ok" }));
    assert_eq!(plain("/readyz").await.status, 200);
    let metrics = plain("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let line = "trunkline_attempts_total{provider=\"sandbox\",model=\"sandbox/echo-small\",cause=\"none\"} 1";
    assert!(metrics.body.contains(line), "{}", metrics.body);
    assert!(!metrics.body.contains("words-of-a-caller"));
}

#[tokio::test]
async fn a_key_works_from_the_moment_it_is_made_to_the_moment_it_is_revoked() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    let (path, key) = admin.make(json!({ "name": "ci" })).await;
    assert_eq!(chats(&gateway, &key, "sandbox/echo-small").await, 200);

    let scoped = admin.patch(&path, json!({ "models": ["sandbox/fixed-*"], "name": "scoped" })).await;
    assert_eq!((scoped.status, &scoped.json()["name"]), (200, &json!("scoped")));
    assert_eq!(chats(&gateway, &key, "sandbox/echo-small").await, 403);
    assert_eq!(chats(&gateway, &key, "sandbox/fixed-price").await, 200);

    let rotated = admin.send(Method::POST, &format!("{path}/rotate"), "").await.json();
    let newer = rotated["key"].as_str().unwrap();
    assert_eq!(chats(&gateway, &key, "sandbox/fixed-price").await, 401);
    assert_eq!(chats(&gateway, newer, "sandbox/fixed-price").await, 200);
    assert_eq!(chats(&gateway, newer, "sandbox/echo-small").await, 403);

    let revoked = admin.send(Method::DELETE, &path, "").await;
    assert_eq!((revoked.status, &revoked.json()["state"]), (200, &json!("revoked")));
    assert_eq!(chats(&gateway, newer, "sandbox/fixed-price").await, 401);
    assert_eq!(admin.send(Method::DELETE, &path, "").await.status, 200);
    let late = admin.patch(&path, json!({ "models": [] })).await;
    assert_eq!((late.status, &*late.code()), (409, "conflict"));
}

#[tokio::test]
async fn a_secret_is_told_once_and_never_again() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    let made = admin.post("/keys", json!({ "name": "once" })).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let (id, key) = (made.json()["id"].clone(), made.json()["key"].clone());
    for path in ["/keys".to_owned(), format!("/keys/{}", id.as_str().unwrap()), "/config".to_owned()] {
        assert!(!admin.get(&path).await.body.contains(key.as_str().unwrap()), "{path}");
    }
    assert!(!gateway.log().contains(key.as_str().unwrap()));
}

#[tokio::test]
async fn limits_and_budgets_hold_at_once_and_what_was_spent_is_told() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    let budget = json!([{ "limit_usd": "0.0002", "window": "day" }]);
    let (path, key) = admin.make(json!({ "name": "poor", "budgets": budget })).await;
    for status in [200, 200, 402] {
        assert_eq!(chats(&gateway, &key, "sandbox/fixed-price").await, status);
    }
    let view = admin.get(&path).await.json();
    let expected = json!([{ "limit_usd": "0.0002", "window": "day", "spent_usd": "0.0002" }]);
    assert_eq!(view["budgets"], expected);

    admin.patch(&path, json!({ "budgets": [{ "limit_usd": "0.0003", "window": "day" }] })).await;
    assert_eq!(chats(&gateway, &key, "sandbox/fixed-price").await, 200);
    assert_eq!(chats(&gateway, &key, "sandbox/fixed-price").await, 402);

    admin.patch(&path, json!({ "budgets": null, "limits": { "rpm": 1 } })).await;
    let statuses = [
        chats(&gateway, &key, "sandbox/fixed-price").await,
        chats(&gateway, &key, "sandbox/fixed-price").await,
    ];
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_what_was_meant() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    for (body, part) in [
        (json!({ "name": "x", "budgest": [] }), "unknown member `budgest`: did you mean `budgets`?"),
        (json!({}), "`name` is missing"),
        (
            json!({ "name": "x", "budgets": [{ "limit_usd": "1", "window": "year" }] }),
            "day, week, month or total",
        ),
        (json!({ "name": "x", "expires_at": "yesterday" }), "a span such as 30d"),
        (json!([]), "not a JSON object"),
    ] {
        let refused = admin.post("/keys", body).await;
        assert_eq!((refused.status, &*refused.code()), (400, "invalid_request"));
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(part), "{}", refused.body);
    }
    let huge = admin.send(Method::POST, "/keys", vec![b' '; (1 << 20) + 1]).await;
    assert_eq!((huge.status, &*huge.code()), (413, "request_too_large"));
    let query = admin.get("/usage?grup_by=model").await;
    assert!(query.body.contains("did you mean `group_by`?"), "{}", query.body);
    let path = admin.get("/kyes").await;
    assert_eq!((path.status, &*path.code()), (404, "not_found"));
    let method = admin.send(Method::PUT, "/keys", "").await;
    assert_eq!((method.status, method.header("allow")), (405, Some("POST,GET,HEAD")));
    assert_eq!(admin.get("/keys/key-00000000000000000000000000000001").await.status, 404);
}

#[tokio::test]
async fn a_name_belongs_to_one_living_key() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    admin.make(json!({ "name": "a b/c" })).await;
    let again = admin.post("/keys", json!({ "name": "a b/c" })).await;
    assert_eq!((again.status, &*again.code()), (409, "conflict"));
    assert_eq!(admin.get("/keys/a%20b%2Fc").await.json()["name"], "a b/c");
    assert_eq!(admin.send(Method::DELETE, "/keys/a%20b%2Fc", "").await.status, 200);
    admin.make(json!({ "name": "a b/c" })).await;
}

#[tokio::test]
async fn pages_hold_every_key_once() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    let mut made = vec!["first".to_owned()];
    for number in 0..5 {
        made.push(format!("k{number}"));
        admin.make(json!({ "name": format!("k{number}") })).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/keys?limit=2{after}")).await.json();
        let keys = page["keys"].as_array().unwrap();
        assert!(keys.len() <= 2);
        seen.extend(keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
    assert_eq!(admin.get("/keys?limit=0").await.status, 400);
}

#[tokio::test]
async fn usage_is_there_right_after_an_answer_in_every_grouping() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    for model in ["sandbox/fixed-price", "sandbox/fixed-price", "sandbox/echo-small"] {
        gateway.post(CHAT, &chat(model)).await;
    }
    let report = admin.get("/usage").await.json();
    let row = &report["rows"][0];
    for (member, value) in [
        ("model", json!("sandbox/fixed-price")),
        ("requests", json!(2)),
        ("attempts", json!(2)),
        ("failed", json!(0)),
        ("cost_usd", json!("0.0002")),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    assert!(row["output_tokens"].as_u64().unwrap() > 0);
    assert_eq!(report["total"]["requests"], 3);
    let both = admin.get("/usage?group_by=key,provider").await.json();
    assert_eq!(
        (&both["rows"][0]["key_name"], &both["rows"][0]["provider"]),
        (&json!("first"), &json!("sandbox"))
    );
    let before = admin.get("/usage?to=2020-01-01").await.json();
    assert_eq!((&before["rows"], &before["total"]["requests"]), (&json!([]), &json!(0)));
    assert_eq!(admin.get("/usage?from=1d&group_by=day").await.json()["rows"][0]["requests"], 3);
}

#[tokio::test]
async fn the_configuration_is_told_without_its_secrets() {
    let config = "[providers.groq]\napi_key = { file = \"secret.txt\" }\n\n[routes.fast]\ntargets = [\"sandbox/echo-small\"]\n";
    let directory = directory(config);
    std::fs::write(directory.path().join("secret.txt"), "gsk-canary\n").unwrap();
    let gateway = Gateway::start_in(&directory, &super::support::USUAL);
    let told = Admin::of(&gateway).get("/config").await;
    assert!(!told.body.contains("canary"), "{}", told.body);
    let config = told.json()["config"].clone();
    assert_eq!(config["providers"][0]["keys"][0]["kept_in"], "file secret.txt");
    assert_eq!(config["routes"][0]["targets"], json!(["sandbox/echo-small"]));
    assert_eq!(config["found"][0]["name"], "sandbox");
}

#[tokio::test]
async fn a_reload_says_every_problem_and_keeps_the_last_good_one() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    let bad = "[routes.a]\ntargets = [\"sandbox/echo-small\"]\nbananas = 1\n\n[sever]\n";
    let checked = admin.send(Method::POST, "/config/check", bad).await.json();
    assert_eq!(checked["ok"], false);
    let places: Vec<_> =
        checked["problems"].as_array().unwrap().iter().map(|it| (&it["line"], &it["key"])).collect();
    assert_eq!(places, [(&json!(3), &json!("routes.a.bananas")), (&json!(5), &json!("sever"))]);
    let version = admin.get("/config").await.json()["version"].clone();

    gateway.write_config(bad);
    let refused = admin.send(Method::POST, "/config/reload", "").await.json();
    assert_eq!((&refused["ok"], refused["problems"].as_array().unwrap().len()), (&json!(false), 2));
    assert_eq!(admin.get("/config").await.json()["version"], version);

    gateway.write_config("[routes.a]\ntargets = [\"sandbox/echo-small\"]\n");
    let taken = admin.send(Method::POST, "/config/reload", "").await.json();
    assert_eq!((&taken["ok"], &taken["problems"]), (&json!(true), &json!([])));
    assert_eq!(gateway.post(CHAT, &chat("a")).await.status, 200);
}

#[tokio::test]
async fn how_deployments_are_doing_is_told_of_those_that_were_called() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    assert_eq!(admin.get("/health/deployments").await.json(), json!({ "deployments": [] }));
    gateway.post(CHAT, &chat("sandbox/echo-small")).await;
    let told = admin.get("/health/deployments").await.json();
    let one = &told["deployments"][0];
    assert_eq!((&one["deployment"], &one["standing"]), (&json!("sandbox/echo-small"), &json!("healthy")));
    assert_eq!((&one["credentials"][0]["calls"], &one["credentials"][0]["failures"]), (&json!(1), &json!(0)));
    let all = admin.get("/health/deployments?all=true").await.json();
    assert!(all["deployments"].as_array().unwrap().len() > 1);
    assert_eq!(admin.get("/health/deployments?al=true").await.status, 400);
}

#[tokio::test]
async fn an_explanation_needs_no_callers_key_and_can_be_given_as_one() {
    let gateway = Gateway::start("");
    let admin = Admin::of(&gateway);
    admin.make(json!({ "name": "narrow", "models": ["openai/*"] })).await;
    let open = admin.post("/explain", chat("sandbox/echo-small")).await.json();
    assert_eq!(open["candidates"][0]["deployment"], "sandbox/echo-small");
    let narrow = admin.post("/explain?key=narrow", chat("sandbox/echo-small")).await.json();
    assert_eq!(narrow["candidates"], json!([]));
    assert_eq!(narrow["excluded"][0]["reason"]["reason"], "scope");
    let unknown = admin.post("/explain", chat("sandbox/echo-smal")).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("did you mean sandbox/echo-small"), "{}", unknown.body);
}
