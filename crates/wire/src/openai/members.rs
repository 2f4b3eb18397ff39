//! Messages made fit for a server on relay. Clients send back what they were answered whole, with members that some servers
//! neither wrote nor take (`"refusal": null`), and with the ids another server gave to its calls. Everything else keeps
//! its bytes.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::call_ids::fitting;
use crate::codec::{Loss, LossKind, RelayEdits, Subject};
use crate::envelope::Envelope;
use crate::quirks::{CallIds, Quirks};
use crate::splice::{Edit, EditValue, splice};

const MESSAGES: &str = "messages";

/// Makes them fit.
pub(super) fn fit(envelope: &Envelope, quirks: &Quirks, relay: &mut RelayEdits) {
    if quirks.unsupported_members.is_empty() && quirks.call_ids == CallIds::Any {
        return;
    }
    let Some(raw) = envelope.value(MESSAGES) else { return };
    let RelayEdits { edits, losses, .. } = relay;
    let fitted = each(&raw, |at, message| {
        let mut edits = ids(message, quirks.call_ids);
        for &member in quirks.unsupported_members.iter().filter(|member| message.contains(member)) {
            edits.push(Edit::remove(member));
            if !matches!(message.raw_bytes(member), Some(b"null" | b"\"\"" | b"[]")) {
                losses.push(loss(at, member));
            }
        }
        edits
    });
    edits.extend(fitted.map(|fitted| Edit::replace(MESSAGES, EditValue::json(fitted))));
}

/// A list of objects, each with its edits; `None` where there are none, or it is no such list: the server refuses that
/// in its own words.
fn each(raw: &Bytes, mut edits: impl FnMut(usize, &Envelope) -> Vec<Edit>) -> Option<Bytes> {
    let objects: Vec<&RawValue> = serde_json::from_slice(raw).ok()?;
    let mut out = vec![b'['];
    let mut changed = false;
    for (at, object) in objects.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let object = raw.slice_ref(object.get().as_bytes());
        let envelope = Envelope::parse(object.clone()).ok();
        let edited = envelope.map(|envelope| (edits(at, &envelope), envelope));
        match edited.filter(|(edits, _)| !edits.is_empty()) {
            Some((edits, envelope)) => {
                changed = true;
                out.extend_from_slice(&splice(&envelope, &edits).to_bytes());
            }
            None => out.extend_from_slice(&object),
        }
    }
    out.push(b']');
    changed.then(|| out.into())
}

/// The edits that give a message's calls, and the call it is the result of, ids that the server takes.
fn ids(message: &Envelope, ids: CallIds) -> Vec<Edit> {
    if ids == CallIds::Any {
        return Vec::new();
    }
    let calls = message.value("tool_calls").and_then(|calls| each(&calls, |_, call| id(call, "id", ids)));
    let calls = calls.map(|calls| Edit::replace("tool_calls", EditValue::json(calls)));
    id(message, "tool_call_id", ids).into_iter().chain(calls).collect()
}

fn id(object: &Envelope, field: &'static str, ids: CallIds) -> Vec<Edit> {
    let fitted = object.string(field).map(|id| match fitting(&id, ids) {
        Cow::Borrowed(_) => None,
        Cow::Owned(other) => Some(Edit::replace(field, EditValue::string(&other))),
    });
    fitted.flatten().into_iter().collect()
}

fn loss(at: usize, member: &str) -> Loss {
    Loss {
        path: Cow::Owned(format!("{MESSAGES}[{at}].{member}")),
        why: Cow::Borrowed("the provider does not take this member of a message"),
        subject: match member {
            "refusal" | "audio" => Subject::Content,
            "function_call" => Subject::Tools,
            _ => Subject::State,
        },
        kind: LossKind::Dropped,
    }
}
