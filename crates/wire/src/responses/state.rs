//! Encrypted content on its way: `encrypted_content` of a reasoning item, and of whatever other item has one (compactions)
//! (openai-python, `types/responses/response_reasoning_item_param.py`).

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue};
use crate::state::{
    self, Change, Judge, Needles, State, StateKind, Verdict, each_element, elements, holds, member, needles,
    placed, text, value,
};

const ENCRYPTED: &str = "encrypted_content";

/// What encrypted items and calls are known by in a request.
static ITEMS: Needles<2> = Needles::new(|| needles([ENCRYPTED, "_call\""]));
/// What encrypted items are known by in an answer.
static SEALED: Needles<1> = Needles::new(|| needles([ENCRYPTED]));

/// Shows the judge the encrypted items and the calls of a request. An encrypted item goes whole.
pub(super) fn review(envelope: &Envelope, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("input")?;
    if !holds(raw, &*ITEMS) {
        return None;
    }
    state::review(judge, |each| visit(raw, each), |judge| rewrite(raw, judge))
}

fn visit(raw: &[u8], each: &mut dyn FnMut(State<'_>)) {
    placed(&mut Cursor::new(raw), |at, item| {
        if let Some(kind) = Item::read(item).kind() {
            each(State { kind, path: format!("input[{at}]") });
        }
    });
}

fn rewrite(raw: &[u8], judge: Judge<'_>) -> Option<Edit> {
    let changed = elements(raw, |at, item| {
        let kind = Item::read(&mut Cursor::new(item)).kind();
        match kind.map(|kind| judge(&State { kind, path: format!("input[{at}]") })) {
            Some(Verdict::Drop) => Change::Drop,
            Some(Verdict::Keep) | None => Change::Keep,
        }
    });
    let value = EditValue::json(changed.value()?);
    Some(Edit::Replace { field: "input".into(), member: Some(ENCRYPTED), value })
}

/// An item of the conversation, as far as it is looked at.
#[derive(Default)]
struct Item<'a> {
    kind: Option<Cow<'a, str>>,
    encrypted: Option<Cow<'a, str>>,
    call_id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
}

impl<'a> Item<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Self {
        let mut item = Self::default();
        cursor.object(|key, member| match key {
            b"type" => item.kind = value(member),
            b"encrypted_content" => item.encrypted = value(member),
            b"call_id" => item.call_id = value(member),
            b"name" => item.name = value(member),
            _ => {}
        });
        item
    }

    fn kind(self) -> Option<StateKind<'a>> {
        if let Some(encrypted) = self.encrypted {
            return Some(StateKind::Signed(encrypted));
        }
        let is_call = self.kind.is_some_and(|kind| kind.ends_with("_call"));
        let id = self.call_id.filter(|_| is_call)?;
        Some(StateKind::Call { id, name: self.name.unwrap_or_default() })
    }
}

/// Shows everything encrypted in an answer, or in an event of one.
pub(super) fn find(json: &[u8], each: &mut dyn FnMut(&str)) {
    if !holds(json, &*SEALED) {
        return;
    }
    let mut item = |item: &[u8]| {
        if let Some(value) = text(item, &[ENCRYPTED]) {
            each(&value);
        }
    };
    if let Some(one) = member(json, &["item"]) {
        item(one);
    }
    let response = member(json, &["response"]).unwrap_or(json);
    each_element(member(response, &["output"]).unwrap_or_default(), item);
}
