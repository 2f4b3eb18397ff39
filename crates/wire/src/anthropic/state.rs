//! Signed thinking on its way: `signature` of a `thinking` block, `data` of a `redacted_thinking` one
//! (anthropic-sdk-python, `types/thinking_block_param.py`, `types/redacted_thinking_block_param.py`,
//! `types/signature_delta.py`).

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue};
use crate::state::{
    self, Change, Judge, Needles, State, StateKind, Verdict, elements, holds, member, members, needles,
    placed, text, value,
};

/// What thinking and calls are known by in a request.
static BLOCKS: Needles<2> = Needles::new(|| needles(["thinking\"", "tool_use\""]));
/// What signatures are known by in an answer.
static SIGNED: Needles<2> = Needles::new(|| needles(["signature\"", "redacted_thinking\""]));

/// Shows the judge the thinking and the calls of a request. Thinking goes as a whole block, and a message of which nothing
/// is left goes with it: an empty one would be refused.
pub(super) fn review(envelope: &Envelope, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("messages")?;
    if !holds(raw, &*BLOCKS) {
        return None;
    }
    state::review(judge, |each| visit(raw, each), |judge| rewrite(raw, judge))
}

fn visit(raw: &[u8], each: &mut dyn FnMut(State<'_>)) {
    placed(&mut Cursor::new(raw), |at, message| {
        message.object(|key, content| {
            if key == b"content" {
                placed(content, |place, block| {
                    if let Some(kind) = Block::read(block).kind() {
                        each(State { kind, path: format!("messages[{at}].content[{place}]") });
                    }
                });
            }
        });
    });
}

fn rewrite(raw: &[u8], judge: Judge<'_>) -> Option<Edit> {
    let changed = elements(raw, |at, message| {
        let Some(content) = member(message, &["content"]) else { return Change::Keep };
        let content = elements(content, |place, block| {
            let path = format!("messages[{at}].content[{place}]");
            let kind = Block::read(&mut Cursor::new(block)).kind();
            match kind.map(|kind| judge(&State { kind, path })) {
                Some(Verdict::Drop) => Change::Drop,
                Some(Verdict::Keep) | None => Change::Keep,
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

/// A content block, as far as it is looked at.
#[derive(Default)]
struct Block<'a> {
    kind: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
}

impl<'a> Block<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Self {
        let mut block = Self::default();
        cursor.object(|key, member| match key {
            b"type" => block.kind = value(member),
            b"signature" => block.signature = value(member),
            b"data" => block.data = value(member),
            b"id" => block.id = value(member),
            b"name" => block.name = value(member),
            _ => {}
        });
        block
    }

    fn kind(self) -> Option<StateKind<'a>> {
        match self.kind.as_deref()? {
            "thinking" => Some(self.signature.map_or(StateKind::Unsigned, StateKind::Signed)),
            "redacted_thinking" => Some(self.data.map_or(StateKind::Unsigned, StateKind::Signed)),
            "tool_use" => Some(StateKind::Call { id: self.id?, name: self.name.unwrap_or_default() }),
            _ => None,
        }
    }
}

/// Shows every signature in an answer, or in an event of one.
pub(super) fn find(json: &[u8], each: &mut dyn FnMut(&str)) {
    if !holds(json, &*SIGNED) {
        return;
    }
    let mut block = |cursor: &mut Cursor<'_>| match Block::read(cursor).kind() {
        Some(StateKind::Signed(value)) => each(&value),
        Some(StateKind::Unsigned | StateKind::Call { .. }) | None => {}
    };
    Cursor::new(json).object(|key, inner| match key {
        b"content" => inner.array(&mut block),
        b"content_block" => block(inner),
        _ => {}
    });
    let delta = member(json, &["delta"]).and_then(|delta| text(delta, &["signature"]));
    if let Some(signature) = delta {
        each(&signature);
    }
}
