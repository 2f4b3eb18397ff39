//! Cohere's dialect: the laws on made-up requests and answers, what a request of another dialect becomes, and streams that
//! end otherwise than they should.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Document, DocumentContent, Minted, Part, PartKind, RawJson, Reasoning, Role,
    Thought, ToolKind, Turn, fold, unfold,
};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::recast::{EncodeTarget, Losses};

use super::cohere_generate as generate;
use super::{
    Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request, events,
    identity, json, stream,
};

pub(super) const COHERE: Dialect = Dialect::CohereChat;
pub(super) const CHAT: Dialect = Dialect::OpenaiChat;
pub(super) const MESSAGES: Dialect = Dialect::AnthropicMessages;

pub(super) type Lost = Vec<(String, Subject, LossKind)>;

pub(super) fn lost(losses: &Losses) -> Lost {
    losses.as_slice().iter().map(|loss| (loss.path.to_string(), loss.subject, loss.kind)).collect()
}

fn translate(from: Dialect, to: Dialect, body: &Value) -> (Value, Lost) {
    let request = decode_request(from, body.to_string().as_bytes());
    let (bytes, losses) = encode_request(to, &request, &TOLERANT);
    (json(&bytes), lost(&losses))
}

/// An answer without the provider's own word for its end, which is kept only where it says the same as the class.
fn unworded(response: ChatResponse) -> ChatResponse {
    let mut response = bare_response(response);
    for finish in response.choices.iter_mut().filter_map(|choice| choice.finish.as_mut()) {
        finish.raw = "".into();
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(COHERE, written.to_string().as_bytes());
        let (again, losses) = encode_request(COHERE, &request, &TOLERANT);
        prop_assert_eq!(json(&again), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(COHERE, written.to_string().as_bytes()));
        // Instructions that stand elsewhere than at the head are put in their own spelling only.
        let first = request.turns.first().is_some_and(|turn| turn.role == Role::System);
        let head = usize::from(first);
        let mut at = 0;
        request.turns.retain(|turn| { at += 1; at <= head || turn.role != Role::System });
        // Tools' turns that follow each other are one.
        request.turns.dedup_by(|later, earlier| {
            let joins = later.role == Role::Tool && earlier.role == Role::Tool;
            if joins { earlier.parts.append(&mut later.parts); }
            joins
        });
        // A tool without a schema gets one.
        for tool in &mut request.tools {
            if let ToolKind::Function { parameters, .. } = &mut tool.kind {
                parameters.get_or_insert_with(|| RawJson::parse("{}").unwrap());
            }
        }
        let (bytes, losses) = encode_request(COHERE, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(COHERE, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(COHERE).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(COHERE).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(COHERE).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(COHERE, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let (read, ending) = events(COHERE, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        let streamed = unworded(fold(read));
        prop_assert_eq!(&streamed, &unworded(buffered));
        prop_assert_eq!(streamed, unworded(response));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), answer in generate::response(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        for written in [written, answer] {
            let mut bytes = written.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = with;
            if let Ok(envelope) = Envelope::parse(bytes.clone().into())
                && let Ok(request) = codec(COHERE).decode_request(&envelope)
            {
                encode_request(COHERE, &request, &TOLERANT);
                encode_request(CHAT, &request, &TOLERANT);
            }
            drop(codec(COHERE).decode_response(&bytes, &TOLERANT));
            let data = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
            assert_sequential(&events(COHERE, &TOLERANT, [data.as_slice()]).0);
        }
    }
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (json!({ "model": "m" }), "messages"),
        (json!({ "model": "m", "messages": {} }), "messages"),
        (json!({ "model": "m", "messages": [{ "role": "user" }, { "role": "robot" }] }), "messages[1].role"),
        (json!({ "model": "m", "messages": [{ "role": "user", "content": 5 }] }), "messages[0].content"),
        (
            json!({ "model": "m", "messages": [{ "role": "tool", "content": "a" }] }),
            "messages[0].tool_call_id",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "user", "tool_plan": "a" }] }),
            "messages[0].tool_plan",
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [{ "id": "c" }] }] }),
            "messages[0].tool_calls[0]",
        ),
        (json!({ "model": "m", "messages": [], "p": "high" }), "p"),
    ] {
        let error =
            codec(COHERE).decode_request(&super::super::envelope(&body.to_string())).expect_err("none");
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field), "{}", error.message);
    }
}

