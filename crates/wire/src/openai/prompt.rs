//! What the model will read: bytes of text, which bound its tokens from above (a token is never shorter than a byte),
//! and media, which need other bounds. Strings count as written: escapes make the bound looser, never too small, and
//! to undo them would double the time this takes.
//!
//! Nothing is trusted to be small: whatever is not recognised counts with its length as written, and a part's media
//! are found by the members it has, not by the type it claims. Parts as in openai-python,
//! `types/chat/chat_completion_content_part_param.py`; `video_url` and `audio_url` as vLLM takes them
//! (<https://docs.vllm.ai/en/latest/features/multimodal_inputs.html>).

use crate::codec::{FieldError, Skim};
use crate::cursor::{Cursor, Kind};
use crate::fields::weigh;

/// Reads `messages`.
pub(super) fn messages(raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Array {
        return Err(FieldError {
            field: "messages".into(),
            message: "`messages` must be an array of messages".into(),
        });
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
            (b"content", Kind::Array) => value.array(|element| part(element, skim)),
            // An answer heard earlier, by its id.
            (b"audio", Kind::Object) => {
                skim.needs.audio = true;
                skim.referenced_media = skim.referenced_media.saturating_add(1);
            }
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

/// Reads a `prompt` or an `input`: a string, tokens, or an array of either.
pub(super) fn inputs(field: &'static str, raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    match cursor.kind() {
        Kind::String => {
            skim.messages = 1;
            weigh(&mut cursor, skim);
        }
        Kind::Array => {
            let mut inputs = 0_u32;
            let mut tokens = 0_u64;
            cursor.array(|element| match element.kind() {
                Kind::Other | Kind::Null => tokens += 1,
                Kind::Array => {
                    inputs = inputs.saturating_add(1);
                    element.array(|_| tokens += 1);
                }
                Kind::String | Kind::Object => {
                    inputs = inputs.saturating_add(1);
                    part(element, skim);
                }
            });
            skim.text_bytes += tokens;
            skim.messages = inputs.max(u32::from(tokens > 0));
        }
        Kind::Null => {}
        Kind::Object | Kind::Other => {
            return Err(FieldError {
                field: field.into(),
                message: format!("`{field}` must be a string, an array of strings, or tokens").into(),
            });
        }
    }
    Ok(())
}

/// A part of a message's content.
fn part(part: &mut Cursor<'_>, skim: &mut Skim) {
    if part.kind() != Kind::Object {
        weigh(part, skim);
        return;
    }
    part.object(|key, value| match key {
        b"image_url" | b"video_url" | b"video" => {
            skim.needs.vision = true;
            media(value, skim);
        }
        b"input_audio" | b"audio_url" => {
            skim.needs.audio = true;
            media(value, skim);
        }
        b"file" => {
            skim.needs.files = true;
            // A file may hold text: its length bounds that, whatever constant a file has besides.
            skim.text_bytes += media(value, skim);
        }
        _ => weigh(value, skim),
    });
}

/// Finds the payload of a media part and returns the bytes it holds inline.
fn media(value: &mut Cursor<'_>, skim: &mut Skim) -> u64 {
    let mut inline = 0;
    match value.kind() {
        Kind::String => inline = payload(value.string(), skim),
        Kind::Array => value.array(|element| inline += media_leaf(element, skim)),
        Kind::Object => value.object(|key, member| match key {
            b"url" | b"data" | b"file_data" => inline += media_leaf(member, skim),
            b"file_id" | b"id" => skim.referenced_media = skim.referenced_media.saturating_add(1),
            _ => weigh(member, skim),
        }),
        Kind::Null | Kind::Other => {}
    }
    inline
}

fn media_leaf(value: &mut Cursor<'_>, skim: &mut Skim) -> u64 {
    if value.kind() == Kind::String { payload(value.string(), skim) } else { 0 }
}

/// A payload is inline unless it is an address: anything with a scheme other than `data:`.
pub(crate) fn payload(payload: &[u8], skim: &mut Skim) -> u64 {
    let head = payload.get(..payload.len().min(16)).unwrap_or_default();
    let is_data = head.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"));
    // Base64 has no colon, so one means an address; an escaped one too, and base64 needs no such escapes.
    if is_data || !(head.contains(&b':') || head.windows(2).any(|pair| pair == b"\\u")) {
        skim.inline_media = skim.inline_media.saturating_add(1);
        return payload.len() as u64;
    }
    skim.referenced_media = skim.referenced_media.saturating_add(1);
    0
}
