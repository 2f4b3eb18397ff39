//! Reading `input`: a string, or items that follow each other.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    Document, DocumentContent, Extras, Media, MediaSource, Minted, Opaque, Part, PartKind, RawJson, Role,
    Thought, ToolCall, ToolCallKind, ToolResult, Turn,
};

use super::DIALECT;
use crate::codec::FieldError;
use crate::json::{Rest, Str, problem, wire_object};
use crate::openai::recast::data_url;

wire_object! {
    struct Item {
        "type" => kind: Str,
        "role" => role: Str,
        "content" => content: Content,
        "id" => id: Str,
        "status" => status: Str,
        "call_id" => call_id: Str,
        "name" => name: Str,
        "arguments" => arguments: Str,
        "input" => input: Str,
        "output" => output: Content,
        "summary" => summary: Vec<Piece>,
        "encrypted_content" => encrypted: Str,
    }
}

wire_object! {
    struct Piece {
        "type" => kind: Str,
        "text" => text: Str,
        "refusal" => refusal: Str,
        "annotations" => annotations: RawJson,
        "logprobs" => logprobs: RawJson,
        "image_url" => image_url: Str,
        "file_id" => file_id: Str,
        "file_url" => file_url: Str,
        "file_data" => file_data: Str,
        "filename" => filename: Str,
        "detail" => detail: Str,
        "input_audio" => audio: Audio,
    }
}

wire_object! {
    struct Audio { "data" => data: Str, "format" => format: Str }
}

/// A string, or pieces.
enum Content {
    Text(Text),
    Pieces(Vec<Piece>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(Text::from(text)))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut array: S) -> Result<Content, S::Error> {
                let mut pieces = Vec::new();
                while let Some(piece) = array.next_element()? {
                    pieces.push(piece);
                }
                Ok(Content::Pieces(pieces))
            }
        }
        json.deserialize_any(ContentVisitor)
    }
}

/// Reads the conversation.
pub(super) fn decode(raw: &str) -> Result<Vec<Turn>, FieldError> {
    if raw.starts_with('"') {
        let text: Str = serde_json::from_str(raw).map_err(|error| wrong("input", &problem(&error)))?;
        return Ok(vec![Turn::new(Role::User, vec![Part::text(text.0)])]);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(raw).map_err(|error| wrong("input", &problem(&error)))?;
    let mut turns: Vec<Turn> = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let path = || format!("input[{at}]");
        let read: Item =
            serde_json::from_str(item.get()).map_err(|error| wrong(&path(), &problem(&error)))?;
        let said = read.said(item).map_err(|why| wrong(&path(), why))?;
        append(&mut turns, said);
    }
    Ok(turns)
}

fn wrong(field: &str, why: &str) -> FieldError {
    FieldError { message: format!("`{field}`: {why}").into(), field: field.to_owned().into() }
}

/// What one item says, and who says it.
struct Said {
    role: Role,
    parts: Vec<Part>,
    extras: Extras,
}

/// Items of the model's, and outputs of calls, that follow each other share a turn.
fn append(turns: &mut Vec<Turn>, said: Said) {
    let Said { role, parts, extras } = said;
    match turns.last_mut() {
        Some(last)
            if last.role == role && matches!(role, Role::Assistant | Role::Tool) && extras.is_empty() =>
        {
            last.parts.extend(parts);
        }
        _ => turns.push(Turn { role, name: None, parts, extras }),
    }
}

