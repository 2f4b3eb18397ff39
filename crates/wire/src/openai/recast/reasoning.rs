//! Thinking in messages: `reasoning_details` hold it whole, with signatures; `reasoning_content` and `reasoning` hold its
//! text. In answers both are written, so that a caller who sends the message back sends the signatures too.

use trunkline_domain::chat::{Extras, Minted, Part, PartKind, RawJson, Thought};
use trunkline_domain::{Dialect, Text};

use super::{DIALECT, form};
use crate::json::{Array, Object, Rest, Str, wire_object};

wire_object! {
    /// An element of `reasoning_details`.
    struct Detail {
        "type" => kind: Str,
        "text" => text: Str,
        "summary" => summary: Str,
        "data" => data: Str,
        "signature" => signature: Str,
        "format" => format: Str,
        "id" => id: Str,
    }
}

/// Names of the formats a signature may have. The last ones are this gateway's own: OpenRouter has no name for them.
const FORMATS: &[(&str, Dialect)] = &[
    ("anthropic-claude-v1", Dialect::AnthropicMessages),
    ("openai-responses-v1", Dialect::OpenaiResponses),
    ("google-gemini-v1", Dialect::GeminiGenerate),
    ("bedrock-converse-v1", Dialect::BedrockConverse),
    ("cohere-chat-v1", Dialect::CohereChat),
    ("ollama-chat-v1", Dialect::OllamaChat),
];

/// The name of a dialect's signatures; `None` for those of a server of this very dialect, whose name for them is kept
/// beside them.
pub(super) fn format_of(dialect: Dialect) -> Option<&'static str> {
    FORMATS.iter().find(|(_, of)| *of == dialect).map(|(name, _)| *name)
}

/// Whose signatures have that name.
pub(super) fn dialect_of(format: Option<&str>) -> Dialect {
    FORMATS.iter().find(|(name, _)| Some(*name) == format).map_or(DIALECT, |(_, dialect)| *dialect)
}

/// Whether an encrypted piece is thinking withheld for safety (Anthropic's), not a sealed copy of thinking (OpenAI's).
pub(super) fn is_redacted(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::AnthropicMessages | Dialect::BedrockConverse)
}

/// The members of a message that hold thinking.
pub(super) struct Members {
    pub(super) details: Option<RawJson>,
    pub(super) content: Option<Str>,
    pub(super) reasoning: Option<Str>,
}

/// Reads the thinking of a message: its parts, and how they were spelled. What adds nothing or is not understood stays
/// in `rest`.
pub(super) fn decode(members: Members, rest: &mut Rest) -> (Vec<Part>, u32) {
    let mut form = 0;
    let mut parts = Vec::new();
    if let Some(raw) = members.details {
        match details(&raw) {
            Some(read) if !read.is_empty() => {
                form |= form::REASONING_DETAILS;
                parts = read;
            }
            _ => rest.push("reasoning_details", raw),
        }
    }
    let texts = [
        ("reasoning_content", members.content, form::REASONING_CONTENT),
        ("reasoning", members.reasoning, form::REASONING),
    ];
    for (member, text, bit) in texts {
        let Some(Str(text)) = text else { continue };
        if !text.is_empty() && parts.is_empty() {
            let thought = Thought { text: vec![text], ..Thought::default() };
            parts.push(PartKind::Reasoning(thought).into());
            form |= bit;
        } else if !text.is_empty() && *plain(parts.iter()) == *text {
            form |= bit;
        } else if let Some(raw) = serde_json::to_string(&*text).ok().and_then(|json| RawJson::parse(&json)) {
            rest.push(member, raw);
        }
    }
    (parts, form)
}

/// The parts of `reasoning_details`; `None` where an element is not understood.
fn details(raw: &RawJson) -> Option<Vec<Part>> {
    let details: Vec<Detail> = serde_json::from_str(raw.get()).ok()?;
    let mut parts: Vec<Part> = Vec::new();
    for detail in details {
        let part = detail.part()?;
        match parts.last_mut() {
            Some(last) if belongs(last, &part) => merge(last, part),
            _ => parts.push(part),
        }
    }
    Some(parts)
}

impl Detail {
    fn part(self) -> Option<Part> {
        let Self { kind, text, summary, data, signature, format, id, mut rest } = self;
        let dialect = dialect_of(format.as_ref().map(|format| &*format.0));
        let mut thought = Thought { id: id.map(|id| id.0), ..Thought::default() };
        let state = match (&*kind?.0, text, summary, data, signature) {
            ("reasoning.text", text, None, None, signature) => {
                thought.text = text.map(|text| text.0).into_iter().collect();
                signature
            }
            ("reasoning.summary", None, Some(summary), None, None) => {
                thought.summary = vec![summary.0];
                None
            }
            ("reasoning.encrypted", None, None, Some(data), None) => {
                thought.redacted = is_redacted(dialect);
                Some(data)
            }
            _ => return None,
        };
        // The dialect of a signature names its format; without a signature the name is kept as it is.
        if let Some(format) = format
            && (state.is_none() || format_of(dialect).is_none())
        {
            rest.push("format", RawJson::parse(&serde_json::to_string(&*format.0).ok()?)?);
        }
        let signature = state.map(|state| Minted::unknown(dialect, state.0));
        let extras = rest.extras(DIALECT, 0);
        Some(Part { signature, extras, ..Part::new(PartKind::Reasoning(thought)) })
    }
}

