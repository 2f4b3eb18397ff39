//! A conversation as other dialects have it, in which nothing is in the pieces it was streamed in. What it is not: for
//! Google, which wants every part back as it came ("don't merge" signed parts,
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>).
//!
//! Google's clients keep a content a chunk (python-genai, `chats.py`, `send_message_stream`), so that the thinking of
//! somebody else's model comes back as many unsigned thoughts and a signature that thinks nothing. Anthropic takes "the
//! complete unmodified block" only
//! (<https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, "Preserving thinking blocks").

use trunkline_domain::Text;
use trunkline_domain::chat::{ChatRequest, Part, PartKind, Role, Thought, Turn};

/// Puts together the contents of one answer, and in it thoughts up to the one that is signed, and texts.
pub(super) fn gather(request: &mut ChatRequest) {
    let mut turns: Vec<Turn> = Vec::with_capacity(request.turns.len());
    for turn in std::mem::take(&mut request.turns) {
        match turns.last_mut() {
            Some(last) if last.role == Role::Assistant && is_more(&turn) => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        if turn.parts.iter().zip(turn.parts.iter().skip(1)).any(|(part, next)| goes_on(part, next)) {
            turn.parts = turn.parts.chunk_by(goes_on).filter_map(whole).collect();
        }
    }
    request.turns = turns;
}

/// Whether a turn can be more of an answer: nothing was kept of it that would be lost.
fn is_more(turn: &Turn) -> bool {
    turn.role == Role::Assistant && turn.extras.fields().is_empty()
}

/// Whether a part is the next piece of the one before. A signature ends a thought.
fn goes_on(part: &Part, next: &Part) -> bool {
    if part.signature.is_some() || !part.extras.fields().is_empty() || !next.extras.fields().is_empty() {
        return false;
    }
    match (&part.kind, &next.kind) {
        (PartKind::Reasoning(_), PartKind::Reasoning(_)) => true,
        (PartKind::Text { .. }, PartKind::Text { .. }) => next.signature.is_none(),
        _ => false,
    }
}

fn whole(pieces: &[Part]) -> Option<Part> {
    let last = pieces.last()?;
    if pieces.len() == 1 {
        return Some(last.clone());
    }
    let text = pieces.iter().flat_map(texts).fold(String::new(), |text, piece| text + piece);
    let kind = if let PartKind::Reasoning(_) = &last.kind {
        let text = Some(text).filter(|text| !text.is_empty());
        let text = text.into_iter().map(Into::into).collect();
        PartKind::Reasoning(Thought { text, ..Thought::default() })
    } else {
        PartKind::Text { text: text.into(), citations: Vec::new() }
    };
    Some(Part { kind, ..last.clone() })
}

/// What a text or a thought says.
fn texts(part: &Part) -> &[Text] {
    if let PartKind::Text { text, .. } = &part.kind {
        std::slice::from_ref(text)
    } else if let PartKind::Reasoning(thought) = &part.kind {
        &thought.text
    } else {
        &[]
    }
}
