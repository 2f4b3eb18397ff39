//! Parts of content, both ways: of messages and of tools' outputs. A part that is not exactly as documented is opaque, so
//! that nothing in it is lost.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    CacheMark, Document, DocumentContent, Extras, Media, MediaSource, Opaque, Part, PartKind, RawJson,
};

use super::{DIALECT, citations, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Rest, Str, wire_object};
use crate::openai::recast::content::{source, url};
use crate::quirks::CacheMarks;
use crate::recast::loss::{restore, restore_nested};
use crate::recast::{EncodeTarget, Losses};

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The caller's: `input_text`.
    Input,
    /// The model's: `output_text`.
    Output,
}

wire_object! {
    /// A part of any type.
    struct ContentPart {
        "type" => kind: Str,
        "text" => text: Str,
        "annotations" => annotations: RawJson,
        "logprobs" => logprobs: RawJson,
        "refusal" => refusal: Str,
        "image_url" => image_url: Str,
        "file_id" => file_id: Str,
        "file_data" => file_data: Str,
        "file_url" => file_url: Str,
        "filename" => filename: Str,
        "detail" => detail: RawJson,
        "input_audio" => input_audio: InputAudio,
        "prompt_cache_breakpoint" => breakpoint: Breakpoint,
    }
}

wire_object! {
    struct InputAudio { "data" => data: Str, "format" => format: Str }
}

wire_object! {
    struct Breakpoint { "mode" => mode: Str, "ttl" => ttl: Str }
}

/// Reads a part.
pub(super) fn decode(raw: &RawValue, side: Side) -> Part {
    let part = serde_json::from_str::<ContentPart>(raw.get()).ok().and_then(|part| part.part(side));
    part.unwrap_or_else(|| {
        let opaque = Opaque { dialect: DIALECT, raw: raw.to_owned().into() };
        let extras = Extras::new(DIALECT, form::IN_CONTENT, Vec::new());
        Part { extras, ..Part::new(PartKind::Opaque(opaque)) }
    })
}

/// Reads parts: a string, or an array. Says whether it is an array although a string would do; `None` where it is
/// neither.
pub(super) fn decode_all(raw: &RawJson, side: Side) -> Option<(Vec<Part>, u32)> {
    if raw.get().starts_with('"') {
        let Str(text) = serde_json::from_str(raw.get()).ok()?;
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
        return Some((parts, 0));
    }
    let elements: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    let parts: Vec<Part> = elements.into_iter().map(|element| decode(element, side)).collect();
    let as_string = match &*parts {
        [] => true,
        [only] => only.extras.is_empty() && only.cache.is_none() && text_of(only).is_some(),
        _ => false,
    };
    Some((parts, if as_string { form::CONTENT_ARRAY } else { 0 }))
}

/// The text of a part that is text and says nothing else.
pub(super) fn text_of(part: &Part) -> Option<&Text> {
    let PartKind::Text { text, citations } = &part.kind else { return None };
    (!text.is_empty() && citations.is_empty()).then_some(text)
}

impl ContentPart {
    fn part(mut self, side: Side) -> Option<Part> {
        let kind = self.kind.take()?;
        let known = self.members();
        let mut rest = std::mem::take(&mut self.rest);
        let (cache, mut form) = mark(self.breakpoint.take(), &mut rest)?;
        let (kind, members) = match &*kind.0 {
            "input_text" | "output_text" => {
                let own = if side == Side::Input { "input_text" } else { "output_text" };
                form |= if &*kind.0 == own { 0 } else { form::CROSSED };
                self.text(&mut form, &mut rest)?
            }
            "refusal" => (PartKind::Refusal(self.refusal?.0), 1),
            "input_image" => self.image(&mut form, &mut rest)?,
            "input_file" => self.file(&mut form, &mut rest)?,
            "input_audio" => (PartKind::Audio(self.input_audio?.media(&mut rest)?), 1),
            _ => return None,
        };
        (members == known).then(|| Part { cache, extras: rest.extras(DIALECT, form), ..Part::new(kind) })
    }

