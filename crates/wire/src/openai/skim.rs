//! The facts of a request. Fields that decide about money or that this gateway itself obeys must have the type they
//! are documented with; everything else is the provider's to judge.

use trunkline_domain::Text;

use super::Shape;
use crate::codec::{FieldError, OutputMax, Skim};
use crate::cursor::Cursor;
use crate::envelope::Envelope;
use crate::fields::{self, NAME_BYTES_MAX, boolean, name, names, present, unsigned, wrong};

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
pub(crate) fn caller_facts(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    fields::caller_facts(envelope, skim)?;
    skim.models.extend(names(envelope, "fallbacks")?);
    skim.end_user =
        envelope.string("user").filter(|user| user.len() <= NAME_BYTES_MAX).map(|user| Text::from(&*user));
    skim.annotate = member_is_true(envelope, "usage", "include");
    skim.retries_max =
        unsigned(envelope, "num_retries")?.map(|retries| u8::try_from(retries).unwrap_or(u8::MAX));
    skim.timeout_ms = timeout_ms(envelope)?;
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
