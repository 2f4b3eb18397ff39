//! Citations, both ways (anthropic-sdk-python, `types/text_citation.py`). Places within a source stay what they are: only
//! this dialect knows them.

use trunkline_domain::chat::{Citation, RawJson};

use super::DIALECT;
use crate::codec::Subject;
use crate::json::{Array, Object, Str, wire_object};
use crate::recast::Losses;
use crate::recast::loss::restore;

wire_object! {
    struct WireCitation {
        "type" => kind: RawJson,
        "cited_text" => cited_text: Str,
        "document_title" => document_title: Str,
        "title" => title: Str,
        "url" => url: Str,
    }
}

/// Reads a list of citations; `None` where one is not understood.
pub(super) fn decode(raw: &RawJson) -> Option<Vec<Citation>> {
    let citations: Vec<RawJson> = serde_json::from_str(raw.get()).ok()?;
    citations.iter().map(citation).collect()
}

/// Reads a citation; `None` where it is not understood.
pub(super) fn citation(raw: &RawJson) -> Option<Citation> {
    let WireCitation { kind, cited_text, document_title, title, url, mut rest } =
        serde_json::from_str(raw.get()).ok()?;
    if title.is_some() && document_title.is_some() {
        return None;
    }
    rest.push("type", kind?);
    Some(Citation {
        url: url.map(|url| url.0),
        title: title.or(document_title).map(|title| title.0),
        cited_text: cited_text.map(|text| text.0),
        span: None,
        extras: rest.extras(DIALECT, 0),
    })
}

/// Writes a citation of an answer. One from elsewhere is a search result's, without the index only this dialect has.
pub(super) fn encode(object: &mut Object<'_>, citation: &Citation, losses: &mut Losses) {
    if citation.span.is_some() {
        let why = "the dialect does not say which characters rest on a source";
        losses.dropped(Subject::Other, "citations.span", why);
    }
    let own = citation.extras.is_of(DIALECT);
    object.optional("cited_text", citation.cited_text.as_ref());
    let of_document = |(key, raw): &(_, RawJson)| {
        let key: &trunkline_domain::Text = key;
        &**key == "type"
            && matches!(raw.get(), "\"char_location\"" | "\"page_location\"" | "\"content_block_location\"")
    };
    let title =
        if own && citation.extras.fields().iter().any(of_document) { "document_title" } else { "title" };
    object.optional(title, citation.title.as_ref());
    object.optional("url", citation.url.as_ref());
    if !own {
        object.member("type", "web_search_result_location");
        object.member("encrypted_index", "");
    }
    restore(object, &citation.extras, DIALECT, &|| "citations".to_owned(), losses);
}

/// Whether a citation can be written: a source without an address has no name here.
pub(super) fn has_place(citation: &Citation) -> bool {
    citation.extras.is_of(DIALECT) || citation.url.is_some()
}

/// Writes the citations of a text.
pub(super) fn encode_all<'a>(
    array: &mut Array<'_>,
    citations: impl Iterator<Item = &'a Citation>,
    losses: &mut Losses,
) {
    for one in citations {
        array.object(|object| encode(object, one, losses));
    }
}
