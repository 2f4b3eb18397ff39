//! Cohere's dialect: the laws on made-up requests and answers, what a request of another dialect becomes, and streams that
//! end otherwise than they should.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Document, DocumentContent, FinishReason, Minted, Part, PartKind, RawJson,
    Reasoning, Role, StreamEvent, Thought, ToolKind, Turn, fold, unfold,
};
use trunkline_domain::{Dialect, Usage};
use trunkline_wire::codec::{AnswerProblem, LossKind, Subject};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::frame::Frame;
use trunkline_wire::recast::{EncodeTarget, Frames, Losses, StreamRecast};

use super::cohere_generate as generate;
use super::{
    Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request, events,
    identity, json, stream,
};

const COHERE: Dialect = Dialect::CohereChat;
const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

type Lost = Vec<(String, Subject, LossKind)>;

fn lost(losses: &Losses) -> Lost {
    losses.as_slice().iter().map(|loss| (loss.path.to_string(), loss.subject, loss.kind)).collect()
}

fn translate(from: Dialect, to: Dialect, body: &Value) -> (Value, Lost) {
    let request = decode_request(from, body.to_string().as_bytes());
    let (bytes, losses) = encode_request(to, &request, &TOLERANT);
    (json(&bytes), lost(&losses))
}

/// An answer without the provider's own word for its end, which is kept only where it says the same as the class.
fn unworded(response: ChatResponse) -> ChatResponse {
    let mut response = bare_response(response);
    for finish in response.choices.iter_mut().filter_map(|choice| choice.finish.as_mut()) {
        finish.raw = "".into();
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(COHERE, written.to_string().as_bytes());
        let (again, losses) = encode_request(COHERE, &request, &TOLERANT);
        prop_assert_eq!(json(&again), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(COHERE, written.to_string().as_bytes()));
        // Instructions that stand elsewhere than at the head are put in their own spelling only.
        let first = request.turns.first().is_some_and(|turn| turn.role == Role::System);
        let head = usize::from(first);
        let mut at = 0;
        request.turns.retain(|turn| { at += 1; at <= head || turn.role != Role::System });
        // Tools' turns that follow each other are one.
        request.turns.dedup_by(|later, earlier| {
            let joins = later.role == Role::Tool && earlier.role == Role::Tool;
            if joins { earlier.parts.append(&mut later.parts); }
            joins
        });
        // A tool without a schema gets one.
        for tool in &mut request.tools {
            if let ToolKind::Function { parameters, .. } = &mut tool.kind {
                parameters.get_or_insert_with(|| RawJson::parse("{}").unwrap());
            }
        }
        let (bytes, losses) = encode_request(COHERE, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(COHERE, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(COHERE).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(COHERE).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(COHERE).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(COHERE, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let (read, ending) = events(COHERE, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        let streamed = unworded(fold(read));
        prop_assert_eq!(&streamed, &unworded(buffered));
        prop_assert_eq!(streamed, unworded(response));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), answer in generate::response(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        for written in [written, answer] {
            let mut bytes = written.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = with;
            if let Ok(envelope) = Envelope::parse(bytes.clone().into())
                && let Ok(request) = codec(COHERE).decode_request(&envelope)
            {
                encode_request(COHERE, &request, &TOLERANT);
                encode_request(CHAT, &request, &TOLERANT);
            }
            drop(codec(COHERE).decode_response(&bytes, &TOLERANT));
            let data = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
            assert_sequential(&events(COHERE, &TOLERANT, [data.as_slice()]).0);
        }
    }
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (json!({ "model": "m" }), "messages"),
        (json!({ "model": "m", "messages": {} }), "messages"),
        (json!({ "model": "m", "messages": [{ "role": "user" }, { "role": "robot" }] }), "messages[1].role"),
        (json!({ "model": "m", "messages": [{ "role": "user", "content": 5 }] }), "messages[0].content"),
        (
            json!({ "model": "m", "messages": [{ "role": "tool", "content": "a" }] }),
            "messages[0].tool_call_id",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "user", "tool_plan": "a" }] }),
            "messages[0].tool_plan",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [{ "id": "c" }] }] }),
            "messages[0].tool_calls[0]",
        ),
        (json!({ "model": "m", "messages": [], "p": "high" }), "p"),
    ] {
        let error =
            codec(COHERE).decode_request(&super::super::envelope(&body.to_string())).expect_err("none");
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field), "{}", error.message);
    }
}

