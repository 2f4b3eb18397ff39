//! Where media and documents come from, and what the dialect calls their types (`ImageBlock`, `VideoBlock`, `AudioBlock`,
//! `DocumentBlock` of the service's model). A format that has no MIME type of its own is not known here.

use trunkline_domain::Text;
use trunkline_domain::chat::{Document, DocumentContent, Extras, Media, MediaSource, Part, RawJson};

use super::{DIALECT, citations, form};
use crate::json::{Object, Rest, Str, wire_object};
use crate::recast::loss::restore_nested;

/// The dialect's word for a type, and its MIME type.
pub(super) type Formats = &'static [(&'static str, &'static str)];

pub(super) const IMAGES: Formats =
    &[("png", "image/png"), ("jpeg", "image/jpeg"), ("gif", "image/gif"), ("webp", "image/webp")];

pub(super) const AUDIO: Formats = &[
    ("mp3", "audio/mpeg"),
    ("opus", "audio/opus"),
    ("wav", "audio/wav"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("mka", "audio/x-matroska"),
    ("m4a", "audio/x-m4a"),
    ("pcm", "audio/pcm"),
    ("webm", "audio/webm"),
];

pub(super) const VIDEO: Formats = &[
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
];

const DOCUMENTS: Formats = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

/// Other MIME types of the same.
const ALIASES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/m4a", "audio/x-m4a"),
    ("video/mov", "video/quicktime"),
    ("text/x-markdown", "text/markdown"),
];

/// What base64 of a picture begins with, where nobody says its type.
const SIGNATURES: &[(&str, &str)] = &[("iVBOR", "png"), ("/9j/", "jpeg"), ("R0lG", "gif"), ("UklG", "webp")];

/// The dialect's word for a MIME type.
fn format(formats: Formats, media_type: &str) -> Option<&'static str> {
    let bare = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let bare = ALIASES.iter().find(|(alias, _)| *alias == bare).map_or(&*bare, |(_, of)| of);
    formats.iter().find(|(_, known)| *known == bare).map(|(word, _)| *word)
}

/// The dialect's word for the type of a medium.
pub(super) fn format_of(formats: Formats, media: &Media) -> Option<&'static str> {
    match (&media.media_type, &media.source) {
        (Some(media_type), _) => format(formats, media_type),
        (None, MediaSource::Base64(data)) => {
            let found = SIGNATURES.iter().find(|(begin, _)| data.starts_with(begin)).map(|(_, word)| *word);
            found.filter(|word| formats.iter().any(|(known, _)| known == word))
        }
        (None, MediaSource::Url(url) | MediaSource::File(url)) => by_ending(formats, url),
    }
}

/// The dialect's word for the type of a document: by what it is said to be, or by its name's ending.
pub(super) fn document_format(document: &Document) -> Option<&'static str> {
    let said = document.media_type.as_ref().and_then(|media_type| format(DOCUMENTS, media_type));
    said.or_else(|| by_ending(DOCUMENTS, document.name.as_deref()?))
}

fn by_ending(formats: Formats, name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    formats.iter().find(|(word, _)| word.eq_ignore_ascii_case(ending)).map(|(word, _)| *word)
}

/// Whether the dialect can say where the bytes are: here, or in S3.
pub(super) fn has_source(source: &MediaSource) -> bool {
    match source {
        MediaSource::Base64(_) => true,
        MediaSource::Url(url) => url.starts_with("s3://"),
        MediaSource::File(_) => false,
    }
}

wire_object! {
    struct WireMedia { "format" => format: Str, "source" => source: Source }
}

wire_object! {
    struct Source { "bytes" => bytes: Str, "s3Location" => s3: S3, "text" => text: Str, "content" => content: RawJson }
}

wire_object! {
    struct S3 { "uri" => uri: Str }
}

wire_object! {
    struct WireDocument {
        "format" => format: Str,
        "name" => name: Str,
        "source" => source: Source,
        "context" => context: Str,
        "citations" => citations: CitationsConfig,
    }
}

