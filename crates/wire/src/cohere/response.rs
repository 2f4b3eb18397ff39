//! Buffered answers, both ways.

use bytes::Bytes;
use trunkline_domain::Text;
use trunkline_domain::chat::{ChatResponse, Choice, Citation, Logprobs, Part, PartKind, RawJson};

use super::encode_messages::{
    citations_of, is_plan, lose_signature, plan_of, says, words, write_call, write_citation,
};
use super::finish::{self, Logprob};
use super::message::{self, Message, text_of};
use super::{DIALECT, error, usage};
use crate::codec::{AnswerProblem, Subject};
use crate::json::{Array, Object, Str, object, wire_object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{AnswerIdentity, Losses};

wire_object! {
    struct Answer {
        "id" => id: Str,
        "finish_reason" => finish: Str,
        "message" => message: Message,
        "usage" => usage: usage::Reported,
        "logprobs" => logprobs: Vec<Logprob>,
    }
}

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, AnswerProblem> {
    let malformed = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let answer: Answer = serde_json::from_slice(body).map_err(|_| malformed())?;
    let Answer { id, finish, message, usage, logprobs, mut rest } = answer;
    let Message { content, tool_plan, tool_calls, citations, rest: inner, .. } =
        message.ok_or_else(malformed)?;
    rest.nest("message", inner.without_nulls());
    let mut parts = match &content {
        Some(raw) => message::content(raw).ok_or(AnswerProblem::Malformed)?.0,
        None => Vec::new(),
    };
    message::cite(&mut parts, &elements(citations.as_ref())?);
    parts.extend(tool_plan.filter(|plan| !plan.0.is_empty()).map(|plan| message::plan(plan.0)));
    let calls = elements(tool_calls.as_ref())?;
    for call in &calls {
        parts.push(message::call(call).ok_or(AnswerProblem::Malformed)?);
    }
    let tokens: Vec<_> = logprobs.into_iter().flatten().filter_map(Logprob::token).collect();
    let choice = Choice {
        index: 0,
        parts,
        finish: finish.map(|reason| finish::decode(reason.0, calls.len())),
        logprobs: (!tokens.is_empty()).then(|| Logprobs { content: tokens, ..Logprobs::default() }),
        ..Choice::default()
    };
    Ok(ChatResponse {
        id: text_of(id),
        model: Text::from(""),
        choices: vec![choice],
        usage: usage.and_then(|reported| reported.usage()),
        extras: rest.without_nulls().extras(DIALECT, 0),
        ..ChatResponse::default()
    })
}

fn elements(raw: Option<&RawJson>) -> Result<Vec<RawJson>, AnswerProblem> {
    raw.map_or(Ok(Vec::new()), |raw| serde_json::from_str(raw.get()).map_err(|_| AnswerProblem::Malformed))
}

/// Writes an answer. The dialect has one a request.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    let (first, others): (Vec<_>, Vec<_>) = response.choices.iter().partition(|choice| choice.index == 0);
    for choice in others {
        lose_choice(choice.index, losses);
    }
    let first = first.first().copied();
    object(&mut out, |object| {
        object.member("id", identity.id);
        let finish = first.and_then(|choice| choice.finish.as_ref());
        object.optional("finish_reason", finish.map(finish::word));
        if let Some(finish) = finish {
            finish::lose(finish, 0, losses);
        }
        object.object("message", |message| {
            message.member("role", "assistant");
            if let Some(choice) = first {
                write_message(message, choice, losses);
            }
            restore_nested(message, &response.extras, DIALECT, "message");
        });
        if let Some(reported) = &response.usage {
            object.object("usage", |object| usage::write(object, reported));
        }
        if let Some(logprobs) = first.and_then(|choice| choice.logprobs.as_ref()) {
            lose_logprobs(logprobs, losses);
            object.array("logprobs", |array| {
                for token in &logprobs.content {
                    array.object(|object| finish::write_logprob(object, token));
                }
            });
        }
        restore(object, &response.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

fn write_message(message: &mut Object<'_>, choice: &Choice, losses: &mut Losses) {
    let path = |place: usize| format!("choices[0].parts[{place}]");
    lose_extras(&choice.extras, &|| "choices[0]".to_owned(), losses);
    let said: Vec<(usize, &Part)> = choice
        .parts
        .iter()
        .enumerate()
        .filter(|(place, part)| {
            !is_plan(part) && part.tool_call().is_none() && has_part(part, &path(*place), losses)
        })
        .collect();
    if !said.is_empty() {
        message.array("content", |array| {
            for (place, part) in &said {
                write_block(array, part, &path(*place), losses);
            }
        });
    }
    message.optional("tool_plan", plan_of(&choice.parts));
    let calls = || choice.parts.iter().enumerate().filter(|(_, part)| part.tool_call().is_some());
    if calls().next().is_some() {
        message.array("tool_calls", |array| {
            for (place, part) in calls() {
                lose_signature(part, &path(place), losses);
                let id = call_id(0, place);
                array.object(|object| write_call(object, part, &id, &path(place), losses));
            }
        });
    }
    let cited: Vec<(usize, &Part, &Citation)> = (0..)
        .zip(&said)
        .flat_map(|(index, (_, part))| {
            citations_of(part).iter().map(move |citation| (index, *part, citation))
        })
        .collect();
    if !cited.is_empty() {
        message.array("citations", |array| {
            for (index, part, citation) in cited {
                let text = if let PartKind::Text { text, .. } = &part.kind { &**text } else { "" };
                cite(array, citation, index, text, losses);
            }
        });
    }
}

/// Writes a citation of block `index`, which says `text`.
pub(super) fn cite(
    array: &mut Array<'_>,
    citation: &Citation,
    index: usize,
    text: &str,
    losses: &mut Losses,
) {
    if citation.extras.is_of(DIALECT) {
        return write_citation(array, citation, losses);
    }
    array.object(|object| write_foreign(object, citation, index, text, losses));
}

/// Writes a citation of another dialect: its source is a document.
pub(super) fn write_foreign(
    object: &mut Object<'_>,
    citation: &Citation,
    index: usize,
    text: &str,
    losses: &mut Losses,
) {
    let length = text.chars().count() as u64;
    let (start, end) = citation.span.unwrap_or((0, length));
    object.member("start", &start);
    object.member("end", &end);
    let (skip, take) = (usize::try_from(start).unwrap_or(usize::MAX), end.saturating_sub(start));
    let take = usize::try_from(take).unwrap_or(usize::MAX);
    object.member("text", &text.chars().skip(skip).take(take).collect::<String>());
    object.array("sources", |sources| {
        sources.object(|source| {
            source.member("type", "document");
            source.object("document", |document| {
                document.optional("url", citation.url.as_ref());
                document.optional("title", citation.title.as_ref());
                document.optional("snippet", citation.cited_text.as_ref());
            });
        });
    });
    object.member("content_index", &index);
    lose_extras(&citation.extras, &|| "citations".to_owned(), losses);
}

fn write_block(array: &mut Array<'_>, part: &Part, path: &str, losses: &mut Losses) {
    lose_signature(part, path, losses);
    let (kind, member, words) = match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => ("text", "text", text.to_string()),
        PartKind::Reasoning(thought) => ("thinking", "thinking", words(thought)),
        PartKind::Opaque(opaque) => return array.raw(&opaque.raw),
        PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Document(_)
        | PartKind::Speech(_)
        | PartKind::ToolCall(_)
        | PartKind::ToolResult(_) => return,
    };
    array.object(|object| {
        object.member("type", kind);
        object.member(member, &words);
        restore(object, &part.extras, DIALECT, &|| path.to_owned(), losses);
    });
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
        PartKind::Reasoning(thought) if says(part, thought) || !thought.redacted => return true,
        PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
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

/// The id of a call that has none, made from its place.
pub(super) fn call_id(choice: u32, place: usize) -> String {
    format!("call_{choice}_{place}")
}

/// Notes an answer beyond the first.
pub(super) fn lose_choice(choice: u32, losses: &mut Losses) {
    losses.dropped(Subject::Content, format!("choices[{choice}]"), "the dialect has one answer a request");
}

/// Notes what is not written of log probabilities.
pub(super) fn lose_logprobs(logprobs: &Logprobs, losses: &mut Losses) {
    if !logprobs.refusal.is_empty() {
        losses.dropped(Subject::Sampling, "logprobs.refusal", "the dialect has no refusals apart");
    }
    if logprobs.content.iter().any(|token| !token.top.is_empty()) {
        losses.dropped(Subject::Sampling, "logprobs.top", "the dialect does not say the alternatives");
    }
}
