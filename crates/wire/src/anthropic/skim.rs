//! The facts of a request. Fields that decide about money or that this gateway itself obeys must have the type they are
//! documented with; everything else is the provider's to judge. Whatever is not recognised counts with its length as
//! written, so that the bound of the prompt is never too small.

use std::borrow::Cow;

use trunkline_domain::Text;

use crate::codec::{FieldError, OutputMax, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::{Envelope, unquote};
use crate::routing::Wishes;

/// The longest name or session id, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// The most fallback models or labels in one request.
const NAMES_MAX: usize = 64;

/// How deep blocks are looked into: a message's, a tool result's, a document's. What is deeper counts as written.
const DEPTH_MAX: u32 = 3;

/// What the types of tools begin with that the caller runs, or that cost nothing beside their tokens
/// (anthropic-sdk-python, `types/tool_union_param.py`). Any other is run by the provider, at a fee for each use or with
/// a prompt nobody here sees.
const CALLERS_TOOLS: &[&[u8]] =
    &[b"custom", b"bash_", b"text_editor_", b"computer_", b"memory_", b"tool_search_tool_"];

pub(super) fn skim(envelope: &Envelope) -> Result<Skim, FieldError> {
    let mut skim = Skim {
        model: name(envelope, "model")?.unwrap_or_default(),
        stream: boolean(envelope, "stream")?.unwrap_or(false),
        output_max: unsigned(envelope, "max_tokens")?.map(|tokens| OutputMax { field: "max_tokens", tokens }),
        choices: 1,
        // The dialect's streams always carry it.
        include_usage: true,
        ..Skim::default()
    };
    caller_facts(envelope, &mut skim)?;
    system(envelope, &mut skim);
    messages(envelope.raw_bytes("messages").unwrap_or_default(), &mut skim)?;
    tools(envelope.raw_bytes("tools").unwrap_or_default(), &mut skim)?;
    for field in ["output_config", "output_format"] {
        output(envelope.raw_bytes(field).unwrap_or_default(), field, &mut skim);
    }
    skim.needs.unbounded_fees |= present(envelope, "mcp_servers").is_some_and(|servers| servers != b"[]");
    Ok(skim)
}

/// Reads who asks and what they ask of the gateway itself.
fn caller_facts(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    skim.models = names(envelope, "models")?;
    skim.tags = names(envelope, "tags")?;
    skim.session = name(envelope, "session_id")?;
    skim.provider_preferences = !members(envelope, "provider")?.is_empty();
    skim.wishes = Wishes::of_body(envelope)?;
    Cursor::new(envelope.raw_bytes("metadata").unwrap_or_default()).object(|key, value| {
        if key == b"user_id" {
            skim.end_user = text(value.skip());
        }
    });
    Ok(())
}

fn system(envelope: &Envelope, skim: &mut Skim) {
    let mut cursor = Cursor::new(envelope.raw_bytes("system").unwrap_or_default());
    match cursor.kind() {
        Kind::Null => {}
        Kind::Array => {
            skim.messages = skim.messages.saturating_add(1);
            cursor.array(|element| block(element, skim, 0));
        }
        Kind::String | Kind::Object | Kind::Other => {
            skim.messages = skim.messages.saturating_add(1);
            count(&mut cursor, skim);
        }
    }
}

fn messages(raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Array {
        return Err(wrong("messages", "an array of messages"));
    }
    let mut odd = None;
    let mut place = 0_usize;
    cursor.array(|message| {
        if message.kind() != Kind::Object {
            odd = odd.or(Some(place));
        }
        place += 1;
        skim.messages = skim.messages.saturating_add(1);
        message.object(|key, value| match (key, value.kind()) {
            (b"content", Kind::Array) => value.array(|element| block(element, skim, 0)),
            _ => count(value, skim),
        });
    });
    match odd {
        None => Ok(()),
        Some(place) => Err(FieldError {
            field: format!("messages[{place}]").into(),
            message: format!("`messages[{place}]` must be an object with a `role`").into(),
        }),
    }
}

/// Reads a block. What its `source` holds is known by its members, not by the type the block claims.
fn block(block: &mut Cursor<'_>, skim: &mut Skim, depth: u32) {
    if block.kind() != Kind::Object || depth >= DEPTH_MAX {
        count(block, skim);
        return;
    }
    let mut source = Source::default();
    let mut kind: &[u8] = b"";
    block.object(|key, value| match (key, value.kind()) {
        (b"type", Kind::String) => {
            kind = value.string();
            skim.text_bytes += kind.len() as u64;
        }
        (b"source", Kind::Object) => source.read(value, skim, depth),
        (b"content", Kind::Array) => {
            value.array(|element| self::block(element, skim, depth + 1));
        }
        _ => count(value, skim),
    });
    skim.needs.vision |= kind == b"image";
    skim.needs.files |= kind == b"document";
    if kind == b"container_upload" {
        skim.referenced_media = skim.referenced_media.saturating_add(1);
    }
    // A document's bytes may be text: their length bounds that, whatever constant a document has besides.
    if kind != b"image" {
        skim.text_bytes += source.inline_bytes;
    }
}

/// What a source holds.
#[derive(Default)]
struct Source {
    /// Bytes of payload as written.
    inline_bytes: u64,
}

impl Source {
    fn read(&mut self, source: &mut Cursor<'_>, skim: &mut Skim, depth: u32) {
        source.object(|key, value| match (key, value.kind()) {
            (b"data", Kind::String) => {
                self.inline_bytes += value.string().len() as u64;
                skim.inline_media = skim.inline_media.saturating_add(1);
            }
            (b"url" | b"file_id", _) => skim.referenced_media = skim.referenced_media.saturating_add(1),
            (b"content", Kind::Array) => value.array(|element| block(element, skim, depth + 1)),
            _ => count(value, skim),
        });
    }
}

/// Tool definitions are rendered into the prompt in a form only the provider knows: their length as written stands for
/// it, and each tool has a template overhead besides.
fn tools(raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    match cursor.kind() {
        Kind::Null => return Ok(()),
        Kind::Array => {}
        Kind::Object | Kind::String | Kind::Other => return Err(wrong("tools", "an array")),
    }
    skim.text_bytes += raw.len() as u64;
    cursor.array(|tool| {
        skim.needs.tools = true;
        skim.tools = skim.tools.saturating_add(1);
        tool.object(|key, value| {
            if key == b"type" && value.kind() == Kind::String {
                let kind = value.string();
                skim.needs.unbounded_fees |= !CALLERS_TOOLS.iter().any(|known| kind.starts_with(known));
            }
        });
    });
    Ok(())
}

/// Whether the answer must fit a schema, which the model reads too.
fn output(raw: &[u8], field: &str, skim: &mut Skim) {
    let mut schema = field == "output_format" && Cursor::new(raw).kind() == Kind::Object;
    if field == "output_config" {
        Cursor::new(raw).object(|key, value| schema |= key == b"format" && value.kind() == Kind::Object);
    }
    if schema {
        skim.needs.schema = true;
        skim.text_bytes += raw.len() as u64;
    }
}

/// Text, or something unknown with its length as written.
fn count(value: &mut Cursor<'_>, skim: &mut Skim) {
    skim.text_bytes += match value.kind() {
        Kind::String => value.string().len() as u64,
        Kind::Null => 0,
        Kind::Object | Kind::Array | Kind::Other => value.skip().len() as u64,
    };
}

/// A field's value as written; `None` where it is missing or null.
fn present<'a>(envelope: &'a Envelope, field: &str) -> Option<&'a [u8]> {
    envelope.raw_bytes(field).filter(|raw| *raw != b"null")
}

