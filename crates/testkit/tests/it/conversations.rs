//! Conversations with tools: calls by script, one an answer, in each API; prompts that were read before; Responses.

use serde_json::{Value, json};
use trunkline_testkit::fake_provider::script::{Answer, Call};
use trunkline_testkit::fake_provider::{FakeProvider, Script, Setup};

use crate::{Answered, post, with};

/// A provider whose model calls `look` twice, then says so.
fn calling() -> FakeProvider {
    let call = |place: &str| Call { name: "look".to_owned(), arguments: json!({ "at": place }) };
    let calls = vec![call("here"), call("there")];
    let script = Script::answers(Answer { text: "Seen.".to_owned(), calls, ..Answer::default() });
    FakeProvider::new(Setup { otherwise: vec![script], ..Setup::default() }).unwrap()
}

fn responses(input: &Value) -> Value {
    let tools = json!([{ "type": "function", "name": "look", "parameters": { "type": "object" } }]);
    json!({ "model": "m", "input": input, "tools": tools })
}

#[tokio::test(start_paused = true)]
async fn scripted_tools_are_called_one_an_answer_and_only_if_offered() {
    let provider = calling();
    let asked = json!({ "role": "user", "content": "Look" });
    let tool = json!({ "type": "function", "function": { "name": "look", "parameters": {} } });
    let body = json!({ "model": "m", "messages": [asked], "tools": [tool] });
    let answer = post(&provider, "/chat/completions", &body).await.json();
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"], json!({ "name": "look", "arguments": "{\"at\":\"here\"}" }));
    let said = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    let result = json!({ "role": "tool", "tool_call_id": call["id"], "content": "a door" });
    let body = with(body, &json!({ "messages": [asked, said, result] }));
    let answer = post(&provider, "/chat/completions", &body).await.json();
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], "{\"at\":\"there\"}");
    let without = json!({ "model": "m", "messages": [asked] });
    let answer = post(&provider, "/chat/completions", &without).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Seen.");
}

/// The data of an answer's events.
fn events(answered: &Answered) -> Vec<Value> {
    let events = answered.body.split_terminator("\n\n");
    events.map(|event| serde_json::from_str(event.split_once("\ndata: ").unwrap().1).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_response_is_the_same_whole_and_streamed() {
    let body = responses(&json!("Look"));
    let whole = post(&calling(), "/v1/responses", &body).await.json();
    assert_eq!(whole["output"][0]["type"], "function_call");
    assert_eq!(whole["usage"]["output_tokens"], 1);
    let streamed = post(&calling(), "/v1/responses", &with(body, &json!({ "stream": true }))).await;
    let events = events(&streamed);
    assert_eq!(events.last().unwrap()["type"], "response.completed");
    assert_eq!(events.last().unwrap()["response"], whole);
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_namespace_says_so_and_freeform_arguments_are_text() {
    let call = Call { name: "shop.order".to_owned(), arguments: json!("two loaves") };
    let script = Script::answers(Answer { calls: vec![call], ..Answer::default() });
    let provider = FakeProvider::new(Setup { otherwise: vec![script], ..Setup::default() }).unwrap();
    let inside = json!([{ "type": "custom", "name": "order" }]);
    let tools = json!([{ "type": "namespace", "name": "shop", "description": "", "tools": inside }]);
    let added = json!({ "type": "additional_tools", "role": "developer", "tools": tools });
    let body =
        json!({ "model": "m", "input": [added, { "type": "message", "role": "user", "content": "Bread" }] });
    let answer = post(&provider, "/responses", &body).await.json();
    let call = &answer["output"][0];
    assert_eq!(call["type"], "custom_tool_call");
    assert_eq!(
        (&call["namespace"], &call["name"], &call["input"]),
        (&json!("shop"), &json!("order"), &json!("two loaves"))
    );
}

async fn refused(input: Value) -> String {
    let answer = post(&calling(), "/responses", &responses(&input)).await;
    assert_eq!(answer.status, 400);
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn responses_refuse_loose_calls_and_thoughts_of_others() {
    let call = json!({ "type": "function_call", "call_id": "c", "name": "look", "arguments": "{}" });
    assert_eq!(refused(json!([call])).await, "No tool output found for function call c.");
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "" });
    let message = refused(json!([output])).await;
    assert_eq!(message, "No tool call found for function call output with call_id c.");
    let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "forged" });
    assert_eq!(refused(json!([thought])).await, "The encrypted content could not be verified.");
}

#[tokio::test(start_paused = true)]
async fn a_sealed_thought_is_taken_back() {
    let more = json!({ "reasoning": { "effort": "low" }, "include": ["reasoning.encrypted_content"], "store": false });
    let body = with(json!({ "model": "m", "input": "Hello" }), &more);
    let provider = calling();
    let answer = post(&provider, "/responses", &body).await.json();
    assert_eq!(answer["output"][0]["type"], "reasoning");
    let again = json!([{ "role": "user", "content": "Hello" }, answer["output"][0], answer["output"][1]]);
    let answer = post(&provider, "/responses", &with(body, &json!({ "input": again }))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn a_long_beginning_is_read_from_the_cache_the_second_time() {
    let provider = calling();
    let long = vec!["word"; 1_100].join(" ");
    for (path, read) in [
        ("/chat/completions", "/usage/prompt_tokens_details/cached_tokens"),
        ("/responses", "/usage/input_tokens_details/cached_tokens"),
        ("/models/m:generateContent", "/usageMetadata/cachedContentTokenCount"),
    ] {
        let body = match path {
            "/responses" => json!({ "model": "r", "input": long }),
            "/chat/completions" => json!({ "model": "c", "messages": [{ "role": "user", "content": long }] }),
            _ => json!({ "contents": [{ "role": "user", "parts": [{ "text": long }] }] }),
        };
        let first = post(&provider, path, &body).await.json();
        assert_eq!(first.pointer(read).and_then(Value::as_u64).unwrap_or(0), 0);
        let second = post(&provider, path, &body).await.json();
        assert_eq!(second.pointer(read), Some(&json!(1_024)), "{path}");
        assert_eq!(provider.log().last().unwrap().billed.unwrap().cache_read_tokens, 1_024);
    }
}
