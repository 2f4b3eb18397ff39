//! What each script does, in this process and in paused time.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use trunkline_domain::attempt::Cause;
use trunkline_testkit::fake_provider::script::{After, End};
use trunkline_testkit::fake_provider::{Ending, Script, Setup};

use crate::{call, chat, post, scripted, send, streamed, with};

#[tokio::test(start_paused = true)]
async fn the_default_is_a_correct_answer_whose_usage_is_the_same_streamed_and_buffered() {
    let provider = scripted(&[]);
    let buffered = post(&provider, "/chat/completions", &chat()).await.json();
    let streamed = post(&provider, "/chat/completions", &streamed()).await;
    let events = streamed.events();
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    let text: String =
        chunks.iter().filter_map(|c| c.pointer("/choices/0/delta/content")?.as_str()).collect();
    assert_eq!(buffered["choices"][0]["message"]["content"], text.as_str());
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks.last().unwrap()["usage"], buffered["usage"]);
    assert_eq!(buffered["usage"]["prompt_tokens"], 3);
    assert_eq!(buffered["usage"]["completion_tokens"], 9);
    assert_eq!(provider.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn caps_choices_tools_and_formats_are_honoured() {
    let provider = scripted(&[]);
    let ask = async |more: Value| post(&provider, "/chat/completions", &with(chat(), &more)).await.json();

    let capped = ask(json!({ "max_tokens": 2, "n": 3 })).await;
    assert_eq!(capped["choices"][2]["finish_reason"], "length");
    assert_eq!(capped["usage"]["completion_tokens"], 6);

    let schema = json!({ "type": "object", "properties": { "q": { "type": "string" } }, "required": ["q"] });
    let tool = json!({ "type": "function", "function": { "name": "look_up", "parameters": schema } });
    let called = ask(json!({ "tools": [tool], "tool_choice": "required" })).await;
    let function = &called["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(function, &json!({ "name": "look_up", "arguments": "{\"q\":\"some words\"}" }));
    assert_eq!(called["choices"][0]["finish_reason"], "tool_calls");

    let formatted = ask(json!({ "response_format": { "type": "json_object" } })).await;
    assert_eq!(formatted["choices"][0]["message"]["content"], "{}");
}

#[tokio::test(start_paused = true)]
async fn completions_embeddings_and_the_listing_are_answered() {
    let provider = scripted(&[]);
    let completed =
        post(&provider, "/v1/completions", &json!({ "model": "m", "prompt": ["a b", "c"] })).await.json();
    assert_eq!(completed["choices"].as_array().unwrap().len(), 2);
    assert_eq!(completed["usage"]["prompt_tokens"], 3);

    let body = json!({ "model": "m", "input": ["a b", [1, 2, 3]], "dimensions": 4 });
    let embedded = post(&provider, "/embeddings", &body).await.json();
    assert_eq!(embedded["data"][1]["embedding"].as_array().unwrap().len(), 4);
    assert_eq!(embedded["usage"], json!({ "prompt_tokens": 5, "total_tokens": 5 }));

    let mut listing = call("/models", "");
    listing.method = http::Method::GET;
    let listing = send(&provider, listing).await.unwrap().json();
    assert_eq!(listing["data"][0]["id"], "fake-model");
}

