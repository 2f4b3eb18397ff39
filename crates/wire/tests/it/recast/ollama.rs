//! Ollama's dialect: the laws on made-up requests and answers, what a request of another dialect becomes, and streams that
//! end otherwise than they should.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Choice, Citation, Delta, Effort, Finish, FinishReason, Minted, Part, PartKind,
    RawJson, Reasoning, Role, StreamEvent, Thinking, Thought, ToolCall, ToolCallKind, ToolKind, Turn, fold,
    unfold,
};
use trunkline_domain::{Dialect, Text};
use trunkline_wire::codec::{AnswerProblem, LossKind, Subject};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::frame::Frame;
use trunkline_wire::recast::{AnswerIdentity, EncodeTarget, Frames, Losses, StreamRecast};

use super::ollama_generate as generate;
use super::{
    Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request, events,
    identity, json, stream,
};

const OLLAMA: Dialect = Dialect::OllamaChat;
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

/// An answer without the provider's own word for its end, which is kept only where it says something.
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
        let request = decode_request(OLLAMA, written.to_string().as_bytes());
        let (again, losses) = encode_request(OLLAMA, &request, &TOLERANT);
        prop_assert_eq!(json(&again), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(OLLAMA, written.to_string().as_bytes()));
        // A tool without a schema gets one.
        for tool in &mut request.tools {
            if let ToolKind::Function { parameters, .. } = &mut tool.kind {
                parameters.get_or_insert_with(|| RawJson::parse("{}").unwrap());
            }
        }
        let (bytes, losses) = encode_request(OLLAMA, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(OLLAMA, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(OLLAMA).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(OLLAMA).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(OLLAMA).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(OLLAMA, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let (read, ending) = events(OLLAMA, &TOLERANT, bytes.chunks(size));
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
                && let Ok(request) = codec(OLLAMA).decode_request(&envelope)
            {
                encode_request(OLLAMA, &request, &TOLERANT);
                encode_request(CHAT, &request, &TOLERANT);
            }
            drop(codec(OLLAMA).decode_response(&bytes, &TOLERANT));
            assert_sequential(&events(OLLAMA, &TOLERANT, [bytes.as_slice()]).0);
        }
    }
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (json!({ "model": "m" }), "messages"),
        (json!({ "model": "m", "messages": {} }), "messages"),
        (json!({ "model": "m", "messages": [{ "role": "user" }, { "role": "robot" }] }), "messages[1].role"),
        (json!({ "model": "m", "messages": [{ "role": "user", "content": [] }] }), "messages[0]"),
        (json!({ "model": "m", "messages": [{ "role": "user", "thinking": "a" }] }), "messages[0].thinking"),
        (
            json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [{ "function": { "name": "f", "arguments": "{}" } }] }] }),
            "messages[0].tool_calls[0]",
        ),
        (json!({ "model": "m", "messages": [], "options": { "seed": "x" } }), "options"),
    ] {
        let error =
            codec(OLLAMA).decode_request(&super::super::envelope(&body.to_string())).expect_err("none");
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field), "{}", error.message);
    }
}

#[test]
fn a_request_of_openai_becomes_one_of_ollama() {
    let call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let (body, losses) = translate(
        CHAT,
        OLLAMA,
        &json!({
            "model": "qwen3", "max_completion_tokens": 9, "top_p": 1, "stop": "x", "temperature": 0.5, "user": "u", "reasoning_effort": "low",
            "logprobs": true, "top_logprobs": 2, "presence_penalty": 0.5,
            "tools": [{ "type": "function", "function": { "name": "f", "strict": true } }], "tool_choice": "auto",
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } },
            "messages": [
                { "role": "developer", "content": "a" },
                { "role": "user", "content": [{ "type": "text", "text": "See" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }, { "type": "text", "text": "that" }] },
                { "role": "assistant", "tool_calls": [call("c1", "{\"a\": 1}"), call("c2", ""), call("c3", "nonsense")] },
                { "role": "tool", "tool_call_id": "c1", "content": "one" },
                { "role": "tool", "tool_call_id": "c9", "content": "two" },
            ],
        }),
    );
    let called =
        |id: &str, arguments: Value| json!({ "id": id, "function": { "name": "f", "arguments": arguments } });
    assert_eq!(
        body,
        json!({
            "model": "qwen3", "stream": false, "think": "low", "logprobs": true, "top_logprobs": 2, "format": { "type": "object" },
            "options": { "num_predict": 9, "temperature": 0.5, "top_p": 1, "presence_penalty": 0.5, "stop": ["x"] },
            "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object", "properties": {} } } }],
            "messages": [
                { "role": "system", "content": "a" },
                { "role": "user", "content": "See\n\nthat", "images": ["AAAA"] },
                { "role": "assistant", "content": "", "tool_calls": [called("c1", json!({ "a": 1 })), called("c2", json!({})), called("c3", json!({ "input": "nonsense" }))] },
                { "role": "tool", "content": "one", "tool_name": "f", "tool_call_id": "c1" },
                { "role": "tool", "content": "two", "tool_call_id": "c9" },
            ],
        })
    );
    let adapted = |path: &str, subject| (path.to_owned(), subject, LossKind::Adapted);
    let dropped = |path: &str, subject| (path.to_owned(), subject, LossKind::Dropped);
    assert_eq!(
        losses,
        [
            adapted("tools[0].strict", Subject::Tools),
            adapted("turns[1]", Subject::Content),
            adapted("turns[2].parts[2].arguments", Subject::Tools),
            dropped("output.format.name", Subject::Other),
            dropped("user", Subject::Labels),
        ]
    );
}

