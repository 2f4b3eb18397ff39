//! Answers of Bedrock's dialect: streams that end otherwise than they should, usage, errors, and what an answer of another
//! dialect becomes.

use bytes::Bytes;
use serde_json::{Value, json};
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Choice, Citation, Finish, FinishReason, Media, MediaSource, Minted, Part,
    PartKind, StreamEvent, Thought, fold, unfold,
};
use trunkline_domain::{Text, Usage};
use trunkline_wire::codec::{AnswerProblem, FrameClass, Subject};
use trunkline_wire::frame::Frame;
use trunkline_wire::framing::{Framer, eventstream};
use trunkline_wire::quirks::{DoneMarker, Quirks};
use trunkline_wire::recast::{AnswerIdentity, Frames, Losses, StreamRecast};

use super::bedrock::CONVERSE;
use super::cohere::{CHAT, MESSAGES, lost};
use super::{Ending, TOLERANT, codec, events, identity, json, stream};

fn event(name: &str, payload: &Value) -> Bytes {
    eventstream::event(name, payload.to_string().as_bytes())
}

fn start() -> Bytes {
    event("messageStart", &json!({ "role": "assistant" }))
}

fn delta(index: u64, delta: &Value) -> Bytes {
    event("contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta }))
}

fn stop() -> Bytes {
    event("messageStop", &json!({ "stopReason": "end_turn" }))
}

fn metadata() -> Bytes {
    event("metadata", &json!({ "usage": { "inputTokens": 1, "outputTokens": 2, "totalTokens": 3 } }))
}

fn read(frames: &[Bytes]) -> (Vec<StreamEvent>, Ending) {
    events(CONVERSE, &TOLERANT, [frames.concat().as_slice()])
}

/// Messages, as name and payload.
fn written(bytes: &[u8]) -> Vec<(String, Value)> {
    let mut cutter = Framer::of(CONVERSE, 1 << 20);
    cutter.push(Bytes::copy_from_slice(bytes));
    let frames = std::iter::from_fn(|| cutter.next()).map(|frame| frame.unwrap());
    frames
        .map(|frame| {
            assert_eq!(eventstream::kind(&frame), Some(eventstream::MessageKind::Event));
            (String::from_utf8(frame.event().unwrap().to_vec()).unwrap(), json(frame.data()))
        })
        .collect()
}

#[test]
fn the_stop_sequence_is_among_the_models_own_fields() {
    let fields = |fields: Value| {
        let answer = json!({
            "output": { "message": { "role": "assistant", "content": [{ "text": "a" }] } },
            "stopReason": "stop_sequence", "additionalModelResponseFields": fields,
        });
        let read = codec(CONVERSE).decode_response(answer.to_string().as_bytes(), &TOLERANT).unwrap();
        let stop = event(
            "messageStop",
            &json!({ "stopReason": "stop_sequence", "additionalModelResponseFields": fields }),
        );
        let (events, ending) = self::read(&[start(), delta(0, &json!({ "text": "a" })), stop, metadata()]);
        assert_eq!(ending, Ending::Complete);
        let (whole, streamed) = (read.choices[0].finish.clone().unwrap(), fold(events));
        assert_eq!(streamed.choices[0].finish, Some(whole.clone()));
        (whole.stop_sequence, read.extras.fields().len())
    };
    assert_eq!(fields(json!({ "stop_sequence": "END" })), (Some("END".into()), 0));
    assert_eq!(fields(json!({ "stop_sequence": null })), (None, 0));
    // What else was asked for stays as it is.
    assert_eq!(fields(json!({ "stop_sequence": "END", "top_k": 1 })), (Some("END".into()), 1));
    assert_eq!(fields(json!([1])), (None, 1));
}

#[test]
fn an_exception_in_mid_stream_ends_it() {
    let text = delta(0, &json!({ "text": "a" }));
    for (raw, kind, message) in [
        (
            eventstream::exception("throttlingException", br#"{"message":"Too many tokens"}"#),
            "ThrottlingException",
            Some("Too many tokens"),
        ),
        (
            eventstream::exception(
                "modelStreamErrorException",
                br#"{"message":"m","originalStatusCode":500,"originalMessage":"o"}"#,
            ),
            "ModelStreamErrorException",
            Some("m: o"),
        ),
        (eventstream::exception("internalServerException", b"oops"), "InternalServerException", None),
        (
            eventstream::message(
                &[
                    (":message-type", "error"),
                    (":error-code", "InternalFailure"),
                    (":error-message", "words"),
                ],
                b"",
            ),
            "InternalFailure",
            Some("words"),
        ),
    ] {
        let (said, ending) = read(&[start(), text.clone(), raw]);
        let Ending::Problem(AnswerProblem::Error(words)) = ending else { panic!("{ending:?}") };
        assert_eq!((words.kind.as_deref(), words.code.as_deref()), (Some(kind), Some(kind)));
        assert_eq!(words.message.as_deref(), message);
        assert_eq!(said.len(), 3);
    }
    let (said, ending) = read(&[eventstream::exception("validationException", b"{}")]);
    assert!(said.is_empty() && matches!(ending, Ending::Problem(AnswerProblem::Error(_))));
}

#[test]
fn garbage_is_no_answer() {
    let call = event(
        "contentBlockStart",
        &json!({ "contentBlockIndex": 0, "start": { "toolUse": { "toolUseId": "t", "type": "server_tool_use" } } }),
    );
    let input = |text: &str| delta(0, &json!({ "toolUse": { "input": text } }));
    let block_stop = event("contentBlockStop", &json!({ "contentBlockIndex": 0 }));
    let picture = event(
        "contentBlockStart",
        &json!({ "contentBlockIndex": 0, "start": { "image": { "format": "png" } } }),
    );
    let piece = delta(0, &json!({ "image": { "source": { "bytes": "AA==" } } }));
    for frames in [
        vec![delta(0, &json!({ "text": "a" }))],
        vec![stop()],
        vec![metadata()],
        vec![start(), input("{")],
        vec![start(), delta(0, &json!({ "text": "a" })), input("{")],
        vec![start(), call.clone(), input("{"), block_stop],
        vec![start(), event("contentBlockDelta", &json!({ "delta": {} }))],
        vec![start(), stop(), delta(0, &json!({ "text": "a" }))],
        vec![start(), picture, piece.clone(), piece],
        vec![start(), eventstream::event("contentBlockDelta", b"{")],
        vec![start(), eventstream::message(&[(":event-type", "metadata")], b"{}")],
        vec![start(), eventstream::message(&[(":message-type", "letter")], b"{}")],
    ] {
        let (_, ending) = read(&frames);
        assert_eq!(ending, Ending::Problem(AnswerProblem::Malformed), "{frames:?}");
    }
    let (_, ending) = read(&[start(), event("moonrise", &json!({ "a": 1 })), stop(), metadata()]);
    assert_eq!(ending, Ending::Complete, "what nobody knows is passed over");
}

#[test]
fn a_call_without_an_id_is_the_same_streamed_as_buffered() {
    let call = event(
        "contentBlockStart",
        &json!({ "contentBlockIndex": 0, "start": { "toolUse": { "name": "f" } } }),
    );
    let input = delta(0, &json!({ "toolUse": { "input": "{}" } }));
    let (said, ending) = read(&[start(), call, input, stop(), metadata()]);
    assert_eq!(ending, Ending::Complete);
    let streamed = fold(said);
    let whole = br#"{"output":{"message":{"role":"assistant","content":[{"toolUse":{"name":"f","input":{}}}]}},"stopReason":"end_turn"}"#;
    let buffered = codec(CONVERSE).decode_response(whole, &TOLERANT).unwrap();
    let kinds =
        |answer: &ChatResponse| answer.choices[0].parts.iter().map(|it| it.kind.clone()).collect::<Vec<_>>();
    assert!(matches!(kinds(&streamed)[..], [PartKind::Opaque(_)]), "{streamed:?}");
    assert_eq!(kinds(&streamed), kinds(&buffered));
}

#[test]
fn a_stream_ends_with_its_metadata() {
    let required = [
        (vec![start(), stop()], Ending::Cut),
        (vec![start(), metadata()], Ending::Cut),
        (vec![start()], Ending::Cut),
    ];
    for (frames, expected) in required {
        assert_eq!(read(&frames).1, expected);
    }
    let optional = Quirks { done_marker: DoneMarker::Optional, ..TOLERANT };
    for (frames, expected) in [
        (vec![start(), stop()], Ending::Complete),
        (vec![start(), metadata()], Ending::Cut),
        (vec![start()], Ending::Cut),
    ] {
        assert_eq!(events(CONVERSE, &optional, [frames.concat().as_slice()]).1, expected);
    }
    for frames in [[start(), stop(), metadata()], [start(), metadata(), stop()]] {
        let (said, ending) = read(&frames);
        assert_eq!((ending, said.last()), (Ending::Complete, Some(&StreamEvent::End)));
        assert_eq!(fold(said).usage.unwrap().total(), 3);
    }
}

#[test]
fn blocks_that_do_not_say_where_they_end_follow_each_other() {
    let call = |id: &str, index: u64| {
        event(
            "contentBlockStart",
            &json!({ "contentBlockIndex": index, "start": { "toolUse": { "toolUseId": id, "name": "f" } } }),
        )
    };
    let (said, ending) = read(&[
        start(),
        delta(0, &json!({ "reasoningContent": { "text": "hm", "signature": "c2ln" } })),
        delta(1, &json!({ "text": "a" })),
        call("b", 2),
        call("c", 3),
        delta(3, &json!({ "toolUse": { "input": "{}" } })),
        delta(4, &json!({ "reasoningContent": { "redactedContent": "ZA==" } })),
        delta(4, &json!({ "reasoningContent": { "redactedContent": "ZQ==" } })),
        stop(),
        metadata(),
    ]);
    assert_eq!(ending, Ending::Complete);
    super::assert_sequential(&said);
    let answer = fold(said);
    let kinds: Vec<String> = answer.choices[0].parts.iter().map(|part| format!("{:?}", part.kind)).collect();
    let begins = ["Reasoning", "Text", "ToolCall", "ToolCall", "Reasoning", "Reasoning"];
    assert_eq!(kinds.len(), begins.len());
    for (kind, begin) in kinds.iter().zip(begins) {
        assert!(kind.starts_with(begin), "{kind}");
    }
    // Whatever the word, an answer that calls tools ended for them.
    assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
}

#[test]
fn errors_say_what_bedrock_says() {
    let words = |body: &str| codec(CONVERSE).read_error(body.as_bytes());
    let said =
        words(r#"{"message":"The content field in the Message object at messages.1 is empty."}"#).unwrap();
    assert_eq!(
        said.message.as_deref(),
        Some("The content field in the Message object at messages.1 is empty.")
    );
    assert_eq!((said.kind, said.code), (None, None));
    let said = words(r#"{"Message":"User is not authorized"}"#).unwrap();
    assert_eq!(said.message.as_deref(), Some("User is not authorized"));
    let said =
        words(r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"m"}"#).unwrap();
    assert_eq!(said.kind.as_deref(), Some("UnrecognizedClientException"));
    assert!(words("<html>").is_none());
    let said = words(&json!({ "message": "\u{e9}".repeat(5000) }).to_string()).unwrap();
    assert_eq!(said.message.unwrap().len(), 2048);
    let answer = codec(CONVERSE).decode_response(br#"{"message":"boom"}"#, &TOLERANT);
    let Err(AnswerProblem::Error(said)) = answer else { panic!("{answer:?}") };
    assert_eq!(said.message.as_deref(), Some("boom"));
    for body in ["[]", "{}", r#"{"output":{}}"#, r#"{"output":{"message":{"role":"assistant"}}}"#] {
        assert_eq!(
            codec(CONVERSE).decode_response(body.as_bytes(), &TOLERANT),
            Err(AnswerProblem::Malformed)
        );
    }
}

#[test]
fn cached_tokens_are_apart_from_the_rest() {
    let usage = |usage: Value| {
        let body = json!({ "output": { "message": { "content": [] } }, "usage": usage });
        codec(CONVERSE).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap().usage
    };
    let read = usage(json!({
        "inputTokens": 3, "outputTokens": 20, "totalTokens": 1536, "cacheReadInputTokens": 1000, "cacheWriteInputTokens": 513,
        "cacheDetails": [{ "ttl": "1h", "inputTokens": 500 }, { "ttl": "5m", "inputTokens": 13 }],
        "cacheReadInputTokenCount": 1000, "serverToolUsage": {},
    }))
    .unwrap();
    let expected = Usage {
        input_tokens: 3,
        cache_read_tokens: 1000,
        cache_write_5m_tokens: 13,
        cache_write_1h_tokens: 500,
        output_tokens: 20,
        ..Usage::default()
    };
    assert_eq!((read, read.total()), (expected, 1536));
    let read = usage(json!({ "inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 7 })).unwrap();
    assert_eq!((read.cache_write_5m_tokens, read.cache_write_1h_tokens), (7, 0));
    let read = usage(
        json!({ "inputTokens": 1, "outputTokens": 2, "cacheDetails": [{ "ttl": "1h", "inputTokens": 7 }] }),
    )
    .unwrap();
    assert_eq!((read.cache_write_5m_tokens, read.cache_write_1h_tokens), (0, 7));
    assert_eq!(usage(json!({})), None);
}

#[test]
fn reasons_have_their_class() {
    for (word, reason, own) in [
        ("end_turn", FinishReason::Stop, "end_turn"),
        ("max_tokens", FinishReason::Length, "max_tokens"),
        ("stop_sequence", FinishReason::StopSequence, "stop_sequence"),
        ("guardrail_intervened", FinishReason::ContentFilter, "content_filtered"),
        ("malformed_tool_use", FinishReason::Error, "malformed_model_output"),
        ("model_context_window_exceeded", FinishReason::ContextWindow, "model_context_window_exceeded"),
        ("moonrise", FinishReason::Other, "moonrise"),
    ] {
        let body = json!({ "output": { "message": { "content": [] } }, "stopReason": word });
        let mut response = codec(CONVERSE).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap();
        assert_eq!(response.choices[0].finish.as_ref().unwrap().reason, reason, "{word}");
        let again = |response: &ChatResponse| {
            let request = ChatRequest::default();
            let body = codec(CONVERSE).encode_response(
                response,
                &identity(response, &request),
                &mut Losses::default(),
            );
            json(&body)["stopReason"].as_str().unwrap().to_owned()
        };
        assert_eq!(again(&response), word);
        if reason != FinishReason::Other {
            response.choices[0].finish.as_mut().unwrap().raw = "word".into();
            assert_eq!(again(&response), own);
        }
    }
}

#[test]
fn a_stream_of_bedrock_becomes_one_of_openai() {
    let request = ChatRequest::default();
    let identity = AnswerIdentity { id: "r", model: "m", created: 1, request: &request };
    let mut recast = StreamRecast::new(codec(CONVERSE), &TOLERANT, codec(CHAT), &identity);
    let mut out = Frames::default();
    let mut cutter = Framer::of(CONVERSE, 1 << 20);
    let call = event(
        "contentBlockStart",
        &json!({ "contentBlockIndex": 1, "start": { "toolUse": { "toolUseId": "t", "name": "f" } } }),
    );
    let input = delta(1, &json!({ "toolUse": { "input": "{}" } }));
    for chunk in
        [start(), delta(0, &json!({ "text": "Hi" })), call, input, stop(), metadata()].concat().chunks(7)
    {
        cutter.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = cutter.next() {
            let class = recast.frame(&frame.unwrap(), &mut out);
            assert!(!matches!(class, FrameClass::Error(_) | FrameClass::Malformed), "{class:?}");
        }
    }
    recast.finish(&mut out).unwrap();
    let text: String = out.take().map(|frame| String::from_utf8(frame.to_vec()).unwrap()).collect();
    for part in [
        "\"content\":\"Hi\"",
        "\"id\":\"t\"",
        "\"arguments\":\"{}\"",
        "\"finish_reason\":\"tool_calls\"",
        "[DONE]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(recast.facts().usage.unwrap().total(), 3);
    assert!(out.losses.is_empty(), "{:?}", out.losses);
}

#[test]
fn a_stream_of_openai_becomes_one_of_bedrock() {
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
    let identity = AnswerIdentity { id: "r", model: "m", created: 1, request: &request };
    let mut recast = StreamRecast::new(codec(CHAT), &TOLERANT, codec(CONVERSE), &identity);
    let mut out = Frames::default();
    for frame in frames.iter().map(ToString::to_string).chain(["[DONE]".to_owned()]) {
        recast.frame(&Frame::of_event(format!("data: {frame}\n\n").into()), &mut out);
    }
    let bytes: Vec<u8> = out.take().flat_map(|frame| frame.to_vec()).collect();
    let block = |name: &str, index: u64, member: &str, value: Value| {
        (name.to_owned(), json!({ "contentBlockIndex": index, member: value }))
    };
    let begins = |index, id: &str, name: &str| {
        block("contentBlockStart", index, "start", json!({ "toolUse": { "toolUseId": id, "name": name } }))
    };
    let grows = |index, input: &str| {
        block("contentBlockDelta", index, "delta", json!({ "toolUse": { "input": input } }))
    };
    let ends = |index: u64| ("contentBlockStop".to_owned(), json!({ "contentBlockIndex": index }));
    assert_eq!(
        written(&bytes),
        [
            ("messageStart".to_owned(), json!({ "role": "assistant" })),
            block("contentBlockDelta", 0, "delta", json!({ "text": "Hey" })),
            ends(0),
            begins(1, "c1", "f"),
            grows(1, "{}"),
            ends(1),
            begins(2, "c2", "g"),
            grows(2, "{\"a\":"),
            grows(2, "1}"),
            ends(2),
            ("messageStop".to_owned(), json!({ "stopReason": "tool_use" })),
            (
                "metadata".to_owned(),
                json!({ "usage": { "inputTokens": 3, "outputTokens": 2, "totalTokens": 5, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 0 } })
            ),
        ]
    );
    assert!(out.losses.is_empty(), "{:?}", out.losses);
}

/// An answer of another dialect with one of everything that has no place here, or another one.
fn foreign() -> ChatResponse {
    let state = |value: &str| Some(Minted::unknown(MESSAGES, Text::from(value)));
    let thought =
        Thought { text: vec!["a".into(), "b".into()], summary: vec!["c".into()], ..Thought::default() };
    let hidden = Thought { redacted: true, ..Thought::default() };
    let citation = Citation {
        url: Some("https://a.test".into()),
        title: Some("T".into()),
        span: Some((0, 1)),
        ..Citation::default()
    };
    let picture = |url: &str| Media { source: MediaSource::Url(url.into()), media_type: None, detail: None };
    let parts = vec![
        Part { signature: state("c2ln"), ..PartKind::Reasoning(thought).into() },
        Part { signature: state("aGlk"), ..PartKind::Reasoning(hidden).into() },
        PartKind::Text { text: "t".into(), citations: vec![citation] }.into(),
        PartKind::Text { text: "".into(), citations: vec![] }.into(),
        PartKind::Refusal("no".into()).into(),
        PartKind::Image(picture("https://a.test/a.png")).into(),
        PartKind::Image(picture("s3://bucket/a.png")).into(),
    ];
    let finish =
        Finish { reason: FinishReason::Refusal, raw: "refusal".into(), stop_sequence: Some("x".into()) };
    let choice = Choice {
        parts,
        finish: Some(finish),
        logprobs: Some(trunkline_domain::chat::Logprobs::default()),
        ..Choice::default()
    };
    ChatResponse {
        id: "r".into(),
        choices: vec![choice.clone(), Choice { index: 1, ..choice }],
        ..ChatResponse::default()
    }
}

#[test]
fn an_answer_of_another_dialect_loses_the_same_buffered_and_streamed() {
    let response = foreign();
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = json(&codec(CONVERSE).encode_response(&response, &identity(&response, &request), &mut losses));
    let url = json!({ "title": "T", "location": { "web": { "url": "https://a.test" } } });
    assert_eq!(
        body,
        json!({ "output": { "message": { "role": "assistant", "content": [
            { "reasoningContent": { "reasoningText": { "text": "a\n\nb\n\nc" } } },
            { "citationsContent": { "content": [{ "text": "t" }], "citations": [url] } },
            { "text": "" },
            { "text": "no" },
            { "image": { "format": "png", "source": { "s3Location": { "uri": "s3://bucket/a.png" } } } },
        ] } }, "stopReason": "content_filtered", "additionalModelResponseFields": { "stop_sequence": "x" } })
    );
    let (bytes, streamed) = stream(CONVERSE, &unfold(response.clone()), &identity(&response, &request));
    let paths = |losses: &Losses| {
        let mut paths: Vec<(String, Subject)> =
            lost(losses).into_iter().map(|(path, subject, _)| (path, subject)).collect();
        paths.sort_by(|(a, _), (b, _)| a.cmp(b));
        paths
    };
    let path = |path: &str, subject| (path.to_owned(), subject);
    assert_eq!(
        paths(&losses),
        [
            path("choices[0].parts[0].signature", Subject::State),
            path("choices[0].parts[1]", Subject::State),
            path("choices[0].parts[4]", Subject::Content),
            path("choices[0].parts[5]", Subject::Content),
            path("choices[1]", Subject::Content),
            path("citations.span", Subject::Other),
            path("logprobs", Subject::Sampling),
        ]
    );
    // A withheld thought is known to be lost only once it ends.
    let mut expected: Vec<_> = paths(&losses)
        .into_iter()
        .map(|(path, subject)| {
            (if path == "choices[0].parts[1]" { "choices[0].parts".to_owned() } else { path }, subject)
        })
        .collect();
    expected.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(paths(&streamed), expected);
    let (read, ending) = events(CONVERSE, &TOLERANT, [bytes.as_slice()]);
    assert_eq!(ending, Ending::Complete);
    let again = codec(CONVERSE).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap();
    assert_eq!(super::bare_response(fold(read)), super::bare_response(again));
}

#[test]
fn an_answer_without_an_end_is_written_with_one() {
    let choice = Choice { parts: vec![Part::text("a")], ..Choice::default() };
    let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
    let request = ChatRequest::default();
    let (bytes, _) = stream(CONVERSE, &unfold(response.clone()), &identity(&response, &request));
    let names: Vec<String> = written(&bytes).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]);
    let (read, ending) = events(CONVERSE, &TOLERANT, [bytes.as_slice()]);
    assert_eq!((ending, fold(read).choices[0].finish.clone()), (Ending::Complete, None));
}
