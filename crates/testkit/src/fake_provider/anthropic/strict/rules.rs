//! What holds between the other members of a request: tools and their choice, thinking and what it excludes, formats,
//! marks of the cache.
//!
//! Sources: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking> (what thinking excludes),
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs> (schemas),
//! <https://platform.claude.com/docs/en/build-with-claude/prompt-caching> (four marks).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Findings;
use super::messages::named;

/// Marks of the cache in one request.
const MARKS_MAX: usize = 4;

pub(super) fn check(body: &Map<String, Value>, findings: &mut Findings) {
    ranges(body, findings);
    tools(body, findings);
    thinking(body, findings);
    let marks = body.values().map(marks).sum::<usize>();
    if marks > MARKS_MAX {
        findings.invalid(format!(
            "A maximum of {MARKS_MAX} blocks with cache_control may be provided. Found {marks}."
        ));
    }
    let schema = body.get("output_config").and_then(|output| output.pointer("/format/schema"));
    if schema.is_some_and(|schema| !closed(schema)) {
        findings.invalid(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        );
    }
    let stops = body.get("stop_sequences").and_then(Value::as_array).into_iter().flatten();
    if stops.filter_map(Value::as_str).any(|stop| stop.trim().is_empty()) {
        findings.invalid("stop_sequences: each stop sequence must contain non-whitespace");
    }
}

/// What version 2026-10-21 has no more: <https://platform.claude.com/docs/en/api/versioning>.
pub(super) fn newest(body: &Map<String, Value>, findings: &mut Findings) {
    for name in ["temperature", "top_p", "top_k"].into_iter().filter(|name| body.contains_key(*name)) {
        findings.invalid(format!("{name}: Extra inputs are not permitted"));
    }
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let blocks = message.get("content").and_then(Value::as_array).into_iter().flatten();
        let cited = |block: &Value| block["citations"].as_array().is_some_and(|cited| !cited.is_empty());
        if message["role"] == "user" && blocks.clone().any(|block| block["type"] == "text" && cited(block)) {
            findings.invalid(format!("messages.{index}: `citations` are not permitted in `user` messages"));
        }
    }
}

fn ranges(body: &Map<String, Value>, findings: &mut Findings) {
    for name in ["temperature", "top_p"] {
        let number = body.get(name).and_then(Value::as_f64);
        if number.is_some_and(|number| !(0.0..=1.0).contains(&number)) {
            findings.invalid(format!("{name}: range: 0..1"));
        }
    }
}

fn tools(body: &Map<String, Value>, findings: &mut Findings) {
    let offered = body.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut names = HashSet::new();
    for (index, tool) in offered.iter().enumerate() {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        if !named(name) || name.len() > 128 {
            findings.invalid(format!(
                "tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            ));
        }
        if !names.insert(name) {
            findings.invalid("tools: Tool names must be unique.");
        }
        if tool.pointer("/input_schema/type").and_then(Value::as_str) != Some("object") {
            findings.invalid(format!("tools.{index}.custom.input_schema.type: Input should be 'object'"));
        }
    }
    let Some(choice) = body.get("tool_choice") else { return };
    if offered.is_empty() {
        findings.invalid("tool_choice: may only be specified while providing tools");
    }
    let wanted = choice.get("name").and_then(Value::as_str);
    if let Some(wanted) = wanted.filter(|wanted| !names.contains(wanted)) {
        findings.invalid(format!("Tool '{wanted}' not found in provided tools"));
    }
}

fn thinking(body: &Map<String, Value>, findings: &mut Findings) {
    let text = |pointer: &str| {
        let (name, member) = pointer.split_once('.')?;
        body.get(name)?.get(member)?.as_str()
    };
    let kind = text("thinking.type").unwrap_or_default();
    if !matches!(kind, "enabled" | "adaptive") {
        return;
    }
    let budget = body.get("thinking").and_then(|thinking| thinking.get("budget_tokens")?.as_u64());
    let most = body.get("max_tokens").and_then(Value::as_u64);
    if let (Some(budget), Some(most)) = (budget, most)
        && most <= budget
    {
        findings.invalid("`max_tokens` must be greater than `thinking.budget_tokens`.");
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature < 1.0) {
        findings.invalid("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if body.contains_key("top_k") {
        findings.invalid("`top_k` must be unset when thinking is enabled.");
    }
    if matches!(text("tool_choice.type"), Some("any" | "tool")) {
        findings.invalid("Thinking may not be enabled when tool_choice forces tool use.");
    }
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(marks).sum(),
        Value::Object(members) => {
            let own = usize::from(members.get("cache_control").is_some_and(|mark| !mark.is_null()));
            let inside = members.iter().filter(|(name, _)| *name != "input" && *name != "input_schema");
            own + inside.map(|(_, value)| marks(value)).sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Whether every object of a schema is closed.
fn closed(schema: &Value) -> bool {
    let own = schema.get("type").and_then(Value::as_str) != Some("object")
        || schema.get("additionalProperties") == Some(&Value::Bool(false));
    own && match schema {
        Value::Object(members) => members.values().all(closed),
        Value::Array(items) => items.iter().all(closed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
