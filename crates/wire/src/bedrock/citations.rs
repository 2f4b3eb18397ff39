//! Citations, both ways (`Citation`, `CitationsDelta` of the service's model). Places within a source stay what they are:
//! only this dialect knows them.

use trunkline_domain::Text;
use trunkline_domain::chat::{Citation, RawJson};

use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::{Object, Str, wire_object};
use crate::recast::Losses;
use crate::recast::loss::restore;

const CONTENT: &str = "sourceContent";
const LOCATION: &str = "location";

wire_object! {
    struct WireCitation { "title" => title: Str, "sourceContent" => content: RawJson, "location" => location: RawJson }
}

wire_object! {
    struct Piece { "text" => text: Str }
}

wire_object! {
    ignoring struct Location { "web" => web: Web }
}

wire_object! {
    ignoring struct Web { "url" => url: Str }
}

/// Reads a citation; `None` where it is none.
pub(super) fn decode(raw: &RawJson) -> Option<Citation> {
    let WireCitation { title, content, location, mut rest } = serde_json::from_str(raw.get()).ok()?;
    let mut cited_text = None;
    if let Some(content) = content {
        let (text, plain) = pieces(&content)?;
        cited_text = Some(text);
        if !plain {
            rest.push(CONTENT, content);
        }
    }
    let mut url = None;
    if let Some(location) = location {
        let place = serde_json::from_str::<Location>(location.get()).ok();
        url = place.and_then(|place| place.web).and_then(|web| web.url).map(|url| url.0);
        rest.push(LOCATION, location);
    }
    let title = title.map(|title| title.0);
    Some(Citation { url, title, cited_text, span: None, extras: rest.extras(DIALECT, form::CITATION) })
}

/// The text of pieces, and whether it is one piece and nothing else.
pub(super) fn pieces(raw: &RawJson) -> Option<(Text, bool)> {
    if let [text] = plain_pieces(raw).as_deref().unwrap_or_default() {
        return Some((text.clone(), true));
    }
    let pieces: Vec<Piece> = serde_json::from_str(raw.get()).ok()?;
    let texts: Vec<&str> = pieces.iter().flat_map(|piece| &piece.text).map(|text| &*text.0).collect();
    Some((texts.concat().into(), false))
}

/// The texts of pieces that are text and nothing else.
pub(super) fn plain_pieces(raw: &RawJson) -> Option<Vec<Text>> {
    let pieces: Vec<Piece> = serde_json::from_str(raw.get()).ok()?;
    pieces.into_iter().map(|piece| piece.text.filter(|_| piece.rest.is_empty()).map(|text| text.0)).collect()
}

/// Whether a citation is this dialect's.
pub(super) fn is_own(citation: &Citation) -> bool {
    citation.extras.form(DIALECT) & form::CITATION != 0
}

/// Writes a citation.
pub(super) fn encode(object: &mut Object<'_>, citation: &Citation, losses: &mut Losses) {
    if citation.span.is_some() {
        let why = "the dialect does not say which characters rest on a source";
        losses.dropped(Subject::Other, "citations.span", why);
    }
    let own = is_own(citation);
    let kept = |key: &str| own && citation.extras.fields().iter().any(|(name, _)| &**name == key);
    object.optional("title", citation.title.as_ref());
    if let Some(text) = citation.cited_text.as_ref().filter(|_| !kept(CONTENT)) {
        object.array(CONTENT, |array| array.object(|piece| piece.member("text", text)));
    }
    if let Some(url) = citation.url.as_ref().filter(|_| !kept(LOCATION)) {
        object.object(LOCATION, |location| location.object("web", |web| web.member("url", url)));
    }
    restore(object, &citation.extras, DIALECT, &|| "citations".to_owned(), losses);
}
