//! What coding agents send, for providers of other dialects: named after what went wrong with each.

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatResponse, Choice, Part, PartKind, StreamEvent, ToolCall, ToolCallKind, fold, unfold,
};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::recast::{FunctionTools, Losses};

use super::super::envelope;
use super::{TOLERANT, caller, decode_request, encode_request, json};

const RESPONSES: Dialect = Dialect::OpenaiResponses;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

/// What Codex offers: a freeform tool, a namespace, and tools in the input.
fn codex() -> Value {
    let function =
        |name: &str| json!({ "type": "function", "name": name, "parameters": { "type": "object" } });
    let grammar = json!({ "type": "grammar", "syntax": "lark", "definition": "start: /.+/" });
    json!({
        "model": "m",
        "prompt_cache_key": "thread",
        "tools": [
            function("exec_command"),
            { "type": "custom", "name": "apply_patch", "description": "Patches", "format": grammar },
            { "type": "namespace", "name": "agents", "description": "", "tools": [function("close")] },
        ],
        "input": [
            { "type": "additional_tools", "role": "developer", "tools": [
                { "type": "namespace", "name": "clock", "description": "", "tools": [function("sleep")] },
            ] },
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": "Patch it" },
            { "type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** \"Begin\"\n" },
            { "type": "function_call", "call_id": "c2", "namespace": "agents", "name": "close", "arguments": "{}" },
            { "type": "custom_tool_call_output", "call_id": "c1", "output": "done" },
            { "type": "function_call_output", "call_id": "c2", "output": "closed" },
        ],
    })
}

fn made() -> (Value, Losses, FunctionTools) {
    let request = caller(RESPONSES).decode_request(&envelope(&codex().to_string())).unwrap();
    let mut losses = Losses::default();
    let (asked, tools) = FunctionTools::of(&request, MESSAGES, &mut losses).unwrap();
    let (bytes, _) = encode_request(MESSAGES, &asked, &TOLERANT);
    (json(&bytes), losses, tools)
}

#[test]
fn tools_in_namespaces_and_of_any_text_are_functions_elsewhere() {
    let (body, losses, _) = made();
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["exec_command", "apply_patch", "agents__close", "clock__sleep"]);
    assert!(body["tools"][1]["input_schema"].to_string().contains("start: /.+/"), "the grammar is told");
    let turns = body["messages"].as_array().unwrap();
    assert_eq!(turns.len(), 3, "what brought tools is no message: {turns:?}");
    assert_eq!(turns[1]["content"][0]["input"], json!({ "input": "*** \"Begin\"\n" }));
    assert_eq!(turns[1]["content"][1]["name"], "agents__close");
    let losses: Vec<_> =
        losses.as_slice().iter().map(|loss| (&*loss.path, loss.subject, loss.kind)).collect();
    let adapted = |path| (path, Subject::Tools, LossKind::Adapted);
    assert_eq!(losses, [adapted("tools[1]"), adapted("tools[2]"), adapted("turns[0]")]);
}

/// An answer that calls two of those functions.
fn calls() -> ChatResponse {
    let call = |id: &str, name: &str, arguments: &str| {
        let kind = ToolCallKind::Function;
        let call = ToolCall { id: id.into(), name: name.into(), kind, arguments: arguments.into() };
        Part::new(PartKind::ToolCall(call))
    };
    let parts = vec![call("c1", "apply_patch", "{\"input\":\"a\\nb\"}"), call("c2", "agents__close", "{}")];
    ChatResponse {
        id: "x".into(),
        model: "m".into(),
        choices: vec![Choice { index: 0, parts, ..Choice::default() }],
        ..ChatResponse::default()
    }
}

/// Names, kinds, arguments and what else is said of an answer's calls.
fn said_of(response: &ChatResponse) -> Vec<(String, ToolCallKind, String, String)> {
    let parts = response.choices.iter().flat_map(|choice| &choice.parts);
    let one = |part: &Part| {
        let call = part.tool_call()?;
        let more = part.extras.fields().iter().map(|(name, value)| format!("{name}={}", value.get()));
        Some((call.name.to_string(), call.kind, call.arguments.to_string(), more.collect::<String>()))
    };
    parts.filter_map(one).collect()
}

fn restored() -> Vec<(String, ToolCallKind, String, String)> {
    let patch = ("apply_patch".into(), ToolCallKind::Freeform, "a\nb".into(), String::new());
    vec![patch, ("close".into(), ToolCallKind::Function, "{}".into(), "namespace=\"agents\"".into())]
}

#[test]
fn their_calls_come_back_as_what_the_caller_offered() {
    let (_, _, mut tools) = made();
    let mut whole = calls();
    tools.restore(&mut whole);
    assert_eq!(said_of(&whole), restored());
    let mut events: Vec<StreamEvent> = unfold(calls());
    tools.restore_events(&mut events);
    assert_eq!(said_of(&fold(events)), restored());
}

#[test]
fn a_named_cache_is_marked_where_nothing_is_cached_without() {
    let (body, _, _) = made();
    let mark = json!({ "type": "ephemeral" });
    assert_eq!(body["system"][0]["cache_control"], mark);
    assert_eq!(body["messages"][2]["content"][1]["cache_control"], mark);
    assert_eq!(body.to_string().matches("cache_control").count(), 2);
}

#[test]
fn a_name_of_a_user_that_providers_refuse_as_too_long_is_left_out() {
    let long = "0".repeat(65);
    let body = json!({ "model": "m", "max_tokens": 9, "metadata": { "user_id": long }, "messages": [{ "role": "user", "content": "x" }] });
    let request = decode_request(MESSAGES, body.to_string().as_bytes());
    let (bytes, losses) = encode_request(Dialect::OpenaiChat, &request, &TOLERANT);
    assert!(json(&bytes).get("user").is_none());
    assert!(losses.as_slice().iter().any(|loss| loss.path == "user" && loss.subject == Subject::Labels));
}

#[test]
fn what_codex_sends_is_lost_to_others_only_by_name() {
    for (case, refused) in [("codex", 1), ("codex_freeform", 2), ("codex_tools_in_input", 0)] {
        let path = format!("../../fixtures/openai_responses/{case}/request.json");
        let body = std::fs::read_to_string(path).unwrap();
        let request = caller(RESPONSES).decode_request(&envelope(&body)).unwrap();
        let mut losses = Losses::default();
        let (asked, _) = FunctionTools::of(&request, MESSAGES, &mut losses).unwrap();
        let (_, more) = encode_request(MESSAGES, &asked, &TOLERANT);
        let losses = losses.as_slice().iter().chain(more.as_slice());
        let gone = losses.filter(|loss| loss.subject == Subject::Tools && loss.kind == LossKind::Dropped);
        let gone: Vec<_> = gone.collect();
        // Searching the web and searching tools.
        assert_eq!(gone.len(), refused, "{case}: {gone:?}");
    }
}