wire_object! {
    struct CitationsConfig { "enabled" => enabled: bool }
}

fn media_type(formats: Formats, word: &str) -> Option<Text> {
    formats.iter().find(|(known, _)| *known == word).map(|(_, media_type)| Text::from(*media_type))
}

/// Reads a medium, the value of `member`; `None` where it is not as documented.
pub(super) fn decode(raw: &RawJson, member: &str, formats: Formats, rest: &mut Rest) -> Option<Media> {
    let media: WireMedia = serde_json::from_str(raw.get()).ok()?;
    rest.nest(member, media.rest);
    let Source { bytes, s3, text: None, content: None, rest: inner } = media.source? else { return None };
    rest.nest("source", inner);
    let source = media_source(bytes, s3, rest)?;
    Some(Media { source, media_type: Some(media_type(formats, &media.format?.0)?), detail: None })
}

fn media_source(bytes: Option<Str>, s3: Option<S3>, rest: &mut Rest) -> Option<MediaSource> {
    match (bytes, s3) {
        (Some(bytes), None) => Some(MediaSource::Base64(bytes.0)),
        (None, Some(S3 { uri, rest: inner })) => {
            rest.nest("s3Location", inner);
            Some(MediaSource::Url(uri?.0)).filter(has_source)
        }
        _ => None,
    }
}

/// Reads a document and how it is spelled; `None` where it is not as documented.
pub(super) fn decode_document(raw: &RawJson, rest: &mut Rest) -> Option<(Document, u32)> {
    let document: WireDocument = serde_json::from_str(raw.get()).ok()?;
    rest.nest("document", document.rest);
    let Source { bytes, s3, text, content, rest: inner } = document.source?;
    rest.nest("source", inner);
    let content = match (text, content) {
        (None, None) => DocumentContent::Media(media_source(bytes, s3, rest)?),
        (Some(text), None) if bytes.is_none() && s3.is_none() => DocumentContent::Text(text.0),
        (None, Some(content)) if bytes.is_none() && s3.is_none() => {
            DocumentContent::Parts(citations::plain_pieces(&content)?.into_iter().map(Part::text).collect())
        }
        _ => return None,
    };
    let media_type = match document.format {
        Some(word) => Some(media_type(DOCUMENTS, &word.0)?),
        None => None,
    };
    let name = document.name?.0;
    let mut form = if is_plain(&name) { 0 } else { form::ODD_NAME };
    let citations = document.citations.and_then(|config| {
        rest.nest("citations", config.rest);
        form |= if config.enabled.is_none() { form::CITATIONS } else { 0 };
        config.enabled
    });
    Some((
        Document {
            content,
            media_type,
            name: Some(name),
            context: document.context.map(|context| context.0),
            citations,
        },
        form,
    ))
}

/// The longest name of a document, in characters.
const NAME_MAX: usize = 200;

/// Whether the dialect takes a name of a document.
pub(super) fn is_plain(name: &str) -> bool {
    name == plain(name)
}

/// A name made of what the dialect takes: letters, digits, hyphens, brackets and single spaces. Empty where nothing of it
/// is.
pub(super) fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars().take(NAME_MAX) {
        let letter = match letter {
            letter if letter.is_ascii_alphanumeric() => letter,
            '-' | '(' | ')' | '[' | ']' => letter,
            letter if letter.is_whitespace() => ' ',
            _ => '-',
        };
        if letter != ' ' || !plain.ends_with(' ') {
            plain.push(letter);
        }
    }
    plain.trim_matches(' ').to_owned()
}

/// Writes where the bytes are.
pub(super) fn write_source(object: &mut Object<'_>, source: &MediaSource, extras: &Extras) {
    object.object("source", |object| {
        match source {
            MediaSource::Base64(bytes) => object.member("bytes", bytes),
            MediaSource::Url(uri) | MediaSource::File(uri) => object.object("s3Location", |location| {
                location.member("uri", uri);
                restore_nested(location, extras, DIALECT, "s3Location");
            }),
        }
        restore_nested(object, extras, DIALECT, "source");
    });
}
