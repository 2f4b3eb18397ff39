//! Content parts of messages, both ways.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use trunkline_domain::Text;
use trunkline_domain::chat::{
    CacheMark, Citation, Document, DocumentContent, Media, MediaSource, Part, PartKind, Thought,
};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Rest, Str, wire_object};
use crate::quirks::CacheMarks;
use crate::recast::Losses;
use crate::recast::loss::{lose_extras, restore, restore_nested};

/// The content of a message: a string or parts.
pub(super) enum Content {
    Text(Text),
    Parts(Vec<ContentPart>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(Text::from(text)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = elements.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        json.deserialize_any(ContentVisitor)
    }
}

wire_object! {
    /// A part of any type.
    pub(super) struct ContentPart {
        "type" => kind: Str,
        "text" => text: Str,
        "refusal" => refusal: Str,
        "image_url" => image_url: Address,
        "video_url" => video_url: Address,
        "audio_url" => audio_url: Address,
        "input_audio" => input_audio: InputAudio,
        "file" => file: File,
        "thinking" => thinking: Content,
        "prompt_cache_breakpoint" => breakpoint: Mark,
        "cache_control" => cache_control: Mark,
    }
}

wire_object! {
    pub(super) struct Address { "url" => url: Str, "detail" => detail: Str }
}

wire_object! {
    pub(super) struct InputAudio { "data" => data: Str, "format" => format: Str }
}

wire_object! {
    pub(super) struct File { "file_data" => data: Str, "file_id" => id: Str, "filename" => name: Str }
}

wire_object! {
    /// `{"mode": "explicit", "ttl": …}` or `{"type": "ephemeral", "ttl": …}`.
    pub(super) struct Mark { "mode" => mode: Str, "type" => kind: Str, "ttl" => ttl: Str }
}

impl ContentPart {
    /// The canonical part; `None` where the type is unknown or lacks its payload.
    pub(super) fn part(self) -> Option<Part> {
        if self.payloads() != 1 {
            return None;
        }
        let Self { kind, breakpoint, cache_control, mut rest, .. } = self;
        let mut form = 0;
        let (cache, mark_form) = mark(breakpoint, cache_control, &mut rest)?;
        form |= mark_form;
        let kind = match &*kind?.0 {
            "text" => PartKind::Text { text: self.text?.0, citations: Vec::new() },
            "refusal" => {
                form |= form::IN_CONTENT;
                PartKind::Refusal(self.refusal?.0)
            }
            "image_url" => PartKind::Image(self.image_url?.media("image_url", &mut rest)?),
            "video_url" => {
                form |= form::IN_CONTENT;
                PartKind::Video(self.video_url?.media("video_url", &mut rest)?)
            }
            "audio_url" => {
                form |= form::IN_CONTENT;
                PartKind::Audio(self.audio_url?.media("audio_url", &mut rest)?)
            }
            "input_audio" => PartKind::Audio(self.input_audio?.media(&mut rest)?),
            "file" => PartKind::Document(self.file?.document(&mut form, &mut rest)?),
            "thinking" => {
                form |= form::IN_CONTENT;
                PartKind::Reasoning(thinking(self.thinking?)?)
            }
            _ => return None,
        };
        Some(Part { cache, extras: rest.extras(DIALECT, form), ..Part::new(kind) })
    }
}

impl ContentPart {
    /// How many payloads it has: a part of one type with another's payload is not understood.
    fn payloads(&self) -> usize {
        [
            self.text.is_some(),
            self.refusal.is_some(),
            self.image_url.is_some(),
            self.video_url.is_some(),
            self.audio_url.is_some(),
            self.input_audio.is_some(),
            self.file.is_some(),
            self.thinking.is_some(),
        ]
        .into_iter()
        .filter(|present| *present)
        .count()
    }
}

/// A mark, and how it was written; `None` where it is not written as documented.
fn mark(
    breakpoint: Option<Mark>,
    cache_control: Option<Mark>,
    rest: &mut Rest,
) -> Option<(Option<CacheMark>, u32)> {
    let (mark, member, form, known) = match (breakpoint, cache_control) {
        (None, None) => return Some((None, 0)),
        (Some(mark), None) => {
            let known = mark.kind.is_none() && mark.mode.as_ref().is_some_and(|mode| &*mode.0 == "explicit");
            (mark, "prompt_cache_breakpoint", form::BREAKPOINT, known)
        }
        (None, Some(mark)) => {
            let known = mark.mode.is_none() && mark.kind.as_ref().is_some_and(|kind| &*kind.0 == "ephemeral");
            (mark, "cache_control", form::CACHE_CONTROL, known)
        }
        (Some(_), Some(_)) => return None,
    };
    rest.nest(member, mark.rest);
    known.then(|| (Some(CacheMark { ttl: mark.ttl.map(|ttl| ttl.0) }), form))
}

/// The mark of a tool, which is written like a part's.
pub(super) fn tool_mark(cache_control: Option<Mark>, rest: &mut Rest) -> Option<(Option<CacheMark>, u32)> {
    mark(None, cache_control, rest)
}

/// Thinking in pieces of text, and nothing else.
fn thinking(content: Content) -> Option<Thought> {
    let Content::Parts(parts) = content else { return None };
    let piece = |part: ContentPart| match (part.kind, part.text) {
        (Some(kind), Some(text)) if &*kind.0 == "text" && part.rest.is_empty() => Some(text.0),
        _ => None,
    };
    let text = parts.into_iter().map(piece).collect::<Option<Vec<_>>>()?;
    Some(Thought { text, ..Thought::default() })
}

impl Address {
    fn media(self, member: &str, rest: &mut Rest) -> Option<Media> {
        rest.nest(member, self.rest);
        let (source, media_type) = source(&self.url?.0);
        Some(Media { source, media_type, detail: self.detail.map(|detail| detail.0) })
    }
}

impl InputAudio {
    fn media(self, rest: &mut Rest) -> Option<Media> {
        rest.nest("input_audio", self.rest);
        let media_type = match &*self.format?.0 {
            "mp3" => Text::from("audio/mpeg"),
            format => format!("audio/{format}").into(),
        };
        Some(Media { source: MediaSource::Base64(self.data?.0), media_type: Some(media_type), detail: None })
    }
}

impl File {
    fn document(self, form: &mut u32, rest: &mut Rest) -> Option<Document> {
        rest.nest("file", self.rest);
        let (source, media_type) = match (self.data, self.id) {
            (Some(data), None) if data.0.contains(':') => source(&data.0),
            (Some(data), None) => (MediaSource::Base64(data.0), None),
            (None, Some(id)) => (MediaSource::File(id.0), None),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        if matches!(source, MediaSource::Url(_)) {
            *form |= form::IN_CONTENT;
        }
        let name = self.name.map(|name| name.0);
        let content = DocumentContent::Media(source);
        Some(Document { content, media_type, name, context: None, citations: None })
    }
}

/// What a URL points to: `data:` URLs hold their bytes.
pub(crate) fn source(url: &Text) -> (MediaSource, Option<Text>) {
    let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
    match data {
        Some((media_type, data)) => (MediaSource::Base64(data.into()), Some(media_type.into())),
        None => (MediaSource::Url(url.clone()), None),
    }
}

/// A URL for a source, if it can be had: a file's id is none.
pub(crate) fn url(source: &MediaSource, media_type: Option<&Text>) -> Option<String> {
    match source {
        MediaSource::Url(url) => Some(url.to_string()),
        MediaSource::Base64(data) => {
            let media_type = media_type.map_or("application/octet-stream", |media_type| media_type);
            Some(format!("data:{media_type};base64,{data}"))
        }
        MediaSource::File(_) => None,
    }
}

/// Writes parts of content, each with what it loses.
pub(super) struct PartWriter<'a> {
    /// How a cache mark is written where the caller did not say.
    pub(super) cache_marks: CacheMarks,
    pub(super) losses: &'a mut Losses,
}

impl PartWriter<'_> {
    /// Writes a part as an element of a content array; nothing where the dialect has no such part.
    pub(super) fn part(&mut self, array: &mut Array<'_>, part: &Part, path: &str) {
        let as_written = part.extras.form(DIALECT) & form::IN_CONTENT != 0;
        self.lose_signature(part, path);
        match &part.kind {
            PartKind::Text { text, citations } => {
                self.lose_citations(citations, path);
                self.typed(array, part, path, "text", |object| object.member("text", text));
            }
            PartKind::Refusal(refusal) => {
                self.typed(array, part, path, "refusal", |object| object.member("refusal", refusal));
            }
            PartKind::Image(media) => self.address(array, part, path, ("image_url", media)),
            PartKind::Video(media) if as_written => self.address(array, part, path, ("video_url", media)),
            PartKind::Audio(media) if as_written => self.address(array, part, path, ("audio_url", media)),
            PartKind::Audio(media) => self.audio(array, part, path, media),
            PartKind::Document(document) => self.document(array, part, path, document),
            PartKind::Reasoning(thought) => {
                self.typed(array, part, path, "thinking", |object| {
                    object.array("thinking", |pieces| {
                        for text in &thought.text {
                            pieces.object(|piece| {
                                piece.member("type", "text");
                                piece.member("text", text);
                            });
                        }
                    });
                });
            }
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => array.raw(&opaque.raw),
            PartKind::Video(_)
            | PartKind::Opaque(_)
            | PartKind::Speech(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_) => {
                self.losses.dropped(Subject::Content, path.to_owned(), "the dialect has no such content");
            }
        }
    }

