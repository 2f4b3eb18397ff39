//! Thought signatures on their way: `thoughtSignature` of a part, of whatever kind
//! (<https://ai.google.dev/gemini-api/docs/thought-signatures>).

use std::borrow::Cow;

use super::recast::parts::{UNSIGNED, wants_signatures};
use crate::cursor::Cursor;
use crate::envelope::{Envelope, unquote};
use crate::splice::{Edit, EditValue, json_string};
use crate::state::{
    self, Change, Judge, Needles, State, StateKind, Verdict, each_element, elements, holds, member, members,
    needles, placed, text, value,
};

const SIGNATURE: [&str; 2] = ["thoughtSignature", "thought_signature"];
const CALL: [&str; 2] = ["functionCall", "function_call"];

/// What signatures are known by.
static SIGNED: Needles<2> = Needles::new(|| needles(SIGNATURE));

/// Shows the judge the signatures of a request to a model. The part stays without its signature; a call gets the
/// documented placeholder in its place where the model looks for one.
pub(super) fn review(envelope: &Envelope, model: &str, judge: Judge<'_>) -> Option<Edit> {
    let raw = envelope.raw_bytes("contents")?;
    if !holds(raw, &*SIGNED) {
        return None;
    }
    state::review(judge, |each| visit(raw, each), |judge| rewrite(raw, model, judge))
}

fn visit(raw: &[u8], each: &mut dyn FnMut(State<'_>)) {
    placed(&mut Cursor::new(raw), |at, content| {
        content.object(|key, parts| {
            if key == b"parts" {
                placed(parts, |place, part| {
                    part.object(|key, member| {
                        let named = SIGNATURE.iter().any(|name| name.as_bytes() == key);
                        if let Some(value) = named.then(|| signature(value(member)?)).flatten() {
                            let path = format!("contents[{at}].parts[{place}]");
                            each(State { kind: StateKind::Signed(value), path });
                        }
                    });
                });
            }
        });
    });
}

/// A signature somebody made.
fn signature(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    Some(value).filter(|value| value != UNSIGNED)
}

fn rewrite(raw: &[u8], model: &str, judge: Judge<'_>) -> Option<Edit> {
    let changed = elements(raw, |at, content| {
        members(content, |key, parts| {
            if key != b"parts" {
                return Change::Keep;
            }
            elements(parts, |place, part| {
                let Some(value) = text(part, &SIGNATURE).and_then(signature) else {
                    return Change::Keep;
                };
                let path = format!("contents[{at}].parts[{place}]");
                match judge(&State { kind: StateKind::Signed(value), path }) {
                    Verdict::Keep => Change::Keep,
                    Verdict::Drop => unsigned(part, model),
                }
            })
        })
    });
    let value = EditValue::json(changed.value()?);
    Some(Edit::Replace { field: "contents".into(), member: Some(SIGNATURE[0]), value })
}

/// A part without its signature. One that is nothing else is left as an empty text: a content needs a part.
fn unsigned(part: &[u8], model: &str) -> Change {
    let placeholder = member(part, &CALL).is_some() && wants_signatures(model);
    let without = members(part, |key, _| {
        if !SIGNATURE.iter().any(|name| name.as_bytes() == key) {
            Change::Keep
        } else if placeholder {
            Change::Become(json_string(UNSIGNED).into_bytes())
        } else {
            Change::Drop
        }
    });
    if without == Change::Become(b"{}".to_vec()) {
        Change::Become(br#"{"text":""}"#.to_vec())
    } else {
        without
    }
}

/// Shows every signature in an answer, or in a chunk of one.
pub(super) fn find(json: &[u8], each: &mut dyn FnMut(&str)) {
    if !holds(json, &*SIGNED) {
        return;
    }
    each_element(member(json, &["candidates"]).unwrap_or_default(), |candidate| {
        let content = member(candidate, &["content"]).unwrap_or_default();
        each_element(member(content, &["parts"]).unwrap_or_default(), |part| {
            if let Some(value) = member(part, &SIGNATURE).and_then(unquote).filter(|value| !value.is_empty())
            {
                each(&value);
            }
        });
    });
}
