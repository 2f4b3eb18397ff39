//! The facts of a request. Fields that decide about money or that this gateway itself obeys must have the type they
//! are documented with; everything else is the provider's to judge.

use std::borrow::Cow;

use trunkline_domain::Text;

use super::Shape;
use crate::codec::{FieldError, OutputMax, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::{Envelope, unquote};
use crate::routing::Wishes;

/// The longest name, label or session id, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// The most fallback models, tags or routing members in one request.
const NAMES_MAX: usize = 64;

pub(super) fn skim(shape: &Shape, envelope: &Envelope) -> Result<Skim, FieldError> {
    let mut skim = Skim {
        model: name(envelope, "model")?.unwrap_or_default(),
        choices: count(envelope, "n")?.unwrap_or(1),
        output_max: output_max(shape, envelope)?,
        ..Skim::default()
    };
    if shape.streams {
        skim.stream = boolean(envelope, "stream")?.unwrap_or(false);
        skim.include_usage = member_is_true(envelope, "stream_options", "include_usage");
    }
    caller_facts(envelope, &mut skim)?;
    (shape.prompt)(envelope, &mut skim)?;
    Ok(skim)
}

/// Reads who asks and what they ask of the gateway itself.
fn caller_facts(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    skim.models = names(envelope, "models")?;
    skim.models.extend(names(envelope, "fallbacks")?);
    skim.tags = names(envelope, "tags")?;
    skim.session = name(envelope, "session_id")?;
    skim.end_user =
        envelope.string("user").filter(|user| user.len() <= NAME_BYTES_MAX).map(|user| Text::from(&*user));
    skim.annotate = member_is_true(envelope, "usage", "include");
    skim.retries_max =
        unsigned(envelope, "num_retries")?.map(|retries| u8::try_from(retries).unwrap_or(u8::MAX));
    skim.timeout_ms = timeout_ms(envelope)?;
    skim.provider_preferences = !members(envelope, "provider")?.is_empty();
    skim.wishes = Wishes::of_body(envelope)?;
    Ok(())
}

/// Where several fields cap the output, the smallest governs.
fn output_max(shape: &Shape, envelope: &Envelope) -> Result<Option<OutputMax>, FieldError> {
    let mut smallest: Option<OutputMax> = None;
    for &field in shape.output_caps {
        if let Some(tokens) = unsigned(envelope, field)?
            && smallest.as_ref().is_none_or(|other| tokens < other.tokens)
        {
            smallest = Some(OutputMax { field, tokens });
        }
    }
    Ok(smallest)
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

/// A number of answers: at least one.
pub(super) fn count(envelope: &Envelope, field: &'static str) -> Result<Option<u32>, FieldError> {
    match unsigned(envelope, field)? {
        None => Ok(None),
        Some(number) => match u32::try_from(number) {
            Ok(number) if number > 0 => Ok(Some(number)),
            Ok(_) | Err(_) => Err(wrong(field, "a whole number of at least 1")),
        },
    }
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

fn member_is_true(envelope: &Envelope, field: &str, member: &str) -> bool {
    let mut is_true = false;
    Cursor::new(envelope.raw_bytes(field).unwrap_or_default()).object(|key, value| {
        if key == member.as_bytes() {
            is_true = value.skip() == b"true";
        }
    });
    is_true
}

/// LiteLLM's `timeout` in seconds, a fraction allowed.
fn timeout_ms(envelope: &Envelope) -> Result<Option<u64>, FieldError> {
    let Some(raw) = present(envelope, "timeout") else { return Ok(None) };
    let seconds = serde_json::from_slice::<f64>(raw).ok().filter(|seconds| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    match duration.and_then(|duration| u64::try_from(duration.as_millis()).ok()) {
        Some(ms) => Ok(Some(ms.max(1))),
        None => Err(wrong("timeout", "a number of seconds above zero")),
    }
}