#[test]
fn a_request_of_openai_becomes_one_of_cohere() {
    let tool = |name: &str| json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object" }, "strict": true } });
    let (body, losses) = translate(
        CHAT,
        COHERE,
        &json!({
            "model": "command-a", "max_completion_tokens": 9, "top_p": 1, "stop": "x", "temperature": 0.5, "user": "u", "n": 1,
            "tools": [tool("f"), { "type": "function", "function": { "name": "g" } }], "tool_choice": "required", "reasoning_effort": "low",
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "strict": true, "schema": { "type": "object" } } },
            "messages": [
                { "role": "system", "content": "a" }, { "role": "developer", "content": "b" },
                { "role": "user", "content": [{ "type": "text", "text": "See" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
                { "role": "system", "content": "late" },
                { "role": "assistant", "content": "Now", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"a\": 1" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "one" },
            ],
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "command-a", "max_tokens": 9, "p": 0.99, "stop_sequences": ["x"], "temperature": 0.5,
            "strict_tools": true, "tool_choice": "REQUIRED", "thinking": { "type": "enabled", "token_budget": 1 },
            "tools": [
                { "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } },
                { "type": "function", "function": { "name": "g", "parameters": { "type": "object", "properties": {} } } },
            ],
            "response_format": { "type": "json_object", "json_schema": { "type": "object" } },
            "messages": [
                { "role": "system", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "user", "content": [{ "type": "text", "text": "See" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
                { "role": "user", "content": "late" },
                { "role": "assistant", "content": "Now", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"a\": 1" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "one" },
            ],
        })
    );
    let adapted = |path: &str, subject| (path.to_owned(), subject, LossKind::Adapted);
    let dropped = |path: &str, subject| (path.to_owned(), subject, LossKind::Dropped);
    assert_eq!(
        losses,
        [
            adapted("tools[1].strict", Subject::Tools),
            adapted("turns[3]", Subject::Content),
            dropped("output.format.name", Subject::Other),
            adapted("reasoning.effort", Subject::Reasoning),
            adapted("top_p", Subject::Sampling),
            dropped("user", Subject::Labels),
        ]
    );
}

#[test]
fn a_tool_that_must_be_called_is_the_only_one_offered() {
    let function = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let body = json!({ "model": "m", "messages": [], "tools": [function("f"), function("g")], "tool_choice": function("g") });
    let (body, losses) = translate(CHAT, COHERE, &body);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&body["tools"][0]["function"]["name"], &body["tool_choice"]),
        (&json!("g"), &json!("REQUIRED"))
    );
    assert_eq!(losses, [("tool_choice".to_owned(), Subject::Tools, LossKind::Adapted)]);
}

#[test]
fn a_request_of_anthropic_becomes_one_of_cohere() {
    let document = |citations: bool| json!({ "type": "document", "title": "T", "citations": { "enabled": citations }, "source": { "type": "text", "media_type": "text/plain", "data": "words" } });
    let image =
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } });
    let (body, losses) = translate(
        MESSAGES,
        COHERE,
        &json!({
            "model": "m", "max_tokens": 100, "thinking": { "type": "enabled", "budget_tokens": 64 },
            "messages": [
                { "role": "user", "content": [document(true), document(false), { "type": "text", "text": "Q", "cache_control": { "type": "ephemeral" } }] },
                { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm", "signature": "c2ln" }, { "type": "redacted_thinking", "data": "x" }, { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } }] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [{ "type": "text", "text": "bad" }, image] }] },
            ],
        }),
    );
    assert_eq!(body["documents"], json!([{ "data": { "text": "words", "title": "T" } }]));
    assert_eq!(body["thinking"], json!({ "type": "enabled", "token_budget": 64 }));
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [{ "type": "text", "text": "words" }, { "type": "text", "text": "Q" }] },
            { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm" }], "tool_calls": [{ "id": "t", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }] },
            { "role": "tool", "tool_call_id": "t", "content": "bad" },
            { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
        ])
    );
    let paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    assert_eq!(
        paths,
        [
            "turns[0].parts[0]",
            "turns[0].parts[1]",
            "turns[0].parts[2].cache",
            "turns[1].parts[1]",
            "turns[1].parts[0].signature",
            "turns[2].parts[0].is_error",
            "turns[2].parts[0]",
        ]
    );
}

#[test]
fn beside_a_form_of_answer_a_document_is_text() {
    let document = Document {
        content: DocumentContent::Text("words".into()),
        media_type: None,
        name: None,
        context: None,
        citations: Some(true),
    };
    let turn = Turn::new(Role::User, vec![PartKind::Document(document).into()]);
    let mut request = ChatRequest { model: "m".into(), turns: vec![turn], ..ChatRequest::default() };
    request.output.format = Some(trunkline_domain::chat::OutputFormat::JsonObject);
    let body = json(&encode_request(COHERE, &request, &TOLERANT).0);
    assert_eq!(body["documents"], Value::Null);
    assert_eq!(body["messages"][0]["content"], json!([{ "type": "text", "text": "words" }]));
}

