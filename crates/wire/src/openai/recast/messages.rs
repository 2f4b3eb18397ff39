//! Reading `messages`.

use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use trunkline_domain::chat::{
    Minted, Opaque, Part, PartKind, RawJson, Role, Speech, ToolCall, ToolCallKind, ToolResult, Turn,
};
use trunkline_domain::{Dialect, Text};

use super::content::{Content, ContentPart};
use super::{DIALECT, form, reasoning};
use crate::codec::FieldError;
use crate::json::{Str, problem, wire_object};

wire_object! {
    /// A message of any role.
    pub(super) struct Message {
        "role" => role: Str,
        "content" => content: Content,
        "name" => name: Str,
        "refusal" => refusal: Str,
        "tool_calls" => tool_calls: Vec<Call>,
        "tool_call_id" => tool_call_id: Str,
        "function_call" => function_call: IgnoredAny,
        "audio" => audio: AudioReference,
        "reasoning_details" => reasoning_details: RawJson,
        "reasoning_content" => reasoning_content: Str,
        "reasoning" => reasoning: Str,
    }
}

wire_object! {
    pub(super) struct Call {
        "id" => id: Str,
        "type" => kind: Str,
        "function" => function: FunctionCall,
        "custom" => custom: CustomCall,
        "extra_content" => extra_content: RawJson,
    }
}

wire_object! {
    pub(super) struct FunctionCall { "name" => name: Str, "arguments" => arguments: RawJson }
}

wire_object! {
    pub(super) struct CustomCall { "name" => name: Str, "input" => input: Str }
}

wire_object! {
    pub(super) struct AudioReference { "id" => id: Str }
}

wire_object! {
    struct ExtraContent { "google" => google: GoogleContent }
}

wire_object! {
    struct GoogleContent { "thought_signature" => thought_signature: Str }
}

