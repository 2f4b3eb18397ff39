//! The facts of a request. Fields that decide about money or that this gateway itself obeys must have the type they are
//! documented with; everything else is the provider's to judge. Whatever is not recognised counts with its length as
//! written, so that the bound of the prompt is never too small.

use crate::codec::{FieldError, OutputMax, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;
use crate::fields::{self, boolean, label, name, present, unsigned, weigh, wrong};

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
    let callers = |kind: &[u8]| CALLERS_TOOLS.iter().any(|known| kind.starts_with(known));
    fields::tools(envelope.raw_bytes("tools").unwrap_or_default(), &mut skim, callers)?;
    for field in ["output_config", "output_format"] {
        output(envelope.raw_bytes(field).unwrap_or_default(), field, &mut skim);
    }
    skim.needs.unbounded_fees |= present(envelope, "mcp_servers").is_some_and(|servers| servers != b"[]");
    Ok(skim)
}

/// Reads who asks and what they ask of the gateway itself.
fn caller_facts(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    fields::caller_facts(envelope, skim)?;
    Cursor::new(envelope.raw_bytes("metadata").unwrap_or_default()).object(|key, value| {
        if key == b"user_id" {
            skim.end_user = label(value.skip());
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
            weigh(&mut cursor, skim);
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
            _ => weigh(value, skim),
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
        weigh(block, skim);
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
        _ => weigh(value, skim),
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
            _ => weigh(value, skim),
        });
    }
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
