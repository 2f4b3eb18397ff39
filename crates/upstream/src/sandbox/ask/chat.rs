//! `POST /chat/completions`.

use serde_json::{Map, Value};

use super::{TextAsk, field, refuse, text_ask};
use crate::sandbox::error::ApiError;
use crate::sandbox::tokens;

/// What an image, a sound or a file counts as, whatever is in it.
const MEDIA_TOKENS: u64 = 85;

/// Fields that change what an answer is made of and that no model here takes.
const UNSUPPORTED: &[&str] =
    &["audio", "functions", "function_call", "logprobs", "top_logprobs", "web_search_options"];

/// A chat request.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct ChatAsk {
    pub(in crate::sandbox) text: TextAsk,
    /// What the user said last.
    pub(in crate::sandbox) question: String,
    /// What a tool answered, if that is the last message.
    pub(in crate::sandbox) tool_result: Option<String>,
    /// The answer so far, if the last message is the assistant's.
    pub(in crate::sandbox) begun: Option<String>,
    /// The tools to call now.
    pub(in crate::sandbox) calls: Vec<Tool>,
    pub(in crate::sandbox) format: Format,
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) struct Tool {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) parameters: Value,
}

/// `response_format`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) enum Format {
    Text,
    JsonObject,
    JsonSchema(Value),
}

/// Reads a chat request.
pub(in crate::sandbox) fn chat(body: &Map<String, Value>) -> Result<ChatAsk, ApiError> {
    let mut text = text_ask(body, &["max_tokens", "max_completion_tokens"], usize::MAX)?;
    refuse(body, UNSUPPORTED)?;
    let said = messages(body)?;
    let tools = tools(body)?;
    let format = format(body)?;
    let schema_tokens =
        if let Format::JsonSchema(schema) = &format { tokens::count(&schema.to_string()) } else { 0 };
    let tool_tokens = body.get("tools").map_or(0, |tools| tokens::count(&tools.to_string()));
    text.prompt_tokens = said.tokens + tool_tokens + schema_tokens;
    let mut calls = chosen(body, tools, &said)?;
    if field::boolean(body, "parallel_tool_calls")? == Some(false) {
        calls.truncate(1);
    }
    let Said { question, tool_result, begun, .. } = said;
    Ok(ChatAsk { text, question, tool_result, begun, calls, format })
}

#[derive(Default)]
struct Said {
    question: String,
    tool_result: Option<String>,
    begun: Option<String>,
    tokens: u64,
}

fn messages(body: &Map<String, Value>) -> Result<Said, ApiError> {
    let messages = field::array(body, "messages")?.ok_or_else(|| ApiError::missing("messages"))?;
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1.";
        return Err(ApiError::field("messages", "empty_array", message));
    }
    let mut said = Said::default();
    for (index, message) in messages.iter().enumerate() {
        let path = format!("messages[{index}]");
        let message = message.as_object().ok_or_else(|| ApiError::wrong_type(&path, "an object", message))?;
        let role = message.get("role").and_then(Value::as_str);
        let role = role.ok_or_else(|| ApiError::missing(&format!("{path}.role")))?;
        if !matches!(role, "developer" | "system" | "user" | "assistant" | "tool" | "function") {
            let expected = "one of 'developer', 'system', 'user', 'assistant', 'tool' and 'function'";
            return Err(ApiError::value(format!("{path}.role"), expected));
        }
        let mut content = content(message, role, &path)?;
        content.tokens += called(message);
        said.tokens += content.tokens;
        said.tool_result = (role == "tool").then(|| content.text.clone());
        said.begun = (role == "assistant").then(|| content.text.clone());
        if role == "user" {
            said.question = content.text;
        }
    }
    Ok(said)
}

#[derive(Default)]
struct Content {
    text: String,
    tokens: u64,
}

fn content(message: &Map<String, Value>, role: &str, path: &str) -> Result<Content, ApiError> {
    match message.get("content") {
        Some(Value::String(text)) => Ok(Content { text: text.clone(), tokens: tokens::count(text) }),
        Some(Value::Array(parts)) => {
            let mut content = Content::default();
            for (index, part) in parts.iter().enumerate() {
                add_part(&mut content, part, &format!("{path}.content[{index}]"))?;
            }
            Ok(content)
        }
        None | Some(Value::Null) if role == "assistant" => Ok(Content::default()),
        None => Err(ApiError::missing(&format!("{path}.content"))),
        Some(other) => {
            let expected = "one of a string or array of objects";
            Err(ApiError::wrong_type(&format!("{path}.content"), expected, other))
        }
    }
}

