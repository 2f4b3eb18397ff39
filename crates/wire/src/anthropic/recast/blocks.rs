//! Content blocks, read. A block that is not exactly as documented is opaque, so that nothing in it is lost.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    CacheMark, Document, DocumentContent, Media, MediaSource, Minted, Opaque, Part, PartKind, RawJson,
    Thought, ToolCall, ToolCallKind, ToolResult,
};

use super::{DIALECT, citations, form};
use crate::json::{Rest, Str, wire_object};

/// The content of a message: a string or blocks.
pub(super) enum Content {
    Text(Text),
    Blocks(Vec<Block>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of content blocks")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(Text::from(text)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Content, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = elements.next_element()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }
        }
        json.deserialize_any(ContentVisitor)
    }
}

wire_object! {
    /// A block of any type. What only some types have, and others might spell otherwise, is read once the type is known.
    pub(super) struct Block {
        "type" => kind: Str,
        "text" => text: Str,
        "citations" => citations: RawJson,
        "source" => source: RawJson,
        "title" => title: RawJson,
        "context" => context: RawJson,
        "thinking" => thinking: Str,
        "signature" => signature: Str,
        "data" => data: RawJson,
        "id" => id: Str,
        "name" => name: RawJson,
        "input" => input: RawJson,
        "tool_use_id" => tool_use_id: Str,
        "content" => content: RawJson,
        "is_error" => is_error: RawJson,
        "cache_control" => cache_control: Mark,
    }
}

wire_object! {
    /// `{"type": "ephemeral", "ttl": …}`.
    pub(super) struct Mark { "type" => kind: Str, "ttl" => ttl: Str }
}

wire_object! {
    struct Source {
        "type" => kind: Str,
        "media_type" => media_type: Str,
        "data" => data: Str,
        "url" => url: Str,
        "file_id" => file_id: Str,
        "content" => content: RawJson,
    }
}

wire_object! {
    struct CitationsConfig { "enabled" => enabled: bool }
}

/// Reads content into parts and says how it was spelled. `raw` gives the content as written, for blocks that are not
/// understood; `None` where it does not.
pub(super) fn parts(content: Content, raw: impl FnOnce() -> Option<RawJson>) -> Option<(Vec<Part>, u32)> {
    let blocks = match content {
        Content::Text(text) if text.is_empty() => return Some((Vec::new(), form::CONTENT_EMPTY)),
        Content::Text(text) => return Some((vec![Part::text(text)], 0)),
        Content::Blocks(blocks) if blocks.is_empty() => {
            return Some((Vec::new(), form::CONTENT_EMPTY | form::CONTENT_ARRAY));
        }
        Content::Blocks(blocks) => blocks,
    };
    let parts: Vec<Option<Part>> = blocks.into_iter().map(Block::part).collect();
    let parts = if parts.iter().all(Option::is_some) {
        parts.into_iter().flatten().collect()
    } else {
        let raw = raw()?;
        let elements: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        parts
            .into_iter()
            .zip(elements)
            .map(|(part, raw)| part.unwrap_or_else(|| opaque(raw)))
            .collect::<Vec<_>>()
    };
    let bare = matches!(&*parts, [only] if is_bare_text(only));
    Some((parts, if bare { form::CONTENT_ARRAY } else { 0 }))
}

/// A block as it was written.
pub(super) fn opaque(raw: &RawValue) -> Part {
    PartKind::Opaque(Opaque { dialect: DIALECT, raw: raw.to_owned().into() }).into()
}

/// Whether a part is text and nothing else: a string would do.
pub(super) fn is_bare_text(part: &Part) -> bool {
    part.cache.is_none()
        && part.signature.is_none()
        && part.extras.is_empty()
        && matches!(&part.kind, PartKind::Text { text, citations } if citations.is_empty() && !text.is_empty())
}

impl Block {
    /// The block of an answer, without spellings that say nothing: `"citations": null`, an empty list of them.
    pub(super) fn of_answer(mut self) -> Self {
        self.rest = std::mem::take(&mut self.rest).without_nulls();
        self.citations = self.citations.filter(|raw| raw.get() != "[]");
        self
    }

    /// The canonical part; `None` where the type is unknown or the block is not as documented.
    pub(super) fn part(mut self) -> Option<Part> {
        let kind = self.kind.take()?;
        let (cache, mut rest) = mark(self.cache_control.take(), std::mem::take(&mut self.rest))?;
        let known = self.members();
        let mut form = 0;
        let mut signature = None;
        let (kind, members) = match &*kind.0 {
            "text" => {
                let members = 1 + usize::from(self.citations.is_some());
                let citations = match self.citations {
                    None => Vec::new(),
                    Some(raw) => citations::decode(&raw)?,
                };
                if members == 2 && citations.is_empty() {
                    form |= form::NO_CITATIONS;
                }
                (PartKind::Text { text: self.text?.0, citations }, members)
            }
            "image" => (PartKind::Image(image(&self.source?, &mut rest)?), 1),
            "document" => {
                let members = [&self.citations, &self.title, &self.context];
                let members = 1 + members.into_iter().flatten().count();
                (PartKind::Document(self.document(&mut rest, &mut form)?), members)
            }
            "thinking" => {
                let text = self.thinking?.0;
                form |= match &self.signature {
                    None => form::UNSIGNED,
                    Some(state) if state.0.is_empty() => form::EMPTY_SIGNATURE,
                    Some(_) => 0,
                };
                let members = 1 + usize::from(self.signature.is_some());
                signature = self.signature.filter(|state| !state.0.is_empty());
                let text = Some(text).filter(|text| !text.is_empty());
                (
                    PartKind::Reasoning(Thought { text: text.into_iter().collect(), ..Thought::default() }),
                    members,
                )
            }
            "redacted_thinking" => {
                signature = Some(string(&self.data?)?);
                (PartKind::Reasoning(Thought { redacted: true, ..Thought::default() }), 1)
            }
            "tool_use" => {
                let name = string(&self.name?)?.0;
                let arguments = Text::from(self.input?.get());
                let call = ToolCall { id: self.id?.0, name, kind: ToolCallKind::Function, arguments };
                (PartKind::ToolCall(call), 3)
            }
            "tool_result" => {
                let members = 1 + [&self.content, &self.is_error].into_iter().flatten().count();
                (PartKind::ToolResult(self.result(&mut form)?), members)
            }
            _ => return None,
        };
        if members != known {
            return None;
        }
        let signature = signature.map(|state| Minted::unknown(DIALECT, state.0));
        Some(Part { kind, cache, signature, extras: rest.extras(DIALECT, form) })
    }

