//! Reading `system` and `messages`.

use serde_json::value::RawValue;
use trunkline_domain::chat::{Extras, Part, PartKind, RawJson, Role, Turn};

use super::blocks::{self, Speaker, with_more};
use super::{DIALECT, form};
use crate::codec::FieldError;
use crate::json::{Rest, Str, problem, wire_object};

wire_object! {
    struct Message { "role" => role: Str, "content" => content: RawJson }
}

/// Reads `system`; `None` where it is empty.
pub(super) fn system(raw: &str) -> Result<Option<Turn>, FieldError> {
    let read = || blocks::parts(&serde_json::from_str(raw)?, Speaker::User);
    let parts = read().map_err(|error| wrong("system", &error))?;
    Ok((!parts.is_empty()).then(|| Turn::new(Role::System, parts)))
}

/// Reads the conversation.
pub(super) fn decode(raw: &str) -> Result<Vec<Turn>, FieldError> {
    let messages: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| wrong("messages", &error))?;
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (at, raw) in messages.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        let message: Message = serde_json::from_str(raw.get()).map_err(|error| wrong(&path, &error))?;
        let (role, speaker) = match message.role.as_ref().map(|role| &*role.0) {
            Some("user") => (Role::User, Speaker::User),
            Some("assistant") => (Role::Assistant, Speaker::Assistant),
            Some("system") => (Role::System, Speaker::Assistant),
            _ => return Err(refuse(&path, "role", "must be one of `user`, `assistant` and `system`")),
        };
        let content =
            message.content.ok_or_else(|| refuse(&path, "content", "must be an array of blocks"))?;
        let parts =
            blocks::parts(&content, speaker).map_err(|error| wrong(&format!("{path}.content"), &error))?;
        append(&mut turns, role, parts, message.rest);
    }
    Ok(turns)
}

/// Which side of the conversation a turn is on: turns of one side that follow each other share a message.
pub(super) const fn side(role: Role) -> Role {
    match role {
        Role::User | Role::Tool => Role::User,
        Role::System | Role::Developer => Role::System,
        Role::Assistant => Role::Assistant,
    }
}

/// Adds the turns a message amounts to: results of tools apart from what the user says.
fn append(turns: &mut Vec<Turn>, role: Role, parts: Vec<Part>, rest: Rest) {
    let before = turns.last().map(|turn| turn.role);
    let follows = before.is_some_and(|before| side(before) == side(role));
    let mut form = if follows { form::APART } else { 0 };
    if role == Role::System {
        form |= form::MESSAGE;
    }
    if parts.is_empty() {
        form |= form::EMPTY;
    }
    let mut pieces: Vec<(Role, Vec<Part>)> = Vec::new();
    for part in parts {
        let role = if matches!(part.kind, PartKind::ToolResult(_)) { Role::Tool } else { role };
        match pieces.last_mut() {
            Some((last, parts)) if *last == role => parts.push(part),
            _ => pieces.push((role, vec![part])),
        }
    }
    if pieces.is_empty() {
        pieces.push((role, Vec::new()));
    }
    let mut first = Some(rest);
    for (role, parts) in pieces {
        let (rest, form) = first.take().map_or_else(|| (Rest::default(), 0), |rest| (rest, form));
        match turns.last_mut() {
            Some(last) if role == Role::Tool && last.role == Role::Tool => {
                last.parts.extend(apart(parts, rest));
            }
            _ => turns.push(Turn { role, name: None, parts, extras: rest.extras(DIALECT, form) }),
        }
    }
}

/// Results whose first one begins a message of its own, and keeps what that message held besides.
fn apart(parts: Vec<Part>, message: Rest) -> impl Iterator<Item = Part> {
    let mut message = Some(message);
    parts.into_iter().map(move |mut part| {
        if let Some(message) = message.take() {
            let mut rest = Rest::default();
            rest.nest("message", message);
            part.extras = with_more(&part, rest, form::APART);
        }
        part
    })
}

/// What a turn has that could share the message of the one before and does not.
pub(super) fn is_apart(extras: &Extras) -> bool {
    extras.form(DIALECT) & form::APART != 0
}

pub(super) fn wrong(field: &str, error: &serde_json::Error) -> FieldError {
    FieldError { message: format!("`{field}`: {}", problem(error)).into(), field: field.to_owned().into() }
}

fn refuse(path: &str, member: &str, why: &str) -> FieldError {
    let field = format!("{path}.{member}");
    FieldError { message: format!("`{field}`: {why}").into(), field: field.into() }
}
