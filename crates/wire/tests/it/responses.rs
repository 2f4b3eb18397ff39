//! OpenAI's Responses, relayed: what a request asks for, which edits it needs, what passes by, and errors.

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_wire::codec::{AnswerProblem, Codec, FrameClass, OutputMax, RelayTarget, Skim};
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::splice::splice;
use trunkline_wire::{can_recast, codec_for};

use super::envelope;

fn codec() -> &'static dyn Codec {
    codec_for(Dialect::OpenaiResponses)
}

fn skim(body: &str) -> Skim {
    codec().skim(&envelope(body)).expect(body)
}

#[test]
fn the_facts_of_a_request_are_read() {
    let facts = skim(
        r#"{"model":"m","stream":true,"max_output_tokens":9,"instructions":"be brief","user":"u","text":{"format":{"type":"json_schema","name":"x","schema":{}}},
            "tools":[{"type":"function","name":"f"},{"type":"web_search"}],
            "input":[{"role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_image","image_url":"data:image/png;base64,AA"},{"type":"input_file","file_id":"f-1"}]}]}"#,
    );
    assert_eq!((&*facts.model, facts.stream, facts.include_usage), ("m", true, true));
    assert_eq!(facts.output_max, Some(OutputMax { field: "max_output_tokens", tokens: 9 }));
    assert!(facts.needs.schema && facts.needs.tools && facts.needs.vision && facts.needs.files);
    assert!(facts.needs.unbounded_fees, "searches have a fee each");
    assert_eq!((facts.messages, facts.inline_media, facts.referenced_media), (2, 1, 1));
    assert_eq!(skim(r#"{"model":"m","input":"four"}"#).text_bytes, 4);
}

#[test]
fn what_a_provider_would_have_to_remember_is_refused_by_name() {
    for field in ["previous_response_id", "conversation", "prompt"] {
        let body = format!(r#"{{"model":"m","input":"x","{field}":"y"}}"#);
        assert_eq!(codec().skim(&envelope(&body)).unwrap_err().field, field);
        skim(&format!(r#"{{"model":"m","input":"x","{field}":null}}"#));
    }
    let background = r#"{"model":"m","input":"x","background":true}"#;
    assert_eq!(codec().skim(&envelope(background)).unwrap_err().field, "background");
    assert_eq!(codec().skim(&envelope(r#"{"model":"m","input":{}}"#)).unwrap_err().field, "input");
}

#[test]
fn the_callers_bytes_pass_but_for_named_edits() {
    let body =
        r#"{ "input" : "h\u00e9", "model":"m", "max_output_tokens": 100, "tags":["t"], "stream":true }"#;
    let (envelope, facts) = (envelope(body), skim(body));
    let target = RelayTarget { model: "m-1", quirks: &Quirks::REFERENCE, output_cap: Some(20) };
    let relay = codec().relay(&envelope, &facts, &target);
    assert!(relay.losses.is_empty() && !relay.withhold_usage);
    let sent = splice(&envelope, &relay.edits).to_bytes();
    assert_eq!(sent, r#"{ "input" : "h\u00e9", "model":"m-1", "max_output_tokens": 20, "stream":true }"#);
}

#[test]
fn an_answer_says_what_it_used() {
    let body = br#"{"id":"resp_1","model":"gpt-x","status":"completed","service_tier":"default","error":null,
        "output":[{"type":"message","content":[{"type":"output_text","text":"four"}]}],
        "usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":17}}"#;
    let facts = codec().read_answer(body, &Quirks::REFERENCE).unwrap();
    let usage = facts.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.cache_read_tokens), (6, 4));
    assert_eq!((usage.output_tokens, usage.reasoning_tokens, usage.total()), (2, 5, 17));
    assert_eq!((facts.output_bytes, facts.finish.as_deref()), (4, Some("completed")));
    let failed =
        br#"{"id":"r","status":"failed","output":[],"error":{"code":"server_error","message":"no"}}"#;
    let Err(AnswerProblem::Error(words)) = codec().read_answer(failed, &Quirks::REFERENCE) else { panic!() };
    assert_eq!(words.code.as_deref(), Some("server_error"));
    assert_eq!(codec().read_answer(b"<html>", &Quirks::REFERENCE), Err(AnswerProblem::Malformed));
    assert_eq!(codec().read_answer(b"{}", &Quirks::REFERENCE), Err(AnswerProblem::Malformed));
}

#[test]
fn a_stream_ends_with_its_own_event_and_with_no_other() {
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    let mut see = |data: &str| tap.frame(&Frame::of_event(Bytes::from(format!("data: {data}\n\n"))));
    assert_eq!(
        see(r#"{"type":"response.created","response":{"id":"resp_1","model":"m","output":[]}}"#),
        FrameClass::Preamble
    );
    assert_eq!(
        see(r#"{"type":"response.output_item.added","item":{"type":"message"}}"#),
        FrameClass::Preamble
    );
    assert_eq!(see(r#"{"type":"response.output_text.delta","delta":"four"}"#), FrameClass::Content);
    assert_eq!(see(r#"{"type":"response.output_text.done","text":"four"}"#), FrameClass::Preamble);
    assert_eq!(see("{"), FrameClass::Malformed);
    let done = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#;
    assert_eq!(see(done), FrameClass::Terminal);
    assert!(tap.complete());
    let facts = tap.facts();
    assert_eq!(
        (facts.output_bytes, facts.usage.unwrap().total(), facts.id.as_deref()),
        (4, 4, Some("resp_1"))
    );
    for broken in [
        r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"no"}}}"#,
        r#"{"type":"error","code":"server_error","message":"no","param":null,"sequence_number":1}"#,
        r#"{"error":{"message":"no","code":"server_error"}}"#,
    ] {
        let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
        let class = tap.frame(&Frame::of_event(Bytes::from(format!("data: {broken}\n\n"))));
        let FrameClass::Error(words) = class else { panic!("{class:?}") };
        assert_eq!((words.message.as_deref(), words.code.as_deref()), (Some("no"), Some("server_error")));
        assert!(!tap.complete());
    }
}

#[test]
fn errors_and_ways_are_the_dialects() {
    let event = codec().error_event(&Error::new(ErrorKind::UpstreamCut, "it broke"));
    assert!(event.starts_with(
        b"event: error\ndata: {\"type\":\"error\",\"code\":\"upstream_cut\",\"message\":\"it broke\""
    ));
    let event = std::str::from_utf8(&event).unwrap();
    assert!(
        event.contains("\"error\":{\"message\":\"it broke\""),
        "without it OpenAI's clients do not raise: {event}"
    );
    assert!(can_recast(Dialect::OpenaiResponses, Dialect::AnthropicMessages));
    assert!(!can_recast(Dialect::AnthropicMessages, Dialect::OpenaiResponses), "by relay alone");
}
