//! The same provider in each API it speaks: what goes wrong goes wrong in that API's form, and costs the same.

use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use trunkline_testkit::fake_provider::script::{After, End};
use trunkline_testkit::fake_provider::{Billed, Ending, FakeProvider, Script, Setup};
use trunkline_upstream::dispatch::Call;

use crate::{Answered, call, post, scripted, send, with};

/// An API.
struct Dialect {
    buffered: &'static str,
    streamed: &'static str,
    body: fn(bool) -> Value,
    /// The error in a body or an event: where its kind is, and what an overloaded provider says there, and one whose
    /// caller is too fast.
    kind: &'static str,
    /// Where it is in an event of a stream that has begun.
    kind_in_stream: &'static str,
    overloaded: &'static str,
    too_fast: &'static str,
}

fn openai(stream: bool) -> Value {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Three words [[a]]" }] });
    if stream { with(body, &json!({ "stream": true })) } else { body }
}

fn anthropic(stream: bool) -> Value {
    with(openai(false), &json!({ "max_tokens": 100, "stream": stream }))
}

fn gemini(_: bool) -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "Three words [[a]]" }] }] })
}

fn ollama(stream: bool) -> Value {
    with(openai(false), &json!({ "stream": stream }))
}

const DIALECTS: [Dialect; 6] = [
    Dialect {
        buffered: "/chat/completions",
        streamed: "/v1/chat/completions",
        body: openai,
        kind: "/error/type",
        kind_in_stream: "/error/type",
        overloaded: "overloaded_error",
        too_fast: "requests",
    },
    Dialect {
        buffered: "/messages",
        streamed: "/v1/messages",
        body: anthropic,
        kind: "/error/type",
        kind_in_stream: "/error/type",
        overloaded: "overloaded_error",
        too_fast: "rate_limit_error",
    },
    Dialect {
        buffered: "/models/m:generateContent",
        streamed: "/v1beta/models/m:streamGenerateContent?alt=sse",
        body: gemini,
        kind: "/error/status",
        kind_in_stream: "/error/status",
        overloaded: "UNAVAILABLE",
        too_fast: "RESOURCE_EXHAUSTED",
    },
    Dialect {
        buffered: "/api/chat",
        streamed: "/api/chat",
        body: ollama,
        kind: "/error",
        kind_in_stream: "/error",
        overloaded: "server busy, please try again.  maximum pending requests exceeded",
        too_fast: "Rate limit reached.",
    },
    Dialect {
        buffered: "/v2/chat",
        streamed: "/v2/chat",
        body: ollama,
        kind: "/message",
        kind_in_stream: "/delta/error",
        overloaded: "The service is unavailable.",
        too_fast: "Rate limit reached.",
    },
    Dialect {
        buffered: "/mistral/v1/chat/completions",
        streamed: "/mistral/v1/chat/completions",
        body: ollama,
        kind: "/message",
        kind_in_stream: "/message",
        overloaded: "Service tier capacity exceeded for this model.",
        too_fast: "Rate limit reached.",
    },
];

/// Where each has its key.
const HEADERS: [&str; 6] =
    ["authorization", "x-api-key", "x-goog-api-key", "authorization", "authorization", "authorization"];

fn versioned(path: &str, body: &Value) -> Call {
    let mut call = call(path, &body.to_string());
    if path.ends_with("/messages") {
        let version = HeaderName::from_static("anthropic-version");
        call.headers.insert(version, HeaderValue::from_static("2023-06-01"));
    }
    call
}

impl Dialect {
    async fn buffered(&self, provider: &FakeProvider) -> Answered {
        send(provider, versioned(self.buffered, &(self.body)(false))).await.unwrap()
    }

