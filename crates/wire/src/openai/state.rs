//! Provider state on its way through OpenAI's chat, which has none of its own: `reasoning_details` as OpenRouter carries it,
//! and `extra_content.google.thought_signature` of a tool call as Google's compatible server does. See
//! [`recast`](super::recast) for the sources.

use std::borrow::Cow;

use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue};
use crate::state::{
    Change, Judge, State, StateKind, Verdict, each_element, elements, holds, member, members, text,
};

const DETAILS: &str = "reasoning_details";
const EXTRA: &str = "extra_content";

/// Shows the judge what a request carries of it. A piece of `reasoning_details` goes whole, a call stays.
pub(super) fn review(envelope: &Envelope, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("messages")?;
    if !holds(raw, &[DETAILS, "\"tool_calls\""]) {
        return None;
    }
    let changed = elements(raw, |at, message| {
        members(message, |key, value| match key {
            b"reasoning_details" => elements(value, |place, detail| {
                let Some(value) = signature(detail) else { return Change::Keep };
                let path = format!("messages[{at}].{DETAILS}[{place}]");
                match judge(&State { kind: StateKind::Signed(value), path }) {
                    Verdict::Keep => Change::Keep,
                    Verdict::Drop => Change::Drop,
                }
            })
            .or_drop(),
            b"tool_calls" => elements(value, |place, call| {
                review_call(call, format!("messages[{at}].tool_calls[{place}]"), judge)
            }),
            _ => Change::Keep,
        })
    });
    let value = EditValue::json(changed.value()?);
    Some(Edit::Replace { field: "messages".into(), member: Some(DETAILS), value })
}

fn review_call(call: &[u8], path: String, judge: Judge<'_>) -> Change {
    if let Some(value) = thought_signature(call) {
        return match judge(&State { kind: StateKind::Signed(value), path }) {
            Verdict::Keep => Change::Keep,
            Verdict::Drop => {
                members(call, |key, _| if key == EXTRA.as_bytes() { Change::Drop } else { Change::Keep })
            }
        };
    }
    if let Some(id) = text(call, &["id"]) {
        let name =
            member(call, &["function"]).and_then(|function| text(function, &["name"])).unwrap_or_default();
        judge(&State { kind: StateKind::Call { id, name }, path });
    }
    Change::Keep
}

fn signature(detail: &[u8]) -> Option<Cow<'_, str>> {
    text(detail, &["signature"]).or_else(|| text(detail, &["data"]))
}

fn thought_signature(call: &[u8]) -> Option<Cow<'_, str>> {
    let google = member(call, &[EXTRA]).and_then(|extra| member(extra, &["google"]))?;
    text(google, &["thought_signature"])
}

/// Shows every signature in an answer, or in a chunk of one.
pub(super) fn find(json: &[u8], each: &mut dyn FnMut(&str)) {
    if !holds(json, &[DETAILS, "thought_signature"]) {
        return;
    }
    each_element(member(json, &["choices"]).unwrap_or_default(), |choice| {
        let message = member(choice, &["message", "delta"]).unwrap_or_default();
        each_element(member(message, &[DETAILS]).unwrap_or_default(), |detail| {
            if let Some(value) = signature(detail) {
                each(&value);
            }
        });
        each_element(member(message, &["tool_calls"]).unwrap_or_default(), |call| {
            if let Some(value) = thought_signature(call) {
                each(&value);
            }
        });
    });
}