/// Reads the conversation.
pub(super) fn decode(raw: &str) -> Result<Vec<Turn>, FieldError> {
    let messages: Vec<Message> = serde_json::from_str(raw).map_err(|error| locate(raw, &error))?;
    let mut reader = Reader { raw, elements: None, freeform: HashSet::new() };
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        let turn = reader.turn(at, message)?;
        match turns.last_mut() {
            Some(last) if last.role == Role::Tool && turn.role == Role::Tool => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    Ok(turns)
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

struct Reader<'a> {
    raw: &'a str,
    /// The messages as written; only looked for where a part is not understood.
    elements: Option<Vec<&'a RawValue>>,
    /// Ids of the calls of freeform tools so far: their results look like any other.
    freeform: HashSet<Text>,
}

impl Reader<'_> {
    fn turn(&mut self, at: usize, mut message: Message) -> Result<Turn, FieldError> {
        let role = match message.role.as_ref().map(|role| &*role.0) {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool") => Role::Tool,
            Some("function") => {
                return Err(refuse(at, "role", "the role `function` is no longer supported: use `tool`"));
            }
            _ => {
                let known = "must be one of `system`, `developer`, `user`, `assistant` and `tool`";
                return Err(refuse(at, "role", known));
            }
        };
        if message.function_call.is_some() {
            let why = "`function_call` is no longer supported: use `tool_calls`";
            return Err(refuse(at, "function_call", why));
        }
        check_members(at, role, &message)?;
        if message.tool_calls.as_ref().is_some_and(Vec::is_empty) {
            message.tool_calls = None;
            message.rest.push("tool_calls", empty_array());
        }
        match role {
            Role::Tool => self.result(at, message),
            Role::Assistant => self.answer(at, message),
            Role::System | Role::Developer | Role::User => {
                let Message { content, name, rest, .. } = message;
                let mut parts = Vec::new();
                let form = self.content(at, content, &mut parts)?;
                let name = name.map(|name| name.0);
                Ok(Turn { role, name, parts, extras: rest.extras(DIALECT, form) })
            }
        }
    }

    fn answer(&mut self, at: usize, message: Message) -> Result<Turn, FieldError> {
        let Message { content, name, refusal, tool_calls, audio, mut rest, .. } = message;
        let members = reasoning::Members {
            details: message.reasoning_details,
            content: message.reasoning_content,
            reasoning: message.reasoning,
        };
        let (mut parts, mut form) = reasoning::decode(members, &mut rest);
        form |= self.content(at, content, &mut parts)?;
        parts.extend(refusal.map(|refusal| Part::new(PartKind::Refusal(refusal.0))));
        if let Some(audio) = audio {
            rest.nest("audio", audio.rest);
            let speech = Speech { id: audio.id.map(|id| id.0), ..Speech::default() };
            parts.push(PartKind::Speech(speech).into());
        }
        for (place, call) in tool_calls.into_iter().flatten().enumerate() {
            let part = call.part().ok_or_else(|| {
                let member = format!("tool_calls[{place}]");
                refuse(
                    at,
                    &member,
                    "must be a call of type `function` or `custom` with its name and arguments",
                )
            })?;
            if let Some(call) = part.tool_call().filter(|call| call.kind == ToolCallKind::Freeform) {
                self.freeform.insert(call.id.clone());
            }
            parts.push(part);
        }
        let name = name.map(|name| name.0);
        Ok(Turn { role: Role::Assistant, name, parts, extras: rest.extras(DIALECT, form) })
    }

    fn result(&mut self, at: usize, message: Message) -> Result<Turn, FieldError> {
        let Message { content, name, tool_call_id, rest, .. } = message;
        let Some(Str(call_id)) = tool_call_id else {
            return Err(refuse(at, "tool_call_id", "a message of role `tool` must name the call it answers"));
        };
        let mut parts = Vec::new();
        let form = self.content(at, content, &mut parts)?;
        let kind =
            if self.freeform.contains(&call_id) { ToolCallKind::Freeform } else { ToolCallKind::Function };
        let named = if name.is_some() { form::NAMED } else { 0 };
        let name = name.map(|name| name.0);
        let result = ToolResult { call_id, name, kind, content: parts, is_error: None };
        let extras = rest.extras(DIALECT, form | named);
        let part = Part { extras, ..Part::new(PartKind::ToolResult(result)) };
        Ok(Turn::new(Role::Tool, vec![part]))
    }

    /// Adds the parts of a content, and says how it was spelled.
    fn content(
        &mut self,
        at: usize,
        content: Option<Content>,
        parts: &mut Vec<Part>,
    ) -> Result<u32, FieldError> {
        match content {
            None => Ok(0),
            Some(Content::Text(text)) if text.is_empty() => Ok(form::CONTENT_EMPTY),
            Some(Content::Text(text)) => {
                parts.push(Part::text(text));
                Ok(0)
            }
            Some(Content::Parts(elements)) if elements.is_empty() => {
                Ok(form::CONTENT_EMPTY | form::CONTENT_ARRAY)
            }
            Some(Content::Parts(elements)) => {
                let count = elements.len();
                for (place, element) in elements.into_iter().enumerate() {
                    parts.push(self.part(at, place, element)?);
                }
                let bare = parts.last().is_some_and(|part| count == 1 && is_bare_text(part));
                Ok(if bare { form::CONTENT_ARRAY } else { 0 })
            }
        }
    }

    fn part(&mut self, at: usize, place: usize, element: ContentPart) -> Result<Part, FieldError> {
        if let Some(part) = element.part() {
            return Ok(part);
        }
        let elements =
            self.elements.get_or_insert_with(|| serde_json::from_str(self.raw).unwrap_or_default());
        elements
            .get(at)
            .and_then(|message| opaque_part(message.get(), place))
            .ok_or_else(|| refuse(at, "content", "must be a string or an array of content parts"))
    }
}