#[test]
fn a_request_of_openai_becomes_one_of_cohere() {
    let tool = |name: &str| json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object" }, "strict": true } });
    let (body, losses) = translate(
        CHAT,
        COHERE,
        &json!({
            "model": "command-a", "max_completion_tokens": 9, "top_p": 1, "stop": "x", "temperature": 0.5, "user": "u", "n": 1,
            "tools": [tool("f"), { "type": "function", "function": { "name": "g" } }], "tool_choice": "required", "reasoning_effort": "low",
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "strict": true, "schema": { "type": "object" } } },
            "messages": [
                { "role": "system", "content": "a" }, { "role": "developer", "content": "b" },
                { "role": "user", "content": [{ "type": "text", "text": "See" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
                { "role": "system", "content": "late" },
                { "role": "assistant", "content": "Now", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"a\": 1" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "one" },
            ],
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "command-a", "max_tokens": 9, "p": 0.99, "stop_sequences": ["x"], "temperature": 0.5,
            "strict_tools": true, "tool_choice": "REQUIRED", "thinking": { "type": "enabled", "token_budget": 1 },
            "tools": [
                { "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } },
                { "type": "function", "function": { "name": "g", "parameters": { "type": "object", "properties": {} } } },
            ],
            "response_format": { "type": "json_object", "json_schema": { "type": "object" } },
            "messages": [
                { "role": "system", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "user", "content": [{ "type": "text", "text": "See" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
                { "role": "user", "content": "late" },
                { "role": "assistant", "content": "Now", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"a\": 1" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "one" },
            ],
        })
    );
    let adapted = |path: &str, subject| (path.to_owned(), subject, LossKind::Adapted);
    let dropped = |path: &str, subject| (path.to_owned(), subject, LossKind::Dropped);
    assert_eq!(
        losses,
        [
            adapted("tools[1].strict", Subject::Tools),
            adapted("turns[3]", Subject::Content),
            dropped("output.format.name", Subject::Other),
            adapted("reasoning.effort", Subject::Reasoning),
            adapted("top_p", Subject::Sampling),
            dropped("user", Subject::Labels),
        ]
    );
}

#[test]
fn a_tool_that_must_be_called_is_the_only_one_offered() {
    let function = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let body = json!({ "model": "m", "messages": [], "tools": [function("f"), function("g")], "tool_choice": function("g") });
    let (body, losses) = translate(CHAT, COHERE, &body);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&body["tools"][0]["function"]["name"], &body["tool_choice"]),
        (&json!("g"), &json!("REQUIRED"))
    );
    assert_eq!(losses, [("tool_choice".to_owned(), Subject::Tools, LossKind::Adapted)]);
}

#[test]
fn a_request_of_anthropic_becomes_one_of_cohere() {
    let document = |citations: bool| json!({ "type": "document", "title": "T", "citations": { "enabled": citations }, "source": { "type": "text", "media_type": "text/plain", "data": "words" } });
    let image =
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } });
    let (body, losses) = translate(
        MESSAGES,
        COHERE,
        &json!({
            "model": "m", "max_tokens": 100, "thinking": { "type": "enabled", "budget_tokens": 64 },
            "messages": [
                { "role": "user", "content": [document(true), document(false), { "type": "text", "text": "Q", "cache_control": { "type": "ephemeral" } }] },
                { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm", "signature": "c2ln" }, { "type": "redacted_thinking", "data": "x" }, { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } }] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [{ "type": "text", "text": "bad" }, image] }] },
            ],
        }),
    );
    assert_eq!(body["documents"], json!([{ "data": { "text": "words", "title": "T" } }]));
    assert_eq!(body["thinking"], json!({ "type": "enabled", "token_budget": 64 }));
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [{ "type": "text", "text": "words" }, { "type": "text", "text": "Q" }] },
            { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm" }], "tool_calls": [{ "id": "t", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }] },
            { "role": "tool", "tool_call_id": "t", "content": "bad" },
            { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
        ])
    );
    let paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    assert_eq!(
        paths,
        [
            "turns[0].parts[0]",
            "turns[0].parts[1]",
            "turns[0].parts[2].cache",
            "turns[1].parts[1]",
            "turns[1].parts[0].signature",
            "turns[2].parts[0].is_error",
            "turns[2].parts[0]",
        ]
    );
}

#[test]
fn beside_a_form_of_answer_a_document_is_text() {
    let document = Document {
        content: DocumentContent::Text("words".into()),
        media_type: None,
        name: None,
        context: None,
        citations: Some(true),
    };
    let turn = Turn::new(Role::User, vec![PartKind::Document(document).into()]);
    let mut request = ChatRequest { model: "m".into(), turns: vec![turn], ..ChatRequest::default() };
    request.output.format = Some(trunkline_domain::chat::OutputFormat::JsonObject);
    let body = json(&encode_request(COHERE, &request, &TOLERANT).0);
    assert_eq!(body["documents"], Value::Null);
    assert_eq!(body["messages"][0]["content"], json!([{ "type": "text", "text": "words" }]));
}

