//! What of a request for a response, or for what is kept of one, is refused.

use http::Method;
use serde_json::{Map, Value, json};

use super::kept::{Entry, Kept};
use super::{Response, items, tools};
use crate::fake_provider::Arrived;
use crate::fake_provider::openai::error::ApiError;
use crate::fake_provider::openai::strict::Findings;
use crate::fake_provider::speech::Wanted;

/// Reads a request whose fields are known and of their types.
pub(crate) fn asked(body: &Map<String, Value>, kept: &Kept, findings: &mut Findings) -> Option<Response> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let flag = |name: &str| body.get(name).and_then(Value::as_bool);
    let mut input = Vec::new();
    if let Some(id) = text("previous_response_id") {
        let Some(Entry { response, input: before }) = kept.get(id) else {
            let message = format!("Previous response with id '{id}' not found.");
            findings.invalid("previous_response_id", "previous_response_not_found", message);
            return None;
        };
        input.extend(before);
        input.extend(response.get("output").and_then(Value::as_array).into_iter().flatten().cloned());
    }
    let before = input.len();
    match body.get("input") {
        Some(Value::String(text)) => {
            let content = json!([{ "type": "input_text", "text": text }]);
            input.push(json!({ "type": "message", "role": "user", "content": content }));
        }
        Some(Value::Array(items)) => input.extend(items.iter().cloned()),
        _ => {}
    }
    for (index, item) in input.iter().skip(before).enumerate() {
        items::check(item, &format!("input[{index}]"), findings);
    }
    items::pair(&input, findings);
    let tools = tools::all(body, &input);
    tools::check(&tools, findings);
    let callable = tools::callable(&tools);
    let mut included = body.get("include").and_then(Value::as_array).into_iter().flatten();
    let output_max = body.get("max_output_tokens").and_then(Value::as_u64);
    let instructions = body.get("instructions").cloned().unwrap_or(Value::Null);
    let reasoning = body.get("reasoning").filter(|reasoning| reasoning.is_object());
    Some(Response {
        model: text("model").unwrap_or_default().to_owned(),
        stream: flag("stream").unwrap_or(false),
        store: flag("store").unwrap_or(true),
        previous: text("previous_response_id").map(str::to_owned),
        tools: body.get("tools").cloned().unwrap_or_else(|| json!([])),
        prompt: items::prompt(&instructions, &input),
        instructions,
        custom: callable.iter().filter(|tool| tool.is_custom()).map(|tool| tool.name.clone()).collect(),
        seals: included.any(|included| included == "reasoning.encrypted_content"),
        wanted: Wanted {
            output_max: output_max.and_then(|most| usize::try_from(most).ok()),
            calls: tools::forced(body.get("tool_choice"), &callable),
            offered: callable.iter().map(|tool| tool.name.clone()).collect(),
            results: items::results(&input),
            thinks: reasoning.is_some_and(|reasoning| reasoning["effort"] != "none"),
            ..Wanted::default()
        },
        input,
    })
}

/// What is asked of a response that is kept: the answer's body.
pub(crate) fn again(
    path: &str,
    method: &Method,
    arrived: &Arrived,
    kept: &Kept,
    findings: &mut Findings,
) -> Option<Value> {
    if !arrived.body.is_empty() {
        findings.invalid("body", "invalid_value", "A body where none is taken.");
    }
    let rest = path.strip_prefix("/responses/").unwrap_or_default();
    let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
    let Some(Entry { response, input }) = kept.get(id) else {
        let message = format!("Response with id '{id}' not found.");
        findings.add(message.clone(), ApiError::invalid(None, None, message).with_status(404));
        return None;
    };
    match (what, method) {
        ("", &Method::GET) => Some(response),
        ("", &Method::DELETE) => {
            Some(json!({ "id": id, "object": "response.deleted", "deleted": kept.forget(id) }))
        }
        ("cancel", &Method::POST) => {
            let message = "Cannot cancel a synchronous response.";
            findings.add(message, ApiError::invalid(None, None, message.to_owned()));
            None
        }
        ("input_items", &Method::GET) => Some(listing(id, input, &arrived.path)),
        (_, _) => {
            let message = format!("Unknown request URL: {method} {path}.");
            findings
                .add(message.clone(), ApiError::invalid(None, Some("unknown_url"), message).with_status(404));
            None
        }
    }
}

/// The items of a request, the latest first unless asked otherwise.
fn listing(id: &str, input: Vec<Value>, path: &str) -> Value {
    let named = |(at, mut item): (usize, Value)| {
        if let Some(item) = item.as_object_mut() {
            item.entry("id").or_insert_with(|| format!("msg_{id}_in{at}").into());
        }
        item
    };
    let mut data: Vec<Value> = input.into_iter().enumerate().map(named).collect();
    let query = path.split_once('?').map_or("", |(_, query)| query);
    if !query.split('&').any(|pair| pair == "order=asc") {
        data.reverse();
    }
    let limit = query.split('&').find_map(|pair| pair.strip_prefix("limit=")?.parse().ok()).unwrap_or(20);
    let has_more = data.len() > limit;
    data.truncate(limit);
    let end = |item: Option<&Value>| item.and_then(|item| item.get("id")).cloned();
    let (first, last) = (end(data.first()), end(data.last()));
    json!({ "object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more })
}
