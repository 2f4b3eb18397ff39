//! Anthropic's Messages, relayed: what a request asks for, which edits it needs, what passes by, and errors.

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_wire::codec::{
    AnswerProblem, Codec, ErrorWords, FrameClass, LossKind, Needs, OutputMax, RelayEdits, RelayTarget, Skim,
    Subject,
};
use trunkline_wire::frame::Frame;
use trunkline_wire::headers::{Direction, crossing};
use trunkline_wire::quirks::{DoneMarker, Quirks};
use trunkline_wire::splice::splice;
use trunkline_wire::{can_recast, codec_for};

use super::envelope;

fn codec() -> &'static dyn Codec {
    codec_for(Dialect::AnthropicMessages)
}

fn skim(body: &str) -> Skim {
    codec().skim(&envelope(body)).expect(body)
}

#[test]
fn the_facts_of_a_request_are_read() {
    let facts = skim(
        r#"{"model":"claude","max_tokens":100,"stream":true,"metadata":{"user_id":"u"},"session_id":"s","tags":["t"],
            "models":["other"],"provider":{"only":["a"]},"routing":{"strict":true},"messages":[{"role":"user","content":"Hi"}]}"#,
    );
    assert_eq!((&*facts.model, facts.stream, facts.include_usage, facts.choices), ("claude", true, true, 1));
    assert_eq!(facts.output_max, Some(OutputMax { field: "max_tokens", tokens: 100 }));
    assert_eq!((facts.end_user.as_deref(), facts.session.as_deref()), (Some("u"), Some("s")));
    assert_eq!((facts.tags.as_slice(), facts.models.as_slice()), (&["t".into()][..], &["other".into()][..]));
    assert!(facts.provider_preferences && facts.wishes.strict == Some(true));
    assert_eq!(facts.messages, 1);
    assert!(facts.text_bytes >= 2 && facts.needs == Needs::default());
}

