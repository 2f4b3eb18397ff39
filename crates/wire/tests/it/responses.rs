//! OpenAI's Responses, relayed: what a request asks for, which edits it needs, what passes by, and errors.

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, ErrorKind, NanoUsd};
use trunkline_wire::codec::{
    Annotation, AnswerProblem, Codec, ErrorWords, FrameClass, LossKind, Needs, OutputMax, Previous,
    RelayEdits, RelayTarget, Skim, Subject,
};
use trunkline_wire::frame::Frame;
use trunkline_wire::headers::{Direction, crossing};
use trunkline_wire::quirks::{Quirks, UsageConvention};
use trunkline_wire::splice::splice;
use trunkline_wire::{caller_codec_for, can_recast, codec_for};

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
        r#"{"model":"gpt","max_output_tokens":100,"stream":true,"user":"u","session_id":"s","tags":["t"],
            "models":["other"],"provider":{"only":["a"]},"routing":{"strict":true},"instructions":"Be brief.",
            "input":[{"role":"user","content":"Hi"},{"type":"function_call_output","call_id":"c","output":"1"}]}"#,
    );
    assert_eq!((&*facts.model, facts.stream, facts.include_usage, facts.choices), ("gpt", true, true, 1));
    assert_eq!(facts.output_max, Some(OutputMax { field: "max_output_tokens", tokens: 100 }));
    assert_eq!((facts.end_user.as_deref(), facts.session.as_deref()), (Some("u"), Some("s")));
    assert_eq!((facts.tags.as_slice(), facts.models.as_slice()), (&["t".into()][..], &["other".into()][..]));
    assert!(facts.provider_preferences && facts.wishes.strict == Some(true));
    assert_eq!((facts.messages, facts.needs), (3, Needs::default()));
    assert_eq!(skim(r#"{"input":"Hi"}"#).messages, 1);
}

#[test]
fn what_a_model_must_be_able_to_do_is_found() {
    let vision = Needs { vision: true, ..Needs::default() };
    let files = Needs { files: true, ..Needs::default() };
    let audio = Needs { audio: true, ..Needs::default() };
    let image = r#"{"type":"input_image","image_url":"data:image/png;base64,AAAA"}"#;
    let said = |part: &str| format!(r#"{{"role":"user","content":[{part}]}}"#);
    let output = format!(r#"{{"type":"function_call_output","call_id":"c","output":[{image}]}}"#);
    let screen = r#"{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AAAA"}}"#;
    for (item, needs, inline, referenced) in [
        (said(image), vision, 1, 0),
        (output, vision, 1, 0),
        (screen.to_owned(), vision, 1, 0),
        (said(r#"{"image_url":"https://a.test/a.png","type":"input_image"}"#), vision, 0, 1),
        (said(r#"{"type":"input_image","file_id":"f"}"#), vision, 0, 1),
        (said(r#"{"type":"input_file","file_data":"AAAA"}"#), files, 1, 0),
        (said(r#"{"type":"input_file","file_url":"https://a.test/a.pdf"}"#), files, 0, 1),
        (said(r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}"#), audio, 1, 0),
        (r#"{"type":"item_reference","id":"msg_1"}"#.to_owned(), Needs::default(), 0, 1),
    ] {
        let facts = skim(&format!(r#"{{"input":[{item}]}}"#));
        assert_eq!(
            (facts.needs, facts.inline_media, facts.referenced_media),
            (needs, inline, referenced),
            "{item}"
        );
    }
    let with = |fields: &str| skim(&format!(r#"{{"input":"a",{fields}}}"#));
    let tools = Needs { tools: true, ..Needs::default() };
    assert_eq!(with(r#""tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]"#).needs, tools);
    assert!(with(r#""tools":[{"type":"web_search"}]"#).needs.unbounded_fees);
    assert!(with(r#""text":{"format":{"type":"json_schema","schema":{}}}"#).needs.schema);
    assert!(!with(r#""text":{"format":{"type":"text"},"verbosity":"low"}"#).needs.schema);
    assert!(with(r#""include":["message.output_text.logprobs"]"#).needs.logprobs);
    assert!(with(r#""top_logprobs":2"#).needs.logprobs);
    assert!(!with(r#""include":["reasoning.encrypted_content"],"top_logprobs":0"#).needs.logprobs);
}

#[test]
fn text_is_never_undercounted() {
    let text = "y".repeat(500);
    for body in [
        format!(r#"{{"input":"{text}"}}"#),
        format!(r#"{{"input":"a","instructions":"{text}"}}"#),
        format!(r#"{{"input":[{{"role":"user","content":"{text}"}}]}}"#),
        format!(r#"{{"input":[{{"role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}]}}"#),
        format!(r#"{{"input":[{{"type":"function_call","arguments":"{text}"}}]}}"#),
        format!(r#"{{"input":[{{"type":"function_call_output","output":"{text}"}}]}}"#),
        format!(
            r#"{{"input":[{{"type":"function_call_output","output":{{"output":{{"output":{{"a":"{text}"}}}}}}}}]}}"#
        ),
        format!(r#"{{"input":[{{"type":"reasoning","summary":[{{"text":"{text}"}}]}}]}}"#),
        format!(r#"{{"input":[{{"content":[{{"content":[{{"content":[{{"content":["{text}"]}}]}}]}}]}}]}}"#),
        format!(
            r#"{{"input":[{{"role":"user","content":[{{"type":"input_file","file_data":"{text}"}}]}}]}}"#
        ),
        format!(r#"{{"input":"a","tools":[{{"type":"function","description":"{text}"}}]}}"#),
        format!(r#"{{"input":"a","text":{{"format":{{"schema":{{"title":"{text}"}}}}}}}}"#),
    ] {
        assert!(skim(&body).text_bytes >= 500, "{body}");
    }
}

#[test]
fn a_request_that_is_none_is_refused_by_name() {
    for (body, field) in [
        (r#"{"model":"m"}"#, "input"),
        (r#"{"input":null}"#, "input"),
        (r#"{"input":{}}"#, "input"),
        (r#"{"input":[1]}"#, "input[0]"),
        (r#"{"input":"a","max_output_tokens":"many"}"#, "max_output_tokens"),
        (r#"{"input":"a","stream":1}"#, "stream"),
        (r#"{"input":"a","tools":{}}"#, "tools"),
        (r#"{"input":"a","model":7}"#, "model"),
    ] {
        assert_eq!(codec().skim(&envelope(body)).expect_err(body).field, field);
    }
}

#[test]
fn what_belongs_to_an_account_is_refused_by_name() {
    for field in ["conversation", "prompt"] {
        let body = format!(r#"{{"model":"m","input":"x","{field}":"y"}}"#);
        let error = codec().skim(&envelope(&body)).unwrap_err();
        assert_eq!((&*error.field, error.message.contains(field)), (field, true));
        skim(&format!(r#"{{"model":"m","input":"x","{field}":null}}"#));
    }
    let background = r#"{"model":"m","input":"x","background":true}"#;
    assert_eq!(codec().skim(&envelope(background)).unwrap_err().field, "background");
}

#[test]
fn an_answer_to_go_on_from_is_read_by_reference_and_nothing_else_can_have_it() {
    let body = r#"{"model":"m","input":"x","previous_response_id":"resp_1"}"#;
    let facts = skim(body);
    assert_eq!(facts.previous, Some(Previous { field: "previous_response_id", id: "resp_1".into() }));
    assert_eq!(facts.referenced_media, 1, "its length is not known here");
    assert_eq!(skim(r#"{"input":"x","previous_response_id":null}"#).previous, None);
    let recast = caller_codec_for(Dialect::OpenaiResponses).unwrap().decode_request(&envelope(body));
    assert_eq!(recast.unwrap_err().field, "previous_response_id");
}

#[test]
fn kept_answers_are_renamed_and_nothing_else() {
    let rename = |id: &str| format!("ours-{id}");
    let answer = r#"{ "id" : "r", "previous_response_id":"p","output":[{"id":"msg_1"}] }"#;
    let renamed = r#"{ "id" : "ours-r", "previous_response_id":"ours-p","output":[{"id":"msg_1"}] }"#;
    let named = |body: String| codec().rename_kept(&Bytes::from(body), &rename);
    assert_eq!(named(answer.to_owned()).unwrap(), renamed);
    let event = |response: &str| {
        format!(
            "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{response}}}\n\n"
        )
    };
    assert_eq!(named(event(answer)).unwrap(), event(renamed));
    let only = r#"{"id":"r","previous_response_id":null}"#;
    assert_eq!(named(only.to_owned()).unwrap(), r#"{"id":"ours-r","previous_response_id":null}"#);
    let item = "event: x\ndata: {\"type\":\"response.output_item.added\",\"item\":{\"id\":\"msg_1\"}}\n\n";
    for other in [item, ": ping\n\n", "{}", "<html>"] {
        assert_eq!(named(other.to_owned()), None);
    }
    let chat = codec_for(Dialect::OpenaiChat);
    assert_eq!(chat.rename_kept(&Bytes::from_static(br#"{"id":"chatcmpl-1"}"#), &rename), None);
}

fn relay(body: &str, output_cap: Option<u64>, quirks: &Quirks) -> (String, RelayEdits) {
    let envelope = envelope(body);
    let skim = codec().skim(&envelope).unwrap();
    let edits = codec().relay(&envelope, &skim, &RelayTarget { model: "up", quirks, output_cap });
    (String::from_utf8(splice(&envelope, &edits.edits).to_bytes().to_vec()).unwrap(), edits)
}

#[test]
fn a_request_is_sent_on_but_for_named_edits() {
    let body = r#"{"model":"a/b","fallbacks":["c"],"max_output_tokens":9,"tags":["x"],"previous_response_id":null,"background":false,"future":1,"input":"a"}"#;
    let (sent, edits) = relay(body, None, &Quirks::REFERENCE);
    assert_eq!(
        sent,
        r#"{"model":"up","max_output_tokens":9,"previous_response_id":null,"background":false,"future":1,"input":"a"}"#
    );
    assert!(edits.losses.is_empty() && !edits.withhold_usage);
    let quirks = Quirks { unsupported: &["temperature"], ..Quirks::REFERENCE };
    let (sent, edits) = relay(r#"{"model":"up","temperature":1,"input":"a"}"#, None, &quirks);
    assert_eq!(sent, r#"{"model":"up","input":"a"}"#);
    assert_eq!((edits.losses[0].subject, edits.losses[0].kind), (Subject::Sampling, LossKind::Dropped));
    let quirks = Quirks { understands: &["models"], ..Quirks::REFERENCE };
    let body = r#"{"model":"up","models":["c"],"input":"a"}"#;
    assert_eq!(relay(body, None, &quirks).0, body);
}

#[test]
fn a_hold_caps_the_output() {
    for (asked, sent) in [
        (r#""max_output_tokens":9,"#, r#""max_output_tokens":9,"#),
        (r#""max_output_tokens":99,"#, r#""max_output_tokens":50,"#),
    ] {
        let body = |cap: &str| format!(r#"{{"model":"up",{cap}"input":"a"}}"#);
        assert_eq!(relay(&body(asked), Some(50), &Quirks::REFERENCE).0, body(sent));
    }
    let (sent, _) = relay(r#"{"model":"up","input":"a"}"#, Some(50), &Quirks::REFERENCE);
    assert_eq!(sent, r#"{"model":"up","input":"a","max_output_tokens":50}"#);
}

fn event(data: &str) -> Frame {
    Frame::of_event(format!("event: x\ndata: {data}\n\n").into())
}

#[test]
fn a_stream_is_watched_event_by_event() {
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    for (data, expected) in [
        (
            r#"{"type":"response.created","response":{"id":"resp_1","model":"m","output":[],"usage":null}}"#,
            FrameClass::Preamble,
        ),
        (
            r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
            FrameClass::Preamble,
        ),
        (
            r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            FrameClass::Preamble,
        ),
        (r#"{"type":"response.output_text.delta","delta":"Héy"}"#, FrameClass::Content),
        (r#"{"type":"response.output_text.done","text":"Héy"}"#, FrameClass::Preamble),
        (
            r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f","arguments":""}}"#,
            FrameClass::Content,
        ),
        (r#"{"type":"response.function_call_arguments.delta","delta":"{}"}"#, FrameClass::Content),
        (r#"{"type":"response.future","delta":7}"#, FrameClass::Preamble),
    ] {
        assert_eq!(tap.frame(&event(data)), expected, "{data}");
    }
    assert!(!tap.complete());
    let end = r#"{"type":"response.incomplete","response":{"id":"resp_1","model":"m","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"service_tier":"flex","tool_usage":{"web_search":{"num_requests":2}},"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16}}}"#;
    assert_eq!(tap.frame(&event(end)), FrameClass::Terminal);
    assert_eq!(tap.frame(&Frame::of_event("data: [DONE]\n\n".into())), FrameClass::Heartbeat);
    assert!(tap.complete());
    let facts = tap.facts();
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref(), facts.finish.as_deref()),
        (Some("resp_1"), Some("m"), Some("max_output_tokens"))
    );
    assert_eq!((facts.service_tier.as_deref(), facts.output_bytes), (Some("flex"), 7));
    let usage = facts.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.cache_read_tokens), (5, 4));
    assert_eq!((usage.output_tokens, usage.reasoning_tokens, usage.units.searches), (5, 2, 2));
}

#[test]
fn reasoning_is_counted_as_the_server_counts_it() {
    let body = |total: &str| {
        format!(
            r#"{{"status":"completed","output":[],"usage":{{"input_tokens":32,"output_tokens":9,"output_tokens_details":{{"reasoning_tokens":5}}{total}}}}}"#
        )
    };
    let apart = Quirks { usage: UsageConvention::ReasoningApart, ..Quirks::REFERENCE };
    for (quirks, total, output) in [
        (&Quirks::REFERENCE, "", 4),
        (&apart, "", 9),
        (&apart, r#","total_tokens":41"#, 4),
        (&Quirks::REFERENCE, r#","total_tokens":46"#, 9),
    ] {
        let usage = codec().read_answer(body(total).as_bytes(), quirks).unwrap().usage.unwrap();
        assert_eq!((usage.output_tokens, usage.reasoning_tokens), (output, 5));
    }
}

fn overloaded() -> ErrorWords {
    let word = |text: &str| Some(text.into());
    ErrorWords { message: word("Overloaded"), code: word("server_error"), ..ErrorWords::default() }
}

#[test]
fn what_is_no_event_is_an_error_or_garbage() {
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    for data in [
        r#"{"type":"error","code":"server_error","message":"Overloaded","param":null,"sequence_number":3}"#,
        r#"{"type":"error","error":{"code":"server_error","message":"Overloaded"}}"#,
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"Overloaded"},"output":[]}}"#,
    ] {
        assert_eq!(tap.frame(&event(data)), FrameClass::Error(overloaded()), "{data}");
        let named = Frame::of_event(format!("event: error\ndata: {data}\n\n").into());
        assert!(matches!(tap.frame(&named), FrameClass::Error(_)));
    }
    assert_eq!(tap.frame(&event("<html>")), FrameClass::Malformed);
    assert_eq!(tap.frame(&event(r#"{"choices":[]}"#)), FrameClass::Malformed);
    assert_eq!(tap.frame(&Frame::of_event(": hi\n\n".into())), FrameClass::Heartbeat);
    assert!(!tap.complete());
    let failed = br#"{"status":"failed","error":{"code":"server_error","message":"Overloaded"},"output":[]}"#;
    let read = |body: &[u8]| codec().read_answer(body, &Quirks::REFERENCE);
    assert_eq!(read(failed), Err(AnswerProblem::Error(overloaded())));
    assert_eq!(read(br#"{"id":"x"}"#), Err(AnswerProblem::Malformed));
}

#[test]
fn errors_are_spoken_in_the_dialect() {
    let error = Error::new(ErrorKind::UpstreamOverloaded, "No \"more\"");
    let words = codec().read_error(&codec().error_body(&error)).unwrap();
    assert_eq!(words.message.as_deref(), Some("No \"more\""));
    let frame = Frame::of_event(codec().error_event(&error));
    let event: serde_json::Value = serde_json::from_slice(frame.data()).unwrap();
    assert_eq!(frame.event(), Some(&b"error"[..]));
    assert_eq!((event["type"].as_str(), event["message"].as_str()), (Some("error"), Some("No \"more\"")));
    assert_eq!(event["code"], event["error"]["code"]);
    assert!(event["sequence_number"].is_u64() && event["error"]["message"] == event["message"]);
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    assert!(matches!(tap.frame(&frame), FrameClass::Error(_)));
    assert!(codec().terminal_event().is_empty(), "nobody can end an answer in its stead");
}

#[test]
fn a_cost_is_added_to_answers_and_to_the_end_of_a_stream() {
    let annotation = Annotation { cost: NanoUsd(1_000_000_000), provider: "x" };
    let answer = r#"{"id":"r","usage":{"input_tokens":1}}"#;
    let paid = r#"{"id":"r","usage":{"input_tokens":1,"cost":1,"cost_details":{"upstream_inference_cost":1}},"provider":"x"}"#;
    let annotate = |body: String| codec().annotate(&Bytes::from(body), &annotation);
    assert_eq!(annotate(answer.to_owned()).unwrap(), paid);
    let event = |response: &str| {
        format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n"
        )
    };
    assert_eq!(annotate(event(answer)).unwrap(), event(paid));
    assert_eq!(annotate(event(r#"{"usage":null}"#)), None);
    assert_eq!(annotate("event: x\ndata: {\"type\":\"response.output_text.delta\"}\n\n".to_owned()), None);
}

#[test]
fn the_dialect_is_known_everywhere() {
    assert_eq!(codec().dialect(), Dialect::OpenaiResponses);
    for other in [Dialect::OpenaiChat, Dialect::AnthropicMessages, Dialect::GeminiGenerate] {
        assert!(can_recast(Dialect::OpenaiResponses, other) && can_recast(other, Dialect::OpenaiResponses));
    }
    assert_eq!(crossing(Dialect::OpenaiResponses, Direction::Request), ["openai-beta"]);
    assert_eq!(codec().token_count(7), r#"{"object":"response.input_tokens","input_tokens":7}"#);
}
