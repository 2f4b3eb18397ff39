//! Writing buffered answers, and what they share with the lines of a stream.

use bytes::Bytes;
use trunkline_domain::chat::{ChatResponse, Choice, MediaSource, Part, PartKind};

use super::encode_messages::{BETWEEN_PIECES, words, write_call};
use super::{DIALECT, finish};
use crate::codec::Subject;
use crate::json::{Array, Object, object};
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{AnswerIdentity, Losses};

/// Writes an answer. The dialect has one a request.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    let first = response.choices.iter().find(|choice| choice.index == 0);
    for other in response.choices.iter().filter(|choice| choice.index != 0) {
        lose_choice(other.index, losses);
    }
    object(&mut out, |object| {
        head(object, identity.model, identity.created);
        object.object("message", |message| {
            message.member("role", "assistant");
            match first {
                Some(choice) => write_message(message, choice, losses),
                None => message.member("content", ""),
            }
        });
        let finish = first.and_then(|choice| choice.finish.as_ref());
        if let Some(finish) = finish {
            finish::lose(finish, losses);
        }
        object.optional("done_reason", finish.map(finish::word));
        object.member("done", &true);
        if let Some(reported) = &response.usage {
            finish::write_usage(object, reported);
        }
        if let Some(logprobs) = first.and_then(|choice| choice.logprobs.as_ref()) {
            finish::write_logprobs(object, logprobs, losses);
        }
        restore(object, &response.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

/// Who answers, and when.
pub(super) fn head(object: &mut Object<'_>, model: &str, created: i64) {
    object.member("model", model);
    if let Ok(at) = jiff::Timestamp::from_second(created) {
        object.member("created_at", &at.to_string());
    }
}

fn write_message(message: &mut Object<'_>, choice: &Choice, losses: &mut Losses) {
    lose_extras(&choice.extras, &|| "choices[0]".to_owned(), losses);
    let (mut text, mut thoughts, mut images, mut calls) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    for (place, part) in choice.parts.iter().enumerate() {
        let path = format!("choices[0].parts[{place}]");
        if !has_part(part, &path, losses) {
            continue;
        }
        lose_of_part(part, &path, losses);
        match &part.kind {
            PartKind::Text { text: said, .. } | PartKind::Refusal(said) => text.push_str(said),
            PartKind::Reasoning(thought) => thoughts.extend(words(thought)),
            PartKind::Image(media) => {
                if let MediaSource::Base64(data) = &media.source {
                    images.push(data);
                }
            }
            PartKind::ToolCall(_) => calls.push((part, path)),
            PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => {}
        }
    }
    message.member("content", &text);
    if !thoughts.is_empty() {
        message.member("thinking", &thoughts.join(BETWEEN_PIECES));
    }
    if !images.is_empty() {
        message.member("images", &images);
    }
    if !calls.is_empty() {
        message.array("tool_calls", |array| {
            for (index, (part, path)) in calls.iter().enumerate() {
                write_answered_call(array, part, index, path, losses);
            }
        });
    }
}

/// Writes a call of an answer, which says its place.
pub(super) fn write_answered_call(
    array: &mut Array<'_>,
    part: &Part,
    index: usize,
    path: &str,
    losses: &mut Losses,
) {
    if let Some(call) = part.tool_call() {
        array.object(|object| write_call(object, part, (call, Some(index)), path, losses));
    }
}

/// Notes what an answer has no place for beside a part itself.
pub(super) fn lose_of_part(part: &Part, path: &str, losses: &mut Losses) {
    if part.signature.is_some() {
        losses.dropped(Subject::State, format!("{path}.signature"), "the dialect signs nothing");
    }
    if matches!(&part.kind, PartKind::Text { citations, .. } if !citations.is_empty()) {
        lose_citations(losses);
    }
    if part.tool_call().is_none() {
        lose_extras(&part.extras, &|| path.to_owned(), losses);
    }
}

/// Notes that citations are not carried.
pub(super) fn lose_citations(losses: &mut Losses) {
    losses.dropped(Subject::Content, "citations", "the dialect has no citations");
}

/// Whether an answer has such a part; notes it where not.
pub(super) fn has_part(part: &Part, path: &str, losses: &mut Losses) -> bool {
    let (subject, why) = match &part.kind {
        PartKind::Text { .. } | PartKind::ToolCall(_) => return true,
        PartKind::Refusal(_) => {
            let why = "the dialect has no refusals apart: it becomes text";
            losses.adapted(Subject::Content, path.to_owned(), why);
            return true;
        }
        PartKind::Image(media) if matches!(media.source, MediaSource::Base64(_)) => return true,
        PartKind::Reasoning(thought) if !thought.redacted => return true,
        PartKind::Reasoning(_) => (Subject::State, "withheld by another provider"),
        PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Document(_)
        | PartKind::Speech(_)
        | PartKind::ToolResult(_)
        | PartKind::Opaque(_) => (Subject::Content, "the dialect's answers have no such part"),
    };
    losses.dropped(subject, path.to_owned(), why);
    false
}

/// Notes an answer beyond the first.
pub(super) fn lose_choice(choice: u32, losses: &mut Losses) {
    losses.dropped(Subject::Content, format!("choices[{choice}]"), "the dialect has one answer a request");
}
