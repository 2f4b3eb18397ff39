//! Structured output that is validated: what the caller reads, who is asked again, what is written down.

#![expect(
    clippy::disallowed_methods,
    reason = "bodies are made with `json!`, which calls `to_value` on literals: nothing is lost"
)]

use serde_json::{Value, json};
use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::EntryState;
use trunkline_domain::validation::{StructuredFormat, Verdict};
use trunkline_domain::{Dialect, Error, ErrorKind, NanoUsd};
use trunkline_engine::inbound::{Inbound, PathFacts};
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, Answer, Call, End, Format};
use trunkline_wire::gemini::path::Framing;

use crate::rig::{Rig, Seen, budget};

const SCHEMA: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"],"additionalProperties":false}"#;
/// Holds.
const GOOD: &str = r#"{"name": "Ada Lovelace", "age": 36}"#;
/// Does not: at `/properties/age/type`.
const BAD: &str = r#"{"name": "Canary Byron", "age": "36"}"#;

/// Kind of provider, and what follows its host.
type Kind = (&'static str, &'static str);
const OPENAI: Kind = ("custom", "v1");
const RESPONDER: Kind = ("openai", "v1");
const ANTHROPIC: Kind = ("anthropic", "v1");
const GOOGLE: Kind = ("gemini", "v1beta");

/// A dialect as its callers ask for a document of a schema, with `MODEL` for the model and `SCHEMA` for the schema.
const CALLERS: [(Dialect, &str); 4] = [
    (
        Dialect::OpenaiChat,
        r#"{"model":"MODEL","stream":STREAM,"messages":[{"role":"user","content":"who?"}],"response_format":{"type":"json_schema","json_schema":{"name":"person","strict":true,"schema":SCHEMA}}}"#,
    ),
    (
        Dialect::OpenaiResponses,
        r#"{"model":"MODEL","stream":STREAM,"store":false,"input":"who?","text":{"format":{"type":"json_schema","name":"person","strict":true,"schema":SCHEMA}}}"#,
    ),
    (
        Dialect::AnthropicMessages,
        r#"{"model":"MODEL","stream":STREAM,"max_tokens":64,"messages":[{"role":"user","content":"who?"}],"output_config":{"format":{"type":"json_schema","schema":SCHEMA}}}"#,
    ),
    (
        Dialect::GeminiGenerate,
        r#"{"contents":[{"role":"user","parts":[{"text":"who?"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":SCHEMA}}"#,
    ),
];

/// Two accounts of one model, and a route that validates what they say.
fn accounts(east: Kind, west: Kind) -> String {
    let account = |name: &str, (kind, path): Kind, priority: u8| {
        let id = match kind {
            "anthropic" => "claude-haiku-4-5",
            "openai" => "gpt-5",
            _ => "m-1",
        };
        format!(
            r#"
            [providers.{name}]
            kind = "{kind}"
            base_url = "http://{name}.test/{path}"
            api_key = {{ env = "KEY" }}
            priority = {priority}
            models = [{{ id = "{id}", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 10 }}]
            "#
        )
    };
    let route = "[routes.extract]\ntargets = [\"acme/m\"]\njson_schema_validation = true\n";
    format!("{}{}{route}", account("east", east, 0), account("west", west, 1))
}

fn open() -> String {
    accounts(OPENAI, OPENAI)
}

/// A request of a caller.
fn inbound(rig: &Rig, (dialect, template): (Dialect, &str), model: &str, stream: bool) -> Inbound {
    let body = template.replace("MODEL", model).replace("SCHEMA", SCHEMA);
    let body = body.replace("STREAM", if stream { "true" } else { "false" });
    let path = PathFacts { model: model.into(), stream: stream.then_some(Framing::Sse) };
    let path = (dialect == Dialect::GeminiGenerate).then_some(path);
    Inbound { path, ..rig.inbound(dialect, &body) }
}

async fn ask(rig: &Rig, stream: bool) -> Result<Seen, Error> {
    rig.send(inbound(rig, CALLERS[0], "extract", stream)).await
}

