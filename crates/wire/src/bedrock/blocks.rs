//! Content blocks, read (`ContentBlock`, `ToolResultContentBlock` of the service's model). A block that is not exactly as
//! documented is opaque, so that nothing in it is lost.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    CacheMark, Minted, Opaque, Part, PartKind, RawJson, Thought, ToolCall, ToolCallKind, ToolResult,
};

use super::{DIALECT, citations, form, media};
use crate::json::{Rest, Str, wire_object};

/// Whose blocks they are: some have a meaning on one side only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// A user or an operator.
    User,
    /// The model, in a request.
    Assistant,
    /// The model, in an answer: spellings that say nothing are not kept.
    Answer,
    /// A tool.
    Tool,
}

wire_object! {
    /// A block of any kind: one member, which says what it is.
    struct Block {
        "text" => text: Str,
        "image" => image: RawJson,
        "document" => document: RawJson,
        "video" => video: RawJson,
        "audio" => audio: RawJson,
        "toolUse" => tool_use: RawJson,
        "toolResult" => tool_result: RawJson,
        "reasoningContent" => reasoning: RawJson,
        "citationsContent" => cited: RawJson,
        "cachePoint" => cache_point: RawJson,
        "json" => json: RawJson,
    }
}

wire_object! {
    struct CachePoint { "type" => kind: Str, "ttl" => ttl: Str }
}

wire_object! {
    struct ToolUse { "toolUseId" => id: Str, "name" => name: Str, "input" => input: RawJson, "type" => kind: Str }
}

wire_object! {
    struct ToolAnswer { "toolUseId" => id: Str, "content" => content: RawJson, "status" => status: Str, "type" => kind: Str }
}

wire_object! {
    struct Reasoning { "reasoningText" => text: ReasoningText, "redactedContent" => redacted: Str }
}

wire_object! {
    struct ReasoningText { "text" => text: Str, "signature" => signature: Str }
}

wire_object! {
    struct Cited { "content" => content: RawJson, "citations" => citations: Vec<RawJson> }
}

/// Reads blocks. A cache point marks the block before it.
pub(super) fn parts(raw: &RawJson, speaker: Speaker) -> serde_json::Result<Vec<Part>> {
    let elements: Vec<&RawValue> = serde_json::from_str(raw.get())?;
    let mut parts: Vec<Part> = Vec::with_capacity(elements.len());
    for element in elements {
        let mut block: Block = serde_json::from_str(element.get())?;
        if let Some(last) = parts.last_mut().filter(|last| last.cache.is_none())
            && let Some((mark, rest)) = block.mark()
        {
            last.cache = Some(mark);
            last.extras = with_more(last, rest, 0);
            continue;
        }
        parts.push(block.part(speaker).unwrap_or_else(|| opaque(element)));
    }
    Ok(parts)
}

/// A block as it was written.
pub(super) fn opaque(raw: &RawValue) -> Part {
    PartKind::Opaque(Opaque { dialect: DIALECT, raw: raw.to_owned().into() }).into()
}

/// What was kept of a part, with more of it.
pub(super) fn with_more(part: &Part, more: Rest, form: u32) -> trunkline_domain::chat::Extras {
    let mut rest = Rest::default();
    part.extras.fields().iter().for_each(|(key, value)| rest.push(key, value.clone()));
    rest.join(more);
    rest.extras(DIALECT, part.extras.form(DIALECT) | form)
}

/// A cache point, and what else the object it is in held; `None` where it is not as documented.
pub(super) fn mark(raw: &RawJson, rest: &mut Rest) -> Option<CacheMark> {
    let CachePoint { kind, ttl, rest: inner } = serde_json::from_str(raw.get()).ok()?;
    if &*kind?.0 != "default" {
        return None;
    }
    rest.nest("cachePoint", inner);
    Some(CacheMark { ttl: ttl.map(|ttl| ttl.0) })
}

impl Block {
    /// The cache point it is, if it is one, and what else it held.
    fn mark(&mut self) -> Option<(CacheMark, Rest)> {
        let raw = self.cache_point.as_ref().filter(|_| self.kinds() == 1)?;
        let mut rest = Rest::default();
        let mark = mark(raw, &mut rest)?;
        rest.nest("cachePointBlock", std::mem::take(&mut self.rest));
        Some((mark, rest))
    }

    fn kinds(&self) -> usize {
        let values = [
            &self.image,
            &self.document,
            &self.video,
            &self.audio,
            &self.tool_use,
            &self.tool_result,
            &self.reasoning,
            &self.cited,
            &self.cache_point,
            &self.json,
        ];
        usize::from(self.text.is_some()) + values.into_iter().flatten().count()
    }