#[test]
fn an_unknown_field_is_one_named_loss_elsewhere() {
    let (_, losses) = translate(
        COHERE,
        CHAT,
        &json!({
            "model": "m", "x_request": 1, "x_null": null, "safety_mode": "OFF",
            "tools": [{ "type": "function", "x_tool": 1, "function": { "name": "f" } }],
            "thinking": { "type": "enabled", "x_thinking": 1 },
            "messages": [{ "role": "user", "x_turn": 1, "content": [{ "type": "text", "text": "a", "x_part": 1 }] }],
        }),
    );
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "reasoning.x_thinking",
            "safety_mode",
            "tools[0].x_tool",
            "turns[0].parts[0].x_part",
            "turns[0].x_turn",
            "x_request"
        ]
    );
    let body = json!({ "model": "m", "x_request": 1, "messages": [{ "role": "user", "x_turn": 1, "content": "a" }] });
    let (_, losses) = translate(CHAT, COHERE, &body);
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["turns[0].x_turn", "x_request"]);
}

#[test]
fn the_holds_cap_is_sent_and_thinking_is_its_share() {
    let mut request = ChatRequest { model: "m".into(), ..ChatRequest::default() };
    request.sampling.output_max = Some(5000);
    for (effort, thinking) in
        [("none", json!({ "type": "disabled" })), ("high", json!({ "type": "enabled", "token_budget": 800 }))]
    {
        let effort = trunkline_domain::chat::Effort::parse(effort);
        request.reasoning = Some(Reasoning { effort, ..Reasoning::default() });
        let target = EncodeTarget {
            model: "command-a",
            quirks: &TOLERANT,
            stream: true,
            output_cap: Some(1000),
            output_max: None,
            minter: None,
        };
        let bytes = codec(COHERE).encode_request(&request, &target, &mut Losses::default()).unwrap();
        assert_eq!(
            json(&bytes),
            json!({ "model": "command-a", "messages": [], "thinking": thinking, "max_tokens": 1000, "stream": true })
        );
    }
}

#[test]
fn signatures_are_never_sent() {
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let part = Part {
        signature: Some(Minted::unknown(MESSAGES, "c2ln".into())),
        ..Part::new(PartKind::Reasoning(thought))
    };
    let turns = vec![Turn::new(Role::Assistant, vec![part])];
    let request = ChatRequest { model: "m".into(), turns, ..ChatRequest::default() };
    let (bytes, losses) = encode_request(COHERE, &request, &TOLERANT);
    assert!(!String::from_utf8_lossy(&bytes).contains("c2ln"));
    assert_eq!(
        lost(&losses),
        [("turns[0].parts[0].signature".to_owned(), Subject::State, LossKind::Dropped)]
    );
}

#[test]
fn citations_that_stand_in_another_order_stay_as_they_are() {
    let citation = |index: u64| json!({ "start": 0, "end": 1, "text": "a", "sources": [], "content_index": index, "type": "TEXT_CONTENT" });
    let text = json!({ "type": "text", "text": "ab" });
    for order in [[1, 0], [0, 1]] {
        let body = json!({ "model": "m", "messages": [{ "role": "assistant", "content": [text, text], "citations": order.map(citation) }] });
        let (again, losses) = translate(COHERE, COHERE, &body);
        assert_eq!((again, losses), (body, vec![]));
    }
}

#[test]
fn what_the_dialect_has_less_of_is_brought_within_its_bounds() {
    let (body, losses) = translate(
        CHAT,
        COHERE,
        &json!({
            "model": "m", "stop": ["a", "b", "c", "d", "e", "f"], "top_k": 501, "presence_penalty": -1, "n": 2, "parallel_tool_calls": false,
            "messages": [{ "role": "system", "content": "a" }, { "role": "system", "content": "b", "x_turn": 1 }],
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "m", "stop_sequences": ["a", "b", "c", "d", "e"], "k": 500, "presence_penalty": 0.0,
            "messages": [{ "role": "system", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }],
        })
    );
    let paths: Vec<&str> = losses.iter().map(|(path, _, _)| &**path).collect();
    assert_eq!(paths, ["parallel_tool_calls", "turns[1].x_turn", "stop", "presence_penalty", "top_k", "n"]);
}
