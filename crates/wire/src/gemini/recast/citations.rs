//! Grounding as citations, both ways (google-genai, `types.py`, `GroundingMetadata`, `CitationMetadata`).

use trunkline_domain::Text;
use trunkline_domain::chat::{Citation, RawJson};

use super::DIALECT;
use crate::codec::Subject;
use crate::json::{Object, Str, wire_object};
use crate::recast::Losses;
use crate::recast::loss::lose_extras;

wire_object! {
    ignoring struct Grounding {
        "groundingChunks" | "grounding_chunks" => chunks: Vec<Chunk>,
        "groundingSupports" | "grounding_supports" => supports: Vec<Support>,
    }
}

wire_object! {
    ignoring struct Chunk {
        "web" => web: Source,
        "retrievedContext" | "retrieved_context" => retrieved: Source,
        "maps" => maps: Source,
    }
}

wire_object! {
    ignoring struct Source { "uri" => uri: Str, "title" => title: Str }
}

wire_object! {
    ignoring struct Support {
        "segment" => segment: Segment,
        "groundingChunkIndices" | "grounding_chunk_indices" => chunks: Vec<usize>,
    }
}

wire_object! {
    ignoring struct Segment { "text" => text: Str }
}

wire_object! {
    ignoring struct Recited {
        "citations" => citations: Vec<Source>,
        "citationSources" | "citation_sources" => sources: Vec<Source>,
    }
}

impl Source {
    fn citation(&self, cited_text: Option<&Text>) -> Citation {
        let text = |text: &Option<Str>| text.as_ref().map(|text| text.0.clone());
        Citation {
            url: text(&self.uri),
            title: text(&self.title),
            cited_text: cited_text.cloned(),
            ..Citation::default()
        }
    }
}

/// The citations grounding amounts to: each source of each supported text, then the sources nothing rests on.
pub(super) fn grounded(raw: &RawJson) -> Vec<Citation> {
    let Grounding { chunks, supports, rest: _ } = serde_json::from_str(raw.get()).unwrap_or_default();
    let sources: Vec<Option<Source>> = chunks
        .unwrap_or_default()
        .into_iter()
        .map(|chunk| chunk.web.or(chunk.retrieved).or(chunk.maps))
        .collect();
    let mut used = vec![false; sources.len()];
    let mut citations = Vec::new();
    for support in supports.unwrap_or_default() {
        let text = support.segment.and_then(|segment| segment.text).map(|text| text.0);
        for at in support.chunks.unwrap_or_default() {
            if let (Some(Some(source)), Some(used)) = (sources.get(at), used.get_mut(at)) {
                *used = true;
                citations.push(source.citation(text.as_ref()));
            }
        }
    }
    let unused = sources.iter().zip(used).filter(|(_, used)| !used).filter_map(|(source, _)| source.as_ref());
    citations.extend(unused.map(|source| source.citation(None)));
    citations
}

/// The citations of recited passages.
pub(super) fn recited(raw: &RawJson) -> Vec<Citation> {
    let Recited { citations, sources, rest: _ } = serde_json::from_str(raw.get()).unwrap_or_default();
    citations.or(sources).unwrap_or_default().iter().map(|source| source.citation(None)).collect()
}

/// Writes `groundingMetadata`.
pub(super) fn encode(object: &mut Object<'_>, citations: &[&Citation], losses: &mut Losses) {
    if citations.iter().any(|citation| citation.span.is_some()) {
        let why = "the dialect counts bytes of a part where others count characters";
        losses.dropped(Subject::Other, "citations.span", why);
    }
    for citation in citations.iter().filter(|citation| !citation.extras.is_of(DIALECT)) {
        lose_extras(&citation.extras, &|| "citations".to_owned(), losses);
    }
    object.object("groundingMetadata", |grounding| {
        grounding.array("groundingChunks", |chunks| {
            for citation in citations {
                chunks.object(|chunk| {
                    chunk.object("web", |web| {
                        web.optional("uri", citation.url.as_ref());
                        web.optional("title", citation.title.as_ref());
                    });
                });
            }
        });
        if citations.iter().any(|citation| citation.cited_text.is_some()) {
            grounding.array("groundingSupports", |supports| {
                for (at, citation) in citations.iter().enumerate() {
                    let Some(text) = &citation.cited_text else { continue };
                    supports.object(|support| {
                        support.object("segment", |segment| segment.member("text", text));
                        support.member("groundingChunkIndices", &[at]);
                    });
                }
            });
        }
    });
}