    /// Whether a part is text that a string holds: nothing else would be written of it.
    pub(super) fn is_plain(&self, part: &Part) -> bool {
        let text = matches!(&part.kind, PartKind::Text { text, .. } if !text.is_empty());
        let marked = part.cache.is_some() && self.cache_marks != CacheMarks::None;
        text && !marked && !part.extras.is_of(DIALECT)
    }

    /// Notes what a string does not hold of a part.
    pub(super) fn lose(&mut self, part: &Part, path: &str) {
        if let PartKind::Text { citations, .. } = &part.kind {
            self.lose_citations(citations, path);
        }
        if part.cache.is_some() {
            self.lose_mark(path);
        }
        self.lose_signature(part, path);
        lose_extras(&part.extras, &|| path.to_owned(), self.losses);
    }

    fn lose_signature(&mut self, part: &Part, path: &str) {
        if part.signature.is_some() {
            let why = "the dialect signs no content";
            self.losses.dropped(Subject::State, format!("{path}.signature"), why);
        }
    }

    fn lose_citations(&mut self, citations: &[Citation], path: &str) {
        if !citations.is_empty() {
            self.dropped(path, "citations", "a request of this dialect carries no citations");
        }
    }

    fn lose_mark(&mut self, path: &str) {
        let why = "the provider takes no cache marks in this dialect";
        self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
    }