#[test]
fn what_a_model_must_be_able_to_do_is_found() {
    let message =
        |blocks: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{blocks}]}}]}}"#);
    let image = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#;
    let nested = format!(r#"{{"type":"tool_result","tool_use_id":"t","content":[{image}]}}"#);
    let vision = Needs { vision: true, ..Needs::default() };
    for (blocks, needs, inline, referenced) in [
        (image, vision, 1, 0),
        (&nested, vision, 1, 0),
        (r#"{"source":{"url":"https://a.test/a.png","type":"url"},"type":"image"}"#, vision, 0, 1),
        (
            r#"{"type":"document","source":{"type":"file","file_id":"f"}}"#,
            Needs { files: true, ..Needs::default() },
            0,
            1,
        ),
        (r#"{"type":"container_upload","file_id":"f"}"#, Needs::default(), 0, 1),
        (r#"{"type":"search_result","source":"https://a.test","content":[]}"#, Needs::default(), 0, 0),
    ] {
        let facts = skim(&message(blocks));
        assert_eq!(
            (facts.needs, facts.inline_media, facts.referenced_media),
            (needs, inline, referenced),
            "{blocks}"
        );
    }
    let text = "x".repeat(1000);
    let document = format!(
        r#"{{"type":"document","source":{{"type":"text","media_type":"text/plain","data":"{text}"}}}}"#
    );
    assert!(skim(&message(&document)).text_bytes >= 1000, "a document's text is read by the model");
    let with = |fields: &str| skim(&format!(r#"{{"model":"m","messages":[],{fields}}}"#)).needs;
    let tools = Needs { tools: true, ..Needs::default() };
    let fees = Needs { unbounded_fees: true, ..tools };
    assert_eq!(
        with(r#""tools":[{"name":"f","input_schema":{}},{"type":"bash_20250124","name":"bash"}]"#),
        tools
    );
    assert_eq!(with(r#""tools":[{"type":"web_search_20260318","name":"web_search"}]"#), fees);
    assert!(with(r#""mcp_servers":[{"url":"https://a.test"}]"#).unbounded_fees);
    assert!(with(r#""output_config":{"format":{"type":"json_schema","schema":{}}}"#).schema);
    assert!(!with(r#""output_config":{"effort":"low"}"#).schema);
}

#[test]
fn text_is_never_undercounted() {
    let text = "y".repeat(500);
    for body in [
        format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#),
        format!(r#"{{"messages":[],"system":"{text}"}}"#),
        format!(r#"{{"messages":[],"system":[{{"type":"text","text":"{text}"}}]}}"#),
        format!(r#"{{"messages":[],"tools":[{{"name":"f","description":"{text}"}}]}}"#),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"thinking","thinking":"{text}"}}]}}]}}"#
        ),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_use","input":{{"a":"{text}"}}}}]}}]}}"#
        ),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","content":"{text}"}}]}}]}}"#
        ),
        format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"document","context":"{text}"}}]}}]}}"#),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"content":[{{"content":[{{"content":[{{"content":["{text}"]}}]}}]}}]}}]}}]}}"#
        ),
    ] {
        assert!(skim(&body).text_bytes >= 500, "{body}");
    }
}

#[test]
fn a_request_that_is_none_is_refused_by_name() {
    for (body, field) in [
        (r#"{"messages":{}}"#, "messages"),
        (r#"{"messages":[1]}"#, "messages[0]"),
        (r#"{"messages":[],"max_tokens":"many"}"#, "max_tokens"),
        (r#"{"messages":[],"stream":1}"#, "stream"),
        (r#"{"messages":[],"tools":{}}"#, "tools"),
        (r#"{"messages":[],"model":7}"#, "model"),
    ] {
        assert_eq!(codec().skim(&envelope(body)).expect_err(body).field, field);
    }
}

fn relay(body: &str, output_cap: Option<u64>, quirks: &Quirks) -> (String, RelayEdits) {
    let envelope = envelope(body);
    let skim = codec().skim(&envelope).unwrap();
    let edits = codec().relay(&envelope, &skim, &RelayTarget { model: "up", quirks, output_cap });
    (String::from_utf8(splice(&envelope, &edits.edits).to_bytes().to_vec()).unwrap(), edits)
}

#[test]
fn a_request_is_sent_on_but_for_named_edits() {
    let body =
        r#"{"model":"a/b","fallbacks":[{"model":"c"}],"max_tokens":9,"tags":["x"],"future":1,"messages":[]}"#;
    let (sent, edits) = relay(body, None, &Quirks::REFERENCE);
    assert_eq!(sent, r#"{"model":"up","fallbacks":[{"model":"c"}],"max_tokens":9,"future":1,"messages":[]}"#);
    assert!(edits.losses.is_empty() && !edits.withhold_usage);
    let quirks = Quirks { unsupported: &["top_k"], ..Quirks::REFERENCE };
    let (sent, edits) = relay(r#"{"model":"up","top_k":3,"messages":[]}"#, None, &quirks);
    assert_eq!(sent, r#"{"model":"up","messages":[]}"#);
    assert_eq!((edits.losses[0].subject, edits.losses[0].kind), (Subject::Sampling, LossKind::Dropped));
}

#[test]
fn a_hold_caps_the_output_and_the_budget_below_it() {
    let body = |max: &str, budget: u64| {
        format!(
            r#"{{"model":"up",{max}"messages":[],"thinking":{{"type":"enabled","budget_tokens":{budget}}}}}"#
        )
    };
    for (max, budget, cap, expected, is_loss) in [
        (
            r#""max_tokens":9000,"#,
            2000,
            5000,
            r#"{"model":"up","max_tokens":5000,"messages":[],"thinking":{"type":"enabled","budget_tokens":2000}}"#,
            false,
        ),
        (
            r#""max_tokens":9000,"#,
            8000,
            5000,
            r#"{"model":"up","max_tokens":5000,"messages":[],"thinking":{"type":"enabled","budget_tokens":4999}}"#,
            true,
        ),
        (r#""max_tokens":9000,"#, 8000, 1000, r#"{"model":"up","max_tokens":1000,"messages":[]}"#, true),
        (
            r#""max_tokens":900,"#,
            8000,
            1000,
            r#"{"model":"up","max_tokens":900,"messages":[],"thinking":{"type":"enabled","budget_tokens":8000}}"#,
            false,
        ),
        (
            "",
            2000,
            5000,
            r#"{"model":"up","messages":[],"thinking":{"type":"enabled","budget_tokens":2000},"max_tokens":5000}"#,
            false,
        ),
    ] {
        let (sent, edits) = relay(&body(max, budget), Some(cap), &Quirks::REFERENCE);
        assert_eq!(sent, expected);
        assert_eq!(!edits.losses.is_empty(), is_loss, "{expected}");
    }
}

fn event(data: &str) -> Frame {
    Frame::of_event(format!("event: x\ndata: {data}\n\n").into())
}

#[test]
fn a_stream_is_watched_event_by_event() {
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    for (data, expected) in [
        (
            r#"{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":3,"cache_creation":{"ephemeral_1h_input_tokens":4,"ephemeral_5m_input_tokens":1},"output_tokens":1,"service_tier":"standard"}}}"#,
            FrameClass::Preamble,
        ),
        (r#"{"type":"ping"}"#, FrameClass::Heartbeat),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            FrameClass::Preamble,
        ),
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Héy"}}"#,
            FrameClass::Content,
        ),
        (r#"{"type":"content_block_stop","index":0}"#, FrameClass::Preamble),
        (
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            FrameClass::Content,
        ),
        (
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            FrameClass::Content,
        ),
        (r#"{"type":"future"}"#, FrameClass::Preamble),
        (r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":2}}"#, FrameClass::UsageOnly),
        (
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
            FrameClass::Content,
        ),
    ] {
        assert_eq!(tap.frame(&event(data)), expected, "{data}");
    }
    assert!(!tap.complete());
    assert_eq!(tap.frame(&event(r#"{"type":"message_stop"}"#)), FrameClass::Terminal);
    assert!(tap.complete());
    let facts = tap.facts();
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref(), facts.finish.as_deref()),
        (Some("msg_1"), Some("m"), Some("tool_use"))
    );
    assert_eq!((facts.service_tier.as_deref(), facts.output_bytes), (Some("standard"), 7));
    let usage = facts.usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.cache_write_1h_tokens, usage.cache_write_5m_tokens, usage.output_tokens),
        (3, 4, 1, 9)
    );
    let mut lenient = codec()
        .stream_tap(&Skim::default(), &Quirks { done_marker: DoneMarker::Optional, ..Quirks::REFERENCE });
    lenient.frame(&event(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#));
    assert!(lenient.complete());
}

#[test]
fn what_is_no_event_is_an_error_or_garbage() {
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    let overloaded = ErrorWords {
        message: Some("Overloaded".into()),
        code: Some("overloaded_error".into()),
        kind: Some("overloaded_error".into()),
        ..ErrorWords::default()
    };
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(tap.frame(&event(error)), FrameClass::Error(overloaded.clone()));
    assert_eq!(
        tap.frame(&Frame::of_event(format!("event: error\ndata: {error}\n\n").into())),
        FrameClass::Error(overloaded.clone())
    );
    assert_eq!(tap.frame(&event("<html>")), FrameClass::Malformed);
    assert_eq!(tap.frame(&event(r#"{"choices":[]}"#)), FrameClass::Malformed);
    assert_eq!(tap.frame(&Frame::of_event(": hi\n\n".into())), FrameClass::Heartbeat);
    assert_eq!(
        codec().read_answer(error.as_bytes(), &Quirks::REFERENCE),
        Err(AnswerProblem::Error(overloaded))
    );
    assert_eq!(codec().read_answer(br#"{"id":"x"}"#, &Quirks::REFERENCE), Err(AnswerProblem::Malformed));
}

#[test]
fn errors_are_spoken_in_the_dialect() {
    for (kind, name) in [
        (ErrorKind::BudgetExceeded, "billing_error"),
        (ErrorKind::Unauthenticated, "authentication_error"),
        (ErrorKind::ModelNotFound, "not_found_error"),
        (ErrorKind::RequestTooLarge, "request_too_large"),
        (ErrorKind::UpstreamOverloaded, "overloaded_error"),
        (ErrorKind::UpstreamTimeout, "timeout_error"),
        (ErrorKind::UpstreamCut, "api_error"),
    ] {
        let error = Error::new(kind, "No \"more\"");
        let body = format!(r#"{{"type":"error","error":{{"type":"{name}","message":"No \"more\""}}}}"#);
        assert_eq!(codec().error_body(&error), body);
        assert_eq!(codec().error_event(&error), format!("event: error\ndata: {body}\n\n"));
        let words = codec().read_error(body.as_bytes()).unwrap();
        assert_eq!((words.kind.as_deref(), words.message.as_deref()), (Some(name), Some("No \"more\"")));
    }
    let terminal = Frame::of_event(codec().terminal_event());
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    assert_eq!(tap.frame(&terminal), FrameClass::Terminal);
}

#[test]
fn the_dialect_is_known_everywhere() {
    assert_eq!(codec().dialect(), Dialect::AnthropicMessages);
    assert!(can_recast(Dialect::AnthropicMessages, Dialect::OpenaiChat));
    assert!(can_recast(Dialect::OpenaiChat, Dialect::AnthropicMessages));
    assert_eq!(
        crossing(Dialect::AnthropicMessages, Direction::Request),
        ["anthropic-beta", "anthropic-version"]
    );
    assert_eq!(crossing(Dialect::AnthropicMessages, Direction::Response), ["content-type"]);
    let body = Bytes::from_static(br#"{"usage":{}}"#);
    let annotation = trunkline_wire::codec::Annotation { cost: trunkline_domain::NanoUsd(1), provider: "x" };
    assert_eq!(codec().annotate(&body, &annotation), None, "no place for a cost");
}
