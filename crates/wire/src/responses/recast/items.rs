//! Reading `input`: items into turns. Items that follow each other and are the model's are one turn.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    Extras, Minted, Opaque, Part, PartKind, RawJson, Role, Thought, ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::content::{self, Side};
use super::{DIALECT, form};
use crate::codec::FieldError;
use crate::json::{Rest, Str, problem, wire_object};

wire_object! {
    /// What an item is.
    ignoring struct Head { "type" => kind: Str, "role" => role: Str }
}

wire_object! {
    pub(super) struct Message {
        "type" => kind: Str,
        "role" => role: Str,
        "content" => content: RawJson,
        "status" => status: Str,
    }
}

wire_object! {
    pub(super) struct FunctionCall {
        "type" => kind: Str,
        "call_id" => call_id: Str,
        "name" => name: Str,
        "arguments" => arguments: Str,
        "status" => status: Str,
    }
}

wire_object! {
    pub(super) struct CustomCall {
        "type" => kind: Str,
        "call_id" => call_id: Str,
        "name" => name: Str,
        "input" => input: Str,
        "status" => status: Str,
    }
}

wire_object! {
    struct Output {
        "type" => kind: Str,
        "call_id" => call_id: Str,
        "name" => name: Str,
        "output" => content: RawJson,
        "status" => status: Str,
    }
}

wire_object! {
    pub(super) struct ReasoningItem {
        "type" => kind: Str,
        "id" => id: Str,
        "summary" => summary: Vec<Piece>,
        "content" => content: Vec<Piece>,
        "encrypted_content" => encrypted: Str,
        "status" => status: Str,
    }
}

wire_object! {
    pub(super) struct Piece { "type" => kind: Str, "text" => text: Str }
}

/// Items only this dialect knows and the caller makes; any other unknown one is the model's.
const CALLERS_ITEMS: &[&str] = &[
    "computer_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
    "mcp_approval_response",
    "tool_search_output",
    "additional_tools",
    "compaction_trigger",
];

