//! Writing content blocks, of requests and answers alike.

use trunkline_domain::Text;
use trunkline_domain::chat::{
    CacheMark, Citation, Document, DocumentContent, Extras, Minted, Part, PartKind, RawJson, Thought,
    ToolCall, ToolCallKind, ToolResult,
};

use super::media::{self, AUDIO, Formats, IMAGES, VIDEO};
use super::models::Family;
use super::{DIALECT, citations, form};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::loss::{lose_extras, restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// What stands between pieces of a thought, which the dialect has as one text.
pub(super) const BETWEEN_PIECES: &str = "\n\n";

/// The longest id of a call, in characters.
const ID_MAX: usize = 64;

/// Where blocks stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In instructions.
    System,
    /// In a message.
    Message,
    /// In a tool's result.
    Result,
    /// In an answer.
    Answer,
}

/// Writes blocks, with what they lose.
pub(super) struct Writer<'a> {
    /// The deployment a request is written for; none for an answer.
    pub(super) target: Option<&'a EncodeTarget<'a>>,
    pub(super) place: Place,
    pub(super) losses: &'a mut Losses,
}

impl Writer<'_> {
    /// Whether a part can be written; notes it where it cannot.
    pub(super) fn keeps(&mut self, part: &Part, path: &str) -> bool {
        let (subject, why) = match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => return self.says(part, text, path),
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => return true,
            PartKind::Reasoning(_) if self.place == Place::Message => {
                if self.takes_thought(part) {
                    return true;
                }
                (Subject::State, "thinking is taken back with the signature of its own provider only")
            }
            PartKind::Reasoning(thought) if self.place == Place::Answer => {
                let signed = part.signature.as_ref().is_some_and(|state| state.dialect == DIALECT);
                if !thought.redacted || signed {
                    return true;
                }
                (Subject::State, "withheld by another provider")
            }
            kind if self.place != Place::System && self.has_block(kind) => return true,
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::Reasoning(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => (Subject::Content, "the dialect has no such content"),
        };
        self.losses.dropped(subject, path.to_owned(), why);
        false
    }

    /// Whether a text is one the dialect takes: not a blank one.
    fn says(&mut self, part: &Part, text: &str, path: &str) -> bool {
        let spelled = form::BLANK | form::CITED | form::JSON;
        if !text.trim().is_empty() || self.place == Place::Answer || part.extras.form(DIALECT) & spelled != 0
        {
            return true;
        }
        if !text.is_empty() {
            self.losses.adapted(Subject::Content, path.to_owned(), "the dialect takes no blank text");
        }
        false
    }

    fn takes_thought(&self, part: &Part) -> bool {
        let unsigned = form::UNSIGNED | form::EMPTY_SIGNATURE;
        match &part.signature {
            Some(state) => self.target.is_some_and(|target| target.accepts(state, DIALECT)),
            None => part.extras.form(DIALECT) & unsigned != 0,
        }
    }

    fn has_block(&self, kind: &PartKind) -> bool {
        let has = |formats, media: &trunkline_domain::chat::Media| {
            media::has_source(&media.source) && media::format_of(formats, media).is_some()
        };
        match kind {
            PartKind::Image(media) => has(IMAGES, media),
            PartKind::Video(media) => has(VIDEO, media),
            PartKind::Audio(media) => self.place != Place::Result && has(AUDIO, media),
            PartKind::Document(document) => match &document.content {
                DocumentContent::Media(source) => {
                    media::has_source(source) && media::document_format(document).is_some()
                }
                DocumentContent::Text(_) | DocumentContent::Parts(_) => true,
            },
            PartKind::ToolCall(_) => self.place != Place::Result,
            PartKind::ToolResult(_) => self.place == Place::Message,
            PartKind::Text { .. }
            | PartKind::Speech(_)
            | PartKind::Reasoning(_)
            | PartKind::Refusal(_)
            | PartKind::Opaque(_) => false,
        }
    }

    /// Writes a block that is kept, and the cache point behind it.
    pub(super) fn block(&mut self, array: &mut Array<'_>, part: &Part, path: &str) {
        if let PartKind::Opaque(opaque) = &part.kind {
            array.raw(&opaque.raw);
        } else {
            // Thinking that is kept in a request goes with its signature, whose dialect it may be in.
            if self.target.is_none() || !matches!(part.kind, PartKind::Reasoning(_)) {
                lose_of_part(part, path, self.losses);
            }
            array.object(|object| {
                self.members(object, part, path);
                restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
            });
        }
        if let Some(cache) = &part.cache {
            let family = self.target.map_or(Family::Unknown, |target| Family::of(target.model));
            write_mark(array, cache, &part.extras, (path, family), self.losses);
        }
    }

    fn members(&mut self, object: &mut Object<'_>, part: &Part, path: &str) {
        match &part.kind {
            PartKind::Text { text, citations } => self.text(object, part, (text, citations), path),
            PartKind::Refusal(text) => object.member("text", text),
            PartKind::Image(media) => write_media(object, ("image", IMAGES), part, media),
            PartKind::Video(media) => write_media(object, ("video", VIDEO), part, media),
            PartKind::Audio(media) => write_media(object, ("audio", AUDIO), part, media),
            PartKind::Document(document) => self.document(object, part, document, path),
            PartKind::Reasoning(thought) => {
                let written = |state: &&Minted<Text>| self.target.is_some() || state.dialect == DIALECT;
                write_thought(object, part, thought, part.signature.as_ref().filter(written));
            }
            PartKind::ToolCall(call) => object.object("toolUse", |object| {
                write_call(object, call, (part.extras.form(DIALECT), path), self.losses);
                restore_nested(object, &part.extras, DIALECT, "toolUse");
            }),
            PartKind::ToolResult(result) => object.object("toolResult", |object| {
                self.result(object, result, path);
                restore_nested(object, &part.extras, DIALECT, "toolResult");
            }),
            PartKind::Speech(_) | PartKind::Opaque(_) => {}
        }
    }

    /// Text, with what it rests on; JSON where a tool said it so.
    fn text(&mut self, object: &mut Object<'_>, part: &Part, (text, all): (&Text, &[Citation]), path: &str) {
        let form = part.extras.form(DIALECT);
        if form & form::JSON != 0
            && self.place == Place::Result
            && let Some(raw) = RawJson::parse(text)
        {
            return object.raw("json", &raw);
        }
        let taken = |citation: &&Citation| self.place == Place::Answer || citations::is_own(citation);
        let citations: Vec<_> = all.iter().filter(taken).collect();
        if citations.len() < all.len() {
            let why = "the provider takes back its own citations only";
            self.losses.dropped(Subject::State, format!("{path}.citations"), why);
        }
        if citations.is_empty() && form & form::CITED == 0 {
            return object.member("text", text);
        }
        object.object("citationsContent", |object| {
            object.array("content", |array| array.object(|piece| piece.member("text", text)));
            if !citations.is_empty() || form & form::NO_CITATIONS != 0 {
                object.array("citations", |array| {
                    for citation in citations {
                        array.object(|object| citations::encode(object, citation, self.losses));
                    }
                });
            }
            restore_nested(object, &part.extras, DIALECT, "citationsContent");
        });
    }

    fn document(&mut self, object: &mut Object<'_>, part: &Part, document: &Document, path: &str) {
        let form = part.extras.form(DIALECT);
        object.object("document", |object| {
            object.optional("format", media::document_format(document));
            object.member("name", &*self.document_name(document, form, path));
            match &document.content {
                DocumentContent::Media(source) => media::write_source(object, source, &part.extras),
                DocumentContent::Text(text) => object.object("source", |source| {
                    source.member("text", text);
                    restore_nested(source, &part.extras, DIALECT, "source");
                }),
                DocumentContent::Parts(parts) => object.object("source", |source| {
                    source.array("content", |array| self.pieces(array, parts, path));
                    restore_nested(source, &part.extras, DIALECT, "source");
                }),
            }
            object.optional("context", document.context.as_ref());
            if document.citations.is_some() || form & form::CITATIONS != 0 {
                object.object("citations", |config| {
                    config.optional("enabled", document.citations);
                    restore_nested(config, &part.extras, DIALECT, "citations");
                });
            }
            restore_nested(object, &part.extras, DIALECT, "document");
        });
    }

    /// A name the dialect takes; one made from the document's place where there is none.
    fn document_name(&mut self, document: &Document, form: u32, path: &str) -> String {
        let given = document.name.as_deref().unwrap_or_default();
        if form & form::ODD_NAME != 0 {
            return given.to_owned();
        }
        let name = media::plain(given);
        if name != given {
            let why = "the dialect's names of documents are letters, digits, hyphens and brackets";
            self.losses.adapted(Subject::Other, format!("{path}.name"), why);
        }
        if name.is_empty() { media::plain(&format!("document {path}")) } else { name }
    }

    /// The pieces of a document, which are texts.
    fn pieces(&mut self, array: &mut Array<'_>, parts: &[Part], path: &str) {
        for (place, piece) in parts.iter().enumerate() {
            let path = format!("{path}.content[{place}]");
            if piece.cache.is_some() {
                let why = "a place within a document is not marked";
                self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
            }
            lose_extras(&piece.extras, &|| path.clone(), self.losses);
            if let PartKind::Text { text, .. } = &piece.kind {
                array.object(|object| object.member("text", text));
            } else {
                self.losses.dropped(Subject::Content, path, "a document's pieces are texts");
            }
        }
    }

    fn result(&mut self, object: &mut Object<'_>, result: &ToolResult, path: &str) {
        object.member("toolUseId", &call_id(&result.call_id, path));
        object.array("content", |array| {
            let mut inner = Writer { target: self.target, place: Place::Result, losses: &mut *self.losses };
            for (place, part) in result.content.iter().enumerate() {
                let path = format!("{path}.content[{place}]");
                if inner.keeps(part, &path) {
                    inner.block(array, part, &path);
                }
            }
        });
        object.optional("status", result.is_error.map(|failed| if failed { "error" } else { "success" }));
    }
}

