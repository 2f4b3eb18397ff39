//! What the model will read of a request, and what of it would need a provider's memory. As in
//! [`prompt`](crate::openai::prompt), nothing is trusted to be small.

use super::super::chat;
use super::super::prompt::part;
use crate::codec::{FieldError, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;
use crate::fields::weigh;

/// Fields that point at something kept at one provider's account.
const STATEFUL: &[&str] = &["previous_response_id", "conversation", "prompt"];

pub(super) fn read(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    refuse_state(envelope)?;
    // The dialect's streams always carry it.
    skim.include_usage = true;
    input(envelope.raw_bytes("input").unwrap_or_default(), skim)?;
    if let Some(instructions) = envelope.raw_bytes("instructions") {
        skim.messages = skim.messages.saturating_add(1);
        weigh(&mut Cursor::new(instructions), skim);
    }
    chat::tools("tools", envelope.raw_bytes("tools").unwrap_or_default(), skim)?;
    if let Some(form) = envelope.raw_bytes("text") {
        skim.text_bytes += form.len() as u64;
        Cursor::new(form).object(|key, value| {
            if key == b"format" {
                value.object(|key, value| {
                    skim.needs.schema |= key == b"type" && value.string() == b"json_schema";
                });
            }
        });
    }
    Ok(())
}

fn refuse_state(envelope: &Envelope) -> Result<(), FieldError> {
    let named = |field: &&&str| envelope.raw_bytes(field).is_some_and(|raw| raw != b"null");
    if let Some(&field) = STATEFUL.iter().find(named) {
        let message = format!(
            "`{field}` names something one provider keeps: this gateway keeps no conversation, so send the whole of it in \
             `input` (reasoning with `include: [\"reasoning.encrypted_content\"]`)"
        );
        return Err(FieldError { field: field.into(), message: message.into() });
    }
    if envelope.boolean("background") == Some(true) {
        let message = "`background` answers are kept by one provider: ask for a stream instead";
        return Err(FieldError { field: "background".into(), message: message.into() });
    }
    Ok(())
}

/// A string, or an array of items.
fn input(raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    match cursor.kind() {
        Kind::String => {
            skim.messages = 1;
            weigh(&mut cursor, skim);
        }
        Kind::Array => cursor.array(|item| {
            skim.messages = skim.messages.saturating_add(1);
            item_of(item, skim);
        }),
        Kind::Null | Kind::Object | Kind::Other => {
            let message = "`input` must be a string or an array of items";
            return Err(FieldError { field: "input".into(), message: message.into() });
        }
    }
    Ok(())
}

fn item_of(item: &mut Cursor<'_>, skim: &mut Skim) {
    if item.kind() != Kind::Object {
        return weigh(item, skim);
    }
    item.object(|key, value| match (key, value.kind()) {
        (b"content" | b"output", Kind::Array) => value.array(|element| part(element, skim)),
        (b"encrypted_content", _) => {}
        _ => weigh(value, skim),
    });
}