    /// How many members it has beside its type and mark: a part of one type with another's members is not understood.
    fn members(&self) -> usize {
        let strings = [
            &self.text,
            &self.refusal,
            &self.image_url,
            &self.file_id,
            &self.file_data,
            &self.file_url,
            &self.filename,
        ];
        let values = [&self.annotations, &self.logprobs, &self.detail];
        strings.into_iter().flatten().count()
            + values.into_iter().flatten().count()
            + usize::from(self.input_audio.is_some())
    }

    fn text(self, form: &mut u32, rest: &mut Rest) -> Option<(PartKind, usize)> {
        let members = 1 + usize::from(self.annotations.is_some()) + usize::from(self.logprobs.is_some());
        let citations = match &self.annotations {
            None => Vec::new(),
            Some(raw) => {
                *form |= form::ANNOTATIONS;
                citations::decode(raw)?
            }
        };
        match self.logprobs {
            Some(raw) if raw.get() == "[]" => *form |= form::NO_LOGPROBS,
            Some(raw) => rest.push("logprobs", raw),
            None => {}
        }
        Some((PartKind::Text { text: self.text?.0, citations }, members))
    }

    fn image(self, form: &mut u32, rest: &mut Rest) -> Option<(PartKind, usize)> {
        let members = 1 + usize::from(self.detail.is_some());
        let (source, media_type) = match (self.image_url, self.file_id) {
            (Some(url), None) => source(&url.0),
            (None, Some(id)) => (MediaSource::File(id.0), None),
            _ => return None,
        };
        let detail = self.detail.as_ref().and_then(|raw| serde_json::from_str::<Str>(raw.get()).ok());
        let detail = detail.map(|detail| detail.0);
        match (self.detail, &detail) {
            (Some(raw), None) => rest.push("detail", raw),
            (None, _) => *form |= form::NO_DETAIL,
            (Some(_), Some(_)) => {}
        }
        Some((PartKind::Image(Media { source, media_type, detail }), members))
    }

    fn file(self, form: &mut u32, rest: &mut Rest) -> Option<(PartKind, usize)> {
        let members = 1 + usize::from(self.filename.is_some()) + usize::from(self.detail.is_some());
        let (source, media_type) = match (self.file_data, self.file_id, self.file_url) {
            (Some(data), None, None) if data.0.contains(':') => match source(&data.0) {
                (MediaSource::Url(_), _) => return None,
                inline => inline,
            },
            (Some(data), None, None) => {
                *form |= form::BARE_DATA;
                (MediaSource::Base64(data.0), None)
            }
            (None, Some(id), None) => (MediaSource::File(id.0), None),
            (None, None, Some(url)) => (MediaSource::Url(url.0), None),
            _ => return None,
        };
        if let Some(raw) = self.detail {
            rest.push("detail", raw);
        }
        let name = self.filename.map(|name| name.0);
        let content = DocumentContent::Media(source);
        let document = Document { content, media_type, name, context: None, citations: None };
        Some((PartKind::Document(document), members))
    }
}

impl InputAudio {
    fn media(self, rest: &mut Rest) -> Option<Media> {
        rest.nest("input_audio", self.rest);
        let media_type = match &*self.format?.0 {
            "mp3" => "audio/mpeg",
            "wav" => "audio/wav",
            _ => return None,
        };
        let source = MediaSource::Base64(self.data?.0);
        Some(Media { source, media_type: Some(media_type.into()), detail: None })
    }
}

/// A mark, and that there is one; `None` where it is not written as documented.
fn mark(breakpoint: Option<Breakpoint>, rest: &mut Rest) -> Option<(Option<CacheMark>, u32)> {
    let Some(Breakpoint { mode, ttl, rest: inner }) = breakpoint else { return Some((None, 0)) };
    if &*mode?.0 != "explicit" {
        return None;
    }
    rest.nest("prompt_cache_breakpoint", inner);
    Some((Some(CacheMark { ttl: ttl.map(|ttl| ttl.0) }), form::BREAKPOINT))
}

