//! Annotations of text, both ways (openai-python, `types/responses/response_output_text.py`). Pages have an address, a
//! title and a place in the text; files are known to this dialect only.

use trunkline_domain::chat::{Citation, RawJson};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::recast::Losses;
use crate::recast::loss::restore;

const URL_CITATION: &str = "url_citation";

wire_object! {
    struct Annotation {
        "type" => kind: RawJson,
        "url" => url: Str,
        "title" => title: Str,
        "start_index" => start: RawJson,
        "end_index" => end: RawJson,
    }
}

/// Reads a list of annotations; `None` where one is not understood.
pub(super) fn decode(raw: &RawJson) -> Option<Vec<Citation>> {
    let annotations: Vec<RawJson> = serde_json::from_str(raw.get()).ok()?;
    annotations.iter().map(annotation).collect()
}

/// Reads an annotation; `None` where it is not understood.
pub(super) fn annotation(raw: &RawJson) -> Option<Citation> {
    let Annotation { kind, url, title, start, end, mut rest } = serde_json::from_str(raw.get()).ok()?;
    let kind = kind?;
    let index = |raw: &Option<RawJson>| raw.as_ref().and_then(|raw| raw.get().parse::<u64>().ok());
    let span = index(&start).zip(index(&end));
    if kind.get() != "\"url_citation\"" || url.is_none() {
        rest.push("type", kind);
    }
    if span.is_none() {
        for (member, raw) in [("start_index", start), ("end_index", end)] {
            if let Some(raw) = raw {
                rest.push(member, raw);
            }
        }
    }
    Some(Citation {
        url: url.map(|url| url.0),
        title: title.map(|title| title.0),
        cited_text: None,
        span,
        extras: rest.extras(DIALECT, form::OWN),
    })
}

/// Writes annotations of a text that is `length` characters long.
pub(super) fn encode_all<'a>(
    array: &mut Array<'_>,
    citations: impl Iterator<Item = &'a Citation>,
    length: u64,
    losses: &mut Losses,
) {
    for citation in citations {
        if has_place(citation, losses) {
            array.object(|object| encode(object, citation, length, losses));
        }
    }
}

/// Whether the dialect can say what is cited; notes it where not.
pub(super) fn has_place(citation: &Citation, losses: &mut Losses) -> bool {
    let has_place = citation.url.is_some() || citation.extras.is_of(DIALECT);
    if !has_place {
        let why = "the dialect cites pages with an address only";
        losses.dropped(Subject::Content, "citations", why);
    }
    has_place
}

/// Writes an annotation.
pub(super) fn encode(object: &mut Object<'_>, citation: &Citation, length: u64, losses: &mut Losses) {
    let own = citation.extras.is_of(DIALECT);
    let typed = own && citation.extras.fields().iter().any(|(key, _)| &**key == "type");
    if !typed {
        object.member("type", URL_CITATION);
    }
    object.optional("url", citation.url.as_ref());
    match &citation.title {
        Some(title) => object.member("title", title),
        None if !own => object.member("title", ""),
        None => {}
    }
    let whole = (!own).then_some((0, length));
    if let Some((start, end)) = citation.span.or(whole) {
        object.member("start_index", &start);
        object.member("end_index", &end);
    }
    if citation.cited_text.is_some() {
        let why = "the dialect does not repeat what a source says";
        losses.dropped(Subject::Other, "citations.cited_text", why);
    }
    restore(object, &citation.extras, DIALECT, &|| "citations".to_owned(), losses);
}
