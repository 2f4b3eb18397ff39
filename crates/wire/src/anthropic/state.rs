//! Signed thinking on its way: `signature` of a `thinking` block, `data` of a `redacted_thinking` one
//! (anthropic-sdk-python, `types/thinking_block_param.py`, `types/redacted_thinking_block_param.py`,
//! `types/signature_delta.py`).

use std::borrow::Cow;

use crate::envelope::{Envelope, unquote};
use crate::splice::{Edit, EditValue};
use crate::state::{
    Change, Judge, State, StateKind, Verdict, each_element, elements, holds, member, members, text,
};

/// Shows the judge the thinking and the calls of a request. Thinking goes as a whole block, and a message of which nothing
/// is left goes with it: an empty one would be refused.
pub(super) fn review(envelope: &Envelope, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("messages")?;
    if !holds(raw, &["thinking\"", "tool_use\""]) {
        return None;
    }
    let changed = elements(raw, |at, message| {
        let Some(content) = member(message, &["content"]) else { return Change::Keep };
        let content = elements(content, |place, block| {
            let path = || format!("messages[{at}].content[{place}]");
            match kind(block).map(|kind| judge(&State { kind, path: path() })) {
                Some(Verdict::Drop) if is_thinking(block) => Change::Drop,
                _ => Change::Keep,
            }
        });
        if content.is_emptied() {
            return Change::Drop;
        }
        let Some(content) = content.value() else { return Change::Keep };
        members(
            message,
            |key, _| {
                if key == b"content" { Change::Become(content.clone()) } else { Change::Keep }
            },
        )
    });
    let value = EditValue::json(changed.value()?);
    Some(Edit::Replace { field: "messages".into(), member: Some("thinking"), value })
}

fn is_thinking(block: &[u8]) -> bool {
    matches!(text(block, &["type"]).as_deref(), Some("thinking" | "redacted_thinking"))
}

fn kind(block: &[u8]) -> Option<StateKind<'_>> {
    match text(block, &["type"]).as_deref()? {
        "thinking" => Some(text(block, &["signature"]).map_or(StateKind::Unsigned, StateKind::Signed)),
        "redacted_thinking" => Some(text(block, &["data"]).map_or(StateKind::Unsigned, StateKind::Signed)),
        "tool_use" => Some(StateKind::Call {
            id: text(block, &["id"])?,
            name: text(block, &["name"]).unwrap_or_default(),
        }),
        _ => None,
    }
}

/// Shows every signature in an answer, or in an event of one.
pub(super) fn find(json: &[u8], each: &mut dyn FnMut(&str)) {
    if !holds(json, &["signature\"", "redacted_thinking\""]) {
        return;
    }
    let mut block = |block: &[u8]| match kind(block) {
        Some(StateKind::Signed(value)) => each(&value),
        Some(StateKind::Unsigned | StateKind::Call { .. }) | None => {}
    };
    if let Some(content) = member(json, &["content"]) {
        each_element(content, &mut block);
    }
    if let Some(opened) = member(json, &["content_block"]) {
        block(opened);
    }
    let delta = member(json, &["delta"]).and_then(|delta| member(delta, &["signature"]));
    if let Some(value) = delta.and_then(unquote).filter(|value: &Cow<'_, str>| !value.is_empty()) {
        each(&value);
    }
}
