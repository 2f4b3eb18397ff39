//! Answers of OpenAI's chat dialect: what servers do that the documents do not say, and how answers of others are put in
//! its words.

use serde_json::{Value, json};
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Choice, Citation, Delta, Extras, Finish, FinishReason, Minted, Part, PartKind,
    RawJson, StreamEvent, Thought, ToolCall, ToolCallKind, fold, unfold,
};
use trunkline_domain::{Dialect, Usage};
use trunkline_wire::codec::{AnswerProblem, ErrorWords};
use trunkline_wire::quirks::{Quirks, StopSequence};
use trunkline_wire::recast::Losses;

use super::openai_chat::CHAT;
use super::{Ending, TOLERANT, assert_sequential, codec, events, identity, stream};

/// The stream of these chunks' choices.
fn chunks(choices: &[&str]) -> Vec<u8> {
    let chunk = |choice: &&str| format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{choice}]}}\n\n");
    choices.iter().map(chunk).collect::<String>().into_bytes()
}

pub(super) fn read(stream: &[u8]) -> (Vec<StreamEvent>, Ending) {
    events(CHAT, &TOLERANT, [stream])
}

#[test]
fn servers_that_say_which_stop_sequence_it_was_are_understood() {
    for (said, member) in
        [(StopSequence::StopReason, "stop_reason"), (StopSequence::MatchedStop, "matched_stop")]
    {
        let quirks = Quirks { stop_sequence: said, ..TOLERANT };
        let finish = |quirks: &Quirks, value: &str| {
            let rest = format!(r#""finish_reason":"stop","{member}":{value}"#);
            let body = format!(r#"{{"choices":[{{"index":0,"message":{{"content":"a"}},{rest}}}]}}"#);
            let read = codec(CHAT).decode_response(body.as_bytes(), quirks).unwrap();
            let delta = format!(r#"{{"index":0,"delta":{{"content":"a"}},{rest}}}"#);
            let stream = [chunks(&[&delta]), b"data: [DONE]\n\n".to_vec()].concat();
            let (events, ending) = events(CHAT, quirks, [stream.as_slice()]);
            assert_eq!(ending, Ending::Complete);
            let choice = &read.choices[0];
            assert_eq!(fold(events).choices[0].finish, choice.finish);
            let finish = choice.finish.clone().unwrap();
            (finish.reason, finish.stop_sequence, choice.extras.fields().len())
        };
        let stopped = (FinishReason::StopSequence, Some("END".into()), 0);
        assert_eq!(finish(&quirks, r#""END""#), stopped);
        // A token's number is no sequence, and elsewhere the member means something else.
        assert_eq!(finish(&quirks, "151645"), (FinishReason::Stop, None, 1));
        assert_eq!(finish(&quirks, "null"), (FinishReason::Stop, None, 0));
        assert_eq!(finish(&TOLERANT, r#""END""#), (FinishReason::Stop, None, 1));
    }
}

#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let call = |delta: &str| format!(r#"{{"index":0,"delta":{{"tool_calls":[{delta}]}}}}"#);
    let done = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#.to_owned();
    let cases = [
        // Numbered as documented.
        [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
            r#"{"index":0,"function":{"arguments":"2"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"g","arguments":"3"}}"#,
        ],
        // All numbered 0.
        [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
            r#"{"index":0,"id":"a","function":{"arguments":"2"}}"#,
            r#"{"index":0,"id":"b","function":{"name":"g","arguments":"3"}}"#,
        ],
        // Not numbered; another id in every delta.
        [
            r#"{"id":"a","function":{"name":"f","arguments":"1"}}"#,
            r#"{"id":"x","function":{"name":"","arguments":"2"}}"#,
            r#"{"id":"b","function":{"name":"g","arguments":"3"}}"#,
        ],
    ];
    for case in cases {
        let choices: Vec<String> = case.into_iter().map(call).chain([done.clone()]).collect();
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        let stream = [chunks(&choices), b"data: [DONE]\n\n".to_vec()].concat();
        let (events, ending) = read(&stream);
        assert_eq!(ending, Ending::Complete);
        assert_sequential(&events);
        let folded = fold(events);
        let calls: Vec<(&str, &str, &str)> = folded.choices[0]
            .parts
            .iter()
            .filter_map(Part::tool_call)
            .map(|call| (&*call.id, &*call.name, &*call.arguments))
            .collect();
        assert_eq!(calls, [("a", "f", "12"), ("b", "g", "3")]);
        assert_eq!(folded.choices[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    }
}

#[test]
fn streams_that_break_the_rules_are_errors() {
    let first = r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}}"#;
    let second = r#"{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"2"}}]}}"#;
    let late = r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"3"}}]}}"#;
    let stop = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    let text = r#"{"index":0,"delta":{"content":"x"}}"#;
    for choices in [&[first, second, late][..], &[text, stop, text], &[late]] {
        assert_eq!(read(&chunks(choices)).1, Ending::Problem(AnswerProblem::Malformed), "{choices:?}");
    }
    let words = ErrorWords { message: Some("busy".into()), ..ErrorWords::default() };
    for error in ["data: {\"error\":\"busy\"}\n\n", "event: error\ndata: {\"message\":\"busy\"}\n\n"] {
        let (events, ending) = read(&[chunks(&[text]), error.as_bytes().to_vec()].concat());
        assert_eq!(ending, Ending::Problem(AnswerProblem::Error(words.clone())));
        assert!(events.iter().any(StreamEvent::is_content));
    }
    for garbage in ["data: <html>\n\n", "data: {\"a\":1}\n\n", "data: {\"choices\":{}}\n\n", "data: null\n\n"]
    {
        assert_eq!(read(garbage.as_bytes()).1, Ending::Problem(AnswerProblem::Malformed), "{garbage}");
    }
}

#[test]
fn odd_first_chunks_do_not_name_the_answer() {
    let azure =
        b"data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n".to_vec();
    let (events, _) = read(&[azure, chunks(&[r#"{"index":0,"delta":{"content":"x"}}"#])].concat());
    assert!(matches!(&events[0], StreamEvent::Start { id, .. } if &**id == "c"));
}

#[test]
fn an_answer_of_another_dialect_is_put_in_this_ones_words() {
    let cited = Citation { url: Some("https://example.test".into()), ..Citation::default() };
    let unplaced = Citation { title: Some("a document".into()), ..Citation::default() };
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let signature = Some(Minted::unknown(Dialect::AnthropicMessages, "c2ln".into()));
    let choice = Choice {
        parts: vec![
            Part { signature, ..Part::new(PartKind::Reasoning(thought)) },
            Part::text("\u{e9}a"),
            PartKind::Text { text: "bc".into(), citations: vec![cited, unplaced] }.into(),
        ],
        finish: Some(Finish {
            reason: FinishReason::StopSequence,
            raw: "stop_sequence".into(),
            stop_sequence: Some("X".into()),
        }),
        ..Choice::default()
    };
    let response = ChatResponse { id: "i".into(), choices: vec![choice], ..ChatResponse::default() };
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = codec(CHAT).encode_response(&response, &identity(&response, &request), &mut losses);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], "\u{e9}abc");
    assert_eq!(
        message["annotations"],
        json!([{ "type": "url_citation", "url_citation": { "url": "https://example.test", "title": "", "start_index": 2, "end_index": 4 } }])
    );
    assert_eq!(
        message["reasoning_details"],
        json!([{ "type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1" }])
    );
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(paths(&losses), ["choices[0].stop_sequence", "citations"]);
    let (bytes, streamed) = stream(CHAT, &unfold(response.clone()), &identity(&response, &request));
    assert_eq!(paths(&streamed), paths(&losses), "buffered or streamed, the same is lost");
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#""start_index":2,"end_index":4"#) && text.ends_with("data: [DONE]\n\n"));
    assert!(!text.contains("\"usage\""), "nobody asked for it");
}

#[test]
fn a_signature_alone_still_opens_a_thought() {
    let sealed = r#"{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"AA==","format":"openai-responses-v1","id":"rs_1"}]}}"#;
    let (events, _) = read(&chunks(&[sealed]));
    let delta = events.iter().find_map(|event| {
        if let StreamEvent::PartDelta { delta: Delta::Signature(state), .. } = event {
            Some(state.clone())
        } else {
            None
        }
    });
    assert_eq!(delta, Some(Minted::unknown(Dialect::OpenaiResponses, "AA==".into())));
}

/// The JSON of every frame of a stream but the last.
fn payloads(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: {"))
        .map(|rest| serde_json::from_str(&format!("{{{rest}")).unwrap())
        .collect()
}

#[test]
fn calls_and_thoughts_are_numbered_as_clients_put_them_together() {
    let call = |id: &str| {
        let call = ToolCall {
            id: id.into(),
            name: "f".into(),
            kind: ToolCallKind::Function,
            arguments: "{}".into(),
        };
        Part::from(PartKind::ToolCall(call))
    };
    let thought = |text: &str| {
        let thought = Thought { text: vec![text.into()], ..Thought::default() };
        let signature = Some(Minted::unknown(Dialect::AnthropicMessages, text.into()));
        Part { signature, ..Part::new(PartKind::Reasoning(thought)) }
    };
    let signed =
        Part { signature: Some(Minted::unknown(Dialect::GeminiGenerate, "c2ln".into())), ..call("b") };
    let choice =
        Choice { parts: vec![thought("s"), thought("t"), call("a"), signed, call("")], ..Choice::default() };
    let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
    let request = ChatRequest::default();
    let (bytes, losses) = stream(CHAT, &unfold(response.clone()), &identity(&response, &request));
    assert!(losses.is_empty());
    let deltas: Vec<Value> =
        payloads(&bytes).into_iter().map(|payload| payload["choices"][0]["delta"].clone()).collect();
    let pieces = |member: &str| -> Vec<Value> {
        deltas.iter().filter_map(|delta| delta.get(member)).map(|list| list[0].clone()).collect()
    };
    let calls: Vec<(Value, Value)> =
        pieces("tool_calls").iter().map(|piece| (piece["index"].clone(), piece["id"].clone())).collect();
    let (no, at) = (Value::Null, |index: u64| json!(index));
    assert_eq!(
        calls,
        [
            (at(0), json!("a")),
            (at(0), no.clone()),
            (at(1), json!("b")),
            (at(1), no.clone()),
            (at(1), no.clone()),
            (at(2), json!("call_0_4")),
            (at(2), no)
        ]
    );
    assert_eq!(pieces("tool_calls")[4]["extra_content"]["google"]["thought_signature"], "c2ln");
    // The official Python client breaks off a stream with a piece of a call that has none.
    assert!(pieces("tool_calls").iter().all(|piece| piece["function"].is_object()));
    let thoughts: Vec<(Value, Value, Value)> = pieces("reasoning_details")
        .iter()
        .map(|piece| (piece["index"].clone(), piece["text"].clone(), piece["signature"].clone()))
        .collect();
    let nothing = Value::Null;
    assert_eq!(
        thoughts,
        [
            (at(0), json!("s"), nothing.clone()),
            (at(0), nothing.clone(), json!("s")),
            (at(1), json!("t"), nothing.clone()),
            (at(1), nothing.clone(), json!("t"))
        ]
    );
}

#[test]
fn parts_that_come_whole_are_counted_too() {
    let image = r#"{"index":0,"delta":{"images":[{"type":"image_url","image_url":{"url":"https://example.test/a"}}]}}"#;
    let text = |text: &str| format!(r#"{{"index":0,"delta":{{"content":"{text}"}}}}"#);
    let (before, after) = (text("a"), text("b"));
    let (events, _) = read(&chunks(&[&before, image, image, &after]));
    assert_sequential(&events);
    let folded = fold(events);
    let kinds: Vec<bool> =
        folded.choices[0].parts.iter().map(|part| matches!(part.kind, PartKind::Image(_))).collect();
    assert_eq!(kinds, [false, true, true, false]);
}

fn paths(losses: &Losses) -> Vec<&str> {
    let mut paths: Vec<&str> = losses.as_slice().iter().map(|loss| &*loss.path).collect();
    paths.sort_unstable();
    paths
}

/// An answer buffered, as JSON, and what was lost; streamed, the same is lost.
fn written(choice: Choice, usage: Option<Usage>) -> (Value, Vec<String>) {
    let response = ChatResponse { choices: vec![choice], usage, ..ChatResponse::default() };
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = codec(CHAT).encode_response(&response, &identity(&response, &request), &mut losses);
    let (_, streamed) = stream(CHAT, &unfold(response.clone()), &identity(&response, &request));
    assert_eq!(paths(&streamed), paths(&losses), "buffered or streamed, the same is lost");
    let lost = paths(&losses).into_iter().map(str::to_owned).collect();
    (serde_json::from_slice(&body).unwrap(), lost)
}

#[test]
fn why_an_answer_ended_is_never_prettier_than_it_was() {
    for (reason, raw, word, lost) in [
        (FinishReason::Stop, "end_turn", "stop", false),
        (FinishReason::Length, "max_tokens", "length", false),
        (FinishReason::ContextWindow, "model_context_window_exceeded", "length", false),
        (FinishReason::ToolCalls, "tool_use", "tool_calls", false),
        (FinishReason::Refusal, "refusal", "content_filter", false),
        (FinishReason::ContentFilter, "SAFETY", "content_filter", false),
        (FinishReason::Error, "ERROR", "error", false),
        (FinishReason::Other, "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL", false),
        (FinishReason::Pause, "pause_turn", "stop", true),
    ] {
        let finish = Finish { reason, raw: raw.into(), stop_sequence: None };
        let (body, losses) = written(Choice { finish: Some(finish), ..Choice::default() }, None);
        assert_eq!((&body["choices"][0]["finish_reason"], !losses.is_empty()), (&json!(word), lost), "{raw}");
    }
}

#[test]
fn tokens_are_counted_as_the_dialect_counts_them() {
    let usage = Usage {
        input_tokens: 1,
        cache_read_tokens: 2,
        cache_write_5m_tokens: 4,
        cache_write_1h_tokens: 8,
        audio_input_tokens: 16,
        image_input_tokens: 32,
        output_tokens: 64,
        reasoning_tokens: 128,
        audio_output_tokens: 256,
        ..Usage::default()
    };
    let (body, _) = written(Choice::default(), Some(usage));
    let expected = json!({
        "prompt_tokens": 63, "completion_tokens": 448, "total_tokens": 511,
        "prompt_tokens_details": { "cached_tokens": 2, "audio_tokens": 16, "cache_write_tokens": 12, "image_tokens": 32 },
        "completion_tokens_details": { "reasoning_tokens": 128, "audio_tokens": 256,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 },
    });
    assert_eq!(body["usage"], expected);
    let reread = codec(CHAT).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap().usage;
    let merged = Usage { cache_write_5m_tokens: 12, cache_write_1h_tokens: 0, ..usage };
    assert_eq!(reread, Some(merged), "the dialect does not say how long an entry lives");
}

#[test]
fn a_citation_keeps_its_place_in_the_joined_text() {
    let url = Some("https://example.test".into());
    let citation = Citation { url, span: Some((1, 2)), ..Citation::default() };
    let cited = PartKind::Text { text: "bcd".into(), citations: vec![citation] };
    let choice = Choice { parts: vec![Part::text("\u{e9}\u{1F600}"), cited.into()], ..Choice::default() };
    let (body, _) = written(choice, None);
    let place = &body["choices"][0]["message"]["annotations"][0]["url_citation"];
    assert_eq!((&place["start_index"], &place["end_index"]), (&json!(3), &json!(4)));
}

#[test]
fn what_an_answer_has_no_place_for_is_lost_by_name() {
    let future =
        || Extras::new(Dialect::AnthropicMessages, 1, vec![("future".into(), RawJson::parse("1").unwrap())]);
    let signature = || Some(Minted::unknown(Dialect::GeminiGenerate, "c2ln".into()));
    let call =
        ToolCall { id: "c".into(), name: "f".into(), kind: ToolCallKind::Function, arguments: "{}".into() };
    let parts = vec![
        Part { signature: signature(), extras: future(), ..Part::text("a") },
        Part { extras: future(), ..Part::new(PartKind::ToolCall(call)) },
    ];
    let (_, losses) = written(Choice { parts, ..Choice::default() }, None);
    assert_eq!(
        losses,
        ["choices[0].parts[0].future", "choices[0].parts[0].signature", "choices[0].parts[1].future"]
    );
}

#[test]
fn usage_that_has_not_changed_is_no_event() {
    let chunk = |tokens: u32| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":[],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{tokens}}}}}\n\n"
        )
    };
    let (events, _) = read([chunk(1), chunk(1), chunk(2)].concat().as_bytes());
    let totals: Vec<u64> = events
        .iter()
        .filter_map(|event| if let StreamEvent::Usage(usage) = event { Some(usage.total()) } else { None })
        .collect();
    assert_eq!(totals, [4, 5]);
}

#[test]
fn nothing_is_opened_behind_the_end_of_a_choice() {
    let stop = r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#;
    let late = r#"{"index":0,"delta":{"audio":{"id":"audio_1","data":"UklG"}}}"#;
    let (events, ending) = read(&chunks(&[stop, late]));
    assert_eq!(ending, Ending::Problem(AnswerProblem::Malformed));
    assert!(matches!(events.last(), Some(StreamEvent::Finish { .. })), "{events:?}");
}

#[test]
fn choices_that_all_have_one_number_are_numbered_in_order() {
    let choice = |text| json!({ "index": 0, "message": { "role": "assistant", "content": text } });
    let body = json!({ "choices": [choice("a"), choice("b")] }).to_string();
    let response = codec(CHAT).decode_response(body.as_bytes(), &TOLERANT).expect("decodes");
    let read: Vec<_> = response.choices.iter().map(|choice| (choice.index, choice.parts.clone())).collect();
    assert_eq!(read, [(0, vec![Part::text("a")]), (1, vec![Part::text("b")])]);
}

#[test]
fn a_member_given_twice_is_written_once() {
    let body = br#"{"choices":[{"message":{"content":"a"}}],"future":1,"future":2,"more":null,"more":3}"#;
    let response = codec(CHAT).decode_response(body, &TOLERANT).expect("decodes");
    let request = ChatRequest::default();
    let written =
        codec(CHAT).encode_response(&response, &identity(&response, &request), &mut Losses::default());
    let envelope = trunkline_wire::envelope::Envelope::parse(written).expect("no key twice");
    assert_eq!((envelope.raw("future"), envelope.raw("more")), (Some("2"), Some("3")));
    for twice in
        [r#""choices":null,"choices":[]"#, r#""choices":[],"choices":null"#, r#""choices":[],"choices":[]"#]
    {
        let body = format!("{{{twice}}}");
        assert!(codec(CHAT).decode_response(body.as_bytes(), &TOLERANT).is_err(), "{twice}");
    }
}
