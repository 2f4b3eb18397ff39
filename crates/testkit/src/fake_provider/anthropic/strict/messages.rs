//! What holds between the messages of a request: roles, calls and their results, thoughts and their signatures.
//!
//! Wording, as reported: <https://github.com/anthropics/claude-code/issues/8210> (a call without its result),
//! <https://github.com/anthropics/claude-code/issues/13460> (a result without its call),
//! <https://github.com/anthropics/claude-code/issues/10627> (a forged signature),
//! <https://github.com/anthropics/claude-code/issues/12894> (a turn that must start with a thought). Turns of one role
//! may follow each other: `message_create_params.py` says that they are combined.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::Findings;
use crate::fake_provider::seal::{self, Purpose};

pub(super) fn check(body: &Map<String, Value>, findings: &mut Findings) {
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(first) = messages.first() else {
        findings.invalid("messages: at least one message is required");
        return;
    };
    if role(first) != "user" {
        findings.invalid("messages: first message must use the \"user\" role");
    }
    for (index, message) in messages.iter().enumerate() {
        let last = index + 1 == messages.len();
        content(index, message, last, findings);
        let before = index.checked_sub(1).and_then(|index| messages.get(index));
        results_have_calls(index, before, message, findings);
        if role(message) == "assistant" {
            calls_have_results(index, message, messages.get(index + 1), findings);
        }
    }
    if body.get("thinking").is_some_and(|thinking| thinking["type"] == "enabled") {
        starts_with_a_thought(messages, findings);
    }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn blocks<'a>(message: &'a Value, kind: &'a str) -> impl Iterator<Item = (usize, &'a Value)> {
    let blocks = message.get("content").and_then(Value::as_array).into_iter().flatten().enumerate();
    blocks
        .filter(move |(_, block)| kind.is_empty() || block.get("type").and_then(Value::as_str) == Some(kind))
}

fn text<'a>(block: &'a Value, name: &str) -> &'a str {
    block.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Nothing is empty, every block is one its role may have, and what is encoded or signed is so rightly.
fn content(index: usize, message: &Value, last: bool, findings: &mut Findings) {
    let assistant = role(message) == "assistant";
    let empty = match message.get("content") {
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(blocks)) => blocks.is_empty(),
        _ => true,
    };
    if empty && !(last && assistant) {
        let exception =
            "all messages must have non-empty content except for the optional final assistant message";
        findings.invalid(format!("messages.{index}: {exception}"));
    }
    let final_text =
        blocks(message, "").last().map_or_else(|| text(message, "content"), |(_, block)| text(block, "text"));
    if last && assistant && final_text.ends_with(char::is_whitespace) {
        findings.invalid("messages: final assistant content cannot end with trailing whitespace");
    }
    for (place, block) in blocks(message, "") {
        let at = format!("messages.{index}.content.{place}");
        match (text(block, "type"), role(message)) {
            ("text", _) if text(block, "text").is_empty() => {
                findings.invalid("messages: text content blocks must be non-empty");
            }
            ("tool_use" | "thinking" | "redacted_thinking", "user")
            | ("tool_result" | "image" | "document", "assistant") => {
                let (kind, role) = (text(block, "type"), role(message));
                findings.invalid(format!("{at}: `{kind}` blocks are not permitted in `{role}` messages"));
            }
            ("image", _) => {
                let data = block.pointer("/source/data").and_then(Value::as_str);
                if data.is_some_and(|data| BASE64_STANDARD.decode(data).is_err()) {
                    findings.invalid(format!("{at}.image.source.base64: invalid base64 data"));
                }
            }
            ("tool_use", _) if !named(text(block, "id")) => {
                findings.invalid(format!("{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"));
            }
            ("thinking" | "redacted_thinking", _) => signature(&at, block, findings),
            _ => {}
        }
    }
}

pub(super) fn named(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn signature(at: &str, block: &Value, findings: &mut Findings) {
    let thinking = text(block, "thinking");
    if text(block, "type") == "redacted_thinking" {
        if seal::open(Purpose::Anthropic, text(block, "data")).is_none() {
            findings.invalid(format!("{at}: Invalid `data` in `redacted_thinking` block"));
        }
        return;
    }
    // Thinking whose display was omitted comes back without its text.
    let signed = seal::open(Purpose::Anthropic, text(block, "signature"));
    if signed.is_none_or(|signed| !thinking.is_empty() && signed != thinking) {
        findings.invalid(format!("{at}: Invalid `signature` in `thinking` block"));
    }
}

/// Results come only in the message right after their calls.
fn results_have_calls(index: usize, before: Option<&Value>, message: &Value, findings: &mut Findings) {
    for (place, result) in blocks(message, "tool_result") {
        let id = text(result, "tool_use_id");
        let mut calls = before.into_iter().flat_map(|before| blocks(before, "tool_use"));
        if !calls.any(|(_, call)| text(call, "id") == id) {
            findings.invalid(format!(
                "messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. \
                 Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ));
        }
        let twice =
            blocks(message, "tool_result").filter(|(_, other)| text(other, "tool_use_id") == id).count();
        if twice > 1 {
            findings.invalid(format!("messages.{index}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"));
        }
    }
}

/// Calls have results in the next message, before anything else in it.
fn calls_have_results(index: usize, message: &Value, next: Option<&Value>, findings: &mut Findings) {
    let results: Vec<&str> = next
        .into_iter()
        .flat_map(|next| blocks(next, ""))
        .take_while(|(_, block)| text(block, "type") == "tool_result")
        .map(|(_, result)| text(result, "tool_use_id"))
        .collect();
    let calls = blocks(message, "tool_use").map(|(_, call)| text(call, "id"));
    let open: Vec<&str> = calls.filter(|id| !results.contains(id)).collect();
    if !open.is_empty() {
        let ids = open.join(", ");
        findings.invalid(format!(
            "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. \
             Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        ));
    }
}

/// With thinking, the turn whose calls are being answered starts with the thought that led to them.
fn starts_with_a_thought(messages: &[Value], findings: &mut Findings) {
    let Some((index, message)) =
        messages.iter().enumerate().rev().find(|(_, message)| role(message) == "assistant")
    else {
        return;
    };
    let answered = messages.get(index + 1).is_some_and(|next| blocks(next, "tool_result").next().is_some());
    let first = blocks(message, "").next().map_or("text", |(_, block)| text(block, "type"));
    if answered && !matches!(first, "thinking" | "redacted_thinking") {
        findings.invalid(format!(
            "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. \
             When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        ));
    }
}