    fn typed(
        &mut self,
        array: &mut Array<'_>,
        part: &Part,
        path: &str,
        kind: &str,
        payload: impl FnOnce(&mut Object<'_>),
    ) {
        array.object(|object| {
            object.member("type", kind);
            payload(object);
            self.mark(object, part.cache.as_ref(), part, path);
            restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
        });
    }

    fn mark(&mut self, object: &mut Object<'_>, mark: Option<&CacheMark>, part: &Part, path: &str) {
        let Some(mark) = mark else { return };
        let form = part.extras.form(DIALECT);
        let marks = match form & (form::BREAKPOINT | form::CACHE_CONTROL) {
            form::BREAKPOINT => CacheMarks::Breakpoint,
            form::CACHE_CONTROL => CacheMarks::CacheControl,
            _ => self.cache_marks,
        };
        write_mark(object, mark, marks, |object, member| {
            restore_nested(object, &part.extras, DIALECT, member);
        })
        .unwrap_or_else(|NoMark| self.lose_mark(path));
    }

    fn address(&mut self, array: &mut Array<'_>, part: &Part, path: &str, (member, media): (&str, &Media)) {
        let Some(url) = url(&media.source, media.media_type.as_ref()) else {
            self.losses.dropped(Subject::Content, path.to_owned(), "the dialect takes no media by file id");
            return;
        };
        self.typed(array, part, path, member, |object| {
            object.object(member, |address| {
                address.member("url", &url);
                address.optional("detail", media.detail.as_ref());
                restore_nested(address, &part.extras, DIALECT, member);
            });
        });
    }

    fn audio(&mut self, array: &mut Array<'_>, part: &Part, path: &str, media: &Media) {
        let MediaSource::Base64(data) = &media.source else {
            self.losses.dropped(Subject::Content, path.to_owned(), "the dialect takes audio inline only");
            return;
        };
        let format = match media.media_type.as_deref() {
            None | Some("audio/wav" | "audio/x-wav" | "audio/wave") => "wav",
            Some("audio/mpeg" | "audio/mp3") => "mp3",
            Some(other) => other.strip_prefix("audio/").unwrap_or(other),
        };
        self.typed(array, part, path, "input_audio", |object| {
            object.object("input_audio", |audio| {
                audio.member("data", data);
                audio.member("format", format);
                restore_nested(audio, &part.extras, DIALECT, "input_audio");
            });
        });
    }

    fn document(&mut self, array: &mut Array<'_>, part: &Part, path: &str, document: &Document) {
        if document.context.is_some() || document.citations == Some(true) {
            self.dropped(path, "citations", "the dialect's files have neither context nor citations");
        }
        let as_written = part.extras.form(DIALECT) & form::IN_CONTENT != 0;
        let source = match &document.content {
            DocumentContent::Media(MediaSource::Url(_)) if !as_written => {
                self.losses.dropped(
                    Subject::Content,
                    path.to_owned(),
                    "the dialect takes no files by address",
                );
                return;
            }
            DocumentContent::Media(source) => source,
            DocumentContent::Text(text) => {
                self.losses.adapted(Subject::Content, path.to_owned(), "a document of text becomes text");
                return self.typed(array, part, path, "text", |object| object.member("text", text));
            }
            DocumentContent::Parts(parts) => {
                self.losses.adapted(
                    Subject::Content,
                    path.to_owned(),
                    "a document of parts becomes its parts",
                );
                return parts.iter().for_each(|part| self.part(array, part, path));
            }
        };
        self.typed(array, part, path, "file", |object| {
            object.object("file", |file| {
                match (source, &document.media_type) {
                    (MediaSource::File(id), _) => file.member("file_id", id),
                    (MediaSource::Base64(data), None) => file.member("file_data", data),
                    (source, media_type) => {
                        file.optional("file_data", url(source, media_type.as_ref()));
                    }
                }
                file.optional("filename", document.name.as_ref());
                restore_nested(file, &part.extras, DIALECT, "file");
            });
        });
    }

    fn dropped(&mut self, path: &str, member: &str, why: &'static str) {
        self.losses.dropped(Subject::Content, format!("{path}.{member}"), why);
    }
}

/// The server takes no cache marks.
pub(super) struct NoMark;

/// Writes a cache mark as the server takes it.
pub(super) fn write_mark(
    object: &mut Object<'_>,
    mark: &CacheMark,
    marks: CacheMarks,
    rest: impl FnOnce(&mut Object<'_>, &str),
) -> Result<(), NoMark> {
    let (member, key, word) = match marks {
        CacheMarks::None => return Err(NoMark),
        CacheMarks::Breakpoint => ("prompt_cache_breakpoint", "mode", "explicit"),
        CacheMarks::CacheControl => ("cache_control", "type", "ephemeral"),
    };
    object.object(member, |object| {
        object.member(key, word);
        object.optional("ttl", mark.ttl.as_ref());
        rest(object, member);
    });
    Ok(())
}
