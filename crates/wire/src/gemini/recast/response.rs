//! Writing buffered answers, and what they share with the chunks of a stream.

use bytes::Bytes;
use trunkline_domain::chat::{ChatResponse, Choice, Citation, Part, PartKind};

use super::super::usage;
use super::{DIALECT, citations, encode_contents, finish, form, logprobs};
use crate::codec::Subject;
use crate::json::{Array, Object, object};
use crate::recast::loss::restore;
use crate::recast::{AnswerIdentity, Losses};

/// Writes an answer.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |object| {
        if response.extras.form(DIALECT) & form::BLOCKED == 0 {
            object.array("candidates", |array| {
                for choice in &response.choices {
                    array.object(|object| candidate(object, choice, losses));
                }
            });
        }
        if response.usage.is_some() || response.service_tier.is_some() {
            object.object("usageMetadata", |object| {
                if let Some(usage) = &response.usage {
                    usage::write(object, usage);
                }
                object.optional("serviceTier", response.service_tier.as_ref());
            });
        }
        object.member("modelVersion", identity.model);
        object.member("responseId", identity.id);
        restore(object, &response.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

fn candidate(object: &mut Object<'_>, choice: &Choice, losses: &mut Losses) {
    object.object("content", |content| {
        content.member("role", "model");
        if !choice.parts.is_empty() {
            content.array("parts", |array| {
                for (place, part) in choice.parts.iter().enumerate() {
                    write_part(array, part, &format!("choices[{}].parts[{place}]", choice.index), losses);
                }
            });
        }
    });
    object.optional("finishReason", choice.finish.as_ref().map(finish::word));
    if let Some(finish) = &choice.finish {
        finish::lose(finish, choice.index, losses);
    }
    object.member("index", &choice.index);
    let own = choice.extras.is_of(DIALECT)
        && choice
            .extras
            .fields()
            .iter()
            .any(|(key, _)| matches!(&**key, "groundingMetadata" | "citationMetadata"));
    let cited: Vec<&Citation> = choice.parts.iter().flat_map(cited).collect();
    if !own && !cited.is_empty() {
        citations::encode(object, &cited, losses);
    }
    if let Some(found) = &choice.logprobs {
        logprobs::encode(object, found, losses);
    }
    restore(object, &choice.extras, DIALECT, &|| format!("choices[{}]", choice.index), losses);
}

fn cited(part: &Part) -> &[Citation] {
    if let PartKind::Text { citations, .. } = &part.kind { citations } else { &[] }
}

/// Writes a part of an answer, if the dialect's answers have it.
pub(super) fn write_part(array: &mut Array<'_>, part: &Part, path: &str, losses: &mut Losses) {
    if !has_part(part, path, losses) {
        return;
    }
    if let PartKind::Opaque(opaque) = &part.kind {
        return array.raw(&opaque.raw);
    }
    array.object(|object| {
        encode_contents::write(object, part, path, losses);
        signature(object, part, path, losses);
        restore(object, &part.extras, DIALECT, &|| path.to_owned(), losses);
    });
}

/// Writes a signature: of thinking any, since whose it is, is known when it comes back; of all else the dialect's.
pub(super) fn signature(object: &mut Object<'_>, part: &Part, path: &str, losses: &mut Losses) {
    let Some(state) = &part.signature else { return };
    if state.dialect == DIALECT || matches!(part.kind, PartKind::Reasoning(_)) {
        object.member("thoughtSignature", &state.value);
    } else {
        losses.dropped(Subject::State, format!("{path}.signature"), "signed in another dialect");
    }
}

/// Whether an answer has such a part; notes it where not.
pub(super) fn has_part(part: &Part, path: &str, losses: &mut Losses) -> bool {
    let (subject, why) = match &part.kind {
        PartKind::Text { .. }
        | PartKind::Refusal(_)
        | PartKind::ToolCall(_)
        | PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_) => return true,
        PartKind::Document(document)
            if !matches!(document.content, trunkline_domain::chat::DocumentContent::Parts(_)) =>
        {
            return true;
        }
        PartKind::Reasoning(thought) if !thought.redacted => return true,
        PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
        PartKind::Reasoning(_) => (Subject::State, "withheld by another provider"),
        PartKind::Document(_) | PartKind::Speech(_) | PartKind::ToolResult(_) | PartKind::Opaque(_) => {
            (Subject::Content, "the dialect's answers have no such part")
        }
    };
    losses.dropped(subject, path.to_owned(), why);
    false
}