/// Writes parts of a request, each with what it loses.
pub(super) struct PartWriter<'a> {
    pub(super) side: Side,
    pub(super) target: &'a EncodeTarget<'a>,
    pub(super) losses: &'a mut Losses,
}

impl PartWriter<'_> {
    /// Whether the parts are one text that a string holds: nothing else would be written of it.
    pub(super) fn as_string<'p>(&self, parts: &[(usize, &'p Part)]) -> Option<&'p Text> {
        let &[(_, part)] = parts else { return None };
        let spelled = form::CROSSED | form::ANNOTATIONS | form::NO_LOGPROBS | form::CONTENT_ARRAY;
        let own = part.extras.is_of(DIALECT);
        let unknown = own && part.extras.fields().iter().any(|(key, _)| !key.starts_with("message."));
        let marked = part.cache.is_some() && self.takes_marks(part);
        let says_more = part.extras.form(DIALECT) & spelled != 0 || unknown || marked;
        text_of(part).filter(|_| !says_more)
    }

    /// Notes what a string does not hold of a part.
    pub(super) fn lose(&mut self, part: &Part, path: &str) {
        if part.cache.is_some() && !self.takes_marks(part) {
            let why = "the provider takes no cache marks in this dialect";
            self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
        lose_signature(part, path, self.losses);
        if !part.extras.is_of(DIALECT) {
            crate::recast::loss::lose_extras(&part.extras, &|| path.to_owned(), self.losses);
        }
    }

    /// Writes a part; nothing where the dialect has no such part.
    pub(super) fn part(&mut self, array: &mut Array<'_>, part: &Part, path: &str) {
        match &part.kind {
            PartKind::Text { text, citations } => self.text(array, part, text, citations, path),
            PartKind::Refusal(refusal) => {
                self.typed(array, part, path, "refusal", |object, _| object.member("refusal", refusal));
            }
            PartKind::Image(media) => self.image(array, part, media, path),
            PartKind::Audio(media) => self.audio(array, part, media, path),
            PartKind::Document(document) => self.document(array, part, document, path),
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => array.raw(&opaque.raw),
            PartKind::Video(_)
            | PartKind::Speech(_)
            | PartKind::Reasoning(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => self.dropped(path, "the dialect has no such content"),
        }
    }

    fn text(
        &mut self,
        array: &mut Array<'_>,
        part: &Part,
        text: &str,
        citations: &[trunkline_domain::chat::Citation],
        path: &str,
    ) {
        let form = part.extras.form(DIALECT);
        let crossed = form & form::CROSSED != 0;
        let kind = if (self.side == Side::Input) == crossed { "output_text" } else { "input_text" };
        self.typed(array, part, path, kind, |object, losses| {
            object.member("text", text);
            if !citations.is_empty() || form & form::ANNOTATIONS != 0 {
                object.array("annotations", |array| {
                    let length = text.chars().count() as u64;
                    citations::encode_all(array, citations.iter(), length, losses);
                });
            }
            if form & form::NO_LOGPROBS != 0 {
                object.array("logprobs", |_| {});
            }
        });
    }

    fn image(&mut self, array: &mut Array<'_>, part: &Part, media: &Media, path: &str) {
        let own =
            part.extras.is_of(DIALECT) && part.extras.fields().iter().any(|(key, _)| &**key == "detail");
        let keeps_detail = own || part.extras.form(DIALECT) & form::NO_DETAIL != 0;
        self.typed(array, part, path, "input_image", |object, _| {
            match &media.source {
                MediaSource::File(id) => object.member("file_id", id),
                source @ (MediaSource::Base64(_) | MediaSource::Url(_)) => {
                    object.optional("image_url", url(source, media.media_type.as_ref()));
                }
            }
            match &media.detail {
                Some(detail) => object.member("detail", detail),
                None if keeps_detail => {}
                // By the reference a picture must say it.
                None => object.member("detail", "auto"),
            }
        });
    }

    fn audio(&mut self, array: &mut Array<'_>, part: &Part, media: &Media, path: &str) {
        let MediaSource::Base64(data) = &media.source else {
            return self.dropped(path, "the dialect takes audio inline only");
        };
        let format = match media.media_type.as_deref() {
            None | Some("audio/wav" | "audio/x-wav" | "audio/wave") => "wav",
            Some("audio/mpeg" | "audio/mp3") => "mp3",
            Some(_) => return self.dropped(path, "the dialect takes audio as mp3 and wav only"),
        };
        self.typed(array, part, path, "input_audio", |object, _| {
            object.object("input_audio", |audio| {
                audio.member("data", data);
                audio.member("format", format);
                restore_nested(audio, &part.extras, DIALECT, "input_audio");
            });
        });
    }

    fn document(&mut self, array: &mut Array<'_>, part: &Part, document: &Document, path: &str) {
        if document.context.is_some() || document.citations == Some(true) {
            let why = "the dialect's files have neither context nor citations";
            self.losses.dropped(Subject::Content, format!("{path}.citations"), why);
        }
        let source = match &document.content {
            DocumentContent::Media(source) => source,
            DocumentContent::Text(text) => {
                self.losses.adapted(Subject::Content, path.to_owned(), "a document of text becomes text");
                return self.text(array, part, text, &[], path);
            }
            DocumentContent::Parts(parts) => {
                let why = "a document of parts becomes its parts";
                self.losses.adapted(Subject::Content, path.to_owned(), why);
                return parts.iter().for_each(|part| self.part(array, part, path));
            }
        };
        let bare = part.extras.form(DIALECT) & form::BARE_DATA != 0;
        self.typed(array, part, path, "input_file", |object, _| {
            match source {
                MediaSource::File(id) => object.member("file_id", id),
                MediaSource::Url(url) => object.member("file_url", url),
                MediaSource::Base64(data) if bare => object.member("file_data", data),
                MediaSource::Base64(_) => {
                    object.optional("file_data", url(source, document.media_type.as_ref()));
                }
            }
            object.optional("filename", document.name.as_ref());
        });
    }

    fn typed(
        &mut self,
        array: &mut Array<'_>,
        part: &Part,
        path: &str,
        kind: &str,
        payload: impl FnOnce(&mut Object<'_>, &mut Losses),
    ) {
        lose_signature(part, path, self.losses);
        array.object(|object| {
            object.member("type", kind);
            payload(object, self.losses);
            if let Some(mark) = &part.cache {
                self.mark(object, mark, part, path);
            }
            restore(object, &part.extras, DIALECT, &|| path.to_owned(), self.losses);
        });
    }

    fn takes_marks(&self, part: &Part) -> bool {
        let own = part.extras.form(DIALECT) & form::BREAKPOINT != 0;
        own || self.target.quirks.cache_marks == CacheMarks::Breakpoint
    }

    fn mark(&mut self, object: &mut Object<'_>, mark: &CacheMark, part: &Part, path: &str) {
        if !self.takes_marks(part) {
            let why = "the provider takes no cache marks in this dialect";
            return self.losses.dropped(Subject::Cache, format!("{path}.cache"), why);
        }
        object.object("prompt_cache_breakpoint", |object| {
            object.member("mode", "explicit");
            object.optional("ttl", mark.ttl.as_ref());
            restore_nested(object, &part.extras, DIALECT, "prompt_cache_breakpoint");
        });
    }

    fn dropped(&mut self, path: &str, why: &'static str) {
        self.losses.dropped(Subject::Content, path.to_owned(), why);
    }
}

/// Notes that what is no thought is signed.
pub(super) fn lose_signature(part: &Part, path: &str, losses: &mut Losses) {
    if part.signature.is_some() {
        let why = "the dialect signs nothing but thinking";
        losses.dropped(Subject::State, format!("{path}.signature"), why);
    }
}