    /// How many members it has beside type and mark: a block of one type with another's members is not understood.
    fn members(&self) -> usize {
        let strings = [&self.text, &self.thinking, &self.signature, &self.id, &self.tool_use_id];
        let values = [
            &self.citations,
            &self.source,
            &self.title,
            &self.context,
            &self.data,
            &self.name,
            &self.input,
            &self.content,
            &self.is_error,
        ];
        strings.into_iter().flatten().count() + values.into_iter().flatten().count()
    }

    fn document(self, rest: &mut Rest, form: &mut u32) -> Option<Document> {
        let (source, media_type) = document_content(&self.source?, rest, form)?;
        let citations = match self.citations {
            None => None,
            Some(raw) => {
                let config: CitationsConfig = serde_json::from_str(raw.get()).ok()?;
                rest.nest("citations", config.rest);
                *form |= if config.enabled.is_none() { form::CITATIONS } else { 0 };
                config.enabled
            }
        };
        let optional =
            |raw: Option<RawJson>| raw.map_or(Some(None), |raw| string(&raw).map(|text| Some(text.0)));
        let name = optional(self.title)?;
        let context = optional(self.context)?;
        Some(Document { content: source, media_type, name, context, citations })
    }

    fn result(self, form: &mut u32) -> Option<ToolResult> {
        let content = match self.content {
            None => Vec::new(),
            Some(raw) => {
                let content: Content = serde_json::from_str(raw.get()).ok()?;
                let (parts, spelled) = parts(content, || Some(raw))?;
                *form |= spelled;
                parts
            }
        };
        let is_error = match self.is_error {
            None => None,
            Some(raw) => Some(serde_json::from_str(raw.get()).ok()?),
        };
        let call_id = self.tool_use_id?.0;
        Some(ToolResult { call_id, name: None, kind: ToolCallKind::Function, content, is_error })
    }
}

/// A mark, and what else the object it belongs to held; `None` where it is not written as documented.
pub(super) fn mark(mark: Option<Mark>, mut rest: Rest) -> Option<(Option<CacheMark>, Rest)> {
    let Some(Mark { kind, ttl, rest: inner }) = mark else { return Some((None, rest)) };
    if &*kind?.0 != "ephemeral" {
        return None;
    }
    rest.nest("cache_control", inner);
    Some((Some(CacheMark { ttl: ttl.map(|ttl| ttl.0) }), rest))
}

fn string(raw: &RawJson) -> Option<Str> {
    serde_json::from_str(raw.get()).ok()
}

fn image(source: &RawJson, rest: &mut Rest) -> Option<Media> {
    let source: Source = serde_json::from_str(source.get()).ok()?;
    rest.nest("source", source.rest);
    let (source, media_type) =
        match (&*source.kind?.0, source.data, source.url, source.file_id, source.content) {
            ("base64", Some(data), None, None, None) => (MediaSource::Base64(data.0), source.media_type),
            ("url", None, Some(url), None, None) if source.media_type.is_none() => {
                (MediaSource::Url(url.0), None)
            }
            ("file", None, None, Some(id), None) if source.media_type.is_none() => {
                (MediaSource::File(id.0), None)
            }
            _ => return None,
        };
    Some(Media { source, media_type: media_type.map(|media_type| media_type.0), detail: None })
}

fn document_content(
    source: &RawJson,
    rest: &mut Rest,
    form: &mut u32,
) -> Option<(DocumentContent, Option<Text>)> {
    let source: Source = serde_json::from_str(source.get()).ok()?;
    rest.nest("source", source.rest);
    let media_type = source.media_type.map(|media_type| media_type.0);
    let media = |source| DocumentContent::Media(source);
    let content = match (&*source.kind?.0, source.data, source.url, source.file_id, source.content) {
        ("base64", Some(data), None, None, None) => media(MediaSource::Base64(data.0)),
        ("text", Some(text), None, None, None) => DocumentContent::Text(text.0),
        ("url", None, Some(url), None, None) if media_type.is_none() => media(MediaSource::Url(url.0)),
        ("file", None, None, Some(id), None) if media_type.is_none() => media(MediaSource::File(id.0)),
        ("content", None, None, None, Some(raw)) if media_type.is_none() => {
            let content: Content = serde_json::from_str(raw.get()).ok()?;
            if let Content::Text(text) = content {
                *form |= form::CONTENT_STRING;
                DocumentContent::Parts(vec![Part::text(text)])
            } else {
                DocumentContent::Parts(parts(content, || Some(raw))?.0)
            }
        }
        _ => return None,
    };
    Some((content, media_type))
}
