//! Reading `system` and `messages`.

use serde_json::value::RawValue;
use trunkline_domain::chat::{Extras, Part, PartKind, RawJson, Role, Turn};

use super::blocks::{Content, parts};
use super::{DIALECT, form};
use crate::codec::FieldError;
use crate::json::{Rest, Str, problem, wire_object};

wire_object! {
    struct Message { "role" => role: Str, "content" => content: Content }
}

/// Reads `system`.
pub(super) fn system(raw: &str) -> Result<Turn, FieldError> {
    let wrong = |why: &str| FieldError { field: "system".into(), message: format!("`system`: {why}").into() };
    let content: Content = serde_json::from_str(raw).map_err(|error| wrong(&problem(&error)))?;
    let (parts, form) = parts(content, || RawJson::parse(raw))
        .ok_or_else(|| wrong("must be a string or an array of text blocks"))?;
    Ok(Turn { extras: Extras::new(DIALECT, form, Vec::new()), ..Turn::new(Role::System, parts) })
}

/// Reads the conversation.
pub(super) fn decode(raw: &str) -> Result<Vec<Turn>, FieldError> {
    let messages: Vec<Message> = serde_json::from_str(raw).map_err(|error| locate(raw, &error))?;
    let mut elements: Option<Vec<&RawValue>> = None;
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        let role = match message.role.as_ref().map(|role| &*role.0) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => return Err(refuse(at, "role", "must be one of `user`, `assistant` and `system`")),
        };
        let not_content = || refuse(at, "content", "must be a string or an array of content blocks");
        let content = message.content.ok_or_else(not_content)?;
        let as_written = || {
            let elements = elements.get_or_insert_with(|| serde_json::from_str(raw).unwrap_or_default());
            elements.get(at).and_then(|message| content_of(message.get()))
        };
        let (parts, form) = parts(content, as_written).ok_or_else(not_content)?;
        if role != Role::User && parts.iter().any(is_result) {
            return Err(refuse(
                at,
                "content",
                "blocks of type `tool_result` belong to messages of role `user`",
            ));
        }
        append(&mut turns, role, parts, form, message.rest);
    }
    Ok(turns)
}

/// The content of a message as it was written.
fn content_of(message: &str) -> Option<RawJson> {
    #[derive(serde::Deserialize)]
    struct Raw {
        content: RawJson,
    }
    serde_json::from_str::<Raw>(message).ok().map(|raw| raw.content)
}

fn is_result(part: &Part) -> bool {
    matches!(part.kind, PartKind::ToolResult(_))
}

/// Adds the turns a message amounts to: results of tools apart from what the user says.
fn append(turns: &mut Vec<Turn>, role: Role, parts: Vec<Part>, mut form: u32, rest: Rest) {
    let before = turns.last().map(|turn| turn.role);
    if role == Role::System && turns.iter().all(|turn| turn.role.is_instruction()) {
        form |= form::MESSAGE;
    }
    let mut pieces: Vec<(Role, Vec<Part>)> = Vec::new();
    for part in parts {
        let role = if is_result(&part) { Role::Tool } else { role };
        match pieces.last_mut() {
            Some((last, parts)) if *last == role => parts.push(part),
            _ => pieces.push((role, vec![part])),
        }
    }
    if pieces.is_empty() {
        pieces.push((role, Vec::new()));
    }
    let mut rest = Some(rest);
    for (place, (role, parts)) in pieces.into_iter().enumerate() {
        let rest = rest.take().unwrap_or_default();
        match (role, before, place) {
            (Role::Tool, Some(Role::Tool), 0) => {
                if let Some(last) = turns.last_mut() {
                    last.parts.extend(apart(parts, rest));
                }
                continue;
            }
            (Role::User, Some(Role::Tool), 0) => form |= form::APART,
            (Role::Tool, _, 1..) => form = form::JOINED,
            (_, _, 1..) => form = 0,
            (_, _, 0) => {}
        }
        turns.push(Turn { role, name: None, parts, extras: rest.extras(DIALECT, form) });
    }
}

/// Results whose first one begins a message of its own, and keeps what that message held besides.
fn apart(parts: Vec<Part>, message: Rest) -> impl Iterator<Item = Part> {
    let mut message = Some(message);
    parts.into_iter().map(move |mut part| {
        if let Some(message) = message.take() {
            let mut rest = Rest::default();
            part.extras.fields().iter().for_each(|(key, value)| rest.push(key, value.clone()));
            rest.nest("message", message);
            part.extras = rest.extras(DIALECT, part.extras.form(DIALECT) | form::APART);
        }
        part
    })
}

/// Which message is wrong, and how: found by reading them one by one, which only the unlucky pay for.
fn locate(raw: &str, error: &serde_json::Error) -> FieldError {
    let elements: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
    for (at, element) in elements.into_iter().enumerate() {
        if let Err(error) = serde_json::from_str::<Message>(element.get()) {
            let field = format!("messages[{at}]");
            return FieldError {
                message: format!("`{field}`: {}", problem(&error)).into(),
                field: field.into(),
            };
        }
    }
    FieldError { field: "messages".into(), message: format!("`messages`: {}", problem(error)).into() }
}

fn refuse(at: usize, member: &str, why: &str) -> FieldError {
    let field = format!("messages[{at}].{member}");
    FieldError { message: format!("`{field}`: {why}").into(), field: field.into() }
}
