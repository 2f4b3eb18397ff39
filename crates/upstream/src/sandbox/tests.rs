//! The sandbox through the seam, in paused time: each model's behaviour, the grammar of its streams, its counting.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::time::Instant;
use trunkline_domain::attempt::Cause;
use trunkline_wire::splice::SplicedBody;

use super::Sandbox;
use crate::dispatch::{Call, Dispatch, DispatchError, Response};
use crate::origin::Origin;

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    broke_off: bool,
    /// When each piece came, from the dispatch on.
    times: Vec<Duration>,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The data of every event; panics on anything else in the body.
    fn events(&self) -> Vec<String> {
        let text = std::str::from_utf8(&self.body).unwrap();
        let events = text.split_terminator("\n\n");
        events
            .map(|event| event.strip_prefix("data: ").expect("an event is one data line").to_owned())
            .collect()
    }

    /// The chunks of a stream that ended as it should.
    fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop().as_deref(), Some("[DONE]"));
        events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
    }
}

fn call(method: Method, path: &str, body: &[u8]) -> Call {
    Call {
        origin: Arc::new(Origin::parse("in-process://sandbox").unwrap()),
        method,
        path: path.to_owned(),
        headers: HeaderMap::new(),
        authorization: None,
        body: SplicedBody::from(Bytes::copy_from_slice(body)),
        connect_timeout: Duration::from_secs(5),
        headers_timeout: Duration::from_mins(1),
    }
}

async fn dispatch(sandbox: &Sandbox, path: &str, body: &Value) -> Result<Response, DispatchError> {
    sandbox.dispatch(call(Method::POST, path, body.to_string().as_bytes())).await
}

async fn read(mut response: Response, start: Instant) -> Answered {
    let mut answered = Answered {
        status: response.status,
        headers: response.headers.clone(),
        body: Vec::new(),
        broke_off: false,
        times: Vec::new(),
    };
    while let Some(piece) = response.body.next().await {
        match piece {
            Ok(bytes) => {
                answered.body.extend_from_slice(&bytes);
                answered.times.push(start.elapsed());
            }
            Err(_) => answered.broke_off = true,
        }
    }
    answered
}

async fn post(sandbox: &Sandbox, path: &str, body: &Value) -> Answered {
    let start = Instant::now();
    let response = dispatch(sandbox, path, body).await.unwrap();
    read(response, start).await
}

async fn chat(body: &Value) -> Answered {
    post(&Sandbox::new(7), "/chat/completions", body).await
}

fn asks(model: &str, more: &Value) -> Value {
    let mut body =
        json!({ "model": model, "messages": [{ "role": "user", "content": "Hello, who is there?" }] });
    let object = body.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    body
}

fn streaming(mut body: Value) -> Value {
    let object = body.as_object_mut().unwrap();
    object.insert("stream".into(), true.into());
    object.insert("stream_options".into(), json!({ "include_usage": true }));
    body
}

/// Folds the chunks of a chat stream into the buffered answer's choices, checking their grammar on the way.
fn fold(chunks: &[Value]) -> (Vec<Value>, Value) {
    let (last, chunks) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]), "the last chunk carries usage alone");
    let mut messages: Vec<Value> = Vec::new();
    for chunk in chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], last["id"]);
        assert_eq!(chunk["usage"], Value::Null);
        let choice = &chunk["choices"][0];
        let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        let delta = choice["delta"].as_object().unwrap();
        if delta.contains_key("role") {
            assert_eq!(index, messages.len(), "choices begin in order, each with its role");
            messages
                .push(json!({ "index": index, "text": "", "reasoning": "", "calls": [], "finish": null }));
        }
        let message = &mut messages[index];
        assert_eq!(message["finish"], Value::Null, "nothing comes after a finish");
        append(&mut message["text"], &choice["delta"]["content"]);
        append(&mut message["reasoning"], &choice["delta"]["reasoning_content"]);
        if let Some(call) = choice["delta"].pointer("/tool_calls/0") {
            let calls = message["calls"].as_array_mut().unwrap();
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if call.get("id").is_some() {
                assert_eq!(index, calls.len());
                calls.push(json!([call["function"]["name"], ""]));
            }
            append(&mut calls[index][1], &call["function"]["arguments"]);
        }
        message["finish"] = choice["finish_reason"].clone();
    }
    assert!(messages.iter().all(|message| message["finish"].is_string()), "every choice finishes");
    (messages, last["usage"].clone())
}