#[test]
fn which_tool_to_call_is_said_by_what_is_offered() {
    let function = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let ask = |choice: Value| {
        let body = json!({ "model": "m", "messages": [], "tools": [function("f"), function("g")], "tool_choice": choice });
        let (body, losses) = translate(CHAT, OLLAMA, &body);
        let offered = body["tools"].as_array().map_or(0, Vec::len);
        (offered, losses.into_iter().map(|(_, _, kind)| kind).collect::<Vec<_>>())
    };
    assert_eq!(ask(json!("auto")), (2, vec![]));
    assert_eq!(ask(json!("none")), (0, vec![LossKind::Adapted]));
    assert_eq!(ask(function("g")), (1, vec![LossKind::Adapted]));
    assert_eq!(ask(json!("required")), (2, vec![LossKind::Dropped]));
}

#[test]
fn a_request_of_anthropic_becomes_one_of_ollama() {
    let image = |source: Value| json!({ "type": "image", "source": source });
    let inline = image(json!({ "type": "base64", "media_type": "image/png", "data": "AAAA" }));
    let (body, losses) = translate(
        MESSAGES,
        OLLAMA,
        &json!({
            "model": "m", "max_tokens": 100, "top_k": 5, "thinking": { "type": "disabled" },
            "messages": [
                { "role": "user", "content": [image(json!({ "type": "url", "url": "https://a.test/b.png" })), { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "words" } }] },
                { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm", "signature": "c2ln" }, { "type": "redacted_thinking", "data": "x" }, { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } }] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [{ "type": "text", "text": "bad" }, inline] }] },
            ],
        }),
    );
    assert_eq!(
        (&body["think"], &body["options"]),
        (&json!(false), &json!({ "num_predict": 100, "top_k": 5 }))
    );
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": "words" },
            { "role": "assistant", "thinking": "hm", "content": "", "tool_calls": [{ "id": "t", "function": { "name": "f", "arguments": { "a": 1 } } }] },
            { "role": "tool", "content": "bad", "images": ["AAAA"], "tool_name": "f", "tool_call_id": "t" },
        ])
    );
    assert_eq!(
        losses.iter().map(|(path, subject, kind)| (&**path, *subject, *kind)).collect::<Vec<_>>(),
        [
            ("turns[0].parts[0]", Subject::Content, LossKind::Dropped),
            ("turns[0].parts[1]", Subject::Content, LossKind::Adapted),
            ("turns[1].parts[0].signature", Subject::State, LossKind::Dropped),
            ("turns[1].parts[1].signature", Subject::State, LossKind::Dropped),
            ("turns[1].parts[1]", Subject::State, LossKind::Dropped),
            ("turns[2].parts[0].is_error", Subject::Tools, LossKind::Adapted),
        ]
    );
}

