//! Gemini's dialect, relayed: facts of requests, edits, answers, streams and errors.

use std::time::Duration;

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_wire::codec::{AnswerProblem, Codec, FrameClass, Needs, RelayEdits, RelayTarget, Skim};
use trunkline_wire::frame::Frame;
use trunkline_wire::headers::{Direction, crossing};
use trunkline_wire::quirks::Quirks;
use trunkline_wire::splice::splice;
use trunkline_wire::{can_recast, codec_for};

use super::envelope;

fn codec() -> &'static dyn Codec {
    codec_for(Dialect::GeminiGenerate)
}

fn skim(body: &str) -> Skim {
    codec().skim(&envelope(body)).expect(body)
}

#[test]
fn the_facts_of_a_request_are_read() {
    let facts = skim(
        r#"{"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Yes"}]}],"tags":["t"],"session_id":"s","routing":{"strict":true},"models":["a"],
            "generationConfig":{"maxOutputTokens":9,"candidateCount":2,"responseLogprobs":true},"model":"models/m"}"#,
    );
    assert_eq!((&*facts.model, facts.choices, facts.messages, facts.stream), ("m", 2, 2, false));
    assert_eq!(facts.output_max.as_ref().map(|max| max.tokens), Some(9));
    assert_eq!((facts.session.as_deref(), facts.include_usage), (Some("s"), true));
    assert!(facts.tags == ["t".into()] && facts.wishes.strict == Some(true) && facts.models == ["a".into()]);
    assert_eq!(facts.needs, Needs { logprobs: true, ..Needs::default() });
    assert!(facts.text_bytes >= 5);
    let counted =
        skim(r#"{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"Hi"}]}]}}"#);
    assert_eq!((&*counted.model, counted.messages), ("m", 1));
}