/// A part of a message's content as it was written.
pub(super) fn opaque_part(message: &str, place: usize) -> Option<Part> {
    #[derive(serde::Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
    }
    let raw: Raw<'_> = serde_json::from_str(message).ok()?;
    let raw = RawJson::from((*raw.content.get(place)?).to_owned());
    Some(PartKind::Opaque(Opaque { dialect: DIALECT, raw }).into())
}

/// Whether a part is text and nothing else: a string would do.
pub(super) fn is_bare_text(part: &Part) -> bool {
    part.cache.is_none()
        && part.extras.is_empty()
        && matches!(&part.kind, PartKind::Text { text, citations } if citations.is_empty() && !text.is_empty())
}

impl Call {
    /// The canonical call; `None` where it is not one of the two kinds or not whole.
    pub(super) fn part(self) -> Option<Part> {
        let Self { id, kind, function, custom, extra_content, mut rest } = self;
        let (name, kind, arguments) = match (function, custom, kind.as_ref().map(|kind| &*kind.0)) {
            (Some(function), None, None | Some("function")) => {
                rest.nest("function", function.rest);
                (function.name?.0, ToolCallKind::Function, arguments(function.arguments))
            }
            (None, Some(custom), Some("custom")) => {
                rest.nest("custom", custom.rest);
                (custom.name?.0, ToolCallKind::Freeform, custom.input?.0)
            }
            _ => return None,
        };
        let signature = extra_content.as_ref().and_then(thought_signature);
        let form = if signature.is_some() { form::EXTRA_CONTENT } else { 0 };
        if let Some(raw) = extra_content.filter(|_| signature.is_none()) {
            rest.push("extra_content", raw);
        }
        let id = id.map_or_else(|| Text::from(""), |id| id.0);
        let call = ToolCall { id, name, kind, arguments };
        let extras = rest.extras(DIALECT, form);
        Some(Part { signature, extras, ..Part::new(PartKind::ToolCall(call)) })
    }
}

/// Arguments as the model wrote them: the text of a string; some servers send the object itself.
pub(super) fn arguments(raw: Option<RawJson>) -> Text {
    raw.map_or_else(
        || Text::from(""),
        |raw| serde_json::from_str::<Str>(raw.get()).map_or_else(|_| Text::from(raw.get()), |text| text.0),
    )
}

/// Google's signature of a tool call, where there is that and nothing else.
pub(super) fn thought_signature(raw: &RawJson) -> Option<Minted<Text>> {
    let ExtraContent { google, rest } = serde_json::from_str(raw.get()).ok()?;
    let GoogleContent { thought_signature, rest: inner } = google?;
    let only = rest.is_empty() && inner.is_empty();
    let signature = thought_signature.filter(|_| only)?;
    Some(Minted::unknown(Dialect::GeminiGenerate, signature.0))
}

/// Members that belong to another role are refused: nobody could say what they mean.
fn check_members(at: usize, role: Role, message: &Message) -> Result<(), FieldError> {
    let calls = message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
    let answers = [
        ("refusal", message.refusal.is_some()),
        ("tool_calls", calls),
        ("audio", message.audio.is_some()),
        ("reasoning_details", message.reasoning_details.is_some()),
        ("reasoning_content", message.reasoning_content.is_some()),
        ("reasoning", message.reasoning.is_some()),
    ];
    let foreign = answers.iter().find(|(_, present)| *present && role != Role::Assistant);
    if let Some((member, _)) = foreign {
        return Err(refuse(at, member, "belongs to messages of role `assistant`"));
    }
    if message.tool_call_id.is_some() && role != Role::Tool {
        return Err(refuse(at, "tool_call_id", "belongs to messages of role `tool`"));
    }
    Ok(())
}

fn refuse(at: usize, member: &str, why: &str) -> FieldError {
    let field = format!("messages[{at}].{member}");
    FieldError { message: format!("`{field}`: {why}").into(), field: field.into() }
}

/// `[]`, which says nothing and is kept.
pub(super) fn empty_array() -> RawJson {
    RawJson::parse("[]").unwrap_or_else(|| RawJson::from(RawValue::NULL.to_owned()))
}
