//! Provider state that is relayed: found in answers, shown to a judge in requests, cut out where it says so.

#![expect(clippy::disallowed_methods, reason = "`json!` is made of it")]

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_wire::codec_for;
use trunkline_wire::splice::splice;
use trunkline_wire::state::{StateKind, Verdict};

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const GEMINI: Dialect = Dialect::GeminiGenerate;
const RESPONSES: Dialect = Dialect::OpenaiResponses;

fn found(dialect: Dialect, json: &Value) -> Vec<String> {
    let mut found = Vec::new();
    codec_for(dialect).find_state(json.to_string().as_bytes(), &mut |value| found.push(value.to_owned()));
    found
}

#[test]
fn signatures_are_found_in_whole_answers_and_in_events() {
    let item = json!({ "type": "reasoning", "summary": [], "encrypted_content": "c2ln" });
    let detail = json!({ "type": "reasoning.text", "signature": "c2ln" });
    let sealed = json!({ "type": "reasoning.encrypted", "data": "c2ln" });
    let call = json!({ "extra_content": { "google": { "thought_signature": "c2ln" } } });
    let part = json!({ "functionCall": { "name": "f" }, "thoughtSignature": "c2ln" });
    for (dialect, answer) in [
        (MESSAGES, json!({ "content": [{ "type": "thinking", "thinking": "a", "signature": "c2ln" }] })),
        (MESSAGES, json!({ "content": [{ "type": "redacted_thinking", "data": "c2ln" }] })),
        (MESSAGES, json!({ "content_block": { "type": "redacted_thinking", "data": "c2ln" } })),
        (MESSAGES, json!({ "delta": { "type": "signature_delta", "signature": "c2ln" } })),
        (GEMINI, json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }, part] } }] })),
        (RESPONSES, json!({ "output": [item] })),
        (RESPONSES, json!({ "type": "response.output_item.done", "item": item })),
        (RESPONSES, json!({ "type": "response.completed", "response": { "output": [item] } })),
        (CHAT, json!({ "choices": [{ "message": { "reasoning_details": [detail] } }] })),
        (CHAT, json!({ "choices": [{ "delta": { "reasoning_details": [sealed] } }] })),
        (CHAT, json!({ "choices": [{ "delta": { "tool_calls": [call] } }] })),
    ] {
        assert_eq!(found(dialect, &answer), ["c2ln"], "{dialect:?}: {answer}");
    }
}

#[test]
fn what_only_looks_like_a_signature_is_none() {
    for (dialect, answer) in [
        (MESSAGES, json!({ "content": [{ "type": "thinking", "thinking": "a", "signature": "" }] })),
        (MESSAGES, json!({ "content": [{ "type": "tool_use", "input": { "signature": "x" } }] })),
        (MESSAGES, json!({ "delta": { "type": "text_delta", "text": "\"signature\":\"x\"" } })),
        (GEMINI, json!({ "candidates": [{ "content": { "parts": [{ "text": "thoughtSignature" }] } }] })),
        (RESPONSES, json!({ "output": [{ "type": "reasoning", "encrypted_content": null }] })),
        (CHAT, json!({ "choices": [{ "message": { "reasoning_details": null, "content": "signature" } }] })),
    ] {
        assert_eq!(found(dialect, &answer), Vec::<String>::new(), "{dialect:?}: {answer}");
    }
}

/// What a judge was shown, and the body when all of it that is signed or unsigned goes.
fn judged(dialect: Dialect, body: &Value) -> (Vec<String>, Option<Value>) {
    let envelope = crate::envelope(&body.to_string());
    let mut shown = Vec::new();
    let edit = codec_for(dialect).review_state(&envelope, "gemini-3-flash", &mut |state| {
        let kind = match &state.kind {
            StateKind::Signed(value) => format!("signed {value}"),
            StateKind::Unsigned => "unsigned".to_owned(),
            StateKind::Call { id, name } => format!("call {id} {name}"),
        };
        shown.push(format!("{}: {kind}", state.path));
        Verdict::Drop
    });
    let cut = edit.map(|edit| serde_json::from_slice(&splice(&envelope, &[edit]).to_bytes()).unwrap());
    let kept = codec_for(dialect).review_state(&envelope, "gemini-3-flash", &mut |_| Verdict::Keep);
    assert!(kept.is_none(), "what stays is not written anew");
    (shown, cut)
}