#[test]
fn an_unknown_field_is_one_named_loss_elsewhere() {
    let (_, losses) = translate(
        COHERE,
        CHAT,
        &json!({
            "model": "m", "x_request": 1, "x_null": null, "safety_mode": "OFF",
            "tools": [{ "type": "function", "x_tool": 1, "function": { "name": "f" } }],
            "thinking": { "type": "enabled", "x_thinking": 1 },
            "messages": [{ "role": "user", "x_turn": 1, "content": [{ "type": "text", "text": "a", "x_part": 1 }] }],
        }),
    );
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "reasoning.x_thinking",
            "safety_mode",
            "tools[0].x_tool",
            "turns[0].parts[0].x_part",
            "turns[0].x_turn",
            "x_request"
        ]
    );
    let body = json!({ "model": "m", "x_request": 1, "messages": [{ "role": "user", "x_turn": 1, "content": "a" }] });
    let (_, losses) = translate(CHAT, COHERE, &body);
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["turns[0].x_turn", "x_request"]);
}

#[test]
fn the_holds_cap_is_sent_and_thinking_is_its_share() {
    let mut request = ChatRequest { model: "m".into(), ..ChatRequest::default() };
    request.sampling.output_max = Some(5000);
    for (effort, thinking) in
        [("none", json!({ "type": "disabled" })), ("high", json!({ "type": "enabled", "token_budget": 800 }))]
    {
        let effort = trunkline_domain::chat::Effort::parse(effort);
        request.reasoning = Some(Reasoning { effort, ..Reasoning::default() });
        let target = EncodeTarget {
            model: "command-a",
            quirks: &TOLERANT,
            stream: true,
            output_cap: Some(1000),
            output_max: None,
            minter: None,
        };
        let bytes = codec(COHERE).encode_request(&request, &target, &mut Losses::default()).unwrap();
        assert_eq!(
            json(&bytes),
            json!({ "model": "command-a", "messages": [], "thinking": thinking, "max_tokens": 1000, "stream": true })
        );
    }
}

#[test]
fn signatures_are_never_sent() {
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let part = Part {
        signature: Some(Minted::unknown(MESSAGES, "c2ln".into())),
        ..Part::new(PartKind::Reasoning(thought))
    };
    let turns = vec![Turn::new(Role::Assistant, vec![part])];
    let request = ChatRequest { model: "m".into(), turns, ..ChatRequest::default() };
    let (bytes, losses) = encode_request(COHERE, &request, &TOLERANT);
    assert!(!String::from_utf8_lossy(&bytes).contains("c2ln"));
    assert_eq!(
        lost(&losses),
        [("turns[0].parts[0].signature".to_owned(), Subject::State, LossKind::Dropped)]
    );
}

fn sse(events: &[Value]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| {
            format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("x")).into_bytes()
        })
        .collect()
}

#[test]
fn an_error_in_mid_stream_ends_it_and_garbage_is_no_answer() {
    let start = json!({ "type": "message-start", "id": "a", "delta": { "message": { "role": "assistant", "content": [] } } });
    let said = json!({ "type": "content-delta", "index": 0, "delta": { "message": { "content": { "text": "a" } } } });
    let failed = json!({ "type": "message-end", "delta": { "finish_reason": "ERROR", "error": "boom" } });
    for error in [failed, json!({ "message": "boom" })] {
        let (read, ending) =
            events(COHERE, &TOLERANT, [sse(&[start.clone(), said.clone(), error]).as_slice()]);
        let Ending::Problem(AnswerProblem::Error(words)) = ending else { panic!("{ending:?}") };
        assert_eq!(words.message.as_deref(), Some("boom"));
        assert!(matches!(read.first(), Some(StreamEvent::Start { .. })));
    }
    let stray = json!({ "type": "tool-call-delta", "index": 0, "delta": { "message": { "tool_calls": { "function": { "arguments": "{" } } } } });
    for garbage in [json!([]), json!({}), json!({ "type": 1 }), stray] {
        let (_, ending) = events(COHERE, &TOLERANT, [sse(&[start.clone(), garbage]).as_slice()]);
        assert_eq!(ending, Ending::Problem(AnswerProblem::Malformed));
    }
    assert_eq!(events(COHERE, &TOLERANT, [sse(&[start, said]).as_slice()]).1, Ending::Cut);
}