#[test]
fn what_a_model_must_be_able_to_do_is_found() {
    let with = |part: &str| {
        let facts = skim(&format!(r#"{{"contents":[{{"parts":[{part}]}}]}}"#));
        (facts.needs, facts.inline_media, facts.referenced_media)
    };
    let vision = Needs { vision: true, ..Needs::default() };
    let image = r#"{"inline_data":{"data":"AAAA","mime_type":"image/png"}}"#;
    assert_eq!(with(image), (vision, 1, 0));
    assert_eq!(with(r#"{"fileData":{"fileUri":"u","mimeType":"video/mp4"}}"#), (vision, 0, 1));
    assert_eq!(
        with(r#"{"inlineData":{"data":"AAAA","mimeType":"audio/wav"}}"#),
        (Needs { audio: true, ..Needs::default() }, 1, 0)
    );
    assert_eq!(with(r#"{"fileData":{"fileUri":"u"}}"#), (Needs { files: true, ..Needs::default() }, 0, 1));
    assert_eq!(
        with(&format!(r#"{{"functionResponse":{{"name":"f","response":{{}},"parts":[{image}]}}}}"#)),
        (vision, 1, 0)
    );
    assert_eq!(skim(r#"{"contents":[],"cachedContent":"c"}"#).referenced_media, 1);
    let tools = skim(r#"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}]}"#);
    assert_eq!((tools.tools, tools.needs), (2, Needs { tools: true, ..Needs::default() }));
    assert!(skim(r#"{"contents":[],"tools":[{"googleSearch":{}}]}"#).needs.unbounded_fees);
    assert!(skim(r#"{"contents":[],"generation_config":{"response_schema":{}}}"#).needs.schema);
}

#[test]
fn text_is_never_undercounted() {
    let text = "y".repeat(500);
    for body in [
        format!(r#"{{"contents":[{{"parts":[{{"text":"{text}"}}]}}]}}"#),
        format!(r#"{{"contents":["{text}"]}}"#),
        format!(r#"{{"contents":[{{"parts":["{text}"]}}]}}"#),
        format!(r#"{{"contents":[{{"parts":{{"text":"{text}"}}}}]}}"#),
        format!(r#"{{"contents":[],"systemInstruction":{{"parts":[{{"text":"{text}"}}]}}}}"#),
        format!(r#"{{"contents":[],"tools":[{{"functionDeclarations":[{{"name":"{text}"}}]}}]}}"#),
        format!(r#"{{"contents":[{{"parts":[{{"functionCall":{{"args":{{"a":"{text}"}}}}}}]}}]}}"#),
        format!(r#"{{"contents":[{{"parts":[{{"functionResponse":{{"response":{{"a":"{text}"}}}}}}]}}]}}"#),
        format!(
            r#"{{"contents":[{{"parts":[{{"inlineData":{{"data":"{text}","mimeType":"text/plain"}}}}]}}]}}"#
        ),
        format!(r#"{{"contents":[],"generationConfig":{{"responseJsonSchema":{{"a":"{text}"}}}}}}"#),
    ] {
        assert!(skim(&body).text_bytes >= 500, "{body}");
    }
}

#[test]
fn a_request_that_is_none_is_refused_by_name() {
    for (body, field) in [
        (r#"{"contents":{}}"#, "contents"),
        (r#"{"contents":[],"tools":{}}"#, "tools"),
        (r#"{"contents":[],"model":7}"#, "model"),
        (r#"{"contents":[],"generationConfig":7}"#, "generationConfig"),
        (
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":"many"}}"#,
            "generationConfig.maxOutputTokens",
        ),
        (r#"{"contents":[],"generationConfig":{"candidateCount":0}}"#, "generationConfig.candidateCount"),
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
    let body = r#"{"model":"models/a","contents":[],"tags":["x"],"future":1}"#;
    let (sent, edits) = relay(body, None, &Quirks::REFERENCE);
    assert_eq!(sent, r#"{"contents":[],"future":1}"#);
    assert!(edits.losses.is_empty() && !edits.withhold_usage);
    let quirks = Quirks { unsupported: &["labels"], ..Quirks::REFERENCE };
    let (sent, edits) = relay(r#"{"contents":[],"labels":{}}"#, None, &quirks);
    assert_eq!((sent.as_str(), edits.losses.len()), (r#"{"contents":[]}"#, 1));
}

#[test]
fn a_hold_caps_the_output_inside_the_configuration() {
    for (given, cap, expected) in [
        (
            r#""generationConfig":{"topP":1,"maxOutputTokens":9}"#,
            5,
            r#""generationConfig":{"topP":1,"maxOutputTokens":5}"#,
        ),
        (
            r#""generation_config":{"max_output_tokens":9}"#,
            5,
            r#""generation_config":{"max_output_tokens":5}"#,
        ),
        (r#""generationConfig":{"maxOutputTokens":3}"#, 5, r#""generationConfig":{"maxOutputTokens":3}"#),
        (r#""generationConfig":{"topP":1}"#, 5, r#""generationConfig":{"topP":1,"maxOutputTokens":5}"#),
    ] {
        let (sent, _) = relay(&format!(r#"{{"contents":[],{given}}}"#), Some(cap), &Quirks::REFERENCE);
        assert_eq!(sent, format!(r#"{{"contents":[],{expected}}}"#));
    }
    let (sent, edits) = relay(r#"{"contents":[]}"#, Some(5), &Quirks::REFERENCE);
    assert_eq!(sent, r#"{"contents":[],"generationConfig":{"maxOutputTokens":5}}"#);
    assert_eq!(edits.edits[0].name(), "generationConfig.maxOutputTokens");
}

fn event(data: &str) -> Frame {
    Frame::of_event(format!("data: {data}\r\n\r\n").into())
}

#[test]
fn a_stream_is_watched_chunk_by_chunk() {
    let mut tap = codec().stream_tap(&Skim { choices: 2, ..Skim::default() }, &Quirks::REFERENCE);
    for (data, expected) in [
        (r#"{"modelVersion":"gemini-3","responseId":"r"}"#, FrameClass::Preamble),
        (r#"{"candidates":[{"content":{"parts":[{"text":"H\u00e9y"}]},"index":0}]}"#, FrameClass::Content),
        (r#"{"candidates":[{"content":{"parts":[{"text":""}]},"index":0}]}"#, FrameClass::Preamble),
        (
            r#"{"candidates":[{"finishReason":"STOP","index":0,"groundingMetadata":{"webSearchQueries":["a","b"]}}]}"#,
            FrameClass::Content,
        ),
        (
            r#"{"usageMetadata":{"promptTokenCount":5,"cachedContentTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":4,"toolUsePromptTokenCount":6,"totalTokenCount":18}}"#,
            FrameClass::UsageOnly,
        ),
    ] {
        assert_eq!(tap.frame(&event(data)), expected, "{data}");
    }
    assert!(!tap.complete(), "the other candidate has not finished");
    tap.frame(&event(r#"{"candidates":[{"finishReason":"MAX_TOKENS","index":1}]}"#));
    assert!(tap.complete());
    let facts = tap.facts();
    assert_eq!(
        (facts.id.as_deref(), facts.model.as_deref(), facts.finish.as_deref(), facts.output_bytes),
        (Some("r"), Some("gemini-3"), Some("STOP"), 4)
    );
    let usage = facts.usage.unwrap();
    assert_eq!(
        (
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
            usage.total()
        ),
        (9, 2, 3, 4, 18)
    );
    assert_eq!(usage.units.searches, 2, "each query is billed");
    let grounded = |model: &str| {
        let body = format!(
            r#"{{"candidates":[{{"groundingMetadata":{{"webSearchQueries":["a","","b","a"]}}}}],"usageMetadata":{{"totalTokenCount":1}},"modelVersion":"{model}"}}"#
        );
        codec().read_answer(body.as_bytes(), &Quirks::REFERENCE).unwrap().usage.unwrap().units.searches
    };
    assert_eq!((grounded("gemini-2.5-flash"), grounded("gemini-3-flash")), (1, 2));
}

#[test]
fn a_blocked_prompt_is_a_whole_answer() {
    let blocked = r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#;
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    assert_eq!(tap.frame(&event(blocked)), FrameClass::Content);
    assert!(tap.complete());
    let facts = codec().read_answer(blocked.as_bytes(), &Quirks::REFERENCE).unwrap();
    assert_eq!(facts.finish.as_deref(), Some("SAFETY"));
}

#[test]
fn usage_is_sorted_by_modality() {
    let body = br#"{"candidates":[],"usageMetadata":{"promptTokenCount":300,"cachedContentTokenCount":20,"candidatesTokenCount":1300,"totalTokenCount":1600,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":32},{"modality":"IMAGE","tokenCount":258},{"modality":"AUDIO","tokenCount":10}],
        "cacheTokensDetails":[{"modality":"TEXT","tokenCount":12},{"modality":"IMAGE","tokenCount":8}],
        "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}}"#;
    let usage = codec().read_answer(body, &Quirks::REFERENCE).unwrap().usage.unwrap();
    assert_eq!((usage.input_tokens, usage.cache_read_tokens), (20, 20));
    assert_eq!((usage.image_input_tokens, usage.audio_input_tokens), (250, 10));
    assert_eq!((usage.output_tokens, usage.image_output_tokens, usage.total()), (10, 1290, 1600));
}

#[test]
fn what_is_no_chunk_is_an_error_or_garbage() {
    let error = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"x","reason":"API_KEY_INVALID"}]}}"#;
    for body in [error.to_owned(), format!("[{error}]")] {
        let words = codec().read_error(body.as_bytes()).unwrap();
        assert_eq!(
            (words.code.as_deref(), words.kind.as_deref()),
            (Some("API_KEY_INVALID"), Some("INVALID_ARGUMENT"))
        );
        assert_eq!(words.message.as_deref(), Some("API key not valid."));
    }
    let mut tap = codec().stream_tap(&Skim::default(), &Quirks::REFERENCE);
    assert!(matches!(tap.frame(&event(error)), FrameClass::Error(_)));
    assert_eq!(tap.frame(&event("<html>")), FrameClass::Malformed);
    assert_eq!(tap.frame(&event("{}")), FrameClass::Malformed);
    assert_eq!(tap.frame(&Frame::of_event(": hi\n\n".into())), FrameClass::Heartbeat);
    assert!(matches!(
        codec().read_answer(error.as_bytes(), &Quirks::REFERENCE),
        Err(AnswerProblem::Error(words)) if words.code.as_deref() == Some("API_KEY_INVALID")
    ));
    assert_eq!(codec().read_answer(br#"{"id":"x"}"#, &Quirks::REFERENCE), Err(AnswerProblem::Malformed));
    assert_eq!(codec().read_error(b"<html>"), None);
}

#[test]
fn errors_are_spoken_in_the_dialect() {
    for (kind, status) in [
        (ErrorKind::InvalidRequest, "INVALID_ARGUMENT"),
        (ErrorKind::Unauthenticated, "UNAUTHENTICATED"),
        (ErrorKind::Forbidden, "PERMISSION_DENIED"),
        (ErrorKind::BudgetExceeded, "FAILED_PRECONDITION"),
        (ErrorKind::RateLimited, "RESOURCE_EXHAUSTED"),
        (ErrorKind::ModelNotFound, "NOT_FOUND"),
        (ErrorKind::Overloaded, "UNAVAILABLE"),
        (ErrorKind::UpstreamTimeout, "DEADLINE_EXCEEDED"),
        (ErrorKind::ClientClosed, "CANCELLED"),
        (ErrorKind::UpstreamCut, "INTERNAL"),
    ] {
        let error =
            Error::new(kind, "No \"more\"").about("contents").retry_after(Duration::from_millis(1500));
        let body = codec().error_body(&error);
        let words = codec().read_error(&body).unwrap();
        assert_eq!((words.kind.as_deref(), words.message.as_deref()), (Some(status), Some("No \"more\"")));
        assert_eq!(words.code.as_deref(), Some(kind.facts().code.to_ascii_uppercase().as_str()));
        assert_eq!(words.param.as_deref(), Some("contents"));
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            text.contains(&format!(r#""code":{},"#, error.status())) && text.contains(r#""retryDelay":"2s""#),
            "{text}"
        );
        assert_eq!(codec().error_event(&error), format!("data: {text}\n\n"));
    }
    assert!(codec().terminal_event().is_empty());
}

#[test]
fn the_dialect_is_known_everywhere() {
    assert_eq!(codec().dialect(), Dialect::GeminiGenerate);
    for other in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
        assert!(can_recast(Dialect::GeminiGenerate, other) && can_recast(other, Dialect::GeminiGenerate));
    }
    assert!(crossing(Dialect::GeminiGenerate, Direction::Request).is_empty());
    assert_eq!(crossing(Dialect::GeminiGenerate, Direction::Response), ["content-type"]);
    let annotation = trunkline_wire::codec::Annotation { cost: trunkline_domain::NanoUsd(1), provider: "x" };
    assert_eq!(codec().annotate(&Bytes::from_static(br#"{"usageMetadata":{}}"#), &annotation), None);
}