fn append(text: &mut Value, more: &Value) {
    *text = format!("{}{}", text.as_str().unwrap(), more.as_str().unwrap_or_default()).into();
}

/// The same form for a buffered answer.
fn flatten(answer: &Value) -> (Vec<Value>, Value) {
    let choices = answer["choices"].as_array().unwrap().iter().map(|choice| {
        let message = &choice["message"];
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let calls: Vec<Value> =
            calls.map(|call| json!([call["function"]["name"], call["function"]["arguments"]])).collect();
        json!({
            "index": choice["index"],
            "text": message["content"].as_str().unwrap_or_default(),
            "reasoning": message["reasoning_content"].as_str().unwrap_or_default(),
            "calls": calls,
            "finish": choice["finish_reason"],
        })
    });
    (choices.collect(), answer["usage"].clone())
}

fn weather_tools() -> Value {
    json!([
        { "type": "function", "function": { "name": "get_weather", "parameters": { "type": "object",
            "properties": { "city": { "type": "string" }, "days": { "type": "integer" } }, "required": ["city"] } } },
        { "type": "function", "function": { "name": "get_time" } },
    ])
}

#[tokio::test(start_paused = true)]
async fn streamed_and_buffered_answers_are_the_same_and_cost_the_same() {
    for (model, more) in [
        ("echo-small", json!({})),
        ("echo-large", json!({ "n": 3 })),
        ("slow-start", json!({ "max_tokens": 5 })),
        ("fixed-price", json!({ "stop": ["answer"] })),
        ("reasoner", json!({})),
        ("reasoner", json!({ "max_completion_tokens": 9 })),
        ("echo-small", json!({ "tools": weather_tools(), "tool_choice": "required" })),
        ("reasoner", json!({ "tools": weather_tools(), "tool_choice": "required", "n": 2 })),
        ("echo-small", json!({ "response_format": { "type": "json_object" } })),
    ] {
        let body = asks(model, &more);
        let buffered = flatten(&chat(&body).await.json());
        let streamed = fold(&chat(&streaming(body)).await.chunks());
        assert_eq!(buffered, streamed, "{model} {more}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_that_it_is_simulated_and_repeats_the_question() {
    let answer = chat(&asks("echo-small", &json!({}))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer = answer.json();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("simulated answer") && text.contains("Hello, who is there?"), "{text}");
    assert_eq!(answer["usage"]["prompt_tokens"], 6);
    assert_eq!(answer["usage"]["completion_tokens"], super::tokens::count(text));
    assert_eq!(answer["model"], "echo-small");
}

#[tokio::test(start_paused = true)]
async fn usage_comes_in_a_stream_only_when_asked_for() {
    let answer = chat(&asks("echo-small", &json!({ "stream": true }))).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream; charset=utf-8");
    let chunks = answer.chunks();
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
}

#[tokio::test(start_paused = true)]
async fn a_stream_comes_at_the_models_pace() {
    let small = chat(&asks("echo-small", &json!({ "stream": true }))).await;
    let large = chat(&asks("echo-large", &json!({ "stream": true }))).await;
    assert!(small.times.last().unwrap() < &Duration::from_secs(1), "{:?}", small.times.last());
    assert!(large.times.last().unwrap() > &Duration::from_secs(3), "{:?}", large.times.last());

    let slow = chat(&asks("slow-start", &json!({ "stream": true }))).await;
    assert_eq!(slow.times[0], Duration::ZERO, "the role comes at once");
    assert!(slow.times[1] >= Duration::from_secs(3), "content does not: {:?}", slow.times[1]);
}

#[tokio::test(start_paused = true)]
async fn a_buffered_answer_that_takes_longer_than_the_deadline_is_a_headers_timeout() {
    let body = asks("slow-start", &json!({}));
    let mut call = call(Method::POST, "/chat/completions", body.to_string().as_bytes());
    call.headers_timeout = Duration::from_secs(2);
    let start = Instant::now();
    let error = Sandbox::new(7).dispatch(call).await.unwrap_err();
    assert_eq!((error.cause, start.elapsed()), (Cause::HeadersTimeout, Duration::from_secs(2)));
}

#[tokio::test(start_paused = true)]
async fn caps_and_stop_sequences_end_an_answer() {
    let capped = chat(&asks("echo-small", &json!({ "max_tokens": 4, "n": 2 }))).await.json();
    assert_eq!(capped["choices"][1]["finish_reason"], "length");
    assert_eq!(capped["usage"]["completion_tokens"], 8);

    let stopped = chat(&asks("echo-small", &json!({ "stop": "; no real" }))).await.json();
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    assert!(stopped["choices"][0]["message"]["content"].as_str().unwrap().ends_with("sandbox/echo-small"));
}

#[tokio::test(start_paused = true)]
async fn tools_are_called_when_mentioned_or_forced() {
    let named = json!({ "type": "function", "function": { "name": "get_time" } });
    let mention = json!({ "tools": weather_tools(), "messages": [{ "role": "user", "content": "get_weather please" }] });
    for (more, expected) in [
        (json!({ "tools": weather_tools() }), json!([])),
        (mention, json!([["get_weather", "{\"city\":\"example\"}"]])),
        (json!({ "tools": weather_tools(), "tool_choice": named }), json!([["get_time", "{}"]])),
        (json!({ "tools": weather_tools(), "tool_choice": "none" }), json!([])),
    ] {
        let (choices, _) = flatten(&chat(&asks("echo-small", &more)).await.json());
        assert_eq!(choices[0]["calls"], expected, "{more}");
        let finish = if expected == json!([]) { "stop" } else { "tool_calls" };
        assert_eq!(choices[0]["finish"], finish);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_result_is_answered_in_words() {
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "get_weather", "arguments": "{}" } });
    let messages = json!([
        { "role": "user", "content": [{ "type": "text", "text": "get_weather" }] },
        { "role": "assistant", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "call_1", "content": "sunny" },
    ]);
    let answer =
        chat(&asks("echo-small", &json!({ "messages": messages, "tools": weather_tools() }))).await.json();
    assert!(answer["choices"][0]["message"]["content"].as_str().unwrap().contains("sunny"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_a_format_is_valid_json_of_that_format() {
    let schema =
        json!({ "type": "object", "properties": { "total": { "type": "number" } }, "required": ["total"] });
    let format =
        json!({ "type": "json_schema", "json_schema": { "name": "sum", "strict": true, "schema": schema } });
    let answer = chat(&asks("echo-small", &json!({ "response_format": format }))).await.json();
    let content: Value =
        serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({ "total": 1 }));
}

#[tokio::test(start_paused = true)]
async fn the_reasoner_thinks_first_and_counts_it() {
    let answer = chat(&asks("reasoner", &json!({}))).await.json();
    let message = &answer["choices"][0]["message"];
    let thought = message["reasoning_content"].as_str().unwrap();
    let details = &answer["usage"]["completion_tokens_details"];
    assert_eq!(details["reasoning_tokens"], super::tokens::count(thought));
    assert!(answer["usage"]["completion_tokens"].as_u64() > details["reasoning_tokens"].as_u64());
}

#[tokio::test(start_paused = true)]
async fn flaky_fails_and_succeeds_by_a_chance_that_can_be_repeated() {
    async fn statuses(seed: u64) -> Vec<u16> {
        let sandbox = Sandbox::new(seed);
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let answer = post(&sandbox, "/chat/completions", &asks("flaky", &json!({}))).await;
            assert_eq!(answer.headers.contains_key("retry-after"), answer.status == 429);
            statuses.push(answer.status);
        }
        statuses
    }
    let first = statuses(1).await;
    assert!([200, 429, 500].iter().all(|status| first.contains(status)), "{first:?}");
    assert_eq!(first, statuses(1).await);
    assert_ne!(first, statuses(2).await);
}

#[tokio::test(start_paused = true)]
async fn overloaded_is_a_503_or_an_event_inside_a_200() {
    let buffered = chat(&asks("overloaded", &json!({}))).await;
    assert_eq!((buffered.status, &buffered.json()["error"]["type"]), (503, &json!("overloaded_error")));
    let streamed = chat(&asks("overloaded", &json!({ "stream": true }))).await;
    assert_eq!(streamed.status, 200);
    let events = streamed.events();
    assert_eq!(events.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&events[0]).unwrap()["error"]["type"], "overloaded_error");
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_breaks_off_without_a_terminal_event() {
    let streamed = chat(&asks("cut", &json!({ "stream": true }))).await;
    assert!(streamed.broke_off);
    let events = streamed.events();
    assert!(events.len() > 3 && !events.contains(&"[DONE]".to_owned()));
    assert!(events.iter().all(|event| event.contains("\"finish_reason\":null")));

    let buffered = chat(&asks("cut", &json!({}))).await;
    assert!(buffered.broke_off);
    let announced: usize = buffered.headers["content-length"].to_str().unwrap().parse().unwrap();
    assert!(buffered.body.len() < announced);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_begun_is_gone_on_with() {
    let content =
        |answer: &Answered| answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    let whole = content(&chat(&asks("echo-small", &json!({}))).await);
    let words: Vec<&str> = whole.split_inclusive(' ').collect();
    for said in 1..words.len() {
        let own = words.split_at(said).0.concat();
        for begun in [own.replace("echo-small", "cut"), own] {
            let mut body = asks("echo-small", &json!({}));
            let turn = json!({ "role": "assistant", "content": begun.trim_end() });
            body["messages"].as_array_mut().unwrap().push(turn);
            let rest = content(&chat(&body).await);
            assert_eq!(format!("{}{rest}", begun.trim_end()).replace("/cut", "/echo-small"), whole);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn completions_answer_every_prompt_streamed_as_buffered() {
    let sandbox = Sandbox::new(7);
    let body =
        json!({ "model": "echo-small", "prompt": ["One.", "Two."], "n": 2, "echo": true, "max_tokens": 7 });
    let buffered = post(&sandbox, "/completions", &body).await.json();
    let texts: Vec<&str> =
        buffered["choices"].as_array().unwrap().iter().map(|c| c["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts[0].starts_with("One.") && texts[3].starts_with("Two."), "{texts:?}");
    assert_eq!(buffered["usage"]["completion_tokens"], 28, "four capped answers; an echo is not generated");

    let mut streamed = vec![String::new(); 4];
    let chunks = post(&sandbox, "/completions", &streaming(body)).await.chunks();
    for chunk in &chunks {
        assert_eq!(chunk["object"], "text_completion");
        if let Some(choice) = chunk.pointer("/choices/0") {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            streamed[index].push_str(choice["text"].as_str().unwrap());
        }
    }
    assert_eq!(streamed, texts);
    assert_eq!(chunks.last().unwrap()["usage"], buffered["usage"]);
}

#[tokio::test(start_paused = true)]
async fn a_completion_is_16_tokens_long_unless_told_otherwise() {
    let body = json!({ "model": "echo-small", "prompt": [1, 2, 3] });
    let answer = post(&Sandbox::new(7), "/completions", &body).await.json();
    assert_eq!(answer["usage"]["prompt_tokens"], 3);
    assert_eq!(answer["usage"]["completion_tokens"], 16);
}

#[tokio::test(start_paused = true)]
async fn embeddings_are_deterministic_unit_vectors_in_both_encodings() {
    let sandbox = Sandbox::new(7);
    let body =
        json!({ "model": "embed", "input": ["a red house", "A red  house", "quantum"], "dimensions": 32 });
    let floats = post(&sandbox, "/embeddings", &body).await.json();
    let vector = |index: usize| -> Vec<f64> {
        floats["data"][index]["embedding"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
    };
    assert_eq!(vector(0).len(), 32);
    assert_eq!(vector(0), vector(1));
    assert_ne!(vector(0), vector(2));
    let length: f64 = vector(0).iter().map(|n| n * n).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
    assert_eq!(floats["usage"], json!({ "prompt_tokens": 7, "total_tokens": 7 }));

    let body =
        json!({ "model": "embed", "input": "a red house", "dimensions": 32, "encoding_format": "base64" });
    let encoded = post(&sandbox, "/embeddings", &body).await.json();
    let text = encoded["data"][0]["embedding"].as_str().unwrap();
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).unwrap();
    let decoded: Vec<f64> =
        bytes.chunks_exact(4).map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap()))).collect();
    let close = decoded.iter().zip(vector(0)).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close && decoded.len() == 32);
}

#[tokio::test(start_paused = true)]
async fn the_listing_names_every_model() {
    let start = Instant::now();
    let response = Sandbox::new(7).dispatch(call(Method::GET, "/models", b"")).await.unwrap();
    let listing = read(response, start).await.json();
    let ids: Vec<&str> =
        listing["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    let expected: Vec<&str> = super::MODELS.iter().map(|model| model.id).collect();
    assert_eq!(ids, expected);
}

async fn assert_refused(path: &str, body: &Value, expected: (u16, &str, &str)) {
    let answer = post(&Sandbox::new(7), path, body).await;
    let error = &answer.json()["error"];
    let word = |name: &str| error[name].as_str().unwrap_or_default();
    assert_eq!((answer.status, word("code"), word("param")), expected, "{path} {body}");
    assert_eq!(error["type"], "invalid_request_error");
}

#[tokio::test(start_paused = true)]
async fn wrong_requests_are_refused_as_openai_refuses_them() {
    const CHAT: &str = "/chat/completions";
    for (body, expected) in [
        (json!([]), (400, "", "")),
        (json!({ "messages": [] }), (400, "", "")),
        (asks("gpt-9", &json!({})), (404, "model_not_found", "")),
        (asks("embed", &json!({})), (404, "", "model")),
        (json!({ "model": "echo-small" }), (400, "missing_required_parameter", "messages")),
    ] {
        assert_refused(CHAT, &body, expected).await;
    }
    for (field, code) in [
        (json!({ "messages": [] }), "empty_array"),
        (json!({ "n": 0 }), "integer_below_min_value"),
        (json!({ "n": 129 }), "integer_above_max_value"),
        (json!({ "stream": "yes" }), "invalid_type"),
        (json!({ "max_tokens": 1.5 }), "invalid_type"),
        (json!({ "temperature": 3 }), "invalid_value"),
        (json!({ "stop": [1] }), "invalid_type"),
        (json!({ "logprobs": true }), "unsupported_parameter"),
        (json!({ "tool_choice": "auto" }), "invalid_value"),
        (json!({ "stream_options": {} }), "invalid_value"),
    ] {
        let name = field.as_object().unwrap().keys().next().unwrap();
        assert_refused(CHAT, &asks("echo-small", &field), (400, code, name)).await;
    }
    let number = json!({ "messages": [{ "role": "user", "content": 3 }] });
    assert_refused(CHAT, &asks("echo-small", &number), (400, "invalid_type", "messages[0].content")).await;
    for (path, body, expected) in [
        ("/embeddings", json!({ "model": "embed", "input": "" }), (400, "invalid_value", "input")),
        ("/embeddings", json!({ "model": "echo-small", "input": "a" }), (404, "", "model")),
        ("/completions", json!({ "model": "echo-small", "prompt": {} }), (400, "invalid_type", "prompt")),
        ("/responses", json!({}), (404, "unknown_url", "")),
    ] {
        assert_refused(path, &body, expected).await;
    }
}
