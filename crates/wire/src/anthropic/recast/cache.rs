//! Marks for callers that cannot make them: other dialects cache by themselves and name a cache at most.
//!
//! Anthropic caches what is marked only (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>). Without
//! marks, an agent whose requests share a `prompt_cache_key` would pay for its whole conversation with every turn.

use trunkline_domain::chat::{CacheMark, ChatRequest, Part, PartKind};

use super::encode_messages::hoisted;

/// A request that names a cache and marks nothing, with the end of its instructions and its own end marked: the one is the
/// same in all of its conversation, the other the beginning of what comes next.
pub(super) fn marked(request: &ChatRequest) -> Option<ChatRequest> {
    let mut parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let marks =
        parts.any(|part| part.cache.is_some()) || request.tools.iter().any(|tool| tool.cache.is_some());
    if request.labels.cache_key.is_none() || marks {
        return None;
    }
    let mut request = request.clone();
    let instructions = hoisted(&request);
    let (head, rest) = request.turns.split_at_mut_checked(instructions)?;
    for turns in [head, rest] {
        let mut parts = turns.iter_mut().rev().flat_map(|turn| turn.parts.iter_mut().rev());
        if let Some(part) = parts.find(|part| can_be_marked(part)) {
            part.cache = Some(CacheMark::default());
        }
    }
    Some(request)
}

/// Empty texts and thoughts cannot.
fn can_be_marked(part: &Part) -> bool {
    match &part.kind {
        PartKind::Text { text, .. } => !text.is_empty(),
        PartKind::Image(_) | PartKind::Document(_) | PartKind::ToolCall(_) | PartKind::ToolResult(_) => true,
        PartKind::Audio(_)
        | PartKind::Video(_)
        | PartKind::Speech(_)
        | PartKind::Reasoning(_)
        | PartKind::Refusal(_)
        | PartKind::Opaque(_) => false,
    }
}