fn add_part(content: &mut Content, part: &Value, path: &str) -> Result<(), ApiError> {
    let kind = part.get("type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| ApiError::missing(&format!("{path}.type")))?;
    match kind {
        "text" | "refusal" => {
            let text = part.get(kind).and_then(Value::as_str);
            let text = text.ok_or_else(|| ApiError::missing(&format!("{path}.{kind}")))?;
            content.tokens += tokens::count(text);
            content.text.push_str(text);
        }
        "image_url" | "input_audio" | "file" => {
            part.get(kind)
                .filter(|media| media.is_object())
                .ok_or_else(|| ApiError::missing(&format!("{path}.{kind}")))?;
            content.tokens += MEDIA_TOKENS;
        }
        _ => {
            let expected = "one of 'text', 'image_url', 'input_audio', 'file' and 'refusal'";
            return Err(ApiError::value(format!("{path}.type"), expected));
        }
    }
    Ok(())
}

/// Tokens of the calls an assistant message repeats.
fn called(message: &Map<String, Value>) -> u64 {
    let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let functions = calls.filter_map(|call| call.get("function"));
    let texts = functions.flat_map(|function| [function.get("name"), function.get("arguments")]);
    texts.flatten().filter_map(Value::as_str).map(tokens::count).sum()
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, ApiError> {
    let Some(tools) = field::array(body, "tools")? else { return Ok(Vec::new()) };
    let read = |(index, tool): (usize, &Value)| {
        let kind = tool.get("type").and_then(Value::as_str);
        if kind != Some("function") {
            return Err(ApiError::value(format!("tools[{index}].type"), "'function'"));
        }
        let function = tool.get("function").and_then(Value::as_object);
        let function = function.ok_or_else(|| ApiError::missing(&format!("tools[{index}].function")))?;
        let name = function.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| ApiError::missing(&format!("tools[{index}].function.name")))?;
        let parameters = function.get("parameters").cloned().unwrap_or(Value::Null);
        Ok(Tool { name: name.to_owned(), parameters })
    };
    tools.iter().enumerate().map(read).collect()
}

/// The tools to call: those `tool_choice` forces, else those whose name the user's last word mentions.
fn chosen(body: &Map<String, Value>, mut tools: Vec<Tool>, said: &Said) -> Result<Vec<Tool>, ApiError> {
    let choice = body.get("tool_choice").filter(|choice| !choice.is_null());
    if choice.is_some() && tools.is_empty() {
        let message =
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
        return Err(ApiError::field("tool_choice", "invalid_value", message));
    }
    let mut mode = choice.and_then(Value::as_str);
    if let Some(name) = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str) {
        tools.retain(|tool| tool.name == name);
        if tools.is_empty() {
            return Err(ApiError::value("tool_choice", "the name of a tool in 'tools'"));
        }
        mode = Some("required");
    } else if let Some(allowed) = choice.and_then(|choice| choice.get("allowed_tools")) {
        let names = allowed.get("tools").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<&str> = names.filter_map(|tool| tool.pointer("/function/name")?.as_str()).collect();
        tools.retain(|tool| names.contains(&tool.name.as_str()));
        mode = allowed.get("mode").and_then(Value::as_str);
    } else if choice.is_some() && mode.is_none() {
        return Err(ApiError::value(
            "tool_choice",
            "'none', 'auto', 'required' or an object that names a function",
        ));
    }
    let mentioned: Vec<Tool> =
        tools.iter().filter(|tool| said.question.contains(&tool.name)).cloned().collect();
    match mode {
        Some("none") => Ok(Vec::new()),
        Some("required") if mentioned.is_empty() => Ok(tools.into_iter().take(1).collect()),
        None | Some("auto") if said.tool_result.is_some() => Ok(Vec::new()),
        None | Some("auto" | "required") => Ok(mentioned),
        Some(_) => Err(ApiError::value("tool_choice", "'none', 'auto' or 'required'")),
    }
}

fn format(body: &Map<String, Value>) -> Result<Format, ApiError> {
    let Some(format) = field::object(body, "response_format")? else { return Ok(Format::Text) };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::JsonObject),
        Some("json_schema") => {
            let schema = format.get("json_schema").and_then(|named| named.get("schema"));
            let schema = schema.ok_or_else(|| ApiError::missing("response_format.json_schema.schema"))?;
            Ok(Format::JsonSchema(schema.clone()))
        }
        _ => Err(ApiError::value("response_format.type", "one of 'text', 'json_object' and 'json_schema'")),
    }
}