#[test]
fn thinking_is_asked_for_by_switch_or_level() {
    let ask = |reasoning: Reasoning| {
        let mut request =
            ChatRequest { model: "m".into(), reasoning: Some(reasoning), ..ChatRequest::default() };
        request.sampling.output_max = Some(1000);
        let (bytes, losses) = encode_request(OLLAMA, &request, &TOLERANT);
        (json(&bytes)["think"].clone(), losses.as_slice().len())
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    assert_eq!(ask(effort(Effort::None)), (json!(false), 0));
    assert_eq!(ask(effort(Effort::Minimal)), (json!("low"), 1));
    assert_eq!(ask(effort(Effort::Medium)), (json!("medium"), 0));
    assert_eq!(ask(effort(Effort::XHigh)), (json!("high"), 1));
    assert_eq!(ask(effort(Effort::Max)), (json!("max"), 0));
    let thinking = |thinking, budget_tokens| Reasoning {
        thinking: Some(thinking),
        budget_tokens,
        ..Reasoning::default()
    };
    assert_eq!(ask(thinking(Thinking::Enabled, None)), (json!(true), 0));
    assert_eq!(ask(thinking(Thinking::Enabled, Some(500))), (json!("medium"), 1));
    assert_eq!(ask(thinking(Thinking::Disabled, Some(500))), (json!(false), 0));
    assert_eq!(ask(Reasoning::default()), (Value::Null, 0));
}

#[test]
fn the_holds_cap_takes_the_place_of_none() {
    let body = json!({ "model": "m", "messages": [], "options": { "num_predict": -1 } });
    let request = decode_request(OLLAMA, body.to_string().as_bytes());
    for (stream, cap, options) in [(false, Some(7), 7), (true, None, -1)] {
        let target = EncodeTarget {
            model: "qwen3",
            quirks: &TOLERANT,
            stream,
            output_cap: cap,
            output_max: None,
            minter: None,
        };
        let bytes = codec(OLLAMA).encode_request(&request, &target, &mut Losses::default()).unwrap();
        let body = json(&bytes);
        assert_eq!((&body["model"], &body["options"]), (&json!("qwen3"), &json!({ "num_predict": options })));
        assert_eq!(
            body.get("stream"),
            (!stream).then_some(&json!(false)),
            "it streams unless told otherwise"
        );
    }
}

#[test]
fn an_unknown_field_is_one_named_loss_elsewhere() {
    let (_, losses) = translate(
        OLLAMA,
        CHAT,
        &json!({
            "model": "m", "x_request": 1, "x_null": null, "keep_alive": "5m", "options": { "num_ctx": 9 },
            "tools": [{ "type": "function", "x_tool": 1, "function": { "name": "f" } }],
            "messages": [{ "role": "user", "x_turn": 1, "content": "a" }],
        }),
    );
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["keep_alive", "options.num_ctx", "tools[0].x_tool", "turns[0].x_turn", "x_request"]);
    let body = json!({ "model": "m", "x_request": 1, "messages": [{ "role": "user", "x_turn": 1, "content": [{ "type": "text", "text": "a", "x_part": 1 }] }] });
    let (_, losses) = translate(CHAT, OLLAMA, &body);
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["turns[0].parts[0].x_part", "turns[0].x_turn", "x_request"]);
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
    let (bytes, losses) = encode_request(OLLAMA, &request, &TOLERANT);
    assert!(!String::from_utf8_lossy(&bytes).contains("c2ln"));
    assert_eq!(
        lost(&losses),
        [("turns[0].parts[0].signature".to_owned(), Subject::State, LossKind::Dropped)]
    );
}

fn lines(pieces: &[Value]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| format!("{piece}\n").into_bytes()).collect()
}