fn wrong(field: &'static str, expected: &str) -> FieldError {
    FieldError { field: Cow::Borrowed(field), message: format!("`{field}` must be {expected}").into() }
}

fn boolean(envelope: &Envelope, field: &'static str) -> Result<Option<bool>, FieldError> {
    if present(envelope, field).is_none() {
        return Ok(None);
    }
    envelope.boolean(field).map(Some).ok_or_else(|| wrong(field, "true or false"))
}

fn unsigned(envelope: &Envelope, field: &'static str) -> Result<Option<u64>, FieldError> {
    if present(envelope, field).is_none() {
        return Ok(None);
    }
    envelope.unsigned(field).map(Some).ok_or_else(|| wrong(field, "a whole number that is not negative"))
}

fn name(envelope: &Envelope, field: &'static str) -> Result<Option<Text>, FieldError> {
    match present(envelope, field) {
        None => Ok(None),
        Some(raw) => text(raw).map(Some).ok_or_else(|| wrong(field, "a string of at most 512 bytes")),
    }
}

fn text(raw: &[u8]) -> Option<Text> {
    unquote(raw).filter(|text| text.len() <= NAME_BYTES_MAX).map(|text| Text::from(&*text))
}

fn names(envelope: &Envelope, field: &'static str) -> Result<Vec<Text>, FieldError> {
    let Some(raw) = present(envelope, field) else { return Ok(Vec::new()) };
    let expected = || wrong(field, "an array of at most 64 strings");
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Array {
        return Err(expected());
    }
    let mut names = Vec::new();
    let mut fits = true;
    cursor.array(|element| match text(element.skip()) {
        Some(name) if names.len() < NAMES_MAX => names.push(name),
        Some(_) | None => fits = false,
    });
    if fits { Ok(names) } else { Err(expected()) }
}

/// The names of an object's members, as written.
fn members(envelope: &Envelope, field: &'static str) -> Result<Vec<Text>, FieldError> {
    let Some(raw) = present(envelope, field) else { return Ok(Vec::new()) };
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Object {
        return Err(wrong(field, "an object"));
    }
    let mut members = Vec::new();
    let mut fits = true;
    cursor.object(|key, _| {
        fits &= members.len() < NAMES_MAX && key.len() <= NAME_BYTES_MAX;
        if fits {
            members.push(Text::from(&*String::from_utf8_lossy(key)));
        }
    });
    if fits { Ok(members) } else { Err(wrong(field, "an object of at most 64 members")) }
}