#[tokio::test(start_paused = true)]
async fn failures_have_their_status_headers_and_body() {
    let provider = scripted(&[
        Script::rate_limited(7),
        Script::server_error(),
        Script::html(502),
        Script::redirect("https://elsewhere.example/"),
        Script::wrong_content_type(),
        Script::garbage(),
        Script::overloaded_event(),
    ]);
    let next = async || post(&provider, "/chat/completions", &chat()).await;
    let limited = next().await;
    assert_eq!((limited.status, limited.headers["retry-after"].as_bytes()), (429, b"7".as_slice()));
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(next().await.json()["error"]["type"], "server_error");
    let page = next().await;
    assert_eq!((page.status, page.headers["content-type"].as_bytes()), (502, b"text/html".as_slice()));
    let redirect = next().await;
    assert_eq!((redirect.status, redirect.headers.contains_key("location")), (307, true));
    assert_eq!(next().await.headers["content-type"], "application/octet-stream");
    assert!(serde_json::from_str::<Value>(&next().await.body).is_err());
    let overloaded = post(&provider, "/chat/completions", &streamed()).await;
    assert_eq!(
        (overloaded.status, overloaded.headers["content-type"].as_bytes()),
        (200, b"text/event-stream".as_slice())
    );
    assert!(overloaded.body.contains("overloaded_error"));
    assert_eq!(next().await.status, 200, "after its scripts it answers correctly");
}

#[tokio::test(start_paused = true)]
async fn no_head_comes_from_a_provider_that_hangs_or_closes() {
    let provider = scripted(&[Script::hangs(), Script::closes()]);
    let start = Instant::now();
    let hung = send(&provider, call("/chat/completions", &chat().to_string())).await.err().unwrap();
    assert_eq!((hung.cause, start.elapsed()), (Cause::HeadersTimeout, Duration::from_secs(30)));
    let closed = send(&provider, call("/chat/completions", &chat().to_string())).await.err().unwrap();
    assert_eq!(closed.cause, Cause::Cut);
    let endings: Vec<Ending> = provider.log().iter().map(|seen| seen.ending).collect();
    assert_eq!(endings, [Ending::ClientClosed, Ending::Cut]);
}

#[tokio::test(start_paused = true)]
async fn a_body_ends_where_the_script_says() {
    let at = |end| Script::default().ending(end);
    let provider = scripted(&[
        at(End::Truncate(After::Bytes(25))),
        at(End::Cut(After::Pieces(3))),
        at(End::Reset(After::Bytes(25))),
        Script::role_then_silence(),
    ]);
    let truncated = post(&provider, "/chat/completions", &chat()).await;
    assert_eq!((truncated.body.len(), truncated.broke_off), (25, false));
    assert_eq!(truncated.headers["content-length"], "25");

    let cut = post(&provider, "/chat/completions", &streamed()).await;
    assert_eq!((cut.events().len(), cut.broke_off), (3, true));

    let reset = post(&provider, "/chat/completions", &chat()).await;
    assert_eq!((reset.body.len(), reset.broke_off), (25, true));
    assert_ne!(reset.headers["content-length"], "25");

    let silent = post(&provider, "/chat/completions", &streamed()).await;
    assert!(silent.silent && silent.events().len() == 1 && silent.body.contains("\"role\":\"assistant\""));

    let endings: Vec<Ending> = provider.log().iter().map(|seen| seen.ending).collect();
    assert_eq!(endings, [Ending::Finished, Ending::Cut, Ending::Cut, Ending::ClientClosed]);
}

#[tokio::test(start_paused = true)]
async fn waits_are_taken() {
    let provider = scripted(&[Script::slow_first_content(3_000), Script::pings(1_000)]);
    let start = Instant::now();
    post(&provider, "/chat/completions", &streamed()).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));

    let mut response = trunkline_upstream::dispatch::Dispatch::dispatch(
        &provider,
        call("/chat/completions", &streamed().to_string()),
    )
    .await
    .unwrap();
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(response.body.next().await.unwrap().unwrap(), ": ping\n\n");
    }
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn later_calls_take_turns() {
    let setup = json!({ "scripts": [{ "status": 418 }], "otherwise": [{}, { "head_after_ms": 5, "status": 503,
        "body": { "error": { "kind": "server_error", "code": null, "message": "no" } } }] });
    let setup: Setup = serde_json::from_value(setup).unwrap();
    let provider = trunkline_testkit::fake_provider::FakeProvider::new(setup).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(post(&provider, "/chat/completions", &chat()).await.status);
    }
    assert_eq!(statuses, [418, 200, 503, 200, 503]);
}