/// Whether an element goes on with the item the one before began: OpenAI's items have an id, and their summary and their
/// sealed content come as elements of their own.
fn belongs(last: &Part, next: &Part) -> bool {
    let (PartKind::Reasoning(before), PartKind::Reasoning(after)) = (&last.kind, &next.kind) else {
        return false;
    };
    let sealed = next.signature.as_ref().is_none_or(|state| state.dialect == Dialect::OpenaiResponses);
    before.id.is_some()
        && before.id == after.id
        && last.signature.is_none()
        && sealed
        && format_name(last) == format_name(next)
        && others(&last.extras).eq(others(&next.extras))
        // Texts come before summaries when written, so only that order can be restored.
        && (before.summary.is_empty() || after.text.is_empty())
}

fn merge(last: &mut Part, next: Part) {
    if let (PartKind::Reasoning(before), PartKind::Reasoning(after)) = (&mut last.kind, next.kind) {
        before.text.extend(after.text);
        before.summary.extend(after.summary);
    }
    if next.signature.is_some() {
        last.signature = next.signature;
        last.extras = next.extras;
    }
}

fn format_name(part: &Part) -> Option<String> {
    match &part.signature {
        Some(state) if format_of(state.dialect).is_some() => {
            format_of(state.dialect).map(|name| format!("\"{name}\""))
        }
        _ => part
            .extras
            .fields()
            .iter()
            .find(|(key, _)| &**key == "format")
            .map(|(_, raw)| raw.get().to_owned()),
    }
}

fn others(extras: &Extras) -> impl Iterator<Item = &(Text, RawJson)> {
    extras.fields().iter().filter(|(key, _)| &**key != "format")
}

/// The text of all thinking in a row: what `reasoning_content` holds.
pub(super) fn plain<'a>(parts: impl Iterator<Item = &'a Part>) -> String {
    let mut plain = String::new();
    for part in parts {
        if let PartKind::Reasoning(thought) = &part.kind {
            thought.text.iter().chain(&thought.summary).for_each(|text| plain.push_str(text));
        }
    }
    plain
}

/// Writes the thinking of a message as `form` says.
pub(super) fn encode<'a>(object: &mut Object<'_>, form: u32, parts: impl Iterator<Item = &'a Part> + Clone) {
    if form & (form::REASONING_CONTENT | form::REASONING) != 0 {
        let plain = plain(parts.clone());
        for (member, bit) in [("reasoning_content", form::REASONING_CONTENT), ("reasoning", form::REASONING)]
        {
            if form & bit != 0 && !plain.is_empty() {
                object.member(member, &plain);
            }
        }
    }
    if form & form::REASONING_DETAILS != 0 {
        object.array("reasoning_details", |details| parts.for_each(|part| encode_part(details, part)));
    }
}

fn encode_part(details: &mut Array<'_>, part: &Part) {
    let PartKind::Reasoning(thought) = &part.kind else { return };
    // Where the signature is sealed thinking it is an element of its own, otherwise it is a member of the text.
    let state = part.signature.as_ref();
    let apart = state.filter(|state| thought.redacted || state.dialect == Dialect::OpenaiResponses);
    let within = if apart.is_some() { None } else { state };
    let mut write = |kind: &str, member: Option<(&str, &Text)>, signature: Option<&Text>| {
        details.object(|detail| {
            detail.member("type", kind);
            if let Some((member, text)) = member {
                detail.member(member, text);
            }
            detail.optional("signature", signature);
            detail.optional("id", thought.id.as_ref());
            detail.optional("format", state.and_then(|state| format_of(state.dialect)));
            if part.extras.is_of(DIALECT) {
                part.extras.fields().iter().for_each(|(key, raw)| detail.raw(key, raw));
            }
        });
    };
    let signature = within.map(|state| &state.value);
    let last = thought.text.len().saturating_sub(1);
    for (at, text) in thought.text.iter().enumerate() {
        write("reasoning.text", Some(("text", text)), signature.filter(|_| at == last));
    }
    for summary in &thought.summary {
        write("reasoning.summary", Some(("summary", summary)), None);
    }
    if let Some(state) = apart {
        write("reasoning.encrypted", Some(("data", &state.value)), None);
    } else if thought.text.is_empty() && (signature.is_some() || thought.summary.is_empty()) {
        write("reasoning.text", None, signature);
    }
}