fn write_media(
    object: &mut Object<'_>,
    (member, formats): (&str, Formats),
    part: &Part,
    media: &trunkline_domain::chat::Media,
) {
    object.object(member, |object| {
        object.optional("format", media::format_of(formats, media));
        media::write_source(object, &media.source, &part.extras);
        restore_nested(object, &part.extras, DIALECT, member);
    });
}

fn write_thought(object: &mut Object<'_>, part: &Part, thought: &Thought, state: Option<&Minted<Text>>) {
    let signature = state.map(|state| &*state.value);
    let empty = part.extras.form(DIALECT) & form::EMPTY_SIGNATURE != 0;
    object.object("reasoningContent", |object| {
        if thought.redacted {
            object.optional("redactedContent", signature);
        } else {
            object.object("reasoningText", |object| {
                let pieces: Vec<&str> =
                    thought.text.iter().chain(&thought.summary).map(|piece| &**piece).collect();
                object.member("text", &pieces.join(BETWEEN_PIECES));
                object.optional("signature", signature.or(empty.then_some("")));
                restore_nested(object, &part.extras, DIALECT, "reasoningText");
            });
        }
        restore_nested(object, &part.extras, DIALECT, "reasoningContent");
    });
}

/// Writes the members of a call. The dialect takes an object; what is none is wrapped in one.
fn write_call(object: &mut Object<'_>, call: &ToolCall, (form, path): (u32, &str), losses: &mut Losses) {
    object.member("toolUseId", &call_id(&call.id, path));
    object.member("name", &call.name);
    let is_function = call.kind == ToolCallKind::Function;
    let is_input =
        |raw: &RawJson| is_function && (raw.get().starts_with('{') || form & form::NOT_OBJECT != 0);
    match RawJson::parse(&call.arguments).filter(is_input) {
        Some(raw) => object.raw("input", &raw),
        None if call.arguments.is_empty() => object.object("input", |_| {}),
        None => {
            let why = "the dialect's arguments are an object: they are wrapped in one";
            losses.adapted(Subject::Tools, format!("{path}.arguments"), why);
            let member = if is_function { "arguments" } else { "input" };
            object.object("input", |input| input.member(member, &call.arguments));
        }
    }
    if form & form::TYPED != 0 {
        object.member("type", "tool_use");
    }
}