#[test]
fn errors_say_what_cohere_says() {
    let words = codec(COHERE).read_error(br#"{"id":"x","message":"invalid api token"}"#).unwrap();
    assert_eq!((words.message.as_deref(), words.code), (Some("invalid api token"), None));
    assert!(codec(COHERE).read_error(b"<html>").is_none());
    let long = json!({ "message": "\u{e9}".repeat(5000) });
    let words = codec(COHERE).read_error(long.to_string().as_bytes()).unwrap();
    assert_eq!(words.message.unwrap().len(), 2048);
}

#[test]
fn usage_is_what_is_billed() {
    let usage = |usage: Value| {
        let body = json!({ "id": "a", "message": { "role": "assistant" }, "finish_reason": "COMPLETE", "usage": usage });
        codec(COHERE).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap().usage
    };
    let billed = json!({ "billed_units": { "input_tokens": 34.0, "output_tokens": 14.0, "search_units": 2 }, "tokens": { "input_tokens": 721.0, "output_tokens": 59.0 }, "cached_tokens": 30 });
    let read = usage(billed).unwrap();
    assert_eq!(
        (read.input_tokens, read.cache_read_tokens, read.output_tokens, read.units.searches),
        (4, 30, 14, 2)
    );
    assert_eq!((read.prompt_total(), read.total()), (34, 48));
    let processed =
        usage(json!({ "tokens": { "input_tokens": 7, "output_tokens": 5 }, "cached_tokens": 99 }));
    let expected = Usage { cache_read_tokens: 7, output_tokens: 5, ..Usage::default() };
    assert_eq!(processed, Some(expected));
    assert_eq!(usage(json!({ "billed_units": {} })), None);
}

#[test]
fn a_stream_of_openai_becomes_one_of_cohere() {
    let chunk = |delta: Value, finish: Value| json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
    let call = |place: u64, arguments: &str, id: Value, name: Value| json!({ "tool_calls": [{ "index": place, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }] });
    let frames = [
        chunk(json!({ "role": "assistant", "content": "Hey" }), Value::Null),
        chunk(call(0, "{}", json!("c1"), json!("f")), Value::Null),
        chunk(call(1, "{\"a\":", json!("c2"), json!("g")), Value::Null),
        chunk(call(1, "1}", Value::Null, Value::Null), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 } }),
    ];
    let request = ChatRequest::default();
    let identity =
        trunkline_wire::recast::AnswerIdentity { id: "r", model: "m", created: 1, request: &request };
    let mut recast = StreamRecast::new(codec(CHAT), &TOLERANT, codec(COHERE), &identity);
    let mut out = Frames::default();
    for frame in frames.iter().map(ToString::to_string).chain(["[DONE]".to_owned()]) {
        recast.frame(&Frame::of_event(format!("data: {frame}\n\n").into()), &mut out);
    }
    let written: Vec<Value> = out
        .take()
        .map(|frame| {
            let text = String::from_utf8(frame.to_vec()).unwrap();
            let (name, data) = text.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data = json(data.as_bytes());
            assert_eq!(data["type"], name);
            data
        })
        .collect();
    let message = |kind: &str, index: u64, message: Value| json!({ "type": kind, "index": index, "delta": { "message": message } });
    let call = |id: &str, name: &str| json!({ "tool_calls": { "id": id, "type": "function", "function": { "name": name, "arguments": "" } } });
    let arguments = |text: &str| json!({ "tool_calls": { "function": { "arguments": text } } });
    assert_eq!(
        written,
        [
            json!({ "type": "message-start", "id": "r", "delta": { "message": { "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [] } } }),
            message("content-start", 0, json!({ "content": { "type": "text", "text": "" } })),
            message("content-delta", 0, json!({ "content": { "text": "Hey" } })),
            json!({ "type": "content-end", "index": 0 }),
            message("tool-call-start", 0, call("c1", "f")),
            message("tool-call-delta", 0, arguments("{}")),
            json!({ "type": "tool-call-end", "index": 0 }),
            message("tool-call-start", 1, call("c2", "g")),
            message("tool-call-delta", 1, arguments("{\"a\":")),
            message("tool-call-delta", 1, arguments("1}")),
            json!({ "type": "tool-call-end", "index": 1 }),
            json!({ "type": "message-end", "id": "r", "delta": { "finish_reason": "TOOL_CALL", "usage": { "billed_units": { "input_tokens": 3, "output_tokens": 2 }, "tokens": { "input_tokens": 3, "output_tokens": 2 } } } }),
        ]
    );
    assert!(out.losses.is_empty(), "{:?}", out.losses);
}

#[test]
fn reasons_have_their_class() {
    for (word, reason) in [
        ("COMPLETE", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("ERROR_LIMIT", FinishReason::ContextWindow),
        ("TIMEOUT", FinishReason::Error),
        ("MOON", FinishReason::Other),
    ] {
        let body = json!({ "id": "a", "message": { "role": "assistant" }, "finish_reason": word });
        let response = codec(COHERE).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        assert_eq!(response.choices[0].finish.as_ref().unwrap().reason, reason, "{word}");
        let identity = identity(&response, &request);
        let again = codec(COHERE).encode_response(&response, &identity, &mut Losses::default());
        assert_eq!(json(&again)["finish_reason"], word);
    }
}
