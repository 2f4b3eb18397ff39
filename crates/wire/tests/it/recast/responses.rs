//! OpenAI's Responses: the laws on made-up requests and answers, requests that are none, and streams that are none.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Delta, Extras, Part, PartKind, Role, StreamEvent, fold, unfold,
};
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, ErrorWords, Skim};
use trunkline_wire::codec_for;
use trunkline_wire::frame::Frame;
use trunkline_wire::framing::sse::SseFramer;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::Losses;

use super::{
    Case, Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request,
    events, identity, responses_generate as generate, stream,
};

const RESPONSES: Dialect = Dialect::OpenaiResponses;

/// Without the provider's own word for the end, which is only kept where it says the same as the class.
fn unworded(mut response: ChatResponse) -> ChatResponse {
    for finish in response.choices.iter_mut().filter_map(|choice| choice.finish.as_mut()) {
        finish.raw = "".into();
    }
    response
}

/// Without what only its own spelling carries, and with what is said in any case.
fn plain(part: &mut Part) {
    part.cache = None;
    if let PartKind::Text { citations, .. } = &mut part.kind {
        citations.clear();
    }
    if let PartKind::Image(media) = &mut part.kind {
        media.detail.get_or_insert("auto".into());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(RESPONSES, written.to_string().as_bytes());
        let (again, losses) = encode_request(RESPONSES, &request, &TOLERANT);
        prop_assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(RESPONSES, written.to_string().as_bytes()));
        for turn in &mut request.turns {
            // Thinking goes back with its seal only; content of unknown kind is only known by its spelling.
            turn.parts.retain(|part| {
                let sealed = part.signature.is_some() || !matches!(part.kind, PartKind::Reasoning(_));
                sealed && !matches!(part.kind, PartKind::Opaque(_))
            });
            for part in &mut turn.parts {
                plain(part);
                if let PartKind::ToolResult(result) = &mut part.kind {
                    result.content.retain(|inner| !matches!(inner.kind, PartKind::Opaque(_)));
                    result.content.iter_mut().for_each(plain);
                    result.name = None;
                }
            }
        }
        request.turns.retain(|turn| !turn.parts.is_empty());
        // Turns of one side that follow each other are one.
        let merges = |role| matches!(role, Role::Assistant | Role::Tool);
        request.turns.dedup_by(|later, earlier| merges(later.role) && later.role == earlier.role);
        for tool in &mut request.tools {
            if let trunkline_domain::chat::ToolKind::Function { strict, .. } = &mut tool.kind {
                *strict = strict.or(Some(false));
            }
        }
        request.labels.store = request.labels.store.or(Some(false));
        request.stream_options = None;
        request.reasoning = request.reasoning.filter(|said| said.effort.is_some() || said.summary.is_some());
        let (bytes, losses) = encode_request(RESPONSES, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(RESPONSES, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(RESPONSES).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(RESPONSES).encode_response(&response, &identity(&response, &request), &mut losses);
        let (bytes, more) = stream(RESPONSES, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let last = String::from_utf8(bytes.clone()).unwrap();
        let last: Value = serde_json::from_str(last.trim_end().rsplit("\ndata: ").next().unwrap()).unwrap();
        prop_assert_eq!(&last["response"], &serde_json::from_slice::<Value>(&buffered).unwrap());
        let (read, ending) = events(RESPONSES, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        let buffered = codec(RESPONSES).decode_response(&buffered, &TOLERANT).unwrap();
        let streamed = bare_response(fold(read));
        prop_assert_eq!(&streamed, &bare_response(buffered));
        prop_assert_eq!(unworded(streamed), unworded(bare_response(response)));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(envelope) = trunkline_wire::envelope::Envelope::parse(bytes.clone().into())
            && let Ok(request) = codec(RESPONSES).decode_request(&envelope)
        {
            encode_request(RESPONSES, &request, &Quirks::REFERENCE);
        }
        let whole = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
        assert_sequential(&events(RESPONSES, &TOLERANT, [whole.as_slice()]).0);
    }

    #[test]
    fn a_damaged_answer_makes_no_decoder_panic(written in generate::response(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(response) = codec(RESPONSES).decode_response(&bytes, &TOLERANT) {
            let request = ChatRequest::default();
            codec(RESPONSES).encode_response(&response, &identity(&response, &request), &mut Losses::default());
        }
    }

    #[test]
    fn damage_in_a_stream_breaks_no_order(written in generate::response(), at in any::<prop::sample::Index>(), without in 1..4_usize) {
        let response = codec(RESPONSES).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let (bytes, _) = stream(RESPONSES, &unfold(response.clone()), &identity(&response, &request));
        let text = String::from_utf8(bytes).unwrap();
        let mut frames: Vec<&str> = text.split_inclusive("\n\n").collect();
        let from = at.index(frames.len());
        frames.drain(from..(from + without).min(frames.len()));
        assert_sequential(&events(RESPONSES, &TOLERANT, [frames.concat().as_bytes()]).0);
    }
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (r#"{"model":"m"}"#, "input"),
        (r#"{"input":null}"#, "input"),
        (r#"{"input":{}}"#, "input"),
        (r#"{"input":[{"role":"user","content":"a"},7]}"#, "input[1]"),
        (r#"{"input":[{"id":"msg_1"}]}"#, "input[0]"),
        (r#"{"input":[{"role":"robot","content":"a"}]}"#, "input[0].role"),
        (r#"{"input":[{"role":"user"}]}"#, "input[0].content"),
        (r#"{"input":[{"role":"user","content":5}]}"#, "input[0].content"),
        (r#"{"input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#, "input[0]"),
        (r#"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}]}"#, "input[0]"),
        (r#"{"input":[{"type":"custom_tool_call","call_id":"c","name":"f"}]}"#, "input[0]"),
        (r#"{"input":[{"type":"function_call_output","output":"a"}]}"#, "input[0].call_id"),
        (r#"{"input":[{"type":"function_call_output","call_id":"c"}]}"#, "input[0].output"),
        (r#"{"input":"a","instructions":5}"#, "instructions"),
        (r#"{"input":"a","temperature":"hot"}"#, "temperature"),
        (r#"{"input":"a","tools":{}}"#, "tools"),
        (r#"{"input":"a","text":"plain"}"#, "text"),
        (r#"{"input":"a","reasoning":"hard"}"#, "reasoning"),
        (r#"{"input":"a","include":"all"}"#, "include"),
        // What would need something kept between two requests.
        (r#"{"input":"a","previous_response_id":"resp_1"}"#, "previous_response_id"),
        (r#"{"input":"a","conversation":"conv_1"}"#, "conversation"),
        (r#"{"input":"a","prompt":{"id":"p"}}"#, "prompt"),
        (r#"{"input":"a","background":true}"#, "background"),
        (r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#, "input[0]"),
    ] {
        let error = codec(RESPONSES).decode_request(&super::super::envelope(body)).expect_err(body);
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field) && !error.message.contains("line"), "{}", error.message);
    }
}

fn sse(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

fn created() -> Value {
    json!({ "type": "response.created", "response": { "id": "resp_1", "model": "m", "output": [] } })
}

fn completed() -> Value {
    json!({ "type": "response.completed", "response": { "id": "resp_1", "model": "m", "status": "completed", "output": [] } })
}

fn item(event: &str, index: u64, item: &Value) -> Value {
    json!({ "type": format!("response.output_item.{event}"), "output_index": index, "item": item })
}

#[test]
fn an_error_in_mid_stream_ends_it() {
    let words = ErrorWords {
        message: Some("Overloaded".into()),
        code: Some("server_error".into()),
        ..ErrorWords::default()
    };
    let error = json!({ "code": "server_error", "message": "Overloaded" });
    for event in [
        json!({ "type": "error", "code": "server_error", "message": "Overloaded", "sequence_number": 1 }),
        json!({ "type": "error", "error": error }),
        json!({ "type": "response.failed", "response": { "status": "failed", "error": error, "output": [] } }),
    ] {
        let (read, ending) = events(RESPONSES, &TOLERANT, [sse(&[created(), event]).as_slice()]);
        assert_eq!(ending, Ending::Problem(AnswerProblem::Error(words.clone())));
        assert!(matches!(read.as_slice(), [StreamEvent::Start { .. }]));
    }
}

#[test]
fn events_out_of_place_are_malformed_and_unknown_ones_pass() {
    let delta =
        json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a" });
    let arguments =
        json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{" });
    let odd =
        json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": 5 });
    let future =
        json!({ "type": "response.future.delta", "output_index": 0, "delta": { "x": 1 }, "item": 7 });
    let malformed = Ending::Problem(AnswerProblem::Malformed);
    for (frames, expected) in [
        (vec![delta.clone()], malformed.clone()),
        (vec![created(), arguments], malformed.clone()),
        (vec![created(), odd], malformed.clone()),
        (vec![created(), json!({ "no": "type" })], malformed),
        (vec![created(), delta.clone()], Ending::Cut),
        (vec![created(), future, delta, completed()], Ending::Complete),
        (vec![completed()], Ending::Complete),
    ] {
        let (read, ending) = events(RESPONSES, &TOLERANT, [sse(&frames).as_slice()]);
        assert_eq!(ending, expected, "{frames:?}");
        assert_sequential(&read);
    }
}

#[test]
fn what_a_server_says_at_the_end_of_an_item_only_is_not_missed() {
    let message = json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
        { "type": "output_text", "text": "Hi", "annotations": [{ "type": "url_citation", "url": "https://a.test", "title": "", "start_index": 0, "end_index": 2 }] },
    ] });
    let opened = json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": [] });
    let call = |arguments: &str| json!({ "type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": arguments });
    let thought = |summary: Value| json!({ "type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gA" });
    let summary = json!([{ "type": "summary_text", "text": "S" }]);
    let frames = [
        created(),
        item("added", 0, &thought(json!([]))),
        item("done", 0, &thought(summary.clone())),
        item("added", 1, &opened),
        item("done", 1, &message),
        item("added", 2, &call("")),
        item("done", 2, &call("{}")),
        completed(),
    ];
    let (read, ending) = events(RESPONSES, &TOLERANT, [sse(&frames).as_slice()]);
    assert_eq!(ending, Ending::Complete);
    assert_sequential(&read);
    let twin = json!({ "id": "resp_1", "model": "m", "status": "completed", "output": [thought(summary), message, call("{}")] });
    let twin = codec(RESPONSES).decode_response(twin.to_string().as_bytes(), &TOLERANT).unwrap();
    assert_eq!(bare_response(fold(read)), bare_response(twin));
}

/// The events of a stream, as JSON.
fn written(bytes: &[u8]) -> Vec<Value> {
    let mut cutter = SseFramer::new(1 << 20);
    cutter.push(bytes.to_vec().into());
    let frames: Vec<Frame> = std::iter::from_fn(|| cutter.next()).map(|frame| frame.unwrap()).collect();
    frames
        .iter()
        .map(|frame| {
            let event: Value = serde_json::from_slice(frame.data()).unwrap();
            assert_eq!(
                frame.event(),
                event.get("type").and_then(Value::as_str).map(str::as_bytes),
                "named inside and outside"
            );
            event
        })
        .collect()
}

#[test]
fn clients_can_put_a_stream_together_by_its_numbers() {
    for case in Case::all("openai_responses") {
        let Some(body) = case.file("response.json") else { continue };
        let response = codec(RESPONSES).decode_response(&body, &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let (bytes, _) = stream(RESPONSES, &unfold(response.clone()), &identity(&response, &request));
        let events = written(&bytes);
        let mut items: Vec<Value> = Vec::new();
        for (sequence, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], sequence, "{}", case.name);
            let at = event["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
            let part = event["content_index"].as_u64().map(|index| usize::try_from(index).unwrap());
            if let (Some(at), Some(id)) = (at, event["item_id"].as_str()) {
                assert_eq!(items[at]["id"], id, "{}: {event}", case.name);
            }
            match event["type"].as_str().unwrap() {
                "response.output_item.added" => {
                    assert_eq!(at, Some(items.len()), "{}", case.name);
                    items.push(event["item"].clone());
                }
                "response.content_part.added" if items[at.unwrap()]["type"] == "message" => {
                    let content = items[at.unwrap()]["content"].as_array_mut().unwrap();
                    assert_eq!(part, Some(content.len()), "{}", case.name);
                    content.push(event["part"].clone());
                }
                "response.output_text.annotation.added" => {
                    let part = &mut items[at.unwrap()]["content"][part.unwrap()];
                    let annotations = part["annotations"].as_array_mut().unwrap();
                    assert_eq!(event["annotation_index"], annotations.len(), "{}", case.name);
                    annotations.push(event["annotation"].clone());
                }
                "response.output_text.delta" => {
                    let text = &mut items[at.unwrap()]["content"][part.unwrap()]["text"];
                    *text = format!("{}{}", text.as_str().unwrap(), event["delta"].as_str().unwrap()).into();
                }
                "response.function_call_arguments.delta" => {
                    let text = &mut items[at.unwrap()]["arguments"];
                    *text = format!("{}{}", text.as_str().unwrap(), event["delta"].as_str().unwrap()).into();
                }
                "response.output_text.done" => {
                    assert_eq!(items[at.unwrap()]["content"][part.unwrap()]["text"], event["text"]);
                }
                "response.function_call_arguments.done" => {
                    assert_eq!(items[at.unwrap()]["arguments"], event["arguments"]);
                }
                "response.output_item.done" => items[at.unwrap()] = event["item"].clone(),
                _ => {}
            }
        }
        let last = events.last().unwrap();
        assert_eq!(last["response"]["output"], Value::from(items), "{}", case.name);
        assert_eq!(
            last["response"]["status"],
            json!(last["type"].as_str().unwrap().strip_prefix("response."))
        );
    }
}

#[test]
fn two_messages_that_are_read_are_two_when_they_are_written() {
    let reasoning = Case::all("openai_responses").into_iter().find(|case| case.name == "reasoning").unwrap();
    let (read, _) = events(RESPONSES, &TOLERANT, [reasoning.file("response.sse").unwrap().as_slice()]);
    let (response, request) = (ChatResponse::default(), ChatRequest::default());
    let (bytes, _) = stream(RESPONSES, &read, &identity(&response, &request));
    let last = written(&bytes).pop().unwrap();
    let kinds = last["response"]["output"].as_array().unwrap().iter().map(|item| &item["type"]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["reasoning", "reasoning", "message", "message"]);
}

#[test]
fn a_long_answer_is_streamed_whole_and_repeated_in_part() {
    let piece = "x".repeat(1 << 20);
    let text = PartKind::Text { text: "".into(), citations: Vec::new() };
    let start =
        StreamEvent::Start { id: "".into(), model: "".into(), created: None, extras: Extras::default() };
    let delta = StreamEvent::PartDelta { choice: 0, index: 0, delta: Delta::Text(piece.as_str().into()) };
    let mut written = vec![start, StreamEvent::PartStart { choice: 0, index: 0, part: text.into() }];
    written.extend(std::iter::repeat_n(delta, 20));
    written.extend([StreamEvent::PartStop { choice: 0, index: 0 }, StreamEvent::End]);
    let (response, request) = (ChatResponse::default(), ChatRequest::default());
    let (bytes, losses) = stream(RESPONSES, &written, &identity(&response, &request));
    let bytes = String::from_utf8(bytes).unwrap();
    assert_eq!(bytes.matches("event: response.output_text.delta").count(), 20);
    assert!(bytes.len() < (20 + 16 * 4 + 1) << 20, "what is repeated is capped");
    assert_eq!(losses.as_slice().len(), 1);
    assert_eq!(losses.as_slice()[0].path, "output");
}

#[test]
fn a_stream_is_metered_alike_whether_relayed_or_recast() {
    for case in Case::all("openai_responses") {
        let Some(bytes) = case.file("response.sse") else { continue };
        let mut cutter = SseFramer::new(1 << 20);
        cutter.push(bytes.into());
        let frames: Vec<Frame> = std::iter::from_fn(|| cutter.next()).map(|frame| frame.unwrap()).collect();
        let mut tap = codec_for(RESPONSES).stream_tap(&Skim::default(), &TOLERANT);
        let mut facts = AnswerFacts::default();
        let mut decoder = codec(RESPONSES).stream_decoder(&TOLERANT);
        for frame in &frames {
            let mut events = Vec::new();
            tap.frame(frame);
            decoder.frame(frame, &mut events).unwrap();
            for event in &events {
                facts.absorb(event);
            }
        }
        assert!(
            facts.output_bytes >= tap.facts().output_bytes,
            "opaque items count here only: {}",
            case.name
        );
        facts.output_bytes = tap.facts().output_bytes;
        assert_eq!(tap.facts(), &facts, "{}", case.name);
        if let Some(body) = case.file("response.json") {
            let buffered = codec_for(RESPONSES).read_answer(&body, &TOLERANT).unwrap();
            facts.output_bytes = buffered.output_bytes;
            assert_eq!(buffered, facts, "{}", case.name);
        }
    }
}

#[test]
fn a_status_that_was_null_is_written_once() {
    let body = br#"{"id":"r","status":"completed","model":"m","output":[
        {"id":"m_1","type":"message","role":"assistant","status":null,"content":[{"type":"output_text","text":"a","annotations":[]}]},
        {"id":"f_1","type":"function_call","status":"strange","call_id":"c","name":"f","arguments":"{}"}]}"#;
    let response = codec(RESPONSES).decode_response(body, &Quirks::REFERENCE).unwrap();
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let again = codec(RESPONSES).encode_response(&response, &identity(&response, &request), &mut losses);
    let again = std::str::from_utf8(&again).unwrap();
    assert_eq!(again.matches(r#""status":"#).count(), 3, "{again}");
}
