//! Provider state on its way through OpenAI's chat, which has none of its own: `reasoning_details` as OpenRouter carries it,
//! and `extra_content.google.thought_signature` of a tool call as Google's compatible server does. See
//! [`recast`](super::recast) for the sources.

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue};
use crate::state::{
    self, Change, Judge, Needles, State, StateKind, Verdict, each_element, elements, holds, member, members,
    needles, placed, text,
};

const DETAILS: &str = "reasoning_details";
const EXTRA: &str = "extra_content";

/// What thinking and calls are known by in a request.
static CARRIERS: Needles<2> = Needles::new(|| needles([DETAILS, "\"tool_calls\""]));
/// What signatures are known by in an answer.
static SIGNED: Needles<2> = Needles::new(|| needles([DETAILS, "thought_signature"]));

/// Shows the judge what a request carries of it. A piece of `reasoning_details` goes whole, a call stays.
pub(super) fn review(envelope: &Envelope, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("messages")?;
    if !holds(raw, &*CARRIERS) {
        return None;
    }
    state::review(judge, |each| visit(raw, each), |judge| rewrite(raw, judge))
}

fn visit(raw: &[u8], each: &mut dyn FnMut(State<'_>)) {
    placed(&mut Cursor::new(raw), |at, message| {
        message.object(|key, member| match key {
            b"reasoning_details" => placed(member, |place, detail| {
                if let Some(value) = signature(detail.skip()) {
                    let path = format!("messages[{at}].{DETAILS}[{place}]");
                    each(State { kind: StateKind::Signed(value), path });
                }
            }),
            b"tool_calls" => placed(member, |place, call| {
                if let Some(kind) = kind_of_call(call.skip()) {
                    each(State { kind, path: format!("messages[{at}].tool_calls[{place}]") });
                }
            }),
            _ => {}
        });
    });
}

fn rewrite(raw: &[u8], judge: Judge<'_>) -> Option<Edit> {
    let changed =
        elements(raw, |at, message| {
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
                b"tool_calls" => {
                    elements(value, |place, call| {
                        let path = format!("messages[{at}].tool_calls[{place}]");
                        match kind_of_call(call).map(|kind| judge(&State { kind, path })) {
                            Some(Verdict::Drop) => members(call, |key, _| {
                                if key == EXTRA.as_bytes() { Change::Drop } else { Change::Keep }
                            }),
                            Some(Verdict::Keep) | None => Change::Keep,
                        }
                    })
                }
                _ => Change::Keep,
            })
        });
    let value = EditValue::json(changed.value()?);
    Some(Edit::Replace { field: "messages".into(), member: Some(DETAILS), value })
}

fn kind_of_call(call: &[u8]) -> Option<StateKind<'_>> {
    if let Some(value) = thought_signature(call) {
        return Some(StateKind::Signed(value));
    }
    let name = member(call, &["function"]).and_then(|function| text(function, &["name"]));
    Some(StateKind::Call { id: text(call, &["id"])?, name: name.unwrap_or_default() })
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
    if !holds(json, &*SIGNED) {
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
