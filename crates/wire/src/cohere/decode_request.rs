//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::chat::{ChatRequest, Part, PartKind, RawJson, Role, ToolCallKind, ToolResult, Turn};

use super::message::{self, Message};
use super::{DIALECT, form, parameters};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::json::field::{read, text, wrong};
use crate::json::{Rest, Str};

/// Reads a request.
pub(super) fn decode(envelope: &Envelope) -> Result<ChatRequest, FieldError> {
    let mut reader = Reader::default();
    for (name, raw) in envelope.members() {
        if raw == "null" {
            reader.rest.push(name, RawJson::from(RawValue::NULL.to_owned()));
        } else {
            reader.field(name, raw)?;
        }
    }
    if !envelope.contains("messages") {
        let message = "`messages` must be an array of messages";
        return Err(FieldError { field: "messages".into(), message: message.into() });
    }
    let Reader { mut request, strict, form, mut rest } = reader;
    if let Some(strict) = strict
        && !parameters::set_strict(&mut request.tools, strict)
    {
        rest.push("strict_tools", json("strict_tools", if strict { "true" } else { "false" })?);
    }
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

#[derive(Default)]
struct Reader {
    request: ChatRequest,
    strict: Option<bool>,
    form: u32,
    rest: Rest,
}

impl Reader {
    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        match name {
            "model" => request.model = text(name, raw)?,
            "messages" => request.turns = messages(raw)?,
            "stream" => {
                request.stream = read(name, raw)?;
                self.form |= if request.stream { 0 } else { form::STREAM_FALSE };
            }
            "tools" => {
                let tools: Vec<RawJson> = read(name, raw)?;
                if tools.is_empty() {
                    self.rest.push(name, json(name, raw)?);
                }
                request.tools = tools.into_iter().map(parameters::tool).collect();
            }
            "strict_tools" => self.strict = Some(read(name, raw)?),
            "tool_choice" => request.tool_choice = Some(parameters::tool_choice(json(name, raw)?)),
            "response_format" => request.output.format = Some(parameters::output_format(json(name, raw)?)),
            "thinking" => match parameters::reasoning(raw) {
                Some(reasoning) => request.reasoning = Some(reasoning),
                None => self.rest.push(name, json(name, raw)?),
            },
            _ => self.sampling(name, raw)?,
        }
        Ok(())
    }

    fn sampling(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let sampling = &mut self.request.sampling;
        match name {
            "max_tokens" => sampling.output_max = Some(read(name, raw)?),
            "stop_sequences" => {
                let stops: Vec<Str> = read(name, raw)?;
                if stops.is_empty() {
                    self.rest.push(name, json(name, raw)?);
                }
                sampling.stop = stops.into_iter().map(|stop| stop.0).collect();
            }
            "temperature" => sampling.temperature = Some(read(name, raw)?),
            "seed" => sampling.seed = Some(read(name, raw)?),
            "frequency_penalty" => sampling.frequency_penalty = Some(read(name, raw)?),
            "presence_penalty" => sampling.presence_penalty = Some(read(name, raw)?),
            "k" => sampling.top_k = Some(read(name, raw)?),
            "p" => sampling.top_p = Some(read(name, raw)?),
            "logprobs" => sampling.logprobs = Some(read(name, raw)?),
            _ => self.rest.push(name, json(name, raw)?),
        }
        Ok(())
    }
}

fn messages(raw: &str) -> Result<Vec<Turn>, FieldError> {
    let messages: Vec<RawJson> = read("messages", raw)?;
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (at, raw) in messages.iter().enumerate() {
        let message: Message =
            serde_json::from_str(raw.get()).map_err(|error| wrong(&format!("messages[{at}]"), &error))?;
        let turn = turn(at, message)?;
        match turns.last_mut() {
            Some(last) if last.role == Role::Tool && turn.role == Role::Tool => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    Ok(turns)
}

fn turn(at: usize, message: Message) -> Result<Turn, FieldError> {
    let role = match message.role.as_ref().map(|role| &*role.0) {
        Some("system") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => {
            return Err(refuse(at, "role", "must be one of `system`, `user`, `assistant` and `tool`"));
        }
    };
    let Message { content, tool_plan, tool_calls, citations, tool_call_id, mut rest, .. } = message;
    let read = content.as_ref().map(message::content);
    let known = "must be a string or an array of content";
    let (mut parts, mut form) = read.map_or(Ok((Vec::new(), form::NO_CONTENT)), |read| {
        read.ok_or_else(|| refuse(at, "content", known))
    })?;
    let others = [
        ("tool_plan", tool_plan.is_some() && role != Role::Assistant),
        ("tool_calls", tool_calls.is_some() && role != Role::Assistant),
        ("citations", citations.is_some() && role != Role::Assistant),
        ("tool_call_id", tool_call_id.is_some() && role != Role::Tool),
    ];
    if let Some((member, _)) = others.iter().find(|(_, present)| *present) {
        return Err(refuse(at, member, "belongs to messages of another role"));
    }
    if let Some(raw) = citations {
        cite(&mut parts, raw, &mut rest);
    }
    match tool_plan {
        Some(plan) if plan.0.is_empty() => rest.push("tool_plan", json("tool_plan", "\"\"")?),
        plan => parts.extend(plan.map(|plan| message::plan(plan.0))),
    }
    calls(at, tool_calls.as_ref(), &mut parts, &mut rest)?;
    if role == Role::Tool {
        let Some(Str(call_id)) = tool_call_id else {
            return Err(refuse(at, "tool_call_id", "a message of role `tool` must name the call it answers"));
        };
        let kind = ToolCallKind::Function;
        let result = ToolResult { call_id, name: None, kind, content: parts, is_error: None };
        let part = Part { extras: rest.extras(DIALECT, form), ..Part::new(PartKind::ToolResult(result)) };
        return Ok(Turn::new(role, vec![part]));
    }
    if role == Role::System && at > 0 {
        form |= form::APART;
    }
    Ok(Turn { role, name: None, parts, extras: rest.extras(DIALECT, form) })
}

/// Citations that could not be written again as they are stay with the message.
fn cite(parts: &mut Vec<Part>, raw: RawJson, rest: &mut Rest) {
    let citations: Vec<RawJson> = serde_json::from_str(raw.get()).unwrap_or_default();
    let mut cited = parts.clone();
    if !citations.is_empty() && message::cite(&mut cited, &citations) {
        *parts = cited;
    } else {
        rest.push("citations", raw);
    }
}

fn calls(at: usize, raw: Option<&RawJson>, parts: &mut Vec<Part>, rest: &mut Rest) -> Result<(), FieldError> {
    let Some(raw) = raw else { return Ok(()) };
    let calls: Vec<RawJson> = serde_json::from_str(raw.get())
        .map_err(|error| wrong(&format!("messages[{at}].tool_calls"), &error))?;
    if calls.is_empty() {
        rest.push("tool_calls", raw.clone());
    }
    for (place, call) in calls.iter().enumerate() {
        let member = format!("tool_calls[{place}]");
        let known = "must be a call of type `function` with its name and arguments";
        parts.push(message::call(call).ok_or_else(|| refuse(at, &member, known))?);
    }
    Ok(())
}

fn refuse(at: usize, member: &str, why: &str) -> FieldError {
    let field = format!("messages[{at}].{member}");
    FieldError { message: format!("`{field}`: {why}").into(), field: field.into() }
}

fn json(name: &str, raw: &str) -> Result<RawJson, FieldError> {
    read(name, raw)
}