impl Item {
    fn said(self, raw: &RawValue) -> Result<Said, &'static str> {
        let kind = self.kind.as_ref().map_or("message", |kind| &*kind.0);
        match kind {
            "message" => self.message(),
            "function_call" => self.call(ToolCallKind::Function),
            "custom_tool_call" => self.call(ToolCallKind::Freeform),
            "function_call_output" => self.result(ToolCallKind::Function),
            "custom_tool_call_output" => self.result(ToolCallKind::Freeform),
            "reasoning" => Ok(self.thought()),
            "item_reference" => {
                Err("this gateway keeps no items: send the item itself instead of a reference to it")
            }
            _ => {
                let opaque = Opaque { dialect: DIALECT, raw: RawJson::from(raw.to_owned()) };
                Ok(by(Role::Assistant, PartKind::Opaque(opaque).into()))
            }
        }
    }

    fn message(self) -> Result<Said, &'static str> {
        let role = match self.role.as_ref().map(|role| &*role.0) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            _ => return Err("`role` must be one of `user`, `assistant`, `system` and `developer`"),
        };
        let parts = self.content.ok_or("`content` must be a string or an array of content parts")?.parts()?;
        Ok(Said { role, parts, extras: self.rest.without_nulls().extras(DIALECT, 0) })
    }

    fn call(self, kind: ToolCallKind) -> Result<Said, &'static str> {
        let arguments = match kind {
            ToolCallKind::Function => self.arguments,
            ToolCallKind::Freeform => self.input,
        };
        let call = ToolCall {
            id: self.call_id.ok_or("a call must have a `call_id`")?.0,
            name: self.name.ok_or("a call must have a `name`")?.0,
            kind,
            arguments: arguments.ok_or("a call must have its arguments")?.0,
        };
        let extras = self.rest.without_nulls().extras(DIALECT, 0);
        Ok(by(Role::Assistant, Part { extras, ..Part::new(PartKind::ToolCall(call)) }))
    }

    fn result(self, kind: ToolCallKind) -> Result<Said, &'static str> {
        let result = ToolResult {
            call_id: self.call_id.ok_or("an output must have the `call_id` it answers")?.0,
            name: self.name.map(|name| name.0),
            kind,
            content: self.output.ok_or("an output must be a string or an array of content parts")?.parts()?,
            is_error: None,
        };
        let extras = self.rest.without_nulls().extras(DIALECT, 0);
        Ok(by(Role::Tool, Part { extras, ..Part::new(PartKind::ToolResult(result)) }))
    }

    fn thought(self) -> Said {
        let texts = |pieces: Option<Vec<Piece>>| -> Vec<Text> {
            pieces.into_iter().flatten().filter_map(|piece| piece.text).map(|text| text.0).collect()
        };
        let content = match self.content {
            Some(Content::Pieces(pieces)) => Some(pieces),
            Some(Content::Text(_)) | None => None,
        };
        let thought = Thought {
            id: self.id.map(|id| id.0),
            text: texts(content),
            summary: texts(self.summary),
            redacted: false,
        };
        let signature = self.encrypted.map(|state| Minted::unknown(DIALECT, state.0));
        by(Role::Assistant, Part { signature, ..Part::new(PartKind::Reasoning(thought)) })
    }
}

fn by(role: Role, part: Part) -> Said {
    Said { role, parts: vec![part], extras: Extras::default() }
}

impl Content {
    fn parts(self) -> Result<Vec<Part>, &'static str> {
        match self {
            Self::Text(text) => Ok(vec![Part::text(text)]),
            Self::Pieces(pieces) => pieces.into_iter().map(Piece::part).collect(),
        }
    }
}

impl Piece {
    fn part(self) -> Result<Part, &'static str> {
        let kind = match self.kind.as_ref().map(|kind| &*kind.0) {
            Some("input_text" | "output_text" | "text" | "summary_text") => {
                let text = self.text.ok_or("a text must have its `text`")?.0;
                PartKind::Text { text, citations: Vec::new() }
            }
            Some("refusal") => PartKind::Refusal(self.refusal.ok_or("a refusal must have its text")?.0),
            Some("input_image") => {
                let (source, media_type) = match (self.image_url, self.file_id) {
                    (Some(url), _) => data_url(&url.0),
                    (None, Some(id)) => (MediaSource::File(id.0), None),
                    (None, None) => return Err("an image must have an `image_url` or a `file_id`"),
                };
                let detail = self.detail.map(|detail| detail.0);
                PartKind::Image(Media { source, media_type, detail })
            }
            Some("input_file") => {
                let (source, media_type) = match (self.file_data, self.file_url, self.file_id) {
                    (Some(data), _, _) => file_data(&data.0),
                    (None, Some(url), _) => (MediaSource::Url(url.0), None),
                    (None, None, Some(id)) => (MediaSource::File(id.0), None),
                    (None, None, None) => return Err("a file must have its data, an address or an id"),
                };
                PartKind::Document(Document {
                    content: DocumentContent::Media(source),
                    media_type,
                    name: self.filename.map(|name| name.0),
                    context: None,
                    citations: None,
                })
            }
            Some("input_audio") => {
                let Audio { data, format, .. } = self.audio.ok_or("audio must have its data")?;
                PartKind::Audio(Media {
                    source: MediaSource::Base64(data.ok_or("audio must have its data")?.0),
                    media_type: format.map(|format| format!("audio/{}", format.0).into()),
                    detail: None,
                })
            }
            _ => return Err("a content part of a type this gateway does not know"),
        };
        let extras = Rest::extras(self.rest.without_nulls(), DIALECT, 0);
        Ok(Part { extras, ..Part::new(kind) })
    }
}

/// A file's data: a data URL, or bare base64.
fn file_data(data: &Text) -> (MediaSource, Option<Text>) {
    match data_url(data) {
        (MediaSource::Url(bare), _) => (MediaSource::Base64(bare), None),
        source => source,
    }
}
