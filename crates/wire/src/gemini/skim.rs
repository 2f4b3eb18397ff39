//! The facts of a request. Fields that decide about money or that this gateway itself obeys must have the type they are
//! documented with; everything else is the provider's to judge. Whatever is not recognised counts with its length as
//! written, so that the bound of the prompt is never too small.

use trunkline_domain::Text;

use super::present;
use crate::codec::{FieldError, OutputMax, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;
use crate::fields::{caller_facts, name, weigh, wrong};

/// The two spellings of fields.
pub(super) const GENERATION_CONFIG: [&str; 2] = ["generationConfig", "generation_config"];
const SYSTEM: [&str; 2] = ["systemInstruction", "system_instruction"];
const CACHED: [&str; 2] = ["cachedContent", "cached_content"];
/// A whole request inside one that counts its tokens.
const INNER: [&str; 2] = ["generateContentRequest", "generate_content_request"];

/// Members of a tool the caller runs. Any other is run by the provider, at a fee for each use or with a prompt nobody
/// here sees.
const CALLERS_TOOLS: &[&[u8]] =
    &[b"functionDeclarations", b"function_declarations", b"computerUse", b"computer_use"];

pub(super) fn skim(envelope: &Envelope) -> Result<Skim, FieldError> {
    if let Some((name, _)) = present(envelope, INNER) {
        let inner = envelope.value(name).and_then(|inner| Envelope::parse(inner).ok());
        return skim(&inner.ok_or_else(|| wrong(name, "an object"))?);
    }
    let mut skim = Skim {
        model: model(envelope)?,
        choices: 1,
        // The dialect's streams always carry it.
        include_usage: true,
        ..Skim::default()
    };
    caller_facts(envelope, &mut skim)?;
    if let Some((_, raw)) = present(envelope, SYSTEM) {
        content(&mut Cursor::new(raw), &mut skim);
    }
    contents(envelope.raw_bytes("contents").unwrap_or_default(), &mut skim)?;
    tools(envelope.raw_bytes("tools").unwrap_or_default(), &mut skim)?;
    generation_config(envelope, &mut skim)?;
    // Its length is known to the provider alone.
    skim.referenced_media =
        skim.referenced_media.saturating_add(u32::from(present(envelope, CACHED).is_some()));
    Ok(skim)
}

/// The model, where the body names it too.
fn model(envelope: &Envelope) -> Result<Text, FieldError> {
    let name = name(envelope, "model")?.unwrap_or_default();
    Ok(name.strip_prefix("models/").map_or(name.clone(), Text::from))
}

fn contents(raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    match cursor.kind() {
        Kind::Null => return Ok(()),
        Kind::Array => {}
        Kind::Object | Kind::String | Kind::Other => return Err(wrong("contents", "an array")),
    }
    cursor.array(|one| {
        skim.messages = skim.messages.saturating_add(1);
        content(one, skim);
    });
    Ok(())
}

pub(super) fn content(content: &mut Cursor<'_>, skim: &mut Skim) {
    if content.kind() != Kind::Object {
        return weigh(content, skim);
    }
    content.object(|key, value| match key {
        b"parts" => match value.kind() {
            Kind::Array => value.array(|one| part(one, skim)),
            Kind::Object | Kind::String | Kind::Null | Kind::Other => weigh(value, skim),
        },
        b"role" => {}
        _ => weigh(value, skim),
    });
}

fn part(part: &mut Cursor<'_>, skim: &mut Skim) {
    if part.kind() != Kind::Object {
        return weigh(part, skim);
    }
    part.object(|key, value| match key {
        b"inlineData" | b"inline_data" | b"fileData" | b"file_data" => media(value, skim),
        b"functionResponse" | b"function_response" => response(value, skim),
        b"thoughtSignature" | b"thought_signature" => {}
        _ => weigh(value, skim),
    });
}

/// A result of a tool, which may hold media beside its object.
fn response(response: &mut Cursor<'_>, skim: &mut Skim) {
    response.object(|key, value| match key {
        b"parts" => value.array(|one| part(one, skim)),
        _ => weigh(value, skim),
    });
}

fn media(medium: &mut Cursor<'_>, skim: &mut Skim) {
    let (mut kind, mut data): (&[u8], Option<&[u8]>) = (b"", None);
    medium.object(|key, value| match key {
        b"mimeType" | b"mime_type" => kind = value.string(),
        b"data" => data = Some(value.string()),
        _ => {}
    });
    if kind.starts_with(b"image/") || kind.starts_with(b"video/") {
        skim.needs.vision = true;
    } else if kind.starts_with(b"audio/") {
        skim.needs.audio = true;
    } else {
        skim.needs.files = true;
    }
    if kind.starts_with(b"text/") {
        // A text that comes as a file is read as what it is.
        skim.text_bytes += data.map_or(0, |data| data.len() as u64);
    }
    let counter = if data.is_some() { &mut skim.inline_media } else { &mut skim.referenced_media };
    *counter = counter.saturating_add(1);
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
        tool.object(|key, value| {
            let mut declared = 0_u32;
            if value.kind() == Kind::Array {
                value.array(|declaration| {
                    declared = declared.saturating_add(1);
                    declaration.skip();
                });
            }
            skim.tools = skim.tools.saturating_add(declared.max(1));
            skim.needs.unbounded_fees |= !CALLERS_TOOLS.contains(&key);
        });
    });
    Ok(())
}

fn generation_config(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    let Some((field, raw)) = present(envelope, GENERATION_CONFIG) else { return Ok(()) };
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Object {
        return Err(wrong(field, "an object"));
    }
    let mut problem = None;
    cursor.object(|key, value| match key {
        b"maxOutputTokens" | b"max_output_tokens" => match number(value) {
            Ok(tokens) => {
                skim.output_max =
                    tokens.map(|tokens| OutputMax { field: "generationConfig.maxOutputTokens", tokens });
            }
            Err(()) => problem = Some(("maxOutputTokens", "a whole number that is not negative")),
        },
        b"candidateCount" | b"candidate_count" => match number(value).map(|count| count.unwrap_or(1)) {
            Ok(count) if count > 0 => skim.choices = u32::try_from(count).unwrap_or(u32::MAX),
            Ok(_) | Err(()) => problem = Some(("candidateCount", "a whole number of at least 1")),
        },
        b"responseSchema" | b"response_schema" | b"responseJsonSchema" | b"response_json_schema" => {
            skim.needs.schema |= value.kind() == Kind::Object;
            weigh(value, skim);
        }
        b"responseLogprobs" | b"response_logprobs" => skim.needs.logprobs |= value.skip() == b"true",
        _ => {}
    });
    match problem {
        None => Ok(()),
        Some((member, expected)) => Err(FieldError {
            field: format!("generationConfig.{member}").into(),
            message: format!("`generationConfig.{member}` must be {expected}").into(),
        }),
    }
}

/// A whole number; `None` for null.
fn number(value: &mut Cursor<'_>) -> Result<Option<u64>, ()> {
    let raw = value.skip();
    if raw == b"null" {
        return Ok(None);
    }
    serde_json::from_slice(raw).map(Some).map_err(|_| ())
}
