//! The facts of a request. Fields that decide about money or that this gateway itself obeys must have the type they are
//! documented with; everything else is the provider's to judge. Whatever is not recognised counts with its length as
//! written, so that the bound of the prompt is never too small.
//!
//! Items and parts: openai-python, `types/responses/response_input_param.py`, `response_input_*_param.py`.

use crate::codec::{FieldError, OutputMax, Previous, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;
use crate::fields::{self, boolean, name, present, unsigned, weigh, wrong};
use crate::openai::prompt::payload;
use crate::openai::skim::caller_facts;

use super::relay::OUTPUT_CAP;

/// Tools the caller runs. Any other is run by the provider, at a fee for each use or with a prompt nobody here sees.
const CALLERS_TOOLS: &[&[u8]] =
    &[b"function", b"custom", b"local_shell", b"apply_patch", b"computer", b"computer_use_preview"];

/// The field that names the answer a request goes on from.
pub(super) const PREVIOUS: &str = "previous_response_id";

/// Fields that point at something one provider's account keeps and that did not come from here: anybody who can call that
/// account could have made it.
const STATEFUL: &[&str] = &["conversation", "prompt"];

/// How deep the parts of an item are looked into: a message's, a tool's output. What is deeper counts as written.
const DEPTH_MAX: u32 = 2;

pub(super) fn skim(envelope: &Envelope) -> Result<Skim, FieldError> {
    let mut skim = Skim {
        model: name(envelope, "model")?.unwrap_or_default(),
        stream: boolean(envelope, "stream")?.unwrap_or(false),
        output_max: unsigned(envelope, OUTPUT_CAP)?.map(|tokens| OutputMax { field: OUTPUT_CAP, tokens }),
        choices: 1,
        // The dialect's streams always carry it.
        include_usage: true,
        ..Skim::default()
    };
    refuse_state(envelope)?;
    caller_facts(envelope, &mut skim)?;
    previous(envelope, &mut skim)?;
    instructions(envelope, &mut skim);
    input(envelope, &mut skim)?;
    let callers = |kind: &[u8]| CALLERS_TOOLS.contains(&kind);
    fields::tools(envelope.raw_bytes("tools").unwrap_or_default(), &mut skim, callers)?;
    output(envelope, &mut skim);
    Ok(skim)
}

/// The conversation that goes before is read by the model too, and nothing here knows its length.
fn previous(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    skim.previous = name(envelope, PREVIOUS)?.map(|id| Previous { field: PREVIOUS, id });
    if skim.previous.is_some() {
        skim.referenced_media = skim.referenced_media.saturating_add(1);
    }
    Ok(())
}

/// What a provider keeps would be found at one account only, and there by anybody.
fn refuse_state(envelope: &Envelope) -> Result<(), FieldError> {
    if let Some(&field) = STATEFUL.iter().find(|field| present(envelope, field).is_some()) {
        let message = format!(
            "`{field}` names something one provider's account keeps for everybody who calls it: go on from an answer with \
             `{PREVIOUS}`, or send the whole conversation in `input`"
        );
        return Err(FieldError { field: field.into(), message: message.into() });
    }
    if envelope.boolean("background") == Some(true) {
        let message = "the cost of a `background` answer is known only after it was asked for again, so it could not be \
                       charged: ask for a stream instead";
        return Err(FieldError { field: "background".into(), message: message.into() });
    }
    Ok(())
}

/// Refuses what no other dialect has a word for, an answer to go on from included.
pub(super) fn refuse_kept(envelope: &Envelope) -> Result<(), FieldError> {
    refuse_state(envelope)?;
    if present(envelope, PREVIOUS).is_none() {
        return Ok(());
    }
    let message = format!(
        "`{PREVIOUS}`: another dialect's provider does not have it: send the whole conversation in `input`"
    );
    Err(FieldError { field: PREVIOUS.into(), message: message.into() })
}

fn instructions(envelope: &Envelope, skim: &mut Skim) {
    if let Some(raw) = present(envelope, "instructions") {
        skim.messages = skim.messages.saturating_add(1);
        weigh(&mut Cursor::new(raw), skim);
    }
}

fn input(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(envelope.raw_bytes("input").unwrap_or_default());
    match cursor.kind() {
        Kind::String => {
            skim.messages = skim.messages.saturating_add(1);
            weigh(&mut cursor, skim);
            Ok(())
        }
        Kind::Array => items(&mut cursor, skim),
        Kind::Null | Kind::Object | Kind::Other => Err(wrong("input", "a string or an array of items")),
    }
}

fn items(items: &mut Cursor<'_>, skim: &mut Skim) -> Result<(), FieldError> {
    let mut odd = None;
    let mut place = 0_usize;
    items.array(|item| {
        if item.kind() != Kind::Object {
            odd = odd.or(Some(place));
        }
        place += 1;
        skim.messages = skim.messages.saturating_add(1);
        element(item, skim, 0);
    });
    match odd {
        None => Ok(()),
        Some(place) => Err(FieldError {
            field: format!("input[{place}]").into(),
            message: format!("`input[{place}]` must be an object: a message or another item").into(),
        }),
    }
}

/// An item or a part of one. Media are known by the members that hold them, not by the type it claims.
fn element(element: &mut Cursor<'_>, skim: &mut Skim, depth: u32) {
    if element.kind() != Kind::Object {
        weigh(element, skim);
        return;
    }
    element.object(|key, value| match (key, value.kind()) {
        (b"type", Kind::String) => {
            let kind = value.string();
            skim.text_bytes += kind.len() as u64;
            skim.needs.vision |= matches!(kind, b"input_image" | b"computer_screenshot");
            skim.needs.files |= kind == b"input_file";
            skim.needs.audio |= kind == b"input_audio";
            if kind == b"item_reference" {
                skim.referenced_media = skim.referenced_media.saturating_add(1);
            }
        }
        (b"content" | b"output", Kind::Array) if depth < DEPTH_MAX => {
            value.array(|part| self::element(part, skim, depth + 1));
        }
        (b"output", Kind::Object) if depth < DEPTH_MAX => self::element(value, skim, depth + 1),
        (b"image_url", Kind::String) => {
            payload(value.string(), skim);
        }
        // A file may hold text: its length bounds that, whatever constant a file has besides.
        (b"file_data" | b"file_url", Kind::String) => skim.text_bytes += payload(value.string(), skim),
        (b"input_audio", Kind::Object) => value.object(|key, member| match (key, member.kind()) {
            (b"data", Kind::String) => {
                payload(member.string(), skim);
            }
            _ => weigh(member, skim),
        }),
        (b"file_id", Kind::String) => {
            skim.referenced_media = skim.referenced_media.saturating_add(1);
            value.skip();
        }
        _ => weigh(value, skim),
    });
}

/// What the answer must look like: a schema, which the model reads too, and log probabilities.
fn output(envelope: &Envelope, skim: &mut Skim) {
    if let Some(raw) = present(envelope, "text") {
        Cursor::new(raw).object(|key, format| {
            if key == b"format" && format.kind() == Kind::Object {
                format.object(|key, value| {
                    if key == b"type" && value.kind() == Kind::String {
                        skim.needs.schema |= value.string() == b"json_schema";
                    }
                });
            }
        });
        skim.text_bytes += raw.len() as u64;
    }
    Cursor::new(envelope.raw_bytes("include").unwrap_or_default()).array(|element| {
        if element.kind() == Kind::String {
            skim.needs.logprobs |= element.string() == b"message.output_text.logprobs";
        }
    });
    skim.needs.logprobs |= envelope.unsigned("top_logprobs").is_some_and(|alternatives| alternatives > 0);
}