/// Reads the conversation behind the turns there are.
pub(super) fn decode(raw: &str, turns: &mut Vec<Turn>) -> Result<(), FieldError> {
    let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(|error| {
        refuse_input(&format!("must be a string or an array of items: {}", problem(&error)))
    })?;
    for (at, raw) in items.into_iter().enumerate() {
        let head: Head = serde_json::from_str(raw.get()).map_err(|error| refuse(at, "", &problem(&error)))?;
        match (head.kind.as_ref().map(|kind| &*kind.0), head.role) {
            (Some("message"), _) | (None, Some(_)) => message(at, raw, turns)?,
            (Some("reasoning"), _) => own_items(turns, reasoning(raw)),
            (Some("function_call"), _) => {
                let part = read::<FunctionCall>(at, raw)?.part();
                own_items(
                    turns,
                    part.ok_or_else(|| refuse(at, "", "must have `call_id`, `name` and `arguments`"))?,
                );
            }
            (Some("custom_tool_call"), _) => {
                let part = read::<CustomCall>(at, raw)?.part();
                own_items(
                    turns,
                    part.ok_or_else(|| refuse(at, "", "must have `call_id`, `name` and `input`"))?,
                );
            }
            (Some("function_call_output"), _) => result(at, raw, ToolCallKind::Function, turns)?,
            (Some("custom_tool_call_output"), _) => result(at, raw, ToolCallKind::Freeform, turns)?,
            (Some("item_reference"), _) => {
                let why = "refers to what a provider keeps, which is not known here: send the item itself";
                return Err(refuse(at, "", why));
            }
            (Some(kind), _) if CALLERS_ITEMS.contains(&kind) => {
                turns.push(Turn::new(Role::User, vec![opaque(raw)]));
            }
            (Some(_), _) => own_items(turns, opaque(raw)),
            (None, None) => return Err(refuse(at, "", "must be a message, or an item with a `type`")),
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(at: usize, raw: &RawValue) -> Result<T, FieldError> {
    serde_json::from_str(raw.get()).map_err(|error| refuse(at, "", &problem(&error)))
}

/// An item as it was written.
pub(super) fn opaque(raw: &RawValue) -> Part {
    PartKind::Opaque(Opaque { dialect: DIALECT, raw: raw.to_owned().into() }).into()
}

/// Whether a part is an item of its own, and not content of a message.
pub(super) fn is_item(part: &Part) -> bool {
    match &part.kind {
        PartKind::Reasoning(_) | PartKind::ToolCall(_) | PartKind::ToolResult(_) => true,
        PartKind::Opaque(_) => part.extras.form(DIALECT) & form::IN_CONTENT == 0,
        PartKind::Text { .. }
        | PartKind::Refusal(_)
        | PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Document(_)
        | PartKind::Speech(_) => false,
    }
}

/// Adds an item of the model's.
fn own_items(turns: &mut Vec<Turn>, part: Part) {
    match turns.last_mut() {
        Some(last) if last.role == Role::Assistant && !last.parts.is_empty() => last.parts.push(part),
        _ => turns.push(Turn::new(Role::Assistant, vec![part])),
    }
}

fn message(at: usize, raw: &RawValue, turns: &mut Vec<Turn>) -> Result<(), FieldError> {
    let Message { kind, role, content, status, mut rest } = read(at, raw)?;
    let role = match role.as_ref().map(|role| &*role.0) {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => {
            let known = "must be one of `system`, `developer`, `user` and `assistant`";
            return Err(refuse(at, ".role", known));
        }
    };
    let side = if role == Role::Assistant { Side::Output } else { Side::Input };
    let content = content.as_ref().and_then(|raw| content::decode_all(raw, side));
    let (mut parts, mut form) =
        content.ok_or_else(|| refuse(at, ".content", "must be a string or an array of content parts"))?;
    form |= status_form(status, &mut rest);
    form |= if kind.is_some() { form::TYPED } else { 0 };
    if role == Role::System && turns.is_empty() {
        form |= form::MESSAGE;
    }
    if role != Role::Assistant || parts.is_empty() {
        turns.push(Turn { role, name: None, parts, extras: rest.extras(DIALECT, form) });
        return Ok(());
    }
    if let Some(first) = parts.first_mut() {
        begin_message(first, form, rest);
    }
    match turns.last_mut() {
        Some(last) if last.role == Role::Assistant && !last.parts.is_empty() => {
            if last.parts.last().is_some_and(|part| !is_item(part))
                && let Some(first) = parts.first_mut()
            {
                begin_message(first, form::APART, Rest::default());
            }
            last.parts.append(&mut parts);
        }
        _ => turns.push(Turn::new(Role::Assistant, parts)),
    }
    Ok(())
}

/// Puts what a message says besides its content on its first part.
pub(super) fn begin_message(part: &mut Part, form: u32, message: Rest) {
    let mut rest = Rest::default();
    part.extras.fields().iter().for_each(|(key, value)| rest.push(key, value.clone()));
    rest.nest("message", message);
    part.extras = rest.extras(DIALECT, part.extras.form(DIALECT) | form);
}

/// The bits of a status; one that is not known is kept as it is.
pub(super) fn status_form(status: Option<Str>, rest: &mut Rest) -> u32 {
    let Some(Str(status)) = status else { return 0 };
    form::of_status(&status).unwrap_or_else(|| {
        if let Some(raw) = string(&status) {
            rest.push("status", raw);
        }
        0
    })
}

/// A string as JSON.
fn string(text: &str) -> Option<RawJson> {
    RawJson::parse(&serde_json::to_string(text).ok()?)
}

fn result(at: usize, raw: &RawValue, kind: ToolCallKind, turns: &mut Vec<Turn>) -> Result<(), FieldError> {
    let Output { call_id, name, content, status, mut rest, .. } = read(at, raw)?;
    let Some(Str(call_id)) = call_id else {
        return Err(refuse(at, ".call_id", "an output must name the call it answers"));
    };
    let content = content.as_ref().and_then(|raw| content::decode_all(raw, Side::Input));
    let (content, mut form) =
        content.ok_or_else(|| refuse(at, ".output", "must be a string or an array of content parts"))?;
    form |= status_form(status, &mut rest);
    form |= if name.is_some() { form::NAMED } else { 0 };
    let name = name.map(|name| name.0);
    let result = ToolResult { call_id, name, kind, content, is_error: None };
    let extras = rest.extras(DIALECT, form);
    let part = Part { extras, ..Part::new(PartKind::ToolResult(result)) };
    match turns.last_mut() {
        Some(last) if last.role == Role::Tool => last.parts.push(part),
        _ => turns.push(Turn::new(Role::Tool, vec![part])),
    }
    Ok(())
}

impl FunctionCall {
    /// The canonical call; `None` where it is not whole.
    pub(super) fn part(self) -> Option<Part> {
        let Self { call_id, name, arguments, status, rest, .. } = self;
        call((call_id?.0, name?.0, arguments?.0), ToolCallKind::Function, status, rest)
    }
}

impl CustomCall {
    /// The canonical call; `None` where it is not whole.
    pub(super) fn part(self) -> Option<Part> {
        let Self { call_id, name, input, status, rest, .. } = self;
        call((call_id?.0, name?.0, input?.0), ToolCallKind::Freeform, status, rest)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "ends the two functions above")]
fn call(
    (id, name, arguments): (Text, Text, Text),
    kind: ToolCallKind,
    status: Option<Str>,
    mut rest: Rest,
) -> Option<Part> {
    let form = status_form(status, &mut rest);
    let call = ToolCall { id, name, kind, arguments };
    Some(Part { extras: rest.extras(DIALECT, form), ..Part::new(PartKind::ToolCall(call)) })
}

/// A thought; as it was written where it is not as documented.
pub(super) fn reasoning(raw: &RawValue) -> Part {
    serde_json::from_str::<ReasoningItem>(raw.get())
        .ok()
        .and_then(ReasoningItem::part)
        .unwrap_or_else(|| opaque(raw))
}

impl ReasoningItem {
    fn part(self) -> Option<Part> {
        let Self { id, summary, content, encrypted, status, mut rest, .. } = self;
        let mut form = form::OWN | status_form(status, &mut rest);
        form |= if summary.is_none() { form::NO_SUMMARY } else { 0 };
        form |= if content.as_ref().is_some_and(Vec::is_empty) { form::NO_CONTENT } else { 0 };
        let signature = match encrypted {
            Some(Str(text)) if text.is_empty() => {
                rest.push("encrypted_content", string(&text)?);
                None
            }
            Some(Str(text)) => Some(Minted::unknown(DIALECT, text)),
            None => None,
        };
        let thought = Thought {
            id: id.map(|id| id.0),
            text: pieces(content, "reasoning_text")?,
            summary: pieces(summary, "summary_text")?,
            redacted: false,
        };
        let extras = rest.extras(DIALECT, form);
        Some(Part { signature, extras, ..Part::new(PartKind::Reasoning(thought)) })
    }
}

/// The texts of pieces; `None` where one is something else.
fn pieces(pieces: Option<Vec<Piece>>, kind: &str) -> Option<Vec<Text>> {
    let text = |piece: Piece| match (piece.kind, piece.text) {
        (Some(known), Some(text)) if &*known.0 == kind && piece.rest.is_empty() => Some(text.0),
        _ => None,
    };
    pieces.into_iter().flatten().map(text).collect()
}

/// A turn of what the caller says in a string.
pub(super) fn said(role: Role, text: Text) -> Turn {
    let parts = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
    Turn { role, name: None, parts, extras: Extras::default() }
}

fn refuse(at: usize, member: &str, why: &str) -> FieldError {
    let field = format!("input[{at}]{member}");
    FieldError { message: format!("`{field}`: {why}").into(), field: field.into() }
}

fn refuse_input(why: &str) -> FieldError {
    FieldError { field: "input".into(), message: format!("`input`: {why}").into() }
}