/// All strings in the JSON of an answer, whole or in events, put together: the document is among them.
fn strings(body: &str) -> String {
    fn add(value: &Value, all: &mut String) {
        match value {
            Value::String(text) => all.push_str(text),
            Value::Array(items) => items.iter().for_each(|item| add(item, all)),
            Value::Object(members) => members.values().for_each(|member| add(member, all)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut all = String::new();
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    for json in events.chain([body]).filter_map(|json| serde_json::from_str(json).ok()) {
        // Deltas alone: what repeats the whole is not needed.
        let json: Value = json;
        let delta =
            ["/choices/0/delta/content", "/delta/text", "/delta", "/candidates/0/content/parts/0/text"];
        match delta.iter().find_map(|place| json.pointer(place)?.as_str()) {
            Some(text) => all.push_str(text),
            None => add(&json, &mut all),
        }
    }
    all
}

async fn causes(rig: &Rig, seen: &Seen) -> Vec<(String, Option<Cause>)> {
    let rows = rig.rows_of(seen.request).await;
    rows.iter().map(|row| (row.opening.account.to_string(), row.settlement.cause)).collect()
}

fn pushes(rig: &Rig, name: &str, texts: &[&str]) {
    for text in texts {
        rig.provider(name).push(Script::ignores_format(text));
    }
}

fn row(account: &str, cause: Option<Cause>) -> (String, Option<Cause>) {
    (account.to_owned(), cause)
}

const MISMATCH: Option<Cause> = Some(Cause::SchemaMismatch);

#[tokio::test]
async fn no_dialect_hands_over_what_does_not_hold() {
    let providers = [OPENAI, RESPONDER, ANTHROPIC, GOOGLE];
    for (caller, east) in CALLERS.into_iter().flat_map(|caller| providers.map(|east| (caller, east))) {
        let rig = Rig::new(&accounts(east, ANTHROPIC)).await;
        for stream in [false, true] {
            let case = format!("{:?} of {east:?}, stream {stream}", caller.0);
            pushes(&rig, "east", &[BAD, "sorry, no"]);
            pushes(&rig, "west", &[GOOD]);
            let seen = rig.send(inbound(&rig, caller, "extract", stream)).await.unwrap();
            let told = causes(&rig, &seen).await;
            assert_eq!(told, [row("east", MISMATCH), row("east", MISMATCH), row("west", None)], "{case}");
            let said = strings(&seen.body);
            assert!(said.contains(GOOD), "{case}: {}", seen.body);
            assert!(!seen.body.contains("Canary") && !seen.body.contains("sorry"), "{case}: {}", seen.body);
            let record = rig.record(seen.request).await;
            assert_eq!((record.final_attempt, record.error), (Some(3), None), "{case}");
        }
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn what_held_is_handed_on_as_it_came() {
    for stream in [false, true] {
        let (mut bodies, mut calls) = (Vec::new(), Vec::new());
        for model in ["acme/m", "extract"] {
            let rig = Rig::new(&open()).await;
            pushes(&rig, "east", &[GOOD]);
            let seen = rig.send(inbound(&rig, CALLERS[0], model, stream)).await.unwrap();
            assert_eq!(causes(&rig, &seen).await, [row("east", None)]);
            bodies.push(seen.body);
            calls.push(rig.provider("east").log().remove(0).body);
        }
        assert_eq!(bodies[0], bodies[1], "validated or not, the same bytes");
        assert_eq!(calls[0], calls[1]);
    }
}

#[tokio::test]
async fn what_never_holds_ends_in_an_error_that_says_where() {
    for stream in [false, true] {
        let rig = Rig::new(&open()).await;
        pushes(&rig, "east", &[BAD, BAD]);
        pushes(&rig, "west", &[BAD, "sorry, no"]);
        let error = ask(&rig, stream).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamSchemaMismatch);
        let facts = error.kind.facts();
        assert_eq!((error.status(), facts.retryable), (502, false), "clients are not to try it all again");
        assert_eq!(
            error.message,
            "no answer was the JSON document that was asked for: \
             1. east/m-1: schema_mismatch (at /properties/age/type); \
             2. east/m-1: schema_mismatch (at /properties/age/type); \
             3. west/m-1: schema_mismatch (at /properties/age/type); \
             4. west/m-1: schema_mismatch (not a JSON document)"
        );
        let rows = rig.rows().await;
        assert!(
            rows.iter().all(|row| row.settlement.state == EntryState::Settled && row.settlement.cost.0 > 0)
        );
        assert_eq!(rows.len(), 4, "attempts_max");
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn every_try_is_paid_for_and_the_answer_says_so() {
    let rig = Rig::with_key(&open(), budget("1")).await;
    pushes(&rig, "east", &[BAD, GOOD]);
    let mut asked = inbound(&rig, CALLERS[0], "extract", false);
    asked.headers.insert("x-trunkline-receipt", "full".parse().unwrap());
    let seen = rig.send(asked).await.unwrap();
    let rows = rig.rows_of(seen.request).await;
    let sum = rows.iter().fold(NanoUsd::ZERO, |sum, row| sum.saturating_add(row.settlement.cost));
    assert!(rows.len() == 2 && rows.iter().all(|row| row.settlement.cost.0 > 0));
    assert_eq!(seen.headers["x-trunkline-cost-usd"], sum.to_string());
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let receipt = &body["trunkline_receipt"];
    assert_eq!(receipt["attempts"][0]["cause"], "schema_mismatch");
    assert_eq!(receipt["attempts"][0]["state"], "settled");
    assert_eq!(receipt["cost_usd"], sum.to_string());
    let expected = json!({ "format": "json_schema", "retries_max": 1, "verdict": "valid" });
    assert_eq!(receipt["validation"], expected);
    // Usage is that of the answer that was handed over.
    let own = rows[1].settlement.usage.prompt_total();
    assert_eq!(body["usage"]["prompt_tokens"], own);
}

#[tokio::test]
async fn a_request_says_for_itself_whether_it_is_validated() {
    let wishing = |wish: &str| CALLERS[0].1.replacen('{', &format!("{{\"routing\":{{{wish}}},"), 1);
    let rig = Rig::new(&open()).await;
    let off = wishing("\"json_schema_validation\":false");
    pushes(&rig, "east", &[BAD]);
    let seen = rig.send(inbound(&rig, (Dialect::OpenaiChat, &off), "extract", false)).await.unwrap();
    assert!(strings(&seen.body).contains(BAD), "{}", seen.body);
    let on = wishing("\"json_schema_validation\":true");
    pushes(&rig, "east", &[BAD, GOOD]);
    let seen = rig.send(inbound(&rig, (Dialect::OpenaiChat, &on), "acme/m", false)).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", MISMATCH), row("east", None)]);
    let mut asked = inbound(&rig, CALLERS[0], "acme/m", false);
    asked.headers.insert("x-trunkline-json-schema-validation", "true".parse().unwrap());
    pushes(&rig, "east", &[BAD, GOOD]);
    assert_eq!(causes(&rig, &rig.send(asked).await.unwrap()).await.len(), 2);
}

#[tokio::test]
async fn a_format_of_any_json_is_held_to_json() {
    let any = r#"{"model":"MODEL","stream":STREAM,"messages":[{"role":"user","content":"who?"}],"response_format":{"type":"json_object"}}"#;
    let rig = Rig::new(&open()).await;
    for stream in [false, true] {
        pushes(&rig, "east", &["```json {} ```", r#"{"anything": ["goes"]}"#]);
        let seen = rig.send(inbound(&rig, (Dialect::OpenaiChat, any), "extract", stream)).await.unwrap();
        assert_eq!(causes(&rig, &seen).await, [row("east", MISMATCH), row("east", None)]);
    }
    // Where no format is asked for, text is text.
    let text = any.replace("json_object", "text");
    pushes(&rig, "east", &["just text"]);
    let seen = rig.send(inbound(&rig, (Dialect::OpenaiChat, &text), "extract", false)).await.unwrap();
    assert!(strings(&seen.body).contains("just text"));
}

#[tokio::test]
async fn every_one_of_several_answers_must_hold() {
    let several = |one: &str, two: &str| {
        let choice = |index: u8, text: &str| json!({ "index": index, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" });
        let answer = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice(0, one), choice(1, two)], "usage": { "prompt_tokens": 3, "completion_tokens": 20, "total_tokens": 23 } });
        Script::text(&answer.to_string()).with_header("content-type", "application/json")
    };
    let rig = Rig::new(&open()).await;
    rig.provider("east").push(several(GOOD, BAD));
    rig.provider("east").push(several(GOOD, GOOD));
    let asked = CALLERS[0].1.replacen('{', "{\"n\":2,", 1);
    let seen = rig.send(inbound(&rig, (Dialect::OpenaiChat, &asked), "extract", false)).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", MISMATCH), row("east", None)]);
    assert!(!seen.body.contains("Canary"), "{}", seen.body);
    assert_eq!(rig.rows_of(seen.request).await[0].settlement.usage.output_tokens, 20, "as it was reported");
}

#[tokio::test]
async fn a_cut_short_answer_and_a_tool_call_are_told_as_what_they_are() {
    let rig = Rig::new(&open()).await;
    let receipt =
        |body: &str| -> Value { serde_json::from_str::<Value>(body).unwrap()["trunkline_receipt"].clone() };
    let capped = CALLERS[0].1.replacen('{', "{\"max_tokens\":2,", 1);
    let mut asked = inbound(&rig, (Dialect::OpenaiChat, &capped), "extract", false);
    asked.headers.insert("x-trunkline-receipt", "full".parse().unwrap());
    pushes(&rig, "east", &[BAD]);
    let seen = rig.send(asked).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", None)]);
    assert!(seen.body.contains("\"finish_reason\":\"length\""), "{}", seen.body);
    assert_eq!(receipt(&seen.body)["validation"]["verdict"], "truncated");
    let tool =
        r#"{"tools":[{"type":"function","function":{"name":"look_up","parameters":{"type":"object"}}}],"#;
    let tools = CALLERS[0].1.replacen('{', tool, 1);
    for stream in [false, true] {
        let calls = vec![Call { name: "look_up".to_owned(), arguments: json!({}) }];
        let answer = Answer { calls, text: BAD.to_owned(), format: Format::Ignored, ..Answer::default() };
        rig.provider("east").push(Script::answers(answer));
        let seen = rig.send(inbound(&rig, (Dialect::OpenaiChat, &tools), "extract", stream)).await.unwrap();
        assert_eq!(causes(&rig, &seen).await, [row("east", None)], "{}", seen.body);
        assert!(seen.body.contains("look_up"), "{}", seen.body);
    }
}

#[tokio::test]
async fn a_model_that_does_not_hold_is_not_taken_for_a_provider_that_fails() {
    let rig =
        Rig::new(&open().replace(
            "json_schema_validation = true",
            "json_schema_validation = true\njson_schema_retries = 0",
        ))
        .await;
    for _ in 0..20 {
        pushes(&rig, "east", &[BAD]);
        pushes(&rig, "west", &[GOOD]);
        rig.engine.core().measure.touch_now();
        let seen = ask(&rig, false).await.unwrap();
        let told = causes(&rig, &seen).await;
        assert_eq!(told, [row("east", MISMATCH), row("west", None)], "east stays first");
    }
}

#[tokio::test]
async fn retries_come_out_of_the_gateways_budget_for_them() {
    let rig = Rig::new(&open()).await;
    while rig.engine.core().retries.spend() {}
    pushes(&rig, "east", &[BAD]);
    pushes(&rig, "west", &[GOOD]);
    let seen = ask(&rig, false).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", MISMATCH), row("west", None)]);
    let generous = open().replace(
        "json_schema_validation = true",
        "json_schema_validation = true\njson_schema_retries = 5\nattempts_max = 3",
    );
    let rig = Rig::new(&generous).await;
    pushes(&rig, "east", &[BAD, BAD, BAD, GOOD]);
    assert_eq!(ask(&rig, false).await.unwrap_err().kind, ErrorKind::UpstreamSchemaMismatch);
    assert_eq!(rig.rows().await.len(), 3, "never more than attempts_max");
}

#[tokio::test]
async fn a_schema_nothing_can_be_held_against_is_refused_before_anybody_is_asked() {
    let rig = Rig::new(&open()).await;
    let broken =
        CALLERS[0].1.replace("SCHEMA", r#"{"type":"object","properties":{"age":{"type":"intger"}}}"#);
    let asked = inbound(&rig, (Dialect::OpenaiChat, &broken), "extract", false);
    let error = rig.send(asked).await.unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("response_format")));
    assert!(error.message.contains("at `/properties/age/type`: "), "{}", error.message);
    let explained = rig.engine.explain(inbound(&rig, (Dialect::OpenaiChat, &broken), "extract", false)).await;
    assert_eq!(explained.unwrap_err().kind, ErrorKind::InvalidRequest);
    assert!(rig.provider("east").log().is_empty());
    // Where nobody validates, it is the provider's to judge.
    assert!(rig.send(inbound(&rig, (Dialect::OpenaiChat, &broken), "acme/m", false)).await.is_ok());
}

#[tokio::test]
async fn explaining_says_that_the_answer_would_be_validated() {
    let rig = Rig::new(&open()).await;
    let receipt = rig.engine.explain(inbound(&rig, CALLERS[0], "extract", true)).await.unwrap();
    let validation = receipt.validation.unwrap();
    assert_eq!((validation.format, validation.retries_max), (StructuredFormat::JsonSchema, 1));
    assert_eq!(validation.verdict, None::<Verdict>);
    let receipt = rig.engine.explain(inbound(&rig, CALLERS[0], "acme/m", true)).await.unwrap();
    assert_eq!(receipt.validation, None);
}

#[tokio::test]
async fn a_stream_is_held_until_it_is_whole_while_heartbeats_go_on() {
    let config =
        open().replace("json_schema_validation = true", "json_schema_validation = true\nheartbeat_ms = 1000");
    let slow = |text: &str| {
        Script::answers(Answer {
            text: text.to_owned(),
            format: Format::Ignored,
            interval_ms: 350,
            ..Answer::default()
        })
    };
    for last in [GOOD, BAD] {
        let rig = Rig::new(&config).await;
        rig.provider("east").push(slow(BAD));
        rig.provider("east").push(slow(last));
        pushes(&rig, "west", &[BAD, BAD]);
        let seen = ask(&rig, true).await.unwrap();
        assert!(seen.body.starts_with(": trunkline is waiting for the provider\n\n"), "{}", seen.body);
        assert!(!seen.body.contains("Canary"), "{}", seen.body);
        assert_eq!(strings(&seen.body).contains(GOOD), last == GOOD, "{}", seen.body);
        let told = "\"code\":\"upstream_schema_mismatch\"";
        assert_eq!(seen.body.matches(told).count(), usize::from(last == BAD), "{}", seen.body);
        assert!(seen.body.ends_with("data: [DONE]\n\n"), "{}", seen.body);
    }
}

#[tokio::test]
async fn a_held_stream_that_breaks_off_or_falls_silent_is_asked_for_elsewhere() {
    let idle = open()
        .replace("priority = 0", "priority = 0\ntimeouts = { idle_ms = 1000, first_content_ms = 1200 }");
    let ends = [
        (End::Cut(After::Pieces(3)), Cause::Cut),
        (End::Stall(After::Pieces(3)), Cause::IdleTimeout),
        (End::Overloaded(3), Cause::Overloaded),
    ];
    for (end, cause) in ends {
        let rig = Rig::new(&idle).await;
        rig.provider("east").push(Script::ignores_format(GOOD).ending(end));
        pushes(&rig, "west", &[GOOD]);
        let seen = ask(&rig, true).await.unwrap();
        assert_eq!(causes(&rig, &seen).await, [row("east", Some(cause)), row("west", None)]);
        assert_eq!(strings(&seen.body).matches(GOOD).count(), 1, "{}", seen.body);
    }
    // Longer than the first content may take in all, but never silent for long.
    let rig = Rig::new(&idle).await;
    let slow =
        Answer { text: GOOD.to_owned(), format: Format::Ignored, interval_ms: 400, ..Answer::default() };
    rig.provider("east").push(Script::answers(slow));
    let seen = ask(&rig, true).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", None)]);
}

#[tokio::test]
async fn the_first_answer_that_holds_wins_a_race() {
    let free = "input_usd_per_million = 0, output_usd_per_million = 0";
    let priced = "input_usd_per_million = 1, output_usd_per_million = 10";
    let rig = Rig::new(&open().replace(priced, free)).await;
    let hedging = CALLERS[0].1.replacen('{', "{\"routing\":{\"hedge\":true},", 1);
    let asked = || inbound(&rig, (Dialect::OpenaiChat, &hedging), "extract", true);
    for _ in 0..45 {
        pushes(&rig, "east", &[GOOD]);
        rig.send(asked()).await.unwrap();
    }
    // What was learned is published at most every 200 ms.
    rig.engine.core().measure.touch_now();
    let says = |first_content_ms, interval_ms| {
        let (text, format) = (GOOD.to_owned(), Format::Ignored);
        Script::answers(Answer { text, format, first_content_ms, interval_ms, ..Answer::default() })
    };
    rig.provider("east").push(says(500, 0));
    pushes(&rig, "west", &[BAD]);
    let seen = rig.send(asked()).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", None), row("west", MISMATCH)]);
    assert!(strings(&seen.body).contains(GOOD) && !seen.body.contains("Canary"), "{}", seen.body);
    // One that speaks already is not slow, though nothing of it is handed on yet.
    rig.provider("east").push(says(0, 100));
    let seen = rig.send(asked()).await.unwrap();
    assert_eq!(causes(&rig, &seen).await, [row("east", None)]);
}
