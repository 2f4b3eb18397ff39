//! Top-level fields of a request that this gateway obeys or counts, whatever the dialect: read with the type they are
//! documented with, or refused by name. Not what a dialect's own fields mean: see its `skim`. Where to look first:
//! [`caller_facts`].

use std::borrow::Cow;

use trunkline_domain::Text;

use crate::codec::{FieldError, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::{Envelope, unquote};
use crate::routing::Wishes;

/// The longest name, label or session id, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 512;

/// The most fallback models, tags or members of an object in one request.
const NAMES_MAX: usize = 64;

/// Reads what a caller of any dialect can ask of the gateway itself.
pub(crate) fn caller_facts(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    skim.models = names(envelope, "models")?;
    skim.tags = names(envelope, "tags")?;
    skim.session = name(envelope, "session_id")?;
    skim.provider_preferences = has_members(envelope, "provider")?;
    skim.wishes = Wishes::of_body(envelope)?;
    Ok(())
}

/// A field's value as written; `None` where it is missing or null.
pub(crate) fn present<'a>(envelope: &'a Envelope, field: &str) -> Option<&'a [u8]> {
    envelope.raw_bytes(field).filter(|raw| *raw != b"null")
}

/// The same as text.
pub(crate) fn present_text<'a>(envelope: &'a Envelope, field: &str) -> Option<&'a str> {
    envelope.raw(field).filter(|raw| *raw != "null")
}

/// The refusal of a field.
pub(crate) fn wrong(field: &'static str, expected: &str) -> FieldError {
    FieldError { field: Cow::Borrowed(field), message: format!("`{field}` must be {expected}").into() }
}

pub(crate) fn boolean(envelope: &Envelope, field: &'static str) -> Result<Option<bool>, FieldError> {
    if present(envelope, field).is_none() {
        return Ok(None);
    }
    envelope.boolean(field).map(Some).ok_or_else(|| wrong(field, "true or false"))
}

pub(crate) fn unsigned(envelope: &Envelope, field: &'static str) -> Result<Option<u64>, FieldError> {
    if present(envelope, field).is_none() {
        return Ok(None);
    }
    envelope.unsigned(field).map(Some).ok_or_else(|| wrong(field, "a whole number that is not negative"))
}

pub(crate) fn name(envelope: &Envelope, field: &'static str) -> Result<Option<Text>, FieldError> {
    match present(envelope, field) {
        None => Ok(None),
        Some(raw) => label(raw).map(Some).ok_or_else(|| wrong(field, "a string of at most 512 bytes")),
    }
}

pub(crate) fn names(envelope: &Envelope, field: &'static str) -> Result<Vec<Text>, FieldError> {
    let Some(raw) = present(envelope, field) else { return Ok(Vec::new()) };
    let mut cursor = Cursor::new(raw);
    let mut names = Vec::new();
    let mut fits = cursor.kind() == Kind::Array;
    cursor.array(|element| match label(element.skip()) {
        Some(name) if names.len() < NAMES_MAX => names.push(name),
        Some(_) | None => fits = false,
    });
    if fits { Ok(names) } else { Err(wrong(field, "an array of at most 64 strings")) }
}

/// A string that is short enough for a label.
pub(crate) fn label(raw: &[u8]) -> Option<Text> {
    unquote(raw).filter(|text| text.len() <= NAME_BYTES_MAX).map(|text| Text::from(&*text))
}

/// Whether a field is an object with anything in it.
fn has_members(envelope: &Envelope, field: &'static str) -> Result<bool, FieldError> {
    let Some(raw) = present(envelope, field) else { return Ok(false) };
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Object {
        return Err(wrong(field, "an object"));
    }
    let mut members = 0_usize;
    cursor.object(|_, _| members += 1);
    Ok(members > 0)
}

/// Reads tools, each of a `type`. They are rendered into the prompt in a form only the provider knows: their length as
/// written stands for it, and each has a template's overhead besides. Those the caller does not run itself may cost
/// anything.
pub(crate) fn tools(
    raw: &[u8],
    skim: &mut Skim,
    is_callers: impl Fn(&[u8]) -> bool,
) -> Result<(), FieldError> {
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
                skim.needs.unbounded_fees |= !is_callers(value.string());
            }
        });
    });
    Ok(())
}

/// Counts text that the model will read; whatever is no text with its length as written.
pub(crate) fn weigh(value: &mut Cursor<'_>, skim: &mut Skim) {
    skim.text_bytes += match value.kind() {
        Kind::String => value.string().len() as u64,
        Kind::Null => 0,
        Kind::Object | Kind::Array | Kind::Other => value.skip().len() as u64,
    };
}
