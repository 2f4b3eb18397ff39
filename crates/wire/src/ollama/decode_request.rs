//! Reading a request, field by field.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatRequest, Media, MediaSource, Part, PartKind, RawJson, Role, Thought, ToolCallKind, ToolResult, Turn,
};

use super::message::{Index, Message};
use super::{DIALECT, form, parameters};
use crate::codec::FieldError;
use crate::envelope::Envelope;
use crate::json::field::{read, wrong};
use crate::json::{Rest, Str};

/// Reads a request. It is to be streamed unless it says otherwise.
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
    let Reader { mut request, stream, mut form, mut rest, options } = reader;
    request.stream = stream.unwrap_or(true);
    form |= if stream.is_none() { form::STREAM_UNSAID } else { 0 };
    rest.nest("options", options);
    request.extras = rest.extras(DIALECT, form);
    Ok(request)
}

#[derive(Default)]
struct Reader {
    request: ChatRequest,
    stream: Option<bool>,
    form: u32,
    rest: Rest,
    /// What the options held besides: kept behind the fields, wherever they stood.
    options: Rest,
}

impl Reader {
    fn field(&mut self, name: &str, raw: &str) -> Result<(), FieldError> {
        let request = &mut self.request;
        match name {
            "model" => request.model = read::<Str>(name, raw)?.0,
            "messages" => request.turns = messages(raw)?,
            "stream" => self.stream = Some(read(name, raw)?),
            "tools" => {
                let tools: Vec<RawJson> = read(name, raw)?;
                if tools.is_empty() {
                    self.rest.push(name, read(name, raw)?);
                }
                request.tools = tools.into_iter().map(parameters::tool).collect();
            }
            "format" => request.output.format = Some(parameters::output_format(read(name, raw)?)),
            "think" => match parameters::reasoning(raw) {
                Some(reasoning) => request.reasoning = Some(reasoning),
                None => self.rest.push(name, read(name, raw)?),
            },
            "options" => {
                let rest = parameters::options(&mut request.sampling, raw);
                self.options = rest.map_err(|error| wrong(name, &error))?;
                self.form |= form::OPTIONS;
            }
            "logprobs" => request.sampling.logprobs = Some(read(name, raw)?),
            "top_logprobs" => request.sampling.top_logprobs = Some(read(name, raw)?),
            _ => self.rest.push(name, read(name, raw)?),
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
    let Message { content, thinking, images, tool_calls, tool_name, tool_call_id, mut rest, .. } = message;
    let others = [
        ("thinking", thinking.is_some() && role != Role::Assistant),
        ("tool_calls", tool_calls.is_some() && role != Role::Assistant),
        ("tool_name", tool_name.is_some() && role != Role::Tool),
        ("tool_call_id", tool_call_id.is_some() && role != Role::Tool),
    ];
    if let Some((member, _)) = others.iter().find(|(_, present)| *present) {
        return Err(refuse(at, member, "belongs to messages of another role"));
    }
    let mut parts = Vec::new();
    match thinking {
        Some(Str(text)) if text.is_empty() => rest.push("thinking", read("thinking", "\"\"")?),
        thinking => parts.extend(thinking.map(|text| thought(text.0))),
    }
    let mut form = if content.is_none() { form::NO_CONTENT } else { 0 };
    parts.extend(content.filter(|text| !text.0.is_empty()).map(|text| Part::text(text.0)));
    if images.as_ref().is_some_and(Vec::is_empty) {
        rest.push("images", read("images", "[]")?);
    }
    parts.extend(images.into_iter().flatten().map(|data| image(data.0)));
    if tool_calls.as_ref().is_some_and(Vec::is_empty) {
        rest.push("tool_calls", read("tool_calls", "[]")?);
    }
    for (place, call) in tool_calls.into_iter().flatten().enumerate() {
        let known = "must be a call of a function with its name and arguments, which are an object";
        let refused = || refuse(at, &format!("tool_calls[{place}]"), known);
        parts.push(call.part(Index::Kept).ok_or_else(refused)?);
    }
    if role == Role::Tool {
        form |= if tool_name.is_none() { form::UNNAMED } else { 0 };
        let result = ToolResult {
            call_id: super::message::text_of(tool_call_id),
            name: tool_name.map(|name| name.0),
            kind: ToolCallKind::Function,
            content: parts,
            is_error: None,
        };
        let part = Part { extras: rest.extras(DIALECT, form), ..Part::new(PartKind::ToolResult(result)) };
        return Ok(Turn::new(role, vec![part]));
    }
    Ok(Turn { role, name: None, parts, extras: rest.extras(DIALECT, form) })
}

/// A thought of one piece.
fn thought(text: Text) -> Part {
    PartKind::Reasoning(Thought { text: vec![text], ..Thought::default() }).into()
}

/// A picture: inline, of a type the server finds out.
pub(super) fn image(data: Text) -> Part {
    PartKind::Image(Media { source: MediaSource::Base64(data), media_type: None, detail: None }).into()
}

fn refuse(at: usize, member: &str, why: &str) -> FieldError {
    let field = format!("messages[{at}].{member}");
    FieldError { message: format!("`{field}`: {why}").into(), field: field.into() }
}