#[test]
fn an_error_in_mid_stream_ends_it_and_garbage_is_no_answer() {
    let said = json!({ "model": "m", "message": { "role": "assistant", "content": "a" }, "done": false });
    let error = json!({ "error": "an error was encountered while running the model" });
    let (read, ending) = events(OLLAMA, &TOLERANT, [lines(&[said.clone(), error]).as_slice()]);
    let Ending::Problem(AnswerProblem::Error(words)) = ending else { panic!("{ending:?}") };
    assert_eq!(words.message.as_deref(), Some("an error was encountered while running the model"));
    assert!(matches!(read.first(), Some(StreamEvent::Start { .. })));
    for garbage in [json!([]), json!({}), json!({ "done": 1 }), json!({ "choices": [] })] {
        let (_, ending) = events(OLLAMA, &TOLERANT, [lines(&[said.clone(), garbage]).as_slice()]);
        assert_eq!(ending, Ending::Problem(AnswerProblem::Malformed));
    }
    assert_eq!(events(OLLAMA, &TOLERANT, [lines(std::slice::from_ref(&said)).as_slice()]).1, Ending::Cut);
    let whole = codec(OLLAMA).decode_response(said.to_string().as_bytes(), &TOLERANT);
    assert_eq!(whole, Err(AnswerProblem::Malformed), "an answer that is not done is none");
    let failed = codec(OLLAMA).decode_response(br#"{"error":"boom"}"#, &TOLERANT);
    assert!(matches!(failed, Err(AnswerProblem::Error(words)) if words.message.as_deref() == Some("boom")));
}

#[test]
fn errors_say_what_ollama_says() {
    let words = codec(OLLAMA).read_error(br#"{"error":"model 'x' not found"}"#).unwrap();
    assert_eq!((words.message.as_deref(), words.code), (Some("model 'x' not found"), None));
    let words = codec(OLLAMA).read_error(br#"{"error":{"message":"no","type":"t"}}"#).unwrap();
    assert_eq!((words.message.as_deref(), words.kind.as_deref()), (Some("no"), Some("t")));
    assert!(codec(OLLAMA).read_error(b"<html>").is_none());
}

#[test]
fn usage_is_two_counts_and_an_old_server_gives_no_reason() {
    let read = |more: &str| {
        let body =
            format!(r#"{{"model":"m","message":{{"role":"assistant","content":"a"}},"done":true{more}}}"#);
        codec(OLLAMA).decode_response(body.as_bytes(), &TOLERANT).unwrap()
    };
    let usage = read(r#","prompt_eval_count":26,"eval_count":298"#).usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total()), (26, 298, 324));
    assert_eq!(read(r#","eval_count":5"#).usage.unwrap().total(), 5);
    assert_eq!(read("").usage, None);
    let finish = read("").choices[0].finish.clone().unwrap();
    assert_eq!(&*finish.raw, "stop");
}

#[test]
fn an_answer_says_when_it_was_made() {
    let body = br#"{"model":"m","created_at":"2023-08-04T08:52:19.385406455-07:00","message":{"role":"assistant","content":"a"},"done":true}"#;
    let response = codec(OLLAMA).decode_response(body, &TOLERANT).unwrap();
    assert_eq!(response.created, Some(1_691_164_339));
    let request = ChatRequest::default();
    let again =
        codec(OLLAMA).encode_response(&response, &identity(&response, &request), &mut Losses::default());
    assert_eq!(json(&again)["created_at"], "2023-08-04T15:52:19Z");
}

#[test]
fn a_stream_of_openai_becomes_one_of_ollama() {
    let chunk = |delta: Value, finish: Value| json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
    let call = |place: u64, arguments: &str, id: Value, name: Value| json!({ "tool_calls": [{ "index": place, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }] });
    let frames = [
        chunk(json!({ "role": "assistant", "reasoning_content": "hm" }), Value::Null),
        chunk(json!({ "content": "Hey" }), Value::Null),
        chunk(call(0, "{}", json!("c1"), json!("f")), Value::Null),
        chunk(call(1, "{\"a\":\n", json!("c2"), json!("g")), Value::Null),
        chunk(call(1, "1}", Value::Null, Value::Null), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 } }),
    ];
    let request = ChatRequest::default();
    let identity = AnswerIdentity { id: "", model: "m", created: 0, request: &request };
    let mut recast = StreamRecast::new(codec(CHAT), &TOLERANT, codec(OLLAMA), &identity);
    let mut out = Frames::default();
    for frame in frames.iter().map(ToString::to_string).chain(["[DONE]".to_owned()]) {
        recast.frame(&Frame::of_event(format!("data: {frame}\n\n").into()), &mut out);
    }
    let written: Vec<Value> = out
        .take()
        .map(|frame| {
            let line = frame.strip_suffix(b"\n").unwrap();
            assert!(!line.contains(&b'\n'), "one value a line");
            json(line)
        })
        .collect();
    let line = |message: Value| json!({ "model": "m", "created_at": "1970-01-01T00:00:00Z", "message": message, "done": false });
    let called = |index: u64, id: &str, name: &str, arguments: Value| {
        let call = json!({ "id": id, "function": { "index": index, "name": name, "arguments": arguments } });
        line(json!({ "role": "assistant", "content": "", "tool_calls": [call] }))
    };
    assert_eq!(
        written,
        [
            line(json!({ "role": "assistant", "content": "", "thinking": "hm" })),
            line(json!({ "role": "assistant", "content": "Hey" })),
            called(0, "c1", "f", json!({})),
            called(1, "c2", "g", json!({ "a": 1 })),
            json!({ "model": "m", "created_at": "1970-01-01T00:00:00Z", "message": { "role": "assistant", "content": "" }, "done_reason": "stop", "done": true, "prompt_eval_count": 3, "eval_count": 2 }),
        ]
    );
    assert!(out.losses.is_empty(), "{:?}", out.losses);
}

#[test]
fn a_stream_of_ollama_becomes_one_of_openai() {
    let pieces = [
        json!({ "model": "q", "created_at": "1970-01-01T00:00:07Z", "message": { "role": "assistant", "content": "", "tool_calls": [{ "function": { "index": 0, "name": "f", "arguments": { "a": 1 } } }] }, "done": false }),
        json!({ "model": "q", "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": "stop", "total_duration": 5 }),
    ];
    let request = ChatRequest::default();
    let identity = AnswerIdentity { id: "ours", model: "m", created: 7, request: &request };
    let mut recast = StreamRecast::new(codec(OLLAMA), &TOLERANT, codec(CHAT), &identity);
    let mut out = Frames::default();
    for piece in pieces {
        recast.frame(&Frame::of_json_line(format!("{piece}\n").into()), &mut out);
    }
    let text: String = out.take().map(|frame| String::from_utf8(frame.to_vec()).unwrap()).collect();
    assert!(
        text.contains(r#""id":"call_0_0""#) && text.contains(r#""finish_reason":"tool_calls""#),
        "{text}"
    );
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert!(out.losses.is_empty(), "{:?}", out.losses);
}

#[test]
fn an_answer_says_in_one_text_what_another_dialect_says_in_pieces() {
    let thought = Thought { text: vec!["a".into(), "b".into()], ..Thought::default() };
    let signed = Some(Minted::unknown(MESSAGES, "c2ln".into()));
    let thought = Part { signature: signed, ..Part::new(PartKind::Reasoning(thought)) };
    let citation = Citation { url: Some("https://a.test".into()), ..Citation::default() };
    let text = PartKind::Text { text: "hi".into(), citations: vec![citation] };
    let finish = Finish { reason: FinishReason::ContentFilter, raw: "x".into(), stop_sequence: None };
    let choice = Choice { parts: vec![thought, text.into()], finish: Some(finish), ..Choice::default() };
    let choices = vec![choice.clone(), Choice { index: 1, ..choice }];
    let response = ChatResponse { choices, ..ChatResponse::default() };
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let identity = identity(&response, &request);
    let body = json(&codec(OLLAMA).encode_response(&response, &identity, &mut losses));
    assert_eq!(body["message"], json!({ "role": "assistant", "content": "hi", "thinking": "a\n\nb" }));
    let (bytes, streamed) = stream(OLLAMA, &unfold(response.clone()), &identity);
    let (read, _) = events(OLLAMA, &TOLERANT, [bytes.as_slice()]);
    let buffered = codec(OLLAMA).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap();
    assert_eq!(fold(read), buffered);
    for losses in [losses, streamed] {
        let mut lost = lost(&losses);
        lost.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        assert_eq!(
            lost,
            [
                ("choices[0].finish".to_owned(), Subject::Other, LossKind::Adapted),
                ("choices[0].parts[0].signature".to_owned(), Subject::State, LossKind::Dropped),
                ("choices[1]".to_owned(), Subject::Content, LossKind::Dropped),
                ("citations".to_owned(), Subject::Content, LossKind::Dropped),
            ]
        );
    }
}

#[test]
fn arguments_without_end_are_not_put_together() {
    let call =
        ToolCall { id: "c".into(), name: "f".into(), kind: ToolCallKind::Function, arguments: "".into() };
    let part = PartKind::ToolCall(call).into();
    let piece: Text = "x".repeat(1 << 20).into();
    let delta = || StreamEvent::PartDelta { choice: 0, index: 0, delta: Delta::Arguments(piece.clone()) };
    let mut written = vec![StreamEvent::PartStart { choice: 0, index: 0, part }];
    written.extend(std::iter::repeat_with(delta).take(5));
    written.extend([StreamEvent::PartStop { choice: 0, index: 0 }, StreamEvent::End]);
    let (response, request) = (ChatResponse::default(), ChatRequest::default());
    let (bytes, losses) = stream(OLLAMA, &written, &identity(&response, &request));
    assert!(bytes.len() < 1000);
    assert_eq!(lost(&losses), [("choices[0].parts[0]".to_owned(), Subject::Tools, LossKind::Dropped)]);
}
