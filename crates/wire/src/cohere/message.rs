//! Reading messages: what requests and answers share.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    Citation, Document, DocumentContent, Media, MediaSource, Opaque, Part, PartKind, RawJson, Thought,
    ToolCall, ToolCallKind,
};

use super::{DIALECT, form};
use crate::json::{Rest, Str, wire_object};

wire_object! {
    /// A message of any role.
    pub(super) struct Message {
        "role" => role: Str,
        "content" => content: RawJson,
        "tool_plan" => tool_plan: Str,
        "tool_calls" => tool_calls: RawJson,
        "citations" => citations: RawJson,
        "tool_call_id" => tool_call_id: Str,
    }
}

wire_object! {
    struct Block {
        "type" => kind: Str,
        "text" => text: Str,
        "thinking" => thinking: Str,
        "image_url" => image_url: ImageUrl,
        "document" => document: WireDocument,
    }
}

wire_object! {
    struct ImageUrl { "url" => url: Str, "detail" => detail: Str }
}

wire_object! {
    struct WireDocument { "data" => data: DocumentData }
}

wire_object! {
    struct DocumentData { "text" => text: Str, "title" => title: Str, "context" => context: Str }
}

wire_object! {
    struct Call { "id" => id: Str, "type" => kind: Str, "function" => function: Function }
}

wire_object! {
    struct Function { "name" => name: Str, "arguments" => arguments: Str }
}

wire_object! {
    struct WireCitation { "start" => start: u64, "end" => end: u64 }
}

wire_object! {
    ignoring struct Cited { "sources" => sources: Vec<Source>, "content_index" => content_index: usize, "type" => kind: Str }
}

wire_object! {
    ignoring struct Source { "document" => document: Place, "tool_output" => tool_output: Place }
}

wire_object! {
    ignoring struct Place { "url" => url: RawJson, "title" => title: RawJson }
}

/// A text, empty where there is none.
pub(super) fn text_of(text: Option<Str>) -> Text {
    text.map_or_else(|| Text::from(""), |text| text.0)
}

/// Reads content, and says how it was spelled; `None` where it is neither a string nor an array.
pub(super) fn content(raw: &RawJson) -> Option<(Vec<Part>, u32)> {
    if let Ok(Str(text)) = serde_json::from_str::<Str>(raw.get()) {
        let empty = text.is_empty();
        return Some(if empty { (Vec::new(), form::CONTENT_EMPTY) } else { (vec![Part::text(text)], 0) });
    }
    let blocks: Vec<RawJson> = serde_json::from_str(raw.get()).ok()?;
    if blocks.is_empty() {
        return Some((Vec::new(), form::CONTENT_EMPTY | form::CONTENT_ARRAY));
    }
    let parts: Vec<Part> = blocks.into_iter().map(block).collect();
    let bare = |part: &Part| {
        part.extras.is_empty() && matches!(&part.kind, PartKind::Text { text, .. } if !text.is_empty())
    };
    let array = matches!(&*parts, [part] if bare(part));
    Some((parts, if array { form::CONTENT_ARRAY } else { 0 }))
}

fn block(raw: RawJson) -> Part {
    let known = serde_json::from_str::<Block>(raw.get()).ok().and_then(Block::part);
    known.unwrap_or_else(|| PartKind::Opaque(Opaque { dialect: DIALECT, raw }).into())
}

impl Block {
    fn part(self) -> Option<Part> {
        let Self { kind, text, thinking, image_url, document, mut rest } = self;
        let mut form = 0;
        let kind = match (&*kind?.0, text, thinking, image_url, document) {
            ("text", Some(text), None, None, None) => PartKind::Text { text: text.0, citations: Vec::new() },
            ("thinking", None, Some(thinking), None, None) => {
                form |= if thinking.0.is_empty() { form::EMPTY } else { 0 };
                PartKind::Reasoning(thought(thinking.0))
            }
            ("image_url", None, None, Some(image), None) => {
                rest.nest("image_url", image.rest);
                let (source, media_type) = source(&image.url?.0);
                let detail = image.detail.map(|detail| detail.0);
                PartKind::Image(Media { source, media_type, detail })
            }
            ("document", None, None, None, Some(document)) => {
                rest.nest("document", document.rest);
                PartKind::Document(document.data?.document()?)
            }
            _ => return None,
        };
        Some(Part { extras: rest.extras(DIALECT, form), ..Part::new(kind) })
    }
}

