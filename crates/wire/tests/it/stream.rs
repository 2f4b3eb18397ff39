//! What each frame of a stream is taken for, and when a stream is complete.

use trunkline_domain::{Dialect, Usage};
use trunkline_wire::codec::{ErrorWords, FrameClass, Skim, StreamTap};
use trunkline_wire::codec_for;
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::{DoneMarker, Quirks};

const ROLE: &str = r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}"#;
const HELLO: &str = r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}],"usage":null}"#;
const STOP: &str =
    r#"{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const USAGE: &str = r#"{"id":"c1","model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

const COUNTED: Usage = Usage {
    input_tokens: 3,
    output_tokens: 4,
    cache_read_tokens: 0,
    cache_write_5m_tokens: 0,
    cache_write_1h_tokens: 0,
    reasoning_tokens: 0,
    audio_input_tokens: 0,
    audio_output_tokens: 0,
    image_input_tokens: 0,
    image_output_tokens: 0,
    units: trunkline_domain::usage::Units { searches: 0, images: 0, pages: 0, seconds: 0 },
};

fn tap(dialect: Dialect, choices: u32, done_marker: DoneMarker) -> Box<dyn StreamTap> {
    let skim = Skim { choices, ..Skim::default() };
    codec_for(dialect).stream_tap(&skim, &Quirks { done_marker, ..Quirks::REFERENCE })
}

fn chat() -> Box<dyn StreamTap> {
    tap(Dialect::OpenaiChat, 1, DoneMarker::Required)
}

