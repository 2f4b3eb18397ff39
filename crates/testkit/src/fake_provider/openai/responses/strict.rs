//! What Responses refuses: items that are not what they say, calls without their output and outputs without their call,
//! sealed thoughts that were not handed out. Wording, as reported:
//! <https://github.com/router-for-me/CLIProxyAPI/issues/2368> (a call without its output),
//! <https://github.com/continuedev/continue/issues/10092> (an output without its call),
//! <https://github.com/openai/codex/issues/8145> (a thought), <https://github.com/AnswerDotAI/fastllm/issues/45> (a long id).

use serde_json::{Map, Value};

use super::answer::ResponseAsked;
use crate::fake_provider::cache::Piece;
use crate::fake_provider::openai::strict::Findings;
use crate::fake_provider::seal::{self, Purpose};
use crate::fake_provider::speech::{MEDIA_TOKENS, Wanted, count};

/// Reads a body whose top-level fields are in order.
pub(crate) fn read(body: &Map<String, Value>, findings: &mut Findings) -> ResponseAsked {
    let items = match body.get("input") {
        Some(Value::Array(items)) => items.as_slice(),
        _ => &[],
    };
    for (index, item) in items.iter().enumerate() {
        one_item(item, &format!("input[{index}]"), findings);
    }
    calls_and_outputs(items, findings);
    let added = items.iter().filter(|item| kind(item) == "additional_tools");
    let lists = added.map(|item| item.get("tools")).chain([body.get("tools")]);
    let tools: Vec<&Value> = lists.flatten().filter_map(Value::as_array).flatten().collect();
    for (index, tool) in tools.iter().enumerate() {
        one_tool(tool, &format!("tools[{index}]"), findings);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let included = body.get("include").and_then(Value::as_array).into_iter().flatten();
    let effort = body.get("reasoning").filter(|reasoning| reasoning.is_object());
    ResponseAsked {
        model: text("model").to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        prompt: prompt(text("instructions"), body.get("input")),
        custom: named(&tools, "custom"),
        seals: included.into_iter().any(|included| included == "reasoning.encrypted_content"),
        wanted: Wanted {
            output_max: body
                .get("max_output_tokens")
                .and_then(Value::as_u64)
                .and_then(|most| usize::try_from(most).ok()),
            offered: named(&tools, ""),
            results: items.iter().filter(|item| kind(item).ends_with("_call_output")).count(),
            thinks: effort.is_some_and(|reasoning| reasoning["effort"] != "none"),
            ..Wanted::default()
        },
    }
}

fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or("message")
}

fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name)?.as_str()
}

fn one_item(item: &Value, path: &str, findings: &mut Findings) {
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
        findings.invalid(
            &param,
            "missing_required_parameter",
            format!("Missing required parameter: '{param}'."),
        );
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
    let content = item.get("content").or_else(|| item.get("output")).and_then(Value::as_array);
    for (index, part) in content.into_iter().flatten().enumerate() {
        let known = matches!(
            (kind(part), text(item, "role")),
            ("output_text" | "refusal", Some("assistant"))
                | ("input_text" | "input_image" | "input_file", Some("user" | "system" | "developer") | None)
        );
        if !known && kind(item) != "reasoning" {
            let param = format!("{path}.content[{index}]");
            findings.invalid(&param, "invalid_value", format!("Invalid value: '{}'.", kind(part)));
        }
    }
}

/// The longest id of a call, and the longest name of a tool.
const CALL_ID_MAX: usize = 64;

/// Each call has its output somewhere after it, each output its call before it.
fn calls_and_outputs(items: &[Value], findings: &mut Findings) {
    for (index, item) in items.iter().enumerate() {
        let (what, others) = match kind(item) {
            "function_call" | "custom_tool_call" => ("output", items.get(index..)),
            "function_call_output" | "custom_tool_call_output" => ("call", items.get(..index)),
            _ => continue,
        };
        let wanted = match kind(item).strip_suffix("_output") {
            Some(call) => call.to_owned(),
            None => format!("{}_output", kind(item)),
        };
        let id = text(item, "call_id").unwrap_or_default();
        let mut others = others.unwrap_or_default().iter();
        if !others.any(|other| kind(other) == wanted && text(other, "call_id") == Some(id)) {
            let message = if what == "output" {
                format!("No tool output found for function call {id}.")
            } else {
                format!("No tool call found for function call output with call_id {id}.")
            };
            findings.invalid("input", "invalid_value", message);
        }
    }
}

fn one_tool(tool: &Value, path: &str, findings: &mut Findings) {
    let needs_name = match kind(tool) {
        "function" | "custom" | "namespace" => true,
        "web_search" | "tool_search" | "image_generation" | "local_shell" | "mcp" => false,
        _ => {
            findings.invalid(path, "invalid_value", format!("Invalid value for '{path}'."));
            false
        }
    };
    let name = text(tool, "name").unwrap_or_default();
    let proper = !name.is_empty()
        && name.len() <= CALL_ID_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if needs_name && !proper {
        findings.invalid(path, "invalid_value", format!("Invalid '{path}.name'."));
    }
}

/// The names of tools that may be called, of one kind or of any; a namespace and a point before those of one.
fn named(tools: &[&Value], wanted: &str) -> Vec<String> {
    let mut names = Vec::new();
    for tool in tools {
        let name = text(tool, "name").unwrap_or_default();
        let inside = tool.get("tools").and_then(Value::as_array).into_iter().flatten();
        match kind(tool) {
            "namespace" => names.extend(
                inside
                    .filter(|tool| wanted.is_empty() || kind(tool) == wanted)
                    .filter_map(|tool| Some(format!("{name}.{}", text(tool, "name")?))),
            ),
            "function" | "custom" if wanted.is_empty() || kind(tool) == wanted => names.push(name.to_owned()),
            _ => {}
        }
    }
    names
}

fn prompt(instructions: &str, input: Option<&Value>) -> Vec<Piece> {
    let piece = |content: String, tokens: u64| Piece { content, tokens, mark: None };
    let mut pieces = vec![piece(instructions.to_owned(), count(instructions))];
    match input {
        Some(Value::String(text)) => pieces.push(piece(text.clone(), count(text))),
        Some(Value::Array(items)) => {
            pieces.extend(items.iter().map(|item| piece(item.to_string(), tokens(item))));
        }
        _ => {}
    }
    pieces
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
    text(part, "text").map_or(MEDIA_TOKENS, count)
}