    /// The canonical part; `None` where the kind is unknown or the block is not as documented.
    fn part(mut self, speaker: Speaker) -> Option<Part> {
        if self.kinds() != 1 {
            return None;
        }
        let mut rest = std::mem::take(&mut self.rest);
        let (mut form, mut signature) = (0, None);
        let kind = if let Some(text) = self.text {
            form |= if text.0.trim().is_empty() { form::BLANK } else { 0 };
            PartKind::Text { text: text.0, citations: Vec::new() }
        } else if let Some(raw) = self.image {
            PartKind::Image(media::decode(&raw, "image", media::IMAGES, &mut rest)?)
        } else if let Some(raw) = self.video {
            PartKind::Video(media::decode(&raw, "video", media::VIDEO, &mut rest)?)
        } else if let Some(raw) = self.audio {
            PartKind::Audio(media::decode(&raw, "audio", media::AUDIO, &mut rest)?)
        } else if let Some(raw) = self.document {
            let (document, spelled) = media::decode_document(&raw, &mut rest)?;
            form |= spelled;
            PartKind::Document(document)
        } else if let Some(raw) = self.cited {
            cited(&raw, speaker, &mut rest, &mut form)?
        } else if let Some(raw) = self.json.filter(|_| speaker == Speaker::Tool) {
            form |= form::JSON;
            PartKind::Text { text: raw.get().into(), citations: Vec::new() }
        } else if let Some(raw) = self.tool_use {
            call(&raw, &mut rest, &mut form)?
        } else if let Some(raw) = self.tool_result.filter(|_| speaker == Speaker::User) {
            result(&raw, &mut rest)?
        } else if let Some(raw) = self.reasoning {
            let (thought, state) = thought(&raw, &mut rest, &mut form)?;
            signature = state.map(|state| Minted::unknown(DIALECT, state));
            PartKind::Reasoning(thought)
        } else {
            return None;
        };
        if speaker == Speaker::Answer {
            rest = rest.without_nulls();
            form &=
                !(form::NO_CITATIONS | if matches!(kind, PartKind::Text { .. }) { form::CITED } else { 0 });
        }
        Some(Part { kind, cache: None, signature, extras: rest.extras(DIALECT, form) })
    }
}

/// Reads a text that rests on sources. Of an answer the pieces of text are joined.
fn cited(raw: &RawJson, speaker: Speaker, rest: &mut Rest, form: &mut u32) -> Option<PartKind> {
    let Cited { content, citations, rest: inner } = serde_json::from_str(raw.get()).ok()?;
    rest.nest("citationsContent", inner);
    let (text, plain) = citations::pieces(&content?)?;
    if !plain && speaker != Speaker::Answer {
        return None;
    }
    *form |= form::CITED;
    if citations.as_ref().is_some_and(Vec::is_empty) {
        *form |= form::NO_CITATIONS;
    }
    let citations: Option<Vec<_>> = citations.iter().flatten().map(citations::decode).collect();
    Some(PartKind::Text { text, citations: citations? })
}

fn call(raw: &RawJson, rest: &mut Rest, form: &mut u32) -> Option<PartKind> {
    let ToolUse { id, name, input, kind, rest: inner } = serde_json::from_str(raw.get()).ok()?;
    rest.nest("toolUse", inner);
    match kind.as_ref().map(|kind| &*kind.0) {
        None => {}
        Some("tool_use") => *form |= form::TYPED,
        Some(_) => return None,
    }
    let input = input?;
    if !input.get().starts_with('{') {
        *form |= form::NOT_OBJECT;
    }
    let arguments = Text::from(input.get());
    Some(PartKind::ToolCall(ToolCall { id: id?.0, name: name?.0, kind: ToolCallKind::Function, arguments }))
}

fn result(raw: &RawJson, rest: &mut Rest) -> Option<PartKind> {
    let ToolAnswer { id, content, status, kind: None, rest: inner } = serde_json::from_str(raw.get()).ok()?
    else {
        return None;
    };
    rest.nest("toolResult", inner);
    let is_error = match status.as_ref().map(|status| &*status.0) {
        None => None,
        Some("success") => Some(false),
        Some("error") => Some(true),
        Some(_) => return None,
    };
    let content = parts(&content?, Speaker::Tool).ok()?;
    Some(PartKind::ToolResult(ToolResult {
        call_id: id?.0,
        name: None,
        kind: ToolCallKind::Function,
        content,
        is_error,
    }))
}

fn thought(raw: &RawJson, rest: &mut Rest, form: &mut u32) -> Option<(Thought, Option<Text>)> {
    let Reasoning { text, redacted, rest: inner } = serde_json::from_str(raw.get()).ok()?;
    rest.nest("reasoningContent", inner);
    match (text, redacted) {
        (None, Some(data)) => Some((Thought { redacted: true, ..Thought::default() }, Some(data.0))),
        (Some(ReasoningText { text, signature, rest: inner }), None) => {
            rest.nest("reasoningText", inner);
            *form |= match &signature {
                None => form::UNSIGNED,
                Some(state) if state.0.is_empty() => form::EMPTY_SIGNATURE,
                Some(_) => 0,
            };
            let text = Some(text?.0).filter(|text| !text.is_empty());
            let signature = signature.map(|state| state.0).filter(|state| !state.is_empty());
            Some((Thought { text: text.into_iter().collect(), ..Thought::default() }, signature))
        }
        _ => None,
    }
}
