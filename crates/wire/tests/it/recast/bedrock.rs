//! Bedrock's dialect: the laws on made-up requests and answers, and requests that are none.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, Part, PartKind, RawJson, Role, fold, unfold};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::framing::eventstream;
use trunkline_wire::recast::Losses;

use super::bedrock_generate as generate;
use super::cohere::CHAT;
use super::{
    Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request, events,
    identity, json, stream,
};

pub(super) const CONVERSE: Dialect = Dialect::BedrockConverse;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(CONVERSE, written.to_string().as_bytes());
        let (again, losses) = encode_request(CONVERSE, &request, &TOLERANT);
        prop_assert_eq!(json(&again), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(CONVERSE, written.to_string().as_bytes()));
        // Written in one way for each model: tested by itself.
        request.reasoning = None;
        request.sampling.top_k = None;
        // What is told apart by its spelling only, and citations, which go back to their own provider only.
        let head = usize::from(request.turns.first().is_some_and(|turn| turn.role == Role::System));
        let mut at = 0;
        request.turns.retain(|turn| { at += 1; at <= head || turn.role != Role::System });
        for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            if let PartKind::Text { citations, .. } = &mut part.kind {
                citations.clear();
            }
            if let PartKind::Document(document) = &mut part.kind {
                document.name = Some("Plain".into());
            }
            if let PartKind::ToolResult(result) = &mut part.kind {
                for inner in &mut result.content {
                    if let PartKind::Document(document) = &mut inner.kind {
                        document.name = Some("Plain".into());
                    }
                }
            }
        }
        for turn in &mut request.turns {
            let unsigned =
                |part: &Part| matches!(part.kind, PartKind::Reasoning(_)) && part.signature.is_none();
            turn.parts.retain(|part| !unsigned(part) && !matches!(part.kind, PartKind::Opaque(_)));
        }
        // Turns of one side that follow each other are one, and empty ones none.
        request.turns.retain(|turn| !turn.parts.is_empty());
        request.turns.dedup_by(|later, earlier| {
            let joins = later.role == earlier.role;
            if joins { earlier.parts.append(&mut later.parts); }
            joins
        });
        let (bytes, losses) = encode_request(CONVERSE, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(CONVERSE, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(CONVERSE).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(CONVERSE).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(CONVERSE).decode_response(&buffered, &TOLERANT).unwrap();
        prop_assert_eq!(unworded(buffered), unworded(response.clone()));
        let (bytes, more) = stream(CONVERSE, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let (read, ending) = events(CONVERSE, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        prop_assert_eq!(unworded(fold(read)), unworded(response));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), answer in generate::response(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        for written in [written, answer] {
            let mut bytes = written.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = with;
            if let Ok(envelope) = Envelope::parse(bytes.clone().into())
                && let Ok(request) = codec(CONVERSE).decode_request(&envelope)
            {
                encode_request(CONVERSE, &request, &TOLERANT);
                encode_request(CHAT, &request, &TOLERANT);
            }
            drop(codec(CONVERSE).decode_response(&bytes, &TOLERANT));
            let names = ["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"];
            let stream: Vec<u8> = names.iter().flat_map(|name| eventstream::event(name, &bytes)).collect();
            assert_sequential(&events(CONVERSE, &TOLERANT, [stream.as_slice()]).0);
        }
    }
}

/// An answer without the provider's own word for its end, which is kept only where it says the same as the class, and whose
/// opaque blocks are spelled in one way.
fn unworded(response: ChatResponse) -> ChatResponse {
    let mut response = bare_response(response);
    for finish in response.choices.iter_mut().filter_map(|choice| choice.finish.as_mut()) {
        finish.raw = "".into();
    }
    for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        if let PartKind::Opaque(opaque) = &mut part.kind {
            let value: Value = serde_json::from_str(opaque.raw.get()).unwrap();
            opaque.raw = RawJson::parse(&value.to_string()).unwrap();
        }
    }
    response
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    let user = |content: Value| json!({ "role": "user", "content": content });
    for (body, field) in [
        (json!({ "messages": {} }), "messages"),
        (json!({ "messages": [user(json!([])), { "role": "robot" }] }), "messages[1].role"),
        (json!({ "messages": [{ "role": "user" }] }), "messages[0].content"),
        (json!({ "messages": [user(json!("Hi"))] }), "messages[0].content"),
        (json!({ "messages": [user(json!([5]))] }), "messages[0].content"),
        (json!({ "messages": [user(json!([{ "text": 5 }]))] }), "messages[0].content"),
        (json!({ "messages": [[]] }), "messages[0]"),
        (json!({ "system": "S" }), "system"),
        (json!({ "inferenceConfig": { "maxTokens": -1 } }), "inferenceConfig"),
        (json!({ "toolConfig": [] }), "toolConfig"),
        (json!({ "serviceTier": {} }), "serviceTier.type"),
    ] {
        let error =
            codec(CONVERSE).decode_request(&super::super::envelope(&body.to_string())).expect_err("none");
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field), "{}", error.message);
    }
}