/// An id the dialect takes, of at most 64 letters, digits and `_.:-`: the end of one that is longer, for that is where ids
/// differ. One made from the call's place where there is none.
pub(super) fn call_id(id: &str, path: &str) -> String {
    let taken = |c: char| if c.is_ascii_alphanumeric() || "_.:-".contains(c) { c } else { '_' };
    let id: Vec<char> = if id.is_empty() { path } else { id }.chars().map(taken).collect();
    id.iter().skip(id.len().saturating_sub(ID_MAX)).collect()
}

/// Notes what a block of a kind the dialect has does not carry.
pub(super) fn lose_of_part(part: &Part, path: &str, losses: &mut Losses) {
    let thinks = matches!(part.kind, PartKind::Reasoning(_));
    if part.signature.as_ref().is_some_and(|state| !thinks || state.dialect != DIALECT) {
        let why = if thinks { "signed in another dialect" } else { "the dialect signs nothing but thinking" };
        losses.dropped(Subject::State, format!("{path}.signature"), why);
    }
    if let PartKind::Image(media) = &part.kind
        && media.detail.as_deref().is_some_and(|detail| detail != "auto")
    {
        let why = "the dialect does not say how closely to look";
        losses.dropped(Subject::Other, format!("{path}.detail"), why);
    }
    if let PartKind::Refusal(_) = part.kind {
        let why = "the dialect has no refusals apart: it becomes text";
        losses.adapted(Subject::Content, path.to_owned(), why);
    }
}

/// Writes a cache point, where the model takes any. The dialect has two times to live, the longer of which stands for
/// every other one.
pub(super) fn write_mark(
    array: &mut Array<'_>,
    cache: &CacheMark,
    extras: &Extras,
    (path, family): (&str, Family),
    losses: &mut Losses,
) {
    if !family.caches() {
        let why = "the model's prompts are not cached up to marked places";
        return losses.dropped(Subject::Cache, format!("{path}.cache"), why);
    }
    array.object(|object| {
        object.object("cachePoint", |point| {
            point.member("type", "default");
            match cache.ttl.as_deref() {
                None => {}
                Some(ttl @ ("5m" | "1h")) => point.member("ttl", ttl),
                Some(ttl) if extras.is_of(DIALECT) => point.member("ttl", ttl),
                Some(_) => {
                    let why = "the dialect caches for 5m or 1h";
                    losses.adapted(Subject::Cache, format!("{path}.cache.ttl"), why);
                    point.member("ttl", "1h");
                }
            }
            restore_nested(point, extras, DIALECT, "cachePoint");
        });
        restore_nested(object, extras, DIALECT, "cachePointBlock");
    });
}
