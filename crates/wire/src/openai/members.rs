//! Members of messages that a server refuses, left out of a relayed conversation: clients send back what they were
//! answered whole, with members that some servers neither wrote nor take (`"refusal": null`). Everything else keeps its
//! bytes.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::codec::{Loss, LossKind, RelayEdits, Subject};
use crate::envelope::Envelope;
use crate::quirks::Quirks;
use crate::splice::{Edit, EditValue, splice};

const MESSAGES: &str = "messages";

/// Leaves them out.
pub(super) fn leave_out(envelope: &Envelope, quirks: &Quirks, relay: &mut RelayEdits) {
    let Some(raw) = envelope.value(MESSAGES).filter(|_| !quirks.unsupported_members.is_empty()) else {
        return;
    };
    // What is no list of messages, the server refuses in its own words.
    let Ok(messages) = serde_json::from_slice::<Vec<&RawValue>>(&raw) else { return };
    let mut out = vec![b'['];
    let mut changed = false;
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match without(at, &raw.slice_ref(message.get().as_bytes()), quirks, relay) {
            Some(rest) => {
                changed = true;
                out.extend_from_slice(&rest);
            }
            None => out.extend_from_slice(message.get().as_bytes()),
        }
    }
    out.push(b']');
    if changed {
        relay.edits.push(Edit::replace(MESSAGES, EditValue::json(out)));
    }
}

/// What a member is about.
fn subject(member: &str) -> Subject {
    match member {
        "refusal" | "audio" => Subject::Content,
        "function_call" => Subject::Tools,
        _ => Subject::State,
    }
}

/// A message without them; `None` where it has none.
fn without(at: usize, message: &Bytes, quirks: &Quirks, relay: &mut RelayEdits) -> Option<Bytes> {
    let message = Envelope::parse(message.clone()).ok()?;
    let refused = quirks.unsupported_members.iter().filter(|member| message.contains(member));
    let mut edits = Vec::new();
    for &member in refused {
        edits.push(Edit::remove(member));
        if !matches!(message.raw_bytes(member), Some(b"null" | b"\"\"" | b"[]")) {
            relay.losses.push(Loss {
                path: Cow::Owned(format!("{MESSAGES}[{at}].{member}")),
                why: Cow::Borrowed("the provider does not take this member of a message"),
                subject: subject(member),
                kind: LossKind::Dropped,
            });
        }
    }
    (!edits.is_empty()).then(|| splice(&message, &edits).to_bytes())
}
