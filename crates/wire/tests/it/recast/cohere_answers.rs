//! Answers of Cohere's dialect: streams that end otherwise than they should, usage, errors, and what an answer of another
//! dialect becomes.

use serde_json::{Value, json};
use trunkline_domain::Usage;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Choice, Citation, FinishReason, Minted, Part, PartKind, StreamEvent, Thought,
    fold, unfold,
};
use trunkline_wire::codec::{AnswerProblem, Subject};
use trunkline_wire::frame::Frame;
use trunkline_wire::recast::{Frames, Losses, StreamRecast};

use super::cohere::{CHAT, COHERE, MESSAGES, lost};
use super::{Ending, TOLERANT, codec, events, identity, json, stream};

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

#[test]
fn a_call_ends_an_answer_whatever_the_word() {
    let call = json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let stream = sse(&[
        json!({ "type": "message-start", "id": "a" }),
        json!({ "type": "tool-call-start", "index": 0, "delta": { "message": { "tool_calls": call } } }),
        json!({ "type": "message-end", "delta": { "finish_reason": "COMPLETE" } }),
    ]);
    let (read, ending) = events(COHERE, &TOLERANT, [stream.as_slice()]);
    assert_eq!(ending, Ending::Complete);
    assert_eq!(fold(read).choices[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
}

/// Two thoughts of two pieces, and a text that rests on pages of another dialect.
fn cited() -> ChatResponse {
    let thought = Thought { text: vec!["a".into(), "b".into()], ..Thought::default() };
    let signed = Some(Minted::unknown(MESSAGES, "c2ln".into()));
    let thought = Part { signature: signed, ..Part::new(PartKind::Reasoning(thought)) };
    let citation = |span| Citation {
        url: Some("https://a.test".into()),
        title: Some("T".into()),
        cited_text: Some("s".into()),
        span,
        ..Citation::default()
    };
    let text =
        PartKind::Text { text: "h\u{e9}llo".into(), citations: vec![citation(Some((1, 3))), citation(None)] };
    let choice = Choice { parts: vec![thought, text.into()], ..Choice::default() };
    ChatResponse {
        id: "r".into(),
        choices: vec![choice.clone(), Choice { index: 1, ..choice }],
        ..ChatResponse::default()
    }
}

const LOST_OF_CITED: [(&str, Subject); 2] =
    [("choices[1]", Subject::Content), ("choices[0].parts[0].signature", Subject::State)];

fn assert_lost_of_cited(losses: &Losses) {
    let mut lost: Vec<_> = lost(losses).into_iter().map(|(path, subject, _)| (path, subject)).collect();
    lost.sort_by(|(a, _), (b, _)| b.cmp(a));
    assert_eq!(lost.iter().map(|(path, subject)| (&**path, *subject)).collect::<Vec<_>>(), LOST_OF_CITED);
}

#[test]
fn pages_of_another_dialect_are_cited_as_documents() {
    let response = cited();
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = json(&codec(COHERE).encode_response(&response, &identity(&response, &request), &mut losses));
    assert_eq!(
        body["message"]["content"],
        json!([{ "type": "thinking", "thinking": "a\n\nb" }, { "type": "text", "text": "h\u{e9}llo" }])
    );
    let source = json!([{ "type": "document", "document": { "url": "https://a.test", "title": "T", "snippet": "s" } }]);
    assert_eq!(
        body["message"]["citations"],
        json!([
            { "start": 1, "end": 3, "text": "\u{e9}l", "sources": source, "content_index": 1 },
            { "start": 0, "end": 5, "text": "h\u{e9}llo", "sources": source, "content_index": 1 },
        ])
    );
    assert_lost_of_cited(&losses);
}

#[test]
fn blocks_and_citations_of_a_stream_are_numbered() {
    let response = cited();
    let request = ChatRequest::default();
    let (bytes, losses) = stream(COHERE, &unfold(response.clone()), &identity(&response, &request));
    let text = String::from_utf8(bytes).unwrap();
    let written: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| json(data.as_bytes()))
        .collect();
    let numbered: Vec<(&str, Option<u64>)> =
        written.iter().map(|event| (event["type"].as_str().unwrap(), event["index"].as_u64())).collect();
    assert_eq!(
        numbered,
        [
            ("message-start", None),
            ("content-start", Some(0)),
            ("content-delta", Some(0)),
            ("content-delta", Some(0)),
            ("content-delta", Some(0)),
            ("content-end", Some(0)),
            ("content-start", Some(1)),
            ("content-delta", Some(1)),
            ("citation-start", Some(0)),
            ("citation-end", Some(0)),
            ("citation-start", Some(1)),
            ("citation-end", Some(1)),
            ("content-end", Some(1)),
            ("message-end", None),
        ]
    );
    let citations = |at: usize| &written[at]["delta"]["message"]["citations"];
    assert_eq!((&citations(8)["start"], &citations(8)["end"]), (&json!(1), &json!(3)));
    assert_eq!((&citations(10)["end"], &citations(10)["content_index"]), (&json!(5), &json!(1)));
    assert_lost_of_cited(&losses);
}