fn frame(data: &str) -> Frame {
    Frame::of_event(format!("data: {data}\n\n").into())
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c1","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

fn message(words: &str) -> FrameClass {
    FrameClass::Error(ErrorWords { message: Some(words.into()), ..ErrorWords::default() })
}

#[test]
fn first_frames_are_told_apart() {
    use FrameClass::{Content, Heartbeat, Preamble};
    for (raw, expected) in [
        (": OPENROUTER PROCESSING\n\n".to_owned(), Heartbeat),
        ("\n".to_owned(), Heartbeat),
        ("event: ping\n\n".to_owned(), Heartbeat),
        (format!("data: {ROLE}\n\n"), Preamble),
        (format!("data: {}\n\n", delta(r#"{"content":""}"#)), Preamble),
        (
            format!(
                "data: {}\n\n",
                delta(r#"{"role":"assistant","content":null,"tool_calls":[],"reasoning":null}"#)
            ),
            Preamble,
        ),
        (format!("data: {}\n\n", delta("{}")), Preamble),
        (format!("data: {}\n\n", delta(r#"{"role":"assistant","name":"Model","content":""}"#)), Preamble),
        ("data: {\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n".to_owned(), Preamble),
        (format!("data: {HELLO}\n\n"), Content),
        (format!("data: {}\n\n", delta(r#"{"reasoning_content":"hm","content":null}"#)), Content),
        (format!("data: {}\n\n", delta(r#"{"reasoning":"hm"}"#)), Content),
        (format!("data: {}\n\n", delta(r#"{"refusal":"no"}"#)), Content),
        (
            format!(
                "data: {}\n\n",
                delta(r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#)
            ),
            Content,
        ),
        (
            format!(
                "data: {}\n\n",
                delta(
                    r#"{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}"#
                )
            ),
            Content,
        ),
        (format!("data: {}\n\n", delta(r#"{"function_call":{"name":"f","arguments":""}}"#)), Content),
        (format!("data: {}\n\n", delta(r#"{"audio":{"id":"a","data":"AAAA"}}"#)), Content),
        (format!("data: {STOP}\n\n"), Content),
    ] {
        assert_eq!(chat().frame(&Frame::of_event(raw.clone().into())), expected, "{raw}");
    }
}

#[test]
fn legacy_completions_stream_text() {
    let mut tap = tap(Dialect::OpenaiCompletions, 1, DoneMarker::Required);
    assert_eq!(
        tap.frame(&frame(r#"{"choices":[{"text":"","index":0,"finish_reason":null}]}"#)),
        FrameClass::Preamble
    );
    assert_eq!(
        tap.frame(&frame(r#"{"choices":[{"text":"abc","index":0,"finish_reason":null}]}"#)),
        FrameClass::Content
    );
    assert_eq!(tap.facts().output_bytes, 3);
}

#[test]
fn a_whole_stream() {
    use FrameClass::{Content, Preamble, Terminal, UsageOnly};
    let mut tap = chat();
    let classes: Vec<_> =
        [ROLE, HELLO, HELLO, STOP, USAGE, "[DONE]"].iter().map(|data| tap.frame(&frame(data))).collect();
    assert_eq!(classes, [Preamble, Content, Content, Content, UsageOnly, Terminal]);
    let facts = tap.facts();
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref(), facts.finish.as_deref()),
        (Some("c1"), Some("m-1"), Some("stop"))
    );
    assert_eq!((facts.usage, facts.output_bytes), (Some(COUNTED), 10));
    assert!(tap.complete());
}

#[test]
fn usage_on_the_last_content_chunk_is_content() {
    let mut tap = chat();
    tap.frame(&frame(HELLO));
    let last = r#"{"choices":[{"index":0,"delta":{"content":" you"},"finish_reason":"stop"}],"usage" : {"prompt_tokens":3,"completion_tokens":4}}"#;
    assert_eq!(tap.frame(&frame(last)), FrameClass::Content);
    assert_eq!((tap.facts().usage, tap.facts().output_bytes), (Some(COUNTED), 9));
    assert_eq!(tap.facts().finish.as_deref(), Some("stop"));
}

#[test]
fn groqs_usage_is_read_from_where_groq_puts_it() {
    let mut tap = chat();
    tap.frame(&frame(HELLO));
    let last = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4}}}"#;
    assert_eq!(tap.frame(&frame(last)), FrameClass::Content);
    assert_eq!(tap.facts().usage, Some(COUNTED));
}

#[test]
fn running_totals_are_not_added_up() {
    let mut tap = chat();
    for tokens in [1, 2, 4] {
        tap.frame(&frame(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"x"}}}}],"usage":{{"prompt_tokens":3,"completion_tokens":{tokens}}}}}"#
        )));
    }
    assert_eq!(tap.facts().usage, Some(COUNTED));
    tap.frame(&frame(HELLO));
    assert_eq!(tap.facts().usage, Some(COUNTED), "null does not take back what was said");
}

#[test]
fn an_error_is_one_before_and_after_content() {
    let overloaded = FrameClass::Error(ErrorWords {
        message: Some("busy".into()),
        code: Some("502".into()),
        kind: None,
        ..ErrorWords::default()
    });
    for (raw, expected) in [
        ("data: {\"error\":{\"code\":502,\"message\":\"busy\"}}\n\n", overloaded.clone()),
        (
            "data: {\"id\":\"c\",\"error\" : {\"code\":502,\"message\":\"busy\"},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n",
            overloaded,
        ),
        ("data: {\"error\":\"busy\"}\n\n", message("busy")),
        ("data: {\"choices\":[],\"x_groq\":{\"error\":\"busy\"}}\n\n", message("busy")),
        ("event: error\ndata: {\"message\":\"busy\"}\n\n", message("busy")),
        ("event: error\ndata: oh no\n\n", FrameClass::Error(ErrorWords::default())),
        ("data: {\"detail\":\"busy\"}\n\n", message("busy")),
    ] {
        let frame = Frame::of_event(raw.into());
        assert_eq!(chat().frame(&frame), expected, "{raw}");
        let mut later = chat();
        later.frame(&self::frame(HELLO));
        assert_eq!(later.frame(&frame), expected, "{raw}");
        assert!(!later.complete());
    }
}

#[test]
fn vllms_bare_error_is_an_error() {
    let bare = r#"{"object":"error","message":"busy","type":"BadRequestError","param":null,"code":400}"#;
    let expected = ErrorWords {
        message: Some("busy".into()),
        code: Some("400".into()),
        kind: Some("BadRequestError".into()),
        ..ErrorWords::default()
    };
    assert_eq!(chat().frame(&frame(bare)), FrameClass::Error(expected.clone()));
    let mut later = chat();
    later.frame(&frame(HELLO));
    assert_eq!(later.frame(&frame(bare)), FrameClass::Error(expected));
}

#[test]
fn garbage_is_malformed() {
    for garbage in [
        "<html>",
        "{",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"trunc",
        "[]",
        "5",
        "null",
        "{\"a\":1}",
        "{\"choices\":{}}",
    ] {
        assert_eq!(chat().frame(&frame(garbage)), FrameClass::Malformed, "{garbage}");
    }
    let mut later = chat();
    later.frame(&frame(HELLO));
    for garbage in [
        "<html>",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"trunc",
        "{\"usage\":{\"prompt_tokens\":1}",
        "{\"a\":1}",
        "null",
    ] {
        assert_eq!(later.frame(&frame(garbage)), FrameClass::Malformed, "{garbage}");
    }
}

#[test]
fn words_in_the_text_are_no_markers() {
    let mut tap = chat();
    tap.frame(&frame(HELLO));
    for text in
        [r#"\"error\":{}"#, r#"\"usage\":{\"prompt_tokens\":9}"#, r#"\"finish_reason\":\"stop\""#, "[DONE]"]
    {
        let chunk = delta(&format!("{{\"content\":\"{text}\"}}"));
        assert_eq!(tap.frame(&frame(&chunk)), FrameClass::Content, "{chunk}");
    }
    let value = r#"{"choices":[{"index":0,"delta":{"content":"error"},"finish_reason":null}],"error":null}"#;
    assert_eq!(tap.frame(&frame(value)), FrameClass::Content);
    assert_eq!((tap.facts().usage, tap.facts().finish.clone(), tap.complete()), (None, None, false));
}

#[test]
fn a_stream_without_its_end_is_complete_only_where_that_is_allowed() {
    let finish = |index: u32| {
        frame(&format!(r#"{{"choices":[{{"index":{index},"delta":{{}},"finish_reason":"stop"}}]}}"#))
    };
    let mut strict = tap(Dialect::OpenaiChat, 1, DoneMarker::Required);
    strict.frame(&frame(HELLO));
    strict.frame(&finish(0));
    assert!(!strict.complete());
    let mut lax = tap(Dialect::OpenaiChat, 2, DoneMarker::Optional);
    lax.frame(&frame(HELLO));
    assert!(!lax.complete());
    lax.frame(&finish(0));
    lax.frame(&finish(0));
    assert!(!lax.complete(), "one of two choices");
    lax.frame(&finish(1));
    assert!(lax.complete());
    for empty in [r#""""#, "null"] {
        let mut lax = tap(Dialect::OpenaiChat, 1, DoneMarker::Optional);
        lax.frame(&frame(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"x"}},"finish_reason":{empty}}}]}}"#
        )));
        assert!(!lax.complete(), "{empty} is no reason to finish");
    }
}

#[test]
fn a_buffered_answer_has_the_same_facts() {
    let codec = codec_for(Dialect::OpenaiChat);
    let answer = r#"{"id":"c1","object":"chat.completion","model":"m-1","choices":[
        {"index":1,"message":{"role":"assistant","content":"xx"},"finish_reason":"length"},
        {"index":0,"message":{"role":"assistant","content":"hellohello","tool_calls":null},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
    let facts = codec.read_answer(answer.as_bytes(), &Quirks::REFERENCE).unwrap();
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref(), facts.finish.as_deref()),
        (Some("c1"), Some("m-1"), Some("stop"))
    );
    assert_eq!((facts.usage, facts.output_bytes), (Some(COUNTED), 12));
}
