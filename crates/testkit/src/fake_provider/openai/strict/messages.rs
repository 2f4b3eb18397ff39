//! The parts of a body that are read more deeply: messages, tools, prompts. Counts the words in them.

use serde_json::Value;

use super::Findings;
use crate::fake_provider::cache::Piece;
use crate::fake_provider::speech::{MEDIA_TOKENS, count, sample};

/// Checks messages; the pieces of the prompt they are.
pub(super) fn messages(messages: &Value, findings: &mut Findings) -> Vec<Piece> {
    let Some(messages) = messages.as_array().filter(|messages| !messages.is_empty()) else {
        findings.invalid("messages", "empty_array", "Invalid 'messages': empty array.");
        return Vec::new();
    };
    let piece = |(index, message): (usize, &Value)| {
        let tokens = one_message(message, &format!("messages[{index}]"), findings);
        Piece { content: message.to_string(), tokens, mark: None }
    };
    messages.iter().enumerate().map(piece).collect()
}

/// How many results of tools a conversation holds.
pub(super) fn results(messages: &Value) -> usize {
    messages.as_array().into_iter().flatten().filter(|message| message["role"] == "tool").count()
}

/// The functions that may be called.
pub(super) fn offered(tools: &Value) -> Vec<String> {
    let names = tools.as_array().into_iter().flatten();
    names.filter_map(|tool| tool.pointer("/function/name")?.as_str()).map(str::to_owned).collect()
}

/// The text of a last message of the assistant's.
pub(super) fn begun(messages: &Value) -> Option<String> {
    let last = messages.as_array()?.last()?;
    let content = last.get("content").filter(|_| last["role"] == "assistant")?;
    content.as_str().or_else(|| content.pointer("/0/text")?.as_str()).map(str::to_owned)
}

fn one_message(message: &Value, path: &str, findings: &mut Findings) -> u64 {
    let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
    if !matches!(role, "developer" | "system" | "user" | "assistant" | "tool" | "function") {
        findings.invalid(
            &format!("{path}.role"),
            "invalid_value",
            format!("Invalid value for '{path}.role'."),
        );
    }
    if role == "tool" && message.get("tool_call_id").and_then(Value::as_str).is_none() {
        let param = format!("{path}.tool_call_id");
        findings.invalid(
            &param,
            "missing_required_parameter",
            format!("Missing required parameter: '{param}'."),
        );
    }
    let called = called(message);
    match message.get("content") {
        Some(Value::String(text)) => called + count(text),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            let parts = parts.iter().enumerate();
            called
                + parts
                    .map(|(index, part)| one_part(part, &format!("{path}.content[{index}]"), findings))
                    .sum::<u64>()
        }
        None | Some(Value::Null) if role == "assistant" && message.get("tool_calls").is_some() => called,
        None | Some(_) => {
            let param = format!("{path}.content");
            findings.invalid(&param, "invalid_type", format!("Invalid type for '{param}'."));
            0
        }
    }
}

fn one_part(part: &Value, path: &str, findings: &mut Findings) -> u64 {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    let member = part.get(kind);
    let tokens = match kind {
        "text" | "refusal" => member.and_then(Value::as_str).map(count),
        "image_url" => member.and_then(|image| image.get("url")?.as_str()).map(|_| MEDIA_TOKENS),
        "input_audio" => member.and_then(|audio| audio.get("data")?.as_str()).map(|_| MEDIA_TOKENS),
        "file" => member.filter(|file| file.is_object()).map(|_| MEDIA_TOKENS),
        _ => None,
    };
    tokens.unwrap_or_else(|| {
        findings.invalid(path, "invalid_value", format!("Invalid value for '{path}'."));
        0
    })
}

fn called(message: &Value) -> u64 {
    let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let arguments = calls.filter_map(|call| call.pointer("/function/arguments")?.as_str());
    arguments.map(count).sum()
}

/// Checks tools; the ones to call, if any is forced: their names and the smallest arguments their schemas take.
pub(super) fn tools(tools: &Value, choice: Option<&Value>, findings: &mut Findings) -> Vec<(String, String)> {
    let mut offered = Vec::new();
    for (index, tool) in tools.as_array().into_iter().flatten().enumerate() {
        let name = tool.pointer("/function/name").and_then(Value::as_str);
        match (tool.get("type").and_then(Value::as_str), name) {
            (Some("function"), Some(name)) => offered.push((name, tool.pointer("/function/parameters"))),
            (Some("custom"), _) => {}
            (_, _) => {
                let param = format!("tools[{index}]");
                findings.invalid(&param, "invalid_value", format!("Invalid value for '{param}'."));
            }
        }
    }
    let wanted = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    let forced = wanted.is_some() || choice.and_then(Value::as_str) == Some("required");
    if !forced {
        return Vec::new();
    }
    offered.retain(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    if offered.is_empty() {
        findings.invalid("tool_choice", "invalid_value", "Invalid value for 'tool_choice': no such tool.");
    }
    let arguments =
        |schema: Option<&Value>| schema.map_or_else(|| "{}".to_owned(), |it| sample(it).to_string());
    offered.into_iter().map(|(name, schema)| (name.to_owned(), arguments(schema))).collect()
}

/// The tokens of each prompt or input: a text, texts, token ids, or lists of token ids.
pub(super) fn inputs(name: &str, value: &Value, findings: &mut Findings) -> Vec<u64> {
    let ids = |value: &Value| {
        let ids = value.as_array().filter(|ids| !ids.is_empty() && ids.iter().all(Value::is_u64))?;
        u64::try_from(ids.len()).ok()
    };
    let one = |value: &Value| value.as_str().map(count).or_else(|| ids(value));
    let tokens = match (one(value), value.as_array()) {
        (Some(tokens), _) => Some(vec![tokens]),
        (None, Some(several)) if !several.is_empty() => several.iter().map(one).collect(),
        (None, _) => None,
    };
    tokens.unwrap_or_else(|| {
        findings.invalid(name, "invalid_type", format!("Invalid type for '{name}'."));
        Vec::new()
    })
}
