//! A stream in translation, seen as the engine sees it; and who minds a loss.

use trunkline_domain::Dialect;
use trunkline_domain::chat::ChatRequest;
use trunkline_wire::codec::{ErrorWords, FrameClass, LossKind, Subject};
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::{DoneMarker, Quirks};
use trunkline_wire::recast::{
    AnswerIdentity, Cut, Frames, LOSSES_MAX, LossPolicy, Losses, StreamRecast, Tolerance,
};

use super::{TOLERANT, caller, codec, decode_request};

fn frame(data: &str) -> Frame {
    Frame::of_event(format!("data: {data}\n\n").into())
}

fn recast(request: &ChatRequest, quirks: &Quirks) -> StreamRecast {
    let identity = AnswerIdentity { id: "ours", model: "alias", created: 7, request };
    StreamRecast::new(codec(Dialect::OpenaiChat), quirks, caller(Dialect::OpenaiChat), &identity)
}

const TEXT: &str = r#"{"id":"c1","model":"up","choices":[{"index":0,"delta":{"content":"hello"}}]}"#;
const STOP: &str = r#"{"id":"c1","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn frames_are_classified_like_the_relays() {
    let request = decode_request(
        Dialect::OpenaiChat,
        br#"{"model":"m","messages":[],"stream_options":{"include_usage":true}}"#,
    );
    let mut recast = recast(&request, &TOLERANT);
    let mut out = Frames::default();
    for (data, expected) in [
        (
            r#"{"id":"c1","model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            FrameClass::Preamble,
        ),
        (TEXT, FrameClass::Content),
        (
            r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
            FrameClass::UsageOnly,
        ),
        (STOP, FrameClass::Content),
        ("[DONE]", FrameClass::Terminal),
    ] {
        assert_eq!(recast.frame(&frame(data), &mut out), expected, "{data}");
    }
    assert_eq!(recast.frame(&Frame::of_event(": ping\n\n".into()), &mut out), FrameClass::Heartbeat);
    assert_eq!(recast.finish(&mut out), Ok(()));
    let facts = recast.facts();
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref(), facts.finish.as_deref()),
        (Some("c1"), Some("up"), Some("stop"))
    );
    assert_eq!((facts.output_bytes, facts.usage.unwrap().total()), (5, 7));
    let text: Vec<String> = out.take().map(|frame| String::from_utf8_lossy(&frame).into_owned()).collect();
    assert!(text.iter().all(|frame| frame.ends_with("\n\n")), "whole frames");
    assert!(text[0].contains(r#""id":"ours""#) && text[0].contains(r#""model":"alias""#));
    assert!(text[text.len() - 2].contains(r#""choices":[],"usage":{"prompt_tokens":3"#));
    assert_eq!(text.last().unwrap(), "data: [DONE]\n\n");
}

#[test]
fn an_error_ends_the_stream() {
    let request = ChatRequest::default();
    let mut recast = recast(&request, &TOLERANT);
    let mut out = Frames::default();
    recast.frame(&frame(TEXT), &mut out);
    let words = ErrorWords { message: Some("busy".into()), ..ErrorWords::default() };
    assert_eq!(recast.frame(&frame(r#"{"error":"busy"}"#), &mut out), FrameClass::Error(words));
    let written = out.take().count();
    assert_eq!(recast.frame(&frame(TEXT), &mut out), FrameClass::Heartbeat);
    assert_eq!((out.take().count(), written > 0), (0, true), "nothing behind an error");
}

#[test]
fn an_end_is_owed_only_where_the_server_may_leave_it_out() {
    for (done_marker, data, expected) in [
        (DoneMarker::Required, STOP, Err(Cut)),
        (DoneMarker::Optional, TEXT, Err(Cut)),
        (DoneMarker::Optional, STOP, Ok(())),
    ] {
        let request = ChatRequest::default();
        let mut recast = recast(&request, &Quirks { done_marker, ..TOLERANT });
        let mut out = Frames::default();
        recast.frame(&frame(data), &mut out);
        assert_eq!(recast.finish(&mut out), expected);
        let ended = out.take().last().is_some_and(|frame| frame == "data: [DONE]\n\n");
        assert_eq!(ended, expected.is_ok());
    }
}

#[test]
fn losses_are_bounded_and_none_that_matters_is_missed() {
    let mut losses = Losses::default();
    for number in 0..LOSSES_MAX * 2 {
        losses.dropped(Subject::Sampling, format!("x{number}"), "no such field");
    }
    losses.adapted(Subject::Tools, "tools", "renamed");
    losses.adapted(Subject::Tools, "tools", "renamed");
    assert_eq!(losses.as_slice().len(), LOSSES_MAX + 1);
    let losses = losses.as_slice();
    assert_eq!(LossPolicy::default().intolerable(losses), None);
    let strict = LossPolicy::STRICT.intolerable(losses).unwrap();
    assert_eq!((&*strict.path, strict.kind), ("x0", LossKind::Dropped));
    let tools = LossPolicy::default().with(Subject::Tools, Tolerance::Require);
    assert_eq!(tools.intolerable(losses).unwrap().path, "tools");
}

#[test]
fn usage_is_for_those_who_ask_and_is_metered_anyway() {
    const USAGE: &str = r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    for (options, told) in
        [("{\"include_usage\":true}", true), ("{\"include_usage\":false}", false), ("null", false)]
    {
        let body = format!(r#"{{"model":"m","messages":[],"stream_options":{options}}}"#);
        let request = decode_request(Dialect::OpenaiChat, body.as_bytes());
        let mut recast = recast(&request, &TOLERANT);
        let mut out = Frames::default();
        for data in [TEXT, STOP, USAGE, "[DONE]"] {
            recast.frame(&frame(data), &mut out);
        }
        let written: Vec<u8> = out.take().flat_map(|frame| frame.to_vec()).collect();
        assert_eq!(String::from_utf8(written).unwrap().contains("\"usage\""), told, "{options}");
        assert_eq!(recast.facts().usage.unwrap().total(), 7);
    }
}

#[test]
fn an_answer_of_nothing_has_a_beginning_in_every_dialect() {
    let request = ChatRequest::default();
    let identity = AnswerIdentity { id: "ours", model: "alias", created: 7, request: &request };
    let to = codec(Dialect::AnthropicMessages);
    let mut recast = StreamRecast::new(codec(Dialect::OpenaiChat), &TOLERANT, to, &identity);
    let mut out = Frames::default();
    assert_eq!(recast.frame(&frame("[DONE]"), &mut out), FrameClass::Terminal);
    let names: Vec<_> = out.take().map(|raw| Frame::of_event(raw).event().unwrap().to_vec()).collect();
    assert_eq!(names, [&b"message_start"[..], b"message_delta", b"message_stop"]);
}
