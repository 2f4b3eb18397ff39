//! The items of a request: that they are what they say, that calls have their outputs and outputs their calls, that sealed
//! thoughts were handed out here. Wording, as reported:
//! <https://github.com/router-for-me/CLIProxyAPI/issues/2368> (a call without its output),
//! <https://github.com/continuedev/continue/issues/10092> (an output without its call),
//! <https://github.com/openai/codex/issues/8145> (a thought), <https://github.com/AnswerDotAI/fastllm/issues/45> (a long id).

use serde_json::Value;

use super::{kind, text};
use crate::fake_provider::cache::Piece;
use crate::fake_provider::openai::strict::Findings;
use crate::fake_provider::seal::{self, Purpose};
use crate::fake_provider::speech::{MEDIA_TOKENS, count};

/// The longest id of a call.
const CALL_ID_MAX: usize = 64;

/// Checks an item.
pub(super) fn check(item: &Value, path: &str, findings: &mut Findings) {
    if !item.is_object() {
        return findings.invalid(path, "invalid_type", format!("Invalid type for '{path}'."));
    }
    let needed: &[&str] = match kind(item) {
        "message" => &["role"],
        "function_call" => &["call_id", "name", "arguments"],
        "custom_tool_call" => &["call_id", "name", "input"],
        "function_call_output" | "custom_tool_call_output" => &["call_id"],
        "additional_tools" if item["role"] == "developer" => &[],
        "reasoning" => {
            // A thought that was not sealed here, or was changed, is refused.
            let sealed = text(item, "encrypted_content");
            if sealed.is_none_or(|sealed| seal::open(Purpose::OpenAi, sealed).is_none()) {
                let message = "The encrypted content could not be verified.";
                findings.invalid(path, "invalid_encrypted_content", message);
            }
            &["id"]
        }
        other => {
            findings.invalid(path, "invalid_value", format!("Invalid value: '{other}'."));
            &[]
        }
    };
    for name in needed.iter().filter(|name| text(item, name).is_none()) {
        let param = format!("{path}.{name}");
        let message = format!("Missing required parameter: '{param}'.");
        findings.invalid(&param, "missing_required_parameter", message);
    }
    if let Some(id) = text(item, "call_id").filter(|id| id.len() > CALL_ID_MAX) {
        let param = format!("{path}.call_id");
        let message = format!(
            "Invalid '{param}': string too long. Expected a string with maximum length {CALL_ID_MAX}, but got a string \
             with length {} instead.",
            id.len()
        );
        findings.invalid(&param, "string_above_max_length", message);
    }
    content(item, path, findings);
}

fn content(item: &Value, path: &str, findings: &mut Findings) {
    if kind(item) == "reasoning" {
        return;
    }
    let parts = item.get("content").or_else(|| item.get("output")).and_then(Value::as_array);
    for (index, part) in parts.into_iter().flatten().enumerate() {
        let known = matches!(
            (kind(part), text(item, "role")),
            ("output_text" | "refusal", Some("assistant"))
                | ("input_text" | "input_image" | "input_file", Some("user" | "system" | "developer") | None)
        );
        if !known {
            let param = format!("{path}.content[{index}]");
            findings.invalid(&param, "invalid_value", format!("Invalid value: '{}'.", kind(part)));
        }
    }
}

/// Each call has its output somewhere after it, each output its call before it.
pub(super) fn pair(items: &[Value], findings: &mut Findings) {
    for (index, item) in items.iter().enumerate() {
        let (wanted, others) = match kind(item) {
            "function_call" => ("function_call_output", items.get(index..)),
            "custom_tool_call" => ("custom_tool_call_output", items.get(index..)),
            "function_call_output" => ("function_call", items.get(..index)),
            "custom_tool_call_output" => ("custom_tool_call", items.get(..index)),
            _ => continue,
        };
        let id = text(item, "call_id").unwrap_or_default();
        let mut others = others.unwrap_or_default().iter();
        if !others.any(|other| kind(other) == wanted && text(other, "call_id") == Some(id)) {
            let message = if wanted.ends_with("_output") {
                format!("No tool output found for function call {id}.")
            } else {
                format!("No tool call found for function call output with call_id {id}.")
            };
            findings.invalid("input", "invalid_value", message);
        }
    }
}

/// How many results of tools there are.
pub(super) fn results(items: &[Value]) -> usize {
    items.iter().filter(|item| kind(item).ends_with("_call_output")).count()
}

/// The prompt in the order in which it is cached.
pub(super) fn prompt(instructions: &Value, items: &[Value]) -> Vec<Piece> {
    let piece = |content: String, tokens: u64| Piece { content, tokens, mark: None };
    let told = instructions.as_str().unwrap_or_default();
    let items = items.iter().map(|item| piece(item.to_string(), tokens(item)));
    [piece(told.to_owned(), count(told))].into_iter().chain(items).collect()
}

fn tokens(item: &Value) -> u64 {
    let content = |name: &str| match item.get(name) {
        Some(Value::String(text)) => count(text),
        Some(Value::Array(parts)) => parts.iter().map(part_tokens).sum(),
        _ => 0,
    };
    ["content", "output", "arguments", "input"].into_iter().map(content).sum()
}

fn part_tokens(part: &Value) -> u64 {
    text(part, "text").or_else(|| text(part, "refusal")).map_or(MEDIA_TOKENS, count)
}