impl DocumentData {
    /// A document of text; `None` where it says anything else.
    fn document(self) -> Option<Document> {
        let words = self.text.filter(|_| self.rest.is_empty())?;
        Some(Document {
            content: DocumentContent::Text(words.0),
            media_type: None,
            name: self.title.map(|title| title.0),
            context: self.context.map(|context| context.0),
            citations: None,
        })
    }
}

/// A thought of one piece; of none where it is empty.
fn thought(text: Text) -> Thought {
    let text = if text.is_empty() { Vec::new() } else { vec![text] };
    Thought { text, ..Thought::default() }
}

/// A plan as a part.
pub(super) fn plan(text: Text) -> Part {
    let extras = Rest::default().extras(DIALECT, form::TOOL_PLAN);
    Part { extras, ..Part::new(PartKind::Reasoning(thought(text))) }
}

/// What a URL points to: `data:` URLs hold their bytes.
fn source(url: &Text) -> (MediaSource, Option<Text>) {
    let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
    match data {
        Some((media_type, data)) => (MediaSource::Base64(data.into()), Some(media_type.into())),
        None => (MediaSource::Url(url.clone()), None),
    }
}

/// Reads a call; `None` where it is none of a function.
pub(super) fn call(raw: &RawJson) -> Option<Part> {
    let Call { id, kind, function, mut rest } = serde_json::from_str(raw.get()).ok()?;
    let mut form = 0;
    match kind.as_ref().map(|kind| &*kind.0) {
        Some("function") => {}
        None => form |= form::NO_TYPE,
        Some(_) => return None,
    }
    let Function { name, arguments, rest: inner } = function?;
    form |= if arguments.is_none() { form::NO_ARGUMENTS } else { 0 };
    rest.nest("function", inner);
    let call = ToolCall {
        id: text_of(id),
        name: name?.0,
        kind: ToolCallKind::Function,
        arguments: text_of(arguments),
    };
    Some(Part { extras: rest.extras(DIALECT, form), ..Part::new(PartKind::ToolCall(call)) })
}

/// Reads a citation of the answer's text, and of which content block it is; `None` where it is none, or one of thinking.
pub(super) fn citation(raw: &RawJson) -> Option<(Citation, Option<usize>)> {
    let WireCitation { start, end, rest } = serde_json::from_str(raw.get()).ok()?;
    let Cited { sources, content_index, kind, .. } = serde_json::from_str(raw.get()).ok()?;
    if matches!(kind.as_ref().map(|kind| &*kind.0), Some("THINKING_CONTENT" | "PLAN")) {
        return None;
    }
    let places = || {
        let of = |source: &Source| [source.document.is_some(), source.tool_output.is_some()];
        let sources = sources.iter().flatten().filter(move |source| of(source).contains(&true));
        sources.filter_map(|source| source.document.as_ref().or(source.tool_output.as_ref()))
    };
    let string = |raw: &RawJson| serde_json::from_str::<Str>(raw.get()).ok().map(|text| text.0);
    Some((
        Citation {
            url: places().find_map(|place| place.url.as_ref().and_then(string)),
            title: places().find_map(|place| place.title.as_ref().and_then(string)),
            cited_text: None,
            span: Some((start?, end?)),
            extras: rest.extras(DIALECT, 0),
        },
        content_index,
    ))
}

/// Puts citations into the texts they are of. Gives back whether nothing was left over and they stand in the order of
/// the texts.
pub(super) fn cite(parts: &mut [Part], citations: &[RawJson]) -> bool {
    let (mut whole, mut last) = (true, 0);
    for raw in citations {
        let Some((citation, index)) = citation(raw) else {
            whole = false;
            continue;
        };
        let is_text = |part: &Part| matches!(part.kind, PartKind::Text { .. });
        let at = index.or_else(|| parts.iter().position(is_text));
        let text = at.and_then(|at| parts.get_mut(at)).map(|part| &mut part.kind);
        let Some(PartKind::Text { citations, .. }) = text else {
            whole = false;
            continue;
        };
        citations.push(citation);
        whole &= at >= Some(last);
        last = at.unwrap_or(last);
    }
    whole
}
