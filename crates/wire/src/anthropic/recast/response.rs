//! Buffered answers, both ways.

use bytes::Bytes;
use serde_json::value::RawValue;
use trunkline_domain::chat::{ChatResponse, Choice, Part, PartKind, RawJson};
use trunkline_domain::{Text, Usage};

use super::super::{error, usage};
use super::blocks::{Block, Content, parts};
use super::{DIALECT, citations, encode_messages, finish, thinking};
use crate::codec::{AnswerProblem, Subject};
use crate::json::{Array, Object, Rest, Str, object, wire_object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{AnswerIdentity, Losses};

wire_object! {
    pub(super) struct Message {
        "id" => id: Str,
        "type" => kind: Str,
        "role" => role: Str,
        "model" => model: Str,
        "content" => content: RawJson,
        "stop_reason" => stop_reason: Str,
        "stop_sequence" => stop_sequence: Str,
        "usage" => usage: RawJson,
        "error" => error: RawJson,
    }
}

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, AnswerProblem> {
    let problem = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let mut message: Message = serde_json::from_slice(body).map_err(|_| problem())?;
    let Some(raw) = message.content.take().filter(|_| message.error.is_none()) else { return Err(problem()) };
    let parts = content(raw).ok_or(AnswerProblem::Malformed)?;
    let calls = parts.iter().filter(|part| part.tool_call().is_some()).count();
    let stop_sequence = message.stop_sequence.take().map(|sequence| sequence.0);
    let finish = message.stop_reason.take().and_then(|raw| finish::decode(raw.0, stop_sequence, calls));
    let (usage, tier) = message.usage();
    let choice = Choice { index: 0, parts, finish, ..Choice::default() };
    let text = |text: Option<Str>| text.map_or_else(|| Text::from(""), |text| text.0);
    Ok(ChatResponse {
        id: text(message.id),
        model: text(message.model),
        created: None,
        choices: vec![choice],
        usage,
        service_tier: tier,
        extras: message.rest.without_nulls().extras(DIALECT, 0),
    })
}

impl Message {
    /// What was consumed and which tier served; what else the usage says goes to the rest.
    fn usage(&mut self) -> (Option<Usage>, Option<Text>) {
        let Some(raw) = self.usage.take() else { return (None, None) };
        let Ok(reported) = serde_json::from_str::<usage::Reported>(raw.get()) else { return (None, None) };
        self.rest.nest("usage", unread(&raw));
        (reported.usage(), reported.tier().cloned())
    }
}

/// The members of a usage object that nobody reads.
fn unread(raw: &RawJson) -> Rest {
    let mut rest = Rest::default();
    if let Ok(envelope) = crate::envelope::Envelope::parse(Bytes::copy_from_slice(raw.get().as_bytes())) {
        for (key, value) in envelope.members().filter(|(key, _)| !usage::KNOWN.contains(key)) {
            if let Some(value) = RawJson::parse(value) {
                rest.push(key, value);
            }
        }
    }
    rest.without_nulls()
}

/// The parts of an answer. A spelling that says nothing is not kept: `null` beside a text.
fn content(raw: RawJson) -> Option<Vec<Part>> {
    let blocks: Vec<Block> = serde_json::from_str(raw.get()).ok()?;
    let blocks = blocks.into_iter().map(Block::of_answer).collect();
    parts(Content::Blocks(blocks), || Some(raw)).map(|(parts, _)| parts)
}

/// A block of a stream as it opens.
pub(super) fn block(raw: &RawValue) -> Option<Part> {
    serde_json::from_str::<Block>(raw.get()).ok()?.of_answer().part()
}

/// Writes an answer.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    let first = response.choices.iter().find(|choice| choice.index == 0);
    for other in response.choices.iter().filter(|choice| choice.index != 0) {
        let path = format!("choices[{}]", other.index);
        losses.dropped(Subject::Content, path, "the dialect has one answer a request");
    }
    let finish = first.and_then(|choice| choice.finish.as_ref());
    object(&mut out, |object| {
        object.member("id", identity.id);
        object.member("type", "message");
        object.member("role", "assistant");
        object.member("model", identity.model);
        object.array("content", |array| {
            if let Some(choice) = first {
                encode_choice(array, choice, losses);
            }
        });
        object.member("stop_reason", &finish.map(finish::word));
        object.member("stop_sequence", &finish.and_then(|finish| finish.stop_sequence.as_ref()));
        object.object("usage", |object| {
            usage::write(object, &response.usage.unwrap_or_default());
            object.optional("service_tier", response.service_tier.as_deref().map(tier));
            restore_nested(object, &response.extras, DIALECT, "usage");
        });
        restore(object, &response.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

/// The dialect's name of a tier.
pub(super) fn tier(tier: &str) -> &str {
    if tier == "default" { "standard" } else { tier }
}

fn encode_choice(array: &mut Array<'_>, choice: &Choice, losses: &mut Losses) {
    if choice.logprobs.is_some() {
        losses.dropped(Subject::Sampling, "logprobs", "the dialect has no log probabilities");
    }
    lose_extras(&choice.extras, &|| "choices[0]".to_owned(), losses);
    for (place, part) in choice.parts.iter().enumerate() {
        let path = format!("choices[0].parts[{place}]");
        if !has_block(part, &path, losses) {
            continue;
        }
        if let PartKind::Opaque(opaque) = &part.kind {
            array.raw(&opaque.raw);
            continue;
        }
        lose_of_part(part, &path, losses);
        array.object(|object| {
            encode_part(object, part, &path, losses);
            restore(object, &part.extras, DIALECT, &|| path.clone(), losses);
        });
    }
}

/// Whether an answer has such a block; notes it where not.
pub(super) fn has_block(part: &Part, path: &str, losses: &mut Losses) -> bool {
    let why = match &part.kind {
        PartKind::Text { .. } | PartKind::Refusal(_) | PartKind::ToolCall(_) => return true,
        PartKind::Reasoning(thought) if !thought.redacted => return true,
        PartKind::Reasoning(_) if part.signature.is_some() => return true,
        PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
        PartKind::Reasoning(_) => {
            let why = "withheld by another provider";
            losses.dropped(Subject::State, path.to_owned(), why);
            return false;
        }
        PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Document(_)
        | PartKind::Speech(_)
        | PartKind::ToolResult(_)
        | PartKind::Opaque(_) => "the dialect's answers have no such block",
    };
    losses.dropped(Subject::Content, path.to_owned(), why);
    false
}

/// Notes the state of another provider, which has no place.
pub(super) fn lose_of_part(part: &Part, path: &str, losses: &mut Losses) {
    // Thinking carries any signature: whose it is, is known when it comes back.
    if part.signature.is_some() && !matches!(part.kind, PartKind::Reasoning(_)) {
        let why = "the dialect signs nothing but thinking";
        losses.dropped(Subject::State, format!("{path}.signature"), why);
    }
    if matches!(part.kind, PartKind::Refusal(_)) {
        let why = "the dialect has no refusals apart: it becomes text";
        losses.adapted(Subject::Content, path.to_owned(), why);
    }
}

fn encode_part(object: &mut Object<'_>, part: &Part, path: &str, losses: &mut Losses) {
    match &part.kind {
        PartKind::Text { text, citations } => {
            object.member("type", "text");
            object.member("text", text);
            let mut placed = Vec::with_capacity(citations.len());
            for citation in citations {
                if citations::has_place(citation) {
                    placed.push(citation);
                } else {
                    lose_citation(losses);
                }
            }
            if !placed.is_empty() {
                object.array("citations", |array| citations::encode_all(array, placed.into_iter(), losses));
            }
        }
        PartKind::Refusal(text) => {
            object.member("type", "text");
            object.member("text", text);
        }
        PartKind::Reasoning(thought) => thinking::encode(object, thought, part),
        PartKind::ToolCall(call) => encode_messages::write_call(object, call, path, losses),
        PartKind::Image(_)
        | PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Document(_)
        | PartKind::Speech(_)
        | PartKind::ToolResult(_)
        | PartKind::Opaque(_) => {}
    }
}

/// Notes a citation that has no name here.
pub(super) fn lose_citation(losses: &mut Losses) {
    losses.dropped(Subject::Content, "citations", "the dialect cites what has an address only");
}
