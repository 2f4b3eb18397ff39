//! Responses, for its callers: what they ask reaches other dialects, what others answer reaches them.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, Extras, Finish, FinishReason, StreamEvent, unfold};
use trunkline_wire::caller_codec_for;
use trunkline_wire::codec::FieldError;
use trunkline_wire::recast::{AnswerIdentity, CallerCodec, Frames, Losses};

use super::super::envelope;
use super::{TOLERANT, codec, encode_request, generate};

fn responses() -> &'static dyn CallerCodec {
    caller_codec_for(Dialect::OpenaiResponses).expect("a chat")
}

fn decode(body: &Value) -> Result<ChatRequest, FieldError> {
    responses().decode_request(&envelope(&body.to_string()))
}

/// The same request as OpenAI's chat, and what is lost.
fn as_chat(body: &Value) -> (Value, Vec<String>) {
    let request = decode(body).unwrap();
    let (bytes, losses) = encode_request(Dialect::OpenaiChat, &request, &TOLERANT);
    let paths = losses.as_slice().iter().map(|loss| loss.path.to_string()).collect();
    (serde_json::from_slice(&bytes).unwrap(), paths)
}

#[test]
fn a_conversation_with_tools_thoughts_and_pictures_is_carried() {
    let (chat, losses) = as_chat(&json!({
        "model": "m", "instructions": "be brief", "max_output_tokens": 50, "store": false,
        "include": ["reasoning.encrypted_content"], "truncation": "disabled",
        "reasoning": { "effort": "low" }, "parallel_tool_calls": true,
        "text": { "format": { "type": "json_schema", "name": "x", "schema": { "type": "object" }, "strict": true } },
        "tools": [{ "type": "function", "name": "look", "description": "d", "parameters": { "type": "object" }, "strict": true }],
        "tool_choice": { "type": "function", "name": "look" },
        "input": [
            { "role": "user", "content": [
                { "type": "input_text", "text": "what is it?" },
                { "type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low" },
            ] },
            { "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}", "status": "completed", "id": "fc_1" },
            { "type": "function_call", "call_id": "c2", "name": "look", "arguments": "{\"a\":1}" },
            { "type": "function_call_output", "call_id": "c1", "output": "one" },
            { "type": "function_call_output", "call_id": "c2", "output": [{ "type": "input_text", "text": "two" }] },
            { "type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
              "content": [{ "type": "output_text", "text": "a cat", "annotations": [], "logprobs": [] }] },
            { "role": "user", "content": "thanks" },
        ],
    }));
    assert_eq!(losses, Vec::<String>::new());
    let messages = chat["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "assistant", "user"]);
    assert_eq!(
        messages[1]["content"][1]["image_url"],
        json!({ "url": "data:image/png;base64,AAAA", "detail": "low" })
    );
    assert_eq!(messages[2]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!((&messages[3]["tool_call_id"], &messages[3]["content"]), (&json!("c1"), &json!("one")));
    assert_eq!(chat["tools"][0]["function"]["name"], "look");
    assert_eq!(chat["tool_choice"], json!({ "type": "function", "function": { "name": "look" } }));
    assert_eq!(chat["response_format"]["json_schema"]["name"], "x");
    assert_eq!(chat["reasoning_effort"], "low");
}

#[test]
fn what_only_this_dialect_has_is_lost_by_name() {
    let (_, losses) = as_chat(&json!({
        "model": "m", "max_tool_calls": 3, "truncation": "auto", "include": ["file_search_call.results"],
        "tools": [{ "type": "web_search" }],
        "input": [{ "type": "web_search_call", "id": "ws_1", "status": "completed" }, { "role": "user", "content": "x" }],
    }));
    for lost in ["max_tool_calls", "truncation", "include", "tools[0]"] {
        assert!(losses.iter().any(|path| path == lost), "{lost}: {losses:?}");
    }
    assert!(losses.iter().any(|path| path.starts_with("turns[0]")), "{losses:?}");
}

#[test]
fn what_is_no_request_is_refused_by_its_place() {
    for (body, field) in [
        (json!({ "model": "m" }), "input"),
        (json!({ "input": 7 }), "input"),
        (json!({ "input": [{ "role": "king", "content": "x" }] }), "input[0]"),
        (json!({ "input": [{ "role": "user", "content": 7 }] }), "input[0]"),
        (json!({ "input": ["x"] }), "input[0]"),
        (json!({ "input": [{ "type": "function_call", "name": "f", "arguments": "{}" }] }), "input[0]"),
        (json!({ "input": [{ "type": "function_call_output", "call_id": "c" }] }), "input[0]"),
        (json!({ "input": [{ "type": "item_reference", "id": "x" }] }), "input[0]"),
        (json!({ "input": [{ "role": "user", "content": [{ "type": "input_smell" }] }] }), "input[0]"),
        (json!({ "input": "x", "temperature": "hot" }), "temperature"),
        (json!({ "input": "x", "tools": {} }), "tools"),
        (json!({ "input": "x", "text": [] }), "text"),
    ] {
        assert_eq!(decode(&body).expect_err(&body.to_string()).field, field, "{body}");
    }
}

/// The payloads of a stream of Responses.
fn payloads(events: &[StreamEvent], request: &ChatRequest) -> (Vec<Value>, Losses) {
    let identity = AnswerIdentity { id: "resp_1", model: "m", created: 7, request };
    let mut encoder = responses().stream_encoder(&identity);
    let mut out = Frames::default();
    let mut bytes = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
        out.take().for_each(|frame| bytes.extend_from_slice(&frame));
    }
    let text = String::from_utf8(bytes).unwrap();
    let payload = |block: &str| {
        let (event, data) = block.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(
            Some(event),
            data.get("type").and_then(Value::as_str).map(|kind| format!("event: {kind}")).as_deref()
        );
        data
    };
    let payloads = text.split("\n\n").filter(|block| !block.is_empty()).map(payload).collect();
    (payloads, std::mem::take(&mut out.losses))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A stream's last event repeats what a buffered answer says, and its deltas add up to it.
    #[test]
    fn a_stream_says_what_the_whole_answer_says(answer in generate::response()) {
        let body = answer.to_string();
        let Ok(mut response) = codec(Dialect::OpenaiChat).decode_response(body.as_bytes(), &TOLERANT) else {
            return Ok(());
        };
        response.choices.truncate(1);
        if let Some(choice) = response.choices.first_mut() {
            choice.index = 0;
        }
        let request = ChatRequest::default();
        let identity = AnswerIdentity { id: "resp_1", model: "m", created: 7, request: &request };
        let mut losses = Losses::default();
        let whole: Value =
            serde_json::from_slice(&responses().encode_response(&response, &identity, &mut losses)).unwrap();
        let (events, _) = payloads(&unfold(response), &request);
        let numbers: Vec<u64> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        prop_assert!(numbers.iter().zip(0..).all(|(number, place)| *number == place));
        let last = events.last().unwrap();
        prop_assert!(["response.completed", "response.incomplete"].contains(&last["type"].as_str().unwrap()));
        let texts = |output: &Value| {
            let items = output.as_array().unwrap().iter();
            let pieces = items.flat_map(|item| item["content"].as_array().cloned().unwrap_or_default());
            pieces.filter_map(|piece| piece["text"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        prop_assert_eq!(texts(&last["response"]["output"]), texts(&whole["output"]));
        let kinds = |output: &Value| -> Vec<Value> {
            output.as_array().unwrap().iter().map(|item| item["type"].clone()).collect()
        };
        prop_assert_eq!(kinds(&last["response"]["output"]), kinds(&whole["output"]));
        prop_assert_eq!(&last["response"]["usage"], &whole["usage"]);
        let said: String = events
            .iter()
            .filter(|event| event["type"] == "response.output_text.delta")
            .map(|event| event["delta"].as_str().unwrap())
            .collect();
        let text: String = whole["output"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|item| item["content"].as_array().cloned().unwrap_or_default())
            .filter(|piece| piece["type"] == "output_text")
            .map(|piece| piece["text"].as_str().unwrap().to_owned())
            .collect();
        prop_assert_eq!(said, text);
    }
}

#[test]
fn every_item_that_opens_is_closed_and_repeated() {
    let body = json!({ "id": "x", "model": "m", "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "reasoning_content": "hm", "content": "let me see",
        "tool_calls": [{ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }],
    } }] });
    let response =
        codec(Dialect::OpenaiChat).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap();
    let (events, _) = payloads(&unfold(response), &ChatRequest::default());
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of("response.output_item.added"), of("response.output_item.done")), (3, 3));
    assert_eq!(of("response.content_part.added"), of("response.content_part.done"));
    let done = events.iter().find(|event| event["type"] == "response.function_call_arguments.done").unwrap();
    assert_eq!((&done["arguments"], &done["output_index"]), (&json!("{\"a\":1}"), &json!(2)));
    let output = &events.last().unwrap()["response"]["output"];
    let kinds: Vec<&str> =
        output.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(output[2]["call_id"], "c1");
    for event in &events {
        let opened = event["item_id"].as_str();
        assert!(
            opened.is_none_or(|id| output.as_array().unwrap().iter().any(|item| item["id"] == id)),
            "{event}"
        );
    }
}

#[test]
fn an_answer_that_was_cut_short_says_so() {
    for (reason, status, why) in [
        (FinishReason::Length, "incomplete", json!("max_output_tokens")),
        (FinishReason::ContentFilter, "incomplete", json!("content_filter")),
        (FinishReason::Stop, "completed", Value::Null),
    ] {
        let finish = Finish { reason, raw: "x".into(), stop_sequence: None };
        let events = [
            StreamEvent::Start { id: "".into(), model: "".into(), created: None, extras: Extras::default() },
            StreamEvent::Finish { choice: 0, finish },
            StreamEvent::End,
        ];
        let (events, _) = payloads(&events, &ChatRequest::default());
        let last = events.last().unwrap();
        assert_eq!(last["type"], format!("response.{status}"));
        assert_eq!(
            (&last["response"]["status"], &last["response"]["incomplete_details"]["reason"]),
            (&json!(status), &why)
        );
    }
}
