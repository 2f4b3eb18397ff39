//! Reading `systemInstruction` and `contents`.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{Part, PartKind, RawJson, Role, Turn};

use super::parts::{WirePart, opaque};
use super::{DIALECT, form};
use crate::codec::FieldError;
use crate::json::{Rest, Str, problem, wire_object};

wire_object! {
    struct Content { "role" => role: Str, "parts" => parts: Vec<WirePart> }
}

wire_object! {
    struct RawParts { "parts" => parts: Vec<RawJson> }
}

/// Reads `systemInstruction`.
pub(super) fn system(name: &str, raw: &str) -> Result<Turn, FieldError> {
    let content: Content = serde_json::from_str(raw).map_err(|error| wrong(name, &problem(&error)))?;
    let Read { parts, role, mut rest, form } = read(content, raw, "");
    if let Some(role) = role {
        rest.push("role", role);
    }
    Ok(Turn { extras: rest.extras(DIALECT, form), ..Turn::new(Role::System, parts) })
}

/// A content, read.
struct Read {
    parts: Vec<Part>,
    /// The role as written, where it is not the one expected.
    role: Option<RawJson>,
    rest: Rest,
    form: u32,
}

fn read(content: Content, raw: &str, expected: &str) -> Read {
    let Content { role, parts, rest } = content;
    let mut form = match (&role, expected) {
        (None, "") | (Some(_), _) => 0,
        (None, _) => form::NO_ROLE,
    };
    form |= if parts.is_none() { form::NO_PARTS } else { 0 };
    let role = role.filter(|role| &*role.0 != expected);
    let role =
        role.and_then(|role| serde_json::to_string(&*role.0).ok()).and_then(|role| RawJson::parse(&role));
    let mut written: Option<Vec<RawJson>> = None;
    let mut as_written = |place: usize| {
        let read =
            || serde_json::from_str::<RawParts>(raw).ok().and_then(|raw| raw.parts).unwrap_or_default();
        written.get_or_insert_with(read).get(place).cloned()
    };
    let parts = parts.unwrap_or_default().into_iter().enumerate();
    let parts = parts.filter_map(|(place, part)| part.part().or_else(|| as_written(place).map(opaque)));
    Read { parts: parts.collect(), role, rest, form }
}

/// Reads the conversation.
pub(super) fn decode(raw: &str) -> Result<Vec<Turn>, FieldError> {
    let contents: Vec<&RawValue> =
        serde_json::from_str(raw).map_err(|error| wrong("contents", &problem(&error)))?;
    let mut reader = Reader { turns: Vec::with_capacity(contents.len()), calls: Vec::new() };
    for (at, raw) in contents.into_iter().enumerate() {
        let field = || format!("contents[{at}]");
        let content: Content =
            serde_json::from_str(raw.get()).map_err(|error| wrong(&field(), &problem(&error)))?;
        let (role, expected) = match content.role.as_ref().map(|role| &*role.0) {
            Some("model") => (Role::Assistant, "model"),
            None | Some("user" | "function" | "tool" | "") => (Role::User, "user"),
            Some(_) => return Err(wrong(&format!("{}.role", field()), "must be `user` or `model`")),
        };
        let mut read = read(content, raw.get(), expected);
        if role == Role::Assistant && read.parts.iter().any(is_result) {
            return Err(wrong(
                &format!("{}.parts", field()),
                "a `functionResponse` belongs to a content of role `user`",
            ));
        }
        for (place, part) in read.parts.iter_mut().enumerate() {
            reader.pair(part, (at, place));
        }
        reader.append(role, read);
    }
    Ok(reader.turns)
}

struct Reader {
    turns: Vec<Turn>,
    /// Calls so far that have no result yet: id and tool.
    calls: Vec<(Text, Text)>,
}

impl Reader {
    /// Gives a call or a result without an id one.
    fn pair(&mut self, part: &mut Part, (at, place): (usize, usize)) {
        if let PartKind::ToolCall(call) = &mut part.kind {
            if call.id.is_empty() {
                call.id = format!("call_{at}_{place}").into();
            }
            self.calls.push((call.id.clone(), call.name.clone()));
        } else if let PartKind::ToolResult(result) = &mut part.kind {
            let answers = |(id, name): &(Text, Text)| match &*result.call_id {
                "" => result.name.as_ref() == Some(name),
                given => **id == *given,
            };
            if let Some(found) = self.calls.iter().position(answers) {
                result.call_id = self.calls.remove(found).0;
            } else if result.call_id.is_empty() {
                result.call_id = format!("call_{at}_{place}").into();
            }
        }
    }

    /// Adds the turns a content amounts to: results of tools apart from what the user says.
    fn append(&mut self, role: Role, read: Read) {
        let Read { parts, role: spelled, mut rest, mut form } = read;
        let before = self.turns.last().map(|turn| turn.role);
        if let Some(spelled) = spelled {
            rest.push("role", spelled);
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
                    if let Some(last) = self.turns.last_mut() {
                        last.parts.extend(apart(parts, rest, form));
                    }
                    form = 0;
                    continue;
                }
                (Role::User, Some(Role::Tool), 0) => form |= form::APART,
                (Role::Tool, _, 1..) => form = form::JOINED,
                (_, _, 1..) => form = 0,
                (_, _, 0) => {}
            }
            self.turns.push(Turn { role, name: None, parts, extras: rest.extras(DIALECT, form) });
        }
    }
}

/// Results whose first one begins a content of its own, and keeps what that content held besides.
fn apart(parts: Vec<Part>, content: Rest, form: u32) -> impl Iterator<Item = Part> {
    let mut content = Some(content);
    parts.into_iter().map(move |mut part| {
        if let Some(content) = content.take() {
            let mut rest = Rest::default();
            part.extras.fields().iter().for_each(|(key, value)| rest.push(key, value.clone()));
            rest.nest("content", content);
            part.extras = rest.extras(DIALECT, part.extras.form(DIALECT) | form::APART | form);
        }
        part
    })
}

fn is_result(part: &Part) -> bool {
    matches!(part.kind, PartKind::ToolResult(_))
}

fn wrong(field: &str, why: &str) -> FieldError {
    FieldError { message: format!("`{field}`: {why}").into(), field: field.to_owned().into() }
}
