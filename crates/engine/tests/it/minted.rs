//! Provider state stays home: signed and encrypted thoughts, and signed tool calls, on their way between deployments.

#![expect(clippy::disallowed_methods, reason = "`json!` is made of it")]

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use trunkline_domain::id::OrganisationId;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_engine::inbound::{Inbound, PathFacts};
use trunkline_engine::mint::{self, KeySpec};
use trunkline_testkit::fake_provider::Script;
use trunkline_upstream::dispatch::{
    BodyError, ByteStream, Call, Dispatch, DispatchFuture, Response, ResponseBytes,
};
use trunkline_wire::gemini::path::Framing;

use crate::rig::{Rig, Seen};

mod carried;

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const GEMINI: Dialect = Dialect::GeminiGenerate;
const RESPONSES: Dialect = Dialect::OpenaiResponses;

/// What Google documents for a call that was never signed.
const PLACEHOLDER: &str = "skip_thought_signature_validator";

/// An account's name, its kind, and the models it serves, by their common names.
type Account<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Accounts; the last comes first where nothing else decides.
fn config(accounts: &[Account<'_>]) -> String {
    let mut toml = String::new();
    for ((name, kind, models), priority) in accounts.iter().zip((0..accounts.len()).rev()) {
        let path = if *kind == "gemini" { "v1beta" } else { "v1" };
        let models: Vec<_> = models
            .iter()
            .map(|model| {
                let id = format!("gemini-3-{}", model.replace('/', "-"));
                format!(
                    r#"{{ id = "{id}", name = "{model}", context_window = 50000, output_max = 4000, input_usd_per_million = 1, output_usd_per_million = 10 }}"#
                )
            })
            .collect();
        writeln!(
            toml,
            "[providers.{name}]\nkind = \"{kind}\"\nbase_url = \"http://{name}.test/{path}\"\napi_key = {{ env = \"KEY\" }}\n\
             priority = {priority}\nmodels = [{}]",
            models.join(", ")
        )
        .unwrap();
    }
    toml
}

/// The label of an account's deployment of `acme/m`.
fn at(account: &str) -> String {
    format!("{account}/gemini-3-acme-m")
}

/// A request of a dialect to a model.
fn inbound(rig: &Rig, dialect: Dialect, model: &str, mut body: Value, stream: bool) -> Inbound {
    if dialect != GEMINI {
        body["model"] = model.into();
        if stream {
            body["stream"] = true.into();
        }
    }
    let mut inbound = rig.inbound(dialect, &body.to_string());
    if dialect == GEMINI {
        inbound.path = Some(PathFacts { model: model.into(), stream: stream.then_some(Framing::Sse) });
    }
    inbound.headers.insert("x-trunkline-receipt", HeaderValue::from_static("full"));
    inbound
}

async fn ask(rig: &Rig, dialect: Dialect, model: &str, body: &Value) -> Result<Seen, Error> {
    rig.send(inbound(rig, dialect, model, body.clone(), false)).await
}

fn parsed(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

/// The last body a provider was sent.
fn sent(rig: &Rig, account: &str) -> Value {
    let log = rig.provider(account).log();
    serde_json::from_str(&log.last().unwrap_or_else(|| panic!("{account} was not asked")).body).unwrap()
}

fn losses(seen: &Seen) -> Option<&str> {
    seen.headers.get("x-trunkline-losses").map(|losses| losses.to_str().unwrap())
}

fn assert_no_violations(rig: &Rig, accounts: &[&str]) {
    for account in accounts {
        assert_eq!(rig.provider(account).violations(), Vec::<String>::new(), "{account}");
    }
}

const TWO_GEMINIS: [Account<'_>; 2] = [("east", "gemini", &["acme/m"]), ("west", "gemini", &["acme/m"])];

fn gemini_tools() -> Value {
    json!([{ "functionDeclarations": [{ "name": "look", "parameters": { "type": "OBJECT", "properties": {} } }] }])
}

/// The first turn of a conversation in which a tool is called, as a Gemini caller asks it.
fn gemini_opening() -> Value {
    json!({
        "contents": [{ "role": "user", "parts": [{ "text": "look around" }] }],
        "tools": gemini_tools(),
        "toolConfig": { "functionCallingConfig": { "mode": "ANY" } },
    })
}

/// The same conversation, with the model's turn and what the tool said.
fn gemini_second(content: &Value) -> Value {
    let call = &content["parts"][0]["functionCall"];
    let result = json!({ "id": call["id"], "name": "look", "response": { "output": "a tree" } });
    json!({
        "contents": [
            { "role": "user", "parts": [{ "text": "look around" }] },
            content,
            { "role": "user", "parts": [{ "functionResponse": result }] },
        ],
        "tools": gemini_tools(),
    })
}

/// Has an account sign a call: the second turn of the conversation, and the signature.
async fn signed_by(rig: &Rig, account: &str) -> (Value, Value) {
    let seen = ask(rig, GEMINI, &at(account), &gemini_opening()).await.unwrap();
    let content = parsed(&seen)["candidates"][0]["content"].clone();
    let signature = content["parts"][0]["thoughtSignature"].clone();
    assert!(signature.is_string(), "{}", seen.body);
    (gemini_second(&content), signature)
}

#[tokio::test]
async fn a_conversation_goes_where_its_thoughts_were_signed() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    ask(&rig, GEMINI, "acme/m", &gemini_opening()).await.unwrap();
    assert_eq!(
        (rig.provider("east").log().len(), rig.provider("west").log().len()),
        (0, 1),
        "west comes first"
    );
    let (second, signature) = signed_by(&rig, "east").await;
    let seen = ask(&rig, GEMINI, "acme/m", &second).await.unwrap();
    let affinity = format!(r#""affinity":{{"by":"state","deployment":"{}","moved":null}}"#, at("east"));
    assert!(seen.body.contains(&affinity), "{}", seen.body);
    assert_eq!(sent(&rig, "east")["contents"][1]["parts"][0]["thoughtSignature"], signature);
    assert_eq!(losses(&seen), None);
    assert_no_violations(&rig, &["east", "west"]);
}

#[tokio::test]
async fn a_streamed_answers_signature_is_known_too() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let seen = rig.send(inbound(&rig, GEMINI, &at("east"), gemini_opening(), true)).await.unwrap();
    let chunk = seen.body.lines().find(|line| line.contains("thoughtSignature")).unwrap();
    let chunk: Value = serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap();
    let second = gemini_second(&chunk["candidates"][0]["content"]);
    let seen = ask(&rig, GEMINI, "acme/m", &second).await.unwrap();
    assert!(seen.body.contains(r#""by":"state""#), "{}", seen.body);
    assert_eq!(rig.provider("east").log().len(), 2);
}

#[tokio::test]
async fn a_conversation_that_moves_leaves_its_state_behind_and_finds_it_again() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let (second, signature) = signed_by(&rig, "east").await;
    let seen = ask(&rig, GEMINI, &at("west"), &second).await.unwrap();
    assert_eq!(losses(&seen), Some("contents[1].parts[0]"));
    assert!(seen.body.contains(r#""contents.thoughtSignature""#), "a named edit: {}", seen.body);
    let absent = format!(r#""affinity":{{"by":"state","deployment":"{}","moved":"absent"}}"#, at("east"));
    assert!(seen.body.contains(&absent), "{}", seen.body);
    assert_eq!(sent(&rig, "west")["contents"][1]["parts"][0]["thoughtSignature"], PLACEHOLDER);
    ask(&rig, GEMINI, &at("east"), &second).await.unwrap();
    assert_eq!(sent(&rig, "east")["contents"][1]["parts"][0]["thoughtSignature"], signature);
    assert_no_violations(&rig, &["east", "west"]);
}

#[tokio::test]
async fn where_the_table_was_lost_state_goes_on_as_it_came() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let (second, signature) = signed_by(&rig, "east").await;
    let restarted = Rig::new(&config(&TWO_GEMINIS)).await;
    let seen = ask(&restarted, GEMINI, "acme/m", &second).await.unwrap();
    assert_eq!((losses(&seen), seen.body.contains(r#""by":"state""#)), (None, false));
    assert_eq!(sent(&restarted, "west")["contents"][1]["parts"][0]["thoughtSignature"], signature);
}

#[tokio::test]
async fn where_the_maker_is_down_the_conversation_goes_on_without_its_state() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let (second, _) = signed_by(&rig, "east").await;
    rig.provider("east").push(Script::server_error());
    let seen = ask(&rig, GEMINI, "acme/m", &second).await.unwrap();
    assert_eq!(losses(&seen), Some("contents[1].parts[0]"));
    assert_eq!(sent(&rig, "west")["contents"][1]["parts"][0]["thoughtSignature"], PLACEHOLDER);
    assert_no_violations(&rig, &["east", "west"]);
}

#[tokio::test]
async fn where_no_loss_is_tolerated_state_is_not_left_behind() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let (mut second, _) = signed_by(&rig, "east").await;
    second["routing"] = json!({ "strict": true });
    let error = ask(&rig, GEMINI, &at("west"), &second).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
    assert_eq!(error.param.as_deref(), Some("contents[1].parts[0]"));
    (0..4).for_each(|_| rig.provider("east").push(Script::server_error()));
    ask(&rig, GEMINI, "acme/m", &second).await.unwrap_err();
    assert_eq!(rig.provider("west").log().len(), 0, "nothing was sent without it");
    rig.assert_nothing_held();
}

#[tokio::test]
async fn a_tenant_learns_nothing_of_anothers_state() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let (second, signature) = signed_by(&rig, "east").await;
    let other = OrganisationId(uuid::Uuid::from_u128(2));
    let (key, secret) = mint::key(KeySpec::default(), other, trunkline_engine::clock::wall());
    rig.engine.keys().create(key).await.unwrap();
    let mut inbound = inbound(&rig, GEMINI, "acme/m", second, false);
    inbound.headers.insert("authorization", format!("Bearer {}", secret.expose()).parse().unwrap());
    let seen = rig.send(inbound).await.unwrap();
    assert_eq!((losses(&seen), seen.body.contains(r#""by":"state""#)), (None, false));
    assert_eq!(sent(&rig, "west")["contents"][1]["parts"][0]["thoughtSignature"], signature);
}

#[tokio::test]
async fn a_signature_nobody_made_here_is_its_providers_to_judge() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let (mut second, _) = signed_by(&rig, "east").await;
    second["contents"][1]["parts"][0]["thoughtSignature"] = "Zm9yZ2Vk".into();
    let error = ask(&rig, GEMINI, "acme/m", &second).await.unwrap_err();
    assert!(error.message.contains("Corrupted thought signature"), "{error:?}");
}

/// A conversation with Claude, thinking on.
fn thinking(messages: &Value) -> Value {
    json!({ "max_tokens": 2000, "thinking": { "type": "enabled", "budget_tokens": 1024 }, "messages": messages })
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

/// Has Claude think: its message as the caller sends it back.
async fn thought_by(rig: &Rig, account: &str) -> Value {
    let seen = ask(rig, MESSAGES, &at(account), &thinking(&json!([user("why?")]))).await.unwrap();
    let content = parsed(&seen)["content"].clone();
    assert_eq!(content[0]["type"], "thinking");
    assert!(!content[0]["signature"].as_str().unwrap().is_empty());
    json!({ "role": "assistant", "content": content })
}

#[tokio::test]
async fn claudes_thoughts_are_taken_back_wherever_the_same_model_is() {
    let rig =
        Rig::new(&config(&[("east", "anthropic", &["acme/m"]), ("west", "anthropic", &["acme/m"])])).await;
    let thought = thought_by(&rig, "east").await;
    let second = thinking(&json!([user("why?"), thought.clone(), user("and?")]));
    let seen = ask(&rig, MESSAGES, &at("west"), &second).await.unwrap();
    assert_eq!(losses(&seen), None);
    assert_eq!(sent(&rig, "west")["messages"][1], thought);
    assert_no_violations(&rig, &["east", "west"]);
}

#[tokio::test]
async fn another_models_thoughts_are_cut_out_before_claude_is_asked() {
    let rig =
        Rig::new(&config(&[("east", "anthropic", &["acme/m"]), ("west", "anthropic", &["acme/n"])])).await;
    let thought = thought_by(&rig, "east").await;
    let alone = json!({ "role": "assistant", "content": [thought["content"][0].clone()] });
    let second = thinking(&json!([user("why?"), thought.clone(), user("so?"), alone, user("and?")]));
    let seen = ask(&rig, MESSAGES, "acme/n", &second).await.unwrap();
    assert_eq!(losses(&seen), Some("messages[1].content[0],messages[3].content[0]"));
    assert!(seen.body.contains(r#""messages.thinking""#), "{}", seen.body);
    let spoken = json!({ "role": "assistant", "content": [thought["content"][1].clone()] });
    let left = json!([user("why?"), spoken, user("so?"), user("and?")]);
    assert_eq!(sent(&rig, "west")["messages"], left, "of the last thought nothing is left");
    assert_no_violations(&rig, &["east", "west"]);
}

#[tokio::test]
async fn thoughts_survive_a_turn_at_a_provider_that_has_none() {
    let rig =
        Rig::new(&config(&[("claude", "anthropic", &["acme/m"]), ("other", "custom", &["acme/n"])])).await;
    let thought = thought_by(&rig, "claude").await;
    let second = thinking(&json!([user("why?"), thought.clone(), user("and?")]));
    let seen = ask(&rig, MESSAGES, "acme/n", &second).await.unwrap();
    assert!(losses(&seen).unwrap().contains("turns[1].parts[0]"), "{:?}", losses(&seen));
    // What a provider without signatures thought is shown to this caller with an empty one.
    let mut answer = json!({ "role": "assistant", "content": parsed(&seen)["content"] });
    let unsigned = json!({ "type": "thinking", "thinking": "hm", "signature": "" });
    answer["content"].as_array_mut().unwrap().insert(0, unsigned);
    let third = thinking(&json!([user("why?"), thought.clone(), user("and?"), answer, user("sure?")]));
    let seen = ask(&rig, MESSAGES, "acme/m", &third).await.unwrap();
    assert_eq!(losses(&seen), Some("messages[3].content[0]"));
    assert_eq!(sent(&rig, "claude")["messages"][1], thought);
    assert_eq!(sent(&rig, "claude")["messages"][3]["content"][0]["type"], "text");
    assert_no_violations(&rig, &["claude", "other"]);
}

/// The second turn of a conversation with a tool, as callers of each dialect write it from what they were answered. What
/// their clients do not know is left out.
fn second_turn(dialect: Dialect, answer: &Value) -> Value {
    if dialect == MESSAGES {
        let call =
            answer["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_use").unwrap();
        let result = json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "a tree" });
        return json!({ "messages": [
            user("look around"),
            { "role": "assistant", "content": [call] },
            { "role": "user", "content": [result] },
        ] });
    }
    if dialect == RESPONSES {
        let call =
            answer["output"].as_array().unwrap().iter().find(|item| item["type"] == "function_call").unwrap();
        let result =
            json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "a tree" });
        return json!({ "input": [user("look around"), call, result] });
    }
    let mut call = answer["choices"][0]["message"]["tool_calls"][0].clone();
    call.as_object_mut().unwrap().remove("extra_content");
    json!({ "messages": [
        user("look around"),
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": call["id"], "content": "a tree" },
    ] })
}

/// The first turn of the same conversation.
fn first_turn(dialect: Dialect) -> Value {
    let schema = json!({ "type": "object", "properties": {} });
    if dialect == MESSAGES {
        return json!({ "max_tokens": 500, "messages": [user("look around")], "tool_choice": { "type": "any" },
            "tools": [{ "name": "look", "input_schema": schema }] });
    }
    if dialect == RESPONSES {
        return json!({ "input": "look around", "tool_choice": "required",
            "tools": [{ "type": "function", "name": "look", "parameters": schema }] });
    }
    json!({ "messages": [user("look around")], "tool_choice": "required",
        "tools": [{ "type": "function", "function": { "name": "look", "parameters": schema } }] })
}

#[tokio::test]
async fn a_calls_signature_comes_back_for_callers_who_cannot_carry_it() {
    for dialect in [CHAT, MESSAGES, RESPONSES] {
        let rig = Rig::new(&config(&TWO_GEMINIS)).await;
        let first = first_turn(dialect);
        let seen = ask(&rig, dialect, &at("east"), &first).await.unwrap();
        let mut second = second_turn(dialect, &parsed(&seen));
        for field in ["tools", "max_tokens"] {
            if let Some(value) = first.get(field) {
                second[field] = value.clone();
            }
        }
        let seen = ask(&rig, dialect, "acme/m", &second).await.unwrap();
        assert!(seen.body.contains(r#""by":"state""#), "{dialect:?} goes home: {}", seen.body);
        let part = &sent(&rig, "east")["contents"][1]["parts"][0];
        let signature = part["thoughtSignature"].as_str().unwrap();
        assert_ne!(signature, PLACEHOLDER, "{dialect:?}: {part}");
        assert_no_violations(&rig, &["east", "west"]);
        // Another account would refuse it, and is not told of it: the caller sent nothing that could be lost.
        let seen = ask(&rig, dialect, &at("west"), &second).await.unwrap();
        assert_eq!(sent(&rig, "west")["contents"][1]["parts"][0]["thoughtSignature"], PLACEHOLDER);
        assert_eq!(losses(&seen), None, "{dialect:?}");
    }
}

#[tokio::test]
async fn a_streamed_calls_signature_comes_back_too() {
    let rig = Rig::new(&config(&TWO_GEMINIS)).await;
    let seen = rig.send(inbound(&rig, CHAT, &at("east"), first_turn(CHAT), true)).await.unwrap();
    let chunks =
        seen.body.lines().filter_map(|line| line.strip_prefix("data: ").filter(|data| data.starts_with('{')));
    let mut chunks = chunks.map(|chunk| serde_json::from_str::<Value>(chunk).unwrap());
    let id = chunks.find_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/id").cloned()).unwrap();
    let call = json!({ "id": id, "type": "function", "function": { "name": "look", "arguments": "{}" } });
    let answer = json!({ "choices": [{ "message": { "tool_calls": [call] } }] });
    ask(&rig, CHAT, "acme/m", &second_turn(CHAT, &answer)).await.unwrap();
    let part = &sent(&rig, "east")["contents"][1]["parts"][0];
    assert!(part["thoughtSignature"].as_str().unwrap() != PLACEHOLDER, "{part}");
    assert_eq!(rig.record(seen.request).await.losses, [], "it is kept");
    assert_no_violations(&rig, &["east"]);
}

#[tokio::test]
async fn claudes_thoughts_come_back_whole_from_callers_of_other_dialects() {
    let house = config(&[("claude", "anthropic", &["acme/m"]), ("other", "custom", &["acme/n"])]);
    for dialect in [CHAT, RESPONSES, GEMINI] {
        for stream in [false, true] {
            let rig = Rig::new(&house).await;
            let (first, second) = conversation(&rig, dialect, stream).await;
            let seen = ask(&rig, dialect, "acme/m", &second).await.unwrap();
            let block = &sent(&rig, "claude")["messages"][1]["content"][0];
            assert_eq!(block["type"], "thinking", "{dialect:?} {stream}: {block} after {first}");
            let lost = losses(&seen).unwrap_or_default();
            assert!(!lost.contains("[1]"), "{dialect:?}: {lost}");
            // Elsewhere they are left out, and then found again.
            let seen = ask(&rig, dialect, "acme/n", &second).await.unwrap();
            assert!(losses(&seen).is_some_and(|losses| losses.contains("[1]")), "{dialect:?}");
            ask(&rig, dialect, "acme/m", &second).await.unwrap();
            assert_eq!(&sent(&rig, "claude")["messages"][1]["content"][0], block);
            assert_no_violations(&rig, &["claude", "other"]);
        }
    }
}

/// Has Claude think for a caller of another dialect: what it was answered, and the conversation's second turn.
async fn conversation(rig: &Rig, dialect: Dialect, stream: bool) -> (String, Value) {
    let mut body = if dialect == CHAT {
        json!({ "messages": [user("why?")], "reasoning_effort": "low", "max_tokens": 3900 })
    } else if dialect == RESPONSES {
        json!({ "input": [user("why?")], "reasoning": { "effort": "low" }, "max_output_tokens": 3900,
            "include": ["reasoning.encrypted_content"] })
    } else {
        let thinking = json!({ "thinkingBudget": 1024, "includeThoughts": true });
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "why?" }] }],
            "generationConfig": { "maxOutputTokens": 3900, "thinkingConfig": thinking } })
    };
    let seen = rig.send(inbound(rig, dialect, "acme/m", body.clone(), stream)).await.unwrap();
    let answers = if stream { events(&seen) } else { vec![parsed(&seen)] };
    if dialect == CHAT {
        body["messages"] = json!([user("why?"), chats_answer(&answers), user("and?")]);
    } else if dialect == RESPONSES {
        let last = answers.last().unwrap();
        let output = last.get("response").unwrap_or(last)["output"].as_array().unwrap().clone();
        body["input"] = [vec![user("why?")], output, vec![user("and?")]].concat().into();
    } else {
        let said = |role: &str, parts: Value| json!({ "role": role, "parts": parts });
        body["contents"] = json!([
            said("user", json!([{ "text": "why?" }])),
            said("model", geminis_answer(&answers)),
            said("user", json!([{ "text": "and?" }])),
        ]);
    }
    (seen.body, body)
}

/// The events of a stream.
fn events(seen: &Seen) -> Vec<Value> {
    let data = seen.body.lines().filter_map(|line| line.strip_prefix("data: "));
    let data = data.filter(|data| data.starts_with('{'));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The message a caller of OpenAI's chat keeps of a whole answer or of chunks.
fn chats_answer(answers: &[Value]) -> Value {
    let (mut text, mut signature) = (String::new(), Value::Null);
    for answer in answers {
        let choice = &answer["choices"][0];
        let message = choice.get("message").or(choice.get("delta")).unwrap_or(&Value::Null);
        let Some(detail) = message["reasoning_details"].get(0) else { continue };
        text += detail["text"].as_str().unwrap_or_default();
        signature = detail.get("signature").cloned().unwrap_or(signature);
    }
    let detail = json!({ "type": "reasoning.text", "text": text, "signature": signature, "format": "anthropic-claude-v1" });
    json!({ "role": "assistant", "content": "so", "reasoning_details": [detail] })
}

/// The parts a caller of Gemini keeps: Google's client for Python writes bytes in the alphabet of addresses.
fn geminis_answer(answers: &[Value]) -> Value {
    let (mut text, mut signature) = (String::new(), String::new());
    for answer in answers {
        for part in answer["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            if part["thought"] == true {
                text += part["text"].as_str().unwrap_or_default();
                signature += part["thoughtSignature"].as_str().unwrap_or_default();
            }
        }
    }
    let signature = signature.replace('+', "-").replace('/', "_");
    json!([{ "text": text, "thought": true, "thoughtSignature": signature }, { "text": "so" }])
}

/// Providers that answer from a list, by host, and are down when it has ended; what they were sent.
struct Canned {
    answers: Mutex<HashMap<String, VecDeque<Bytes>>>,
    asked: Mutex<Vec<(String, Value)>>,
}

impl Canned {
    fn new<const N: usize>(answers: [(&str, Vec<Value>); N]) -> Arc<Self> {
        let answers = answers.map(|(host, bodies)| {
            (format!("{host}.test"), bodies.into_iter().map(|body| Bytes::from(body.to_string())).collect())
        });
        Arc::new(Self { answers: Mutex::new(answers.into()), asked: Mutex::default() })
    }

    /// Who was asked last, and what.
    fn last(&self) -> (String, Value) {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

struct Once(Option<Bytes>);

impl ByteStream for Once {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

impl Dispatch for Canned {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        let host = call.origin.host().to_owned();
        let answer = self.answers.lock().unwrap().get_mut(&host).unwrap().pop_front();
        let (status, body) = answer.map_or((503, Bytes::from_static(b"{}")), |body| (200, body));
        let asked = serde_json::from_slice(&call.body.to_bytes()).unwrap();
        self.asked.lock().unwrap().push((host, asked));
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = ResponseBytes::new(Once(Some(body)));
        Box::pin(std::future::ready(Ok(Response { status, headers, body, address: None })))
    }
}

/// An answer with encrypted reasoning.
fn reasoned(encrypted: &str) -> Value {
    let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": encrypted });
    let message = json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "so", "annotations": [] }] });
    json!({ "id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [thought, message],
        "usage": { "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 } })
}

#[tokio::test]
async fn encrypted_reasoning_stays_with_the_organisation_that_encrypted_it() {
    let plain = || {
        json!({ "id": "resp_2", "object": "response", "status": "completed", "model": "m", "output": [],
        "usage": { "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 } })
    };
    let network = Canned::new([
        ("east", vec![reasoned("gAAAAeast_1-"), plain(), plain()]),
        ("west", vec![plain(), plain()]),
    ]);
    let house = config(&[("east", "openai", &["acme/m"]), ("west", "openai", &["acme/m"])]);
    let rig = Rig::over(network.clone(), &house, KeySpec::default()).await;
    let first = json!({ "input": [user("why?")], "include": ["reasoning.encrypted_content"] });
    let seen = ask(&rig, RESPONSES, &at("east"), &first).await.unwrap();
    let mut input = vec![user("why?")];
    input.extend(parsed(&seen)["output"].as_array().unwrap().iter().cloned());
    input.push(user("and?"));
    let second = json!({ "input": input });
    let without = json!([input[0], input[2], input[3]]);

    let seen = ask(&rig, RESPONSES, "acme/m", &second).await.unwrap();
    assert_eq!(network.last(), ("east.test".to_owned(), with_model(&second)), "home, untouched");
    assert!(seen.body.contains(r#""by":"state""#), "{}", seen.body);

    let seen = ask(&rig, RESPONSES, &at("west"), &second).await.unwrap();
    assert_eq!(losses(&seen), Some("input[1]"));
    assert!(seen.body.contains(r#""input.encrypted_content""#), "a named edit: {}", seen.body);
    assert_eq!(network.last().1["input"], without);
    ask(&rig, RESPONSES, &at("east"), &second).await.unwrap();
    assert_eq!(network.last().1["input"], second["input"], "home again");

    let seen = ask(&rig, RESPONSES, "acme/m", &second).await.unwrap();
    assert_eq!((network.last().0.as_str(), losses(&seen)), ("west.test", Some("input[1]")), "east is down");
    assert_eq!(network.last().1["input"], without);
    let strict = json!({ "input": input, "routing": { "strict": true } });
    ask(&rig, RESPONSES, "acme/m", &strict).await.unwrap_err();
    assert_eq!(network.last().0, "east.test", "west is not asked without it");
}

fn with_model(body: &Value) -> Value {
    let mut body = body.clone();
    body["model"] = "gemini-3-acme-m".into();
    body
}
