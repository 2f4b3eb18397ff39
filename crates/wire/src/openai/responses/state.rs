//! Encrypted content on its way: `encrypted_content` of a reasoning item, and of whatever other item has one (compactions)
//! (openai-python, `types/responses/response_reasoning_item_param.py`).

use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue};
use crate::state::{Change, Judge, State, StateKind, Verdict, each_element, elements, holds, member, text};

const ENCRYPTED: &str = "encrypted_content";

/// Shows the judge the encrypted items and the calls of a request. An encrypted item goes whole.
pub(super) fn review(envelope: &Envelope, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("input")?;
    if !holds(raw, &[ENCRYPTED, "_call\""]) {
        return None;
    }
    let changed = elements(raw, |at, item| {
        let path = || format!("input[{at}]");
        if let Some(value) = text(item, &[ENCRYPTED]) {
            return match judge(&State { kind: StateKind::Signed(value), path: path() }) {
                Verdict::Keep => Change::Keep,
                Verdict::Drop => Change::Drop,
            };
        }
        let is_call = text(item, &["type"]).is_some_and(|kind| kind.ends_with("_call"));
        if let Some(id) = text(item, &["call_id"]).filter(|_| is_call) {
            let name = text(item, &["name"]).unwrap_or_default();
            judge(&State { kind: StateKind::Call { id, name }, path: path() });
        }
        Change::Keep
    });
    let value = EditValue::json(changed.value()?);
    Some(Edit::Replace { field: "input".into(), member: Some(ENCRYPTED), value })
}

/// Shows everything encrypted in an answer, or in an event of one.
pub(super) fn find(json: &[u8], each: &mut dyn FnMut(&str)) {
    if !holds(json, &[ENCRYPTED]) {
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
