//! Anthropic's dialect: the laws on made-up requests and answers, requests that are none, and streams that are none.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, PartKind, Role, StreamEvent, fold, unfold};
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, ErrorWords, Skim};
use trunkline_wire::codec_for;
use trunkline_wire::frame::Frame;
use trunkline_wire::framing::sse::SseFramer;
use trunkline_wire::quirks::{DoneMarker, Quirks};
use trunkline_wire::recast::Losses;

use super::{
    Case, Ending, TOLERANT, anthropic_generate as generate, assert_sequential, bare, bare_response, codec,
    decode_request, encode_request, events, identity, stream,
};

const MESSAGES: Dialect = Dialect::AnthropicMessages;

/// Without the provider's own word for the end, which is only kept where it says the same as the class.
fn unworded(mut response: ChatResponse) -> ChatResponse {
    for finish in response.choices.iter_mut().filter_map(|choice| choice.finish.as_mut()) {
        finish.raw = "".into();
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(MESSAGES, written.to_string().as_bytes());
        let (again, losses) = encode_request(MESSAGES, &request, &TOLERANT);
        prop_assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(MESSAGES, written.to_string().as_bytes()));
        // What only its own spelling carries is left out: it cannot be said in general terms.
        request.reasoning = None;
        for turn in &mut request.turns {
            let kept = |kind: &PartKind| {
                let cites = matches!(kind, PartKind::Text { citations, .. } if !citations.is_empty());
                !cites && !matches!(kind, PartKind::Reasoning(_) | PartKind::Document(_))
            };
            turn.parts.retain(|part| kept(&part.kind));
            for part in &mut turn.parts {
                if let PartKind::ToolResult(result) = &mut part.kind {
                    result.content.retain(|inner| kept(&inner.kind));
                }
            }
        }
        request.turns.retain(|turn| !turn.parts.is_empty());
        // Instructions at the head are one turn, and so are results that follow each other.
        while request.instructions().0.len() > 1 {
            request.turns.remove(0);
        }
        let mut at = 1;
        while at < request.turns.len() {
            let same = |role| request.turns[at].role == role && request.turns[at - 1].role == role;
            if same(Role::Tool) { request.turns.remove(at); } else { at += 1; }
        }
        let (bytes, losses) = encode_request(MESSAGES, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        let mut again = bare(decode_request(MESSAGES, &bytes));
        again.parallel_tool_calls = again.parallel_tool_calls.or(request.parallel_tool_calls);
        prop_assert_eq!(again, request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(MESSAGES).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(MESSAGES).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(MESSAGES).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(MESSAGES, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let (read, ending) = events(MESSAGES, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
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
            && let Ok(request) = codec(MESSAGES).decode_request(&envelope)
        {
            encode_request(MESSAGES, &request, &Quirks::REFERENCE);
        }
        let whole = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
        assert_sequential(&events(MESSAGES, &TOLERANT, [whole.as_slice()]).0);
    }

    #[test]
    fn a_damaged_answer_makes_no_decoder_panic(written in generate::response(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(response) = codec(MESSAGES).decode_response(&bytes, &TOLERANT) {
            let request = ChatRequest::default();
            codec(MESSAGES).encode_response(&response, &identity(&response, &request), &mut Losses::default());
        }
    }
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":5}]}"#,
            "messages[1]",
        ),
        (r#"{"model":"m","messages":[{"content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"tool","content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"t"}]}]}"#,
            "messages[0].content",
        ),
        (r#"{"model":"m","messages":[],"system":5}"#, "system"),
        (r#"{"model":"m","messages":[],"temperature":"hot"}"#, "temperature"),
        (r#"{"model":"m","messages":[],"tools":{}}"#, "tools"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens"),
        (r#"{"model":"m","messages":[],"metadata":[]}"#, "metadata"),
        (r#"{"model":"m","messages":[],"output_config":"high"}"#, "output_config"),
    ] {
        let error = codec(MESSAGES).decode_request(&super::super::envelope(body)).expect_err(body);
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field) && !error.message.contains("line"), "{}", error.message);
    }
}

fn sse(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

fn begun() -> Value {
    json!({ "type": "message_start", "message": { "id": "msg_1", "model": "m", "content": [], "usage": { "input_tokens": 3, "output_tokens": 1 } } })
}

#[test]
fn an_error_in_mid_stream_ends_it() {
    let bytes = sse(&[
        begun(),
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }),
    ]);
    let (read, ending) = events(MESSAGES, &TOLERANT, [bytes.as_slice()]);
    let words = ErrorWords {
        message: Some("Overloaded".into()),
        code: Some("overloaded_error".into()),
        kind: Some("overloaded_error".into()),
        ..ErrorWords::default()
    };
    assert_eq!(ending, Ending::Problem(AnswerProblem::Error(words)));
    assert!(matches!(read.as_slice(), [StreamEvent::Start { .. }, StreamEvent::Usage(_)]));
}

#[test]
fn events_out_of_place_are_malformed_and_unknown_ones_pass() {
    let text =
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
    let delta =
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "a" } });
    let ended = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" } });
    let malformed = Ending::Problem(AnswerProblem::Malformed);
    for (frames, expected) in [
        (vec![text.clone()], malformed.clone()),
        (vec![json!({ "type": "message_stop" })], malformed.clone()),
        (vec![begun(), text.clone(), delta], malformed.clone()),
        (vec![begun(), ended, text.clone()], malformed.clone()),
        (vec![begun(), json!({ "no": "type" })], malformed),
        (
            vec![begun(), json!({ "type": "future" }), text, json!({ "type": "message_stop" })],
            Ending::Complete,
        ),
    ] {
        let (read, ending) = events(MESSAGES, &TOLERANT, [sse(&frames).as_slice()]);
        assert_eq!(ending, expected, "{frames:?}");
        assert_sequential(&read);
    }
}

#[test]
fn an_end_is_owed_only_where_the_server_may_leave_it_out() {
    let bytes = sse(&[begun(), json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" } })]);
    for (done_marker, expected) in
        [(DoneMarker::Required, Ending::Cut), (DoneMarker::Optional, Ending::Complete)]
    {
        let (_, ending) = events(MESSAGES, &Quirks { done_marker, ..TOLERANT }, [bytes.as_slice()]);
        assert_eq!(ending, expected);
    }
}

#[test]
fn an_unknown_block_is_put_together_from_its_deltas() {
    let bytes = sse(&[
        begun(),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "compaction", "content": null } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "compaction_delta", "content": "So far" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_stop" }),
    ]);
    let (read, ending) = events(MESSAGES, &TOLERANT, [bytes.as_slice()]);
    assert_eq!(ending, Ending::Complete);
    let answer = fold(read);
    let PartKind::Opaque(opaque) = &answer.choices[0].parts[0].kind else { panic!("opaque") };
    let block: Value = serde_json::from_str(opaque.raw.get()).unwrap();
    assert_eq!(block, json!({ "type": "compaction", "content": "So far" }));
}

#[test]
fn a_stream_is_metered_alike_whether_relayed_or_recast() {
    for case in Case::all("anthropic_messages") {
        let Some(bytes) = case.file("response.sse") else { continue };
        let mut cutter = SseFramer::new(1 << 20);
        cutter.push(bytes.into());
        let frames: Vec<Frame> = std::iter::from_fn(|| cutter.next()).map(|frame| frame.unwrap()).collect();
        let mut tap = codec_for(MESSAGES).stream_tap(&Skim::default(), &TOLERANT);
        let mut facts = AnswerFacts::default();
        let mut decoder = codec(MESSAGES).stream_decoder(&TOLERANT);
        for frame in &frames {
            let mut events = Vec::new();
            tap.frame(frame);
            decoder.frame(frame, &mut events).unwrap();
            for event in &events {
                facts.absorb(event);
            }
        }
        // What a server-side tool says counts as written here and by its strings there.
        facts.output_bytes = tap.facts().output_bytes;
        assert_eq!(tap.facts(), &facts, "{}", case.name);
        if let Some(body) = case.file("response.json") {
            let buffered = codec_for(MESSAGES).read_answer(&body, &TOLERANT).unwrap();
            facts.output_bytes = buffered.output_bytes;
            assert_eq!(buffered, facts, "{}", case.name);
        }
    }
}