#[test]
fn a_messages_thinking_goes_and_its_calls_stay() {
    let call = json!({ "type": "tool_use", "id": "t1", "name": "f", "input": {} });
    let thought = |signature: &str| json!({ "type": "thinking", "thinking": "a", "signature": signature });
    let hidden = json!({ "type": "redacted_thinking", "data": "ZGF0YQ==" });
    let assistant = |content: Value| json!({ "role": "assistant", "content": content });
    let body = json!({ "model": "m", "messages": [
        { "role": "user", "content": "a" },
        assistant(json!([thought("c2ln"), hidden, call])),
        assistant(json!([thought("")])),
    ] });
    let (shown, cut) = judged(MESSAGES, &body);
    let at = |block: usize, kind: &str| format!("messages[1].content[{block}]: {kind}");
    let expected = [
        at(0, "signed c2ln"),
        at(1, "signed ZGF0YQ=="),
        at(2, "call t1 f"),
        "messages[2].content[0]: unsigned".to_owned(),
    ];
    assert_eq!(shown, expected);
    let left =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }, assistant(json!([call]))] });
    assert_eq!(cut, Some(left), "a message of which nothing is left goes too");
}

#[test]
fn a_parts_signature_goes_and_a_call_gets_the_placeholder() {
    let call = |signature: Value| json!({ "functionCall": { "name": "f", "args": {} }, "thoughtSignature": signature });
    let body = |parts: Value| json!({ "contents": [{ "role": "model", "parts": parts }] });
    let signed = body(json!([
        { "text": "a", "thought_signature": "c2ln" },
        call(json!("c2lo")),
        { "thoughtSignature": "c2lp" },
        call(json!("skip_thought_signature_validator")),
    ]));
    let (shown, cut) = judged(GEMINI, &signed);
    let at = |part: usize, value: &str| format!("contents[0].parts[{part}]: signed {value}");
    assert_eq!(shown, [at(0, "c2ln"), at(1, "c2lo"), at(2, "c2lp")]);
    let placeholder = || call(json!("skip_thought_signature_validator"));
    assert_eq!(cut, Some(body(json!([{ "text": "a" }, placeholder(), { "text": "" }, placeholder()]))));
}

#[test]
fn an_encrypted_item_goes_whole() {
    let call = json!({ "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "c1", "output": "a" });
    let thought = json!({ "type": "reasoning", "summary": [], "encrypted_content": "gAAA" });
    let (shown, cut) = judged(RESPONSES, &json!({ "input": [thought, call, output] }));
    assert_eq!(shown, ["input[0]: signed gAAA", "input[1]: call c1 f"]);
    assert_eq!(cut, Some(json!({ "input": [call, output] })));
    assert_eq!(judged(RESPONSES, &json!({ "input": "encrypted_content" })), (vec![], None));
}

#[test]
fn what_a_chat_carries_goes_piece_by_piece() {
    let text = json!({ "type": "reasoning.text", "text": "a", "signature": "c2ln" });
    let sealed = json!({ "type": "reasoning.encrypted", "data": "gAAA" });
    let plain = json!({ "type": "reasoning.text", "text": "b" });
    let call =
        |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let mut signed = call("c1");
    signed["extra_content"] = json!({ "google": { "thought_signature": "c2lo" } });
    let said = |details: Value, calls: Value| json!({ "role": "assistant", "reasoning_details": details, "tool_calls": calls });
    let body = json!({ "messages": [said(json!([text, plain]), json!([signed, call("c2")])), { "role": "assistant", "reasoning_details": [sealed] }] });
    let (shown, cut) = judged(CHAT, &body);
    let expected = [
        "messages[0].reasoning_details[0]: signed c2ln",
        "messages[0].tool_calls[0]: signed c2lo",
        "messages[0].tool_calls[1]: call c2 f",
        "messages[1].reasoning_details[0]: signed gAAA",
    ];
    assert_eq!(shown, expected);
    let left = json!({ "messages": [said(json!([plain]), json!([call("c1"), call("c2")])), { "role": "assistant" }] });
    assert_eq!(cut, Some(left));
}

#[test]
fn other_languages_carry_none() {
    let body = json!({ "input": "encrypted_content", "messages": [], "prompt": "signature" });
    for dialect in [Dialect::OpenaiEmbeddings, Dialect::OpenaiCompletions] {
        assert_eq!(judged(dialect, &body), (vec![], None));
        assert_eq!(
            found(
                dialect,
                &json!({ "choices": [{ "message": { "reasoning_details": [{ "data": "x" }] } }] })
            ),
            [""; 0]
        );
    }
}