    async fn streamed(&self, provider: &FakeProvider) -> Answered {
        send(provider, versioned(self.streamed, &(self.body)(true))).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_costs_the_same_in_every_dialect_buffered_and_streamed() {
    for dialect in &DIALECTS {
        let provider = scripted(&[]);
        dialect.buffered(&provider).await;
        let streamed = dialect.streamed(&provider).await;
        assert!(streamed.body.contains("Hello "), "{}", streamed.body);
        let whole = Billed { prompt_tokens: 3, completion_tokens: 9, ..Billed::default() };
        for seen in provider.log() {
            assert_eq!((seen.billed, seen.ending), (Some(whole), Ending::Finished), "{}", seen.path);
            assert_eq!(seen.violations, Vec::<String>::new());
            assert_eq!(seen.marker.as_deref(), Some("a"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_in_the_dialect_whole_and_in_mid_stream() {
    for dialect in &DIALECTS {
        let provider = scripted(&[
            Script::rate_limited(7),
            Script::overloaded_event(),
            Script::overloaded_event(),
            Script::default().ending(End::Overloaded(4)),
        ]);
        let limited = dialect.buffered(&provider).await;
        assert_eq!((limited.status, limited.headers["retry-after"].as_bytes()), (429, b"7".as_slice()));
        assert_eq!(limited.json().pointer(dialect.kind).unwrap(), dialect.too_fast);
        let whole = dialect.buffered(&provider).await;
        assert!(whole.status >= 503, "{}", whole.status);
        assert_eq!(whole.json().pointer(dialect.kind).unwrap(), dialect.overloaded);
        for events in [1, 5] {
            let streamed = dialect.streamed(&provider).await;
            assert_eq!((streamed.status, streamed.broke_off), (200, false));
            let lines = streamed.body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
            let told: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
            let error = told.last().and_then(|last| last.pointer(dialect.kind_in_stream)).unwrap();
            assert_eq!(error, dialect.overloaded);
            assert_eq!(told.len(), events, "{}", streamed.body);
        }
        let bills: Vec<_> = provider.log().iter().map(|seen| seen.billed.is_some()).collect();
        assert_eq!(bills, [false, false, false, true], "{}", dialect.buffered);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_break_off_and_fall_silent_in_every_dialect() {
    for dialect in &DIALECTS {
        let cut = Script::default().ending(End::Cut(After::Pieces(5)));
        let provider = scripted(&[cut, Script::default().ending(End::Stall(After::Pieces(5)))]);
        assert!(dialect.streamed(&provider).await.broke_off);
        assert!(dialect.streamed(&provider).await.silent);
        let billed = provider.log()[0].billed.unwrap();
        assert!((1..9).contains(&billed.completion_tokens), "{billed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_goes_where_the_dialect_has_it_and_is_never_logged() {
    let setup = Setup { key: Some("key-canary".to_owned()), ..Setup::default() };
    let provider = FakeProvider::new(setup).unwrap();
    for (dialect, header) in DIALECTS.iter().zip(HEADERS) {
        assert!(dialect.buffered(&provider).await.status >= 400, "{header}: no key");
        let value = if header == "authorization" { "Bearer key-canary" } else { "key-canary" };
        for (value, accepted) in [("wrong", false), (value, true)] {
            let mut call = versioned(dialect.buffered, &(dialect.body)(false));
            call.headers.insert(HeaderName::from_static(header), HeaderValue::from_static(value));
            let answer = send(&provider, call).await.unwrap();
            assert_eq!(answer.status == 200, accepted, "{header}: {}", answer.body);
        }
    }
    assert!(!serde_json::to_string(&provider.log()).unwrap().contains("key-canary"));
}

#[tokio::test(start_paused = true)]
async fn a_beginning_read_before_is_billed_as_read() {
    let provider = scripted(&[]);
    let block = |text: &str, mark: Value| json!({ "type": "text", "text": text, "cache_control": mark });
    let system = json!([block("one two", json!({ "type": "ephemeral", "ttl": "1h" }))]);
    let ask = |question: &str| {
        let content = json!([block(question, json!({ "type": "ephemeral" }))]);
        let messages = json!([{ "role": "user", "content": content }]);
        json!({ "model": "m", "max_tokens": 9, "system": system, "messages": messages })
    };
    for (question, read, written) in [("a b c", 0, 5), ("a b c", 5, 0), ("d e", 2, 2)] {
        let answer = send(&provider, versioned("/messages", &ask(question))).await.unwrap();
        let usage = &answer.json()["usage"];
        assert_eq!(usage["cache_read_input_tokens"], read, "{question}");
        assert_eq!(usage["cache_creation_input_tokens"], written, "{question}");
        assert_eq!(usage["input_tokens"], 0);
        let billed = provider.log().pop().unwrap().billed.unwrap();
        assert_eq!((billed.cache_read_tokens, billed.cache_write_tokens), (read, written));
        assert_eq!(billed.prompt_tokens, read + written);
    }
}

#[tokio::test(start_paused = true)]
async fn several_tools_are_called_at_once_and_answers_stop_where_they_are_told_to() {
    let provider = scripted(&[]);
    let tool = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let tools = json!({ "tools": [tool("a"), tool("b")], "tool_choice": "required" });
    let calls = async |body: &Value| {
        let answer = post(&provider, "/chat/completions", body).await.json();
        answer["choices"][0]["message"]["tool_calls"].as_array().unwrap().len()
    };
    assert_eq!(calls(&with(openai(false), &tools)).await, 2);
    let alone = with(with(openai(false), &tools), &json!({ "parallel_tool_calls": false }));
    assert_eq!(calls(&alone).await, 1);
    let stopped = with(openai(false), &json!({ "stop": ["counts", "provider"] }));
    let answer = post(&provider, "/chat/completions", &stopped).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello from the fake ");
    assert_eq!(answer["usage"]["completion_tokens"], 4);
}
