//! The named edits that make a caller's request fit for one deployment. Whatever is not named here passes untouched,
//! fields nobody knows yet included.

use super::{Shape, members};
use crate::codec::{RelayEdits, RelayTarget, Skim};
use crate::envelope::Envelope;
use crate::quirks::{Quirks, StreamUsage};
use crate::splice::{Edit, EditValue, splice};

/// Fields meant for a gateway, not for a model: OpenRouter's, LiteLLM's and this one's. They are removed unless the
/// server is known to understand them.
pub(crate) const GATEWAY_FIELDS: &[&str] = &[
    "models",
    "provider",
    "session_id",
    "usage",
    "routing",
    "fallbacks",
    "num_retries",
    "timeout",
    "tags",
    "cache",
];

const STREAM_OPTIONS: &str = "stream_options";
const INCLUDE_USAGE: &str = "include_usage";

pub(super) fn relay(shape: &Shape, envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
    let quirks = target.quirks;
    let mut relay = RelayEdits::default();
    if envelope.string("model").as_deref() != Some(target.model) {
        relay.edits.push(Edit::set(envelope, "model", EditValue::string(target.model)));
    }
    relay.leave_out_gateway_fields(envelope, GATEWAY_FIELDS, quirks);
    members::fit(envelope, quirks, &mut relay);
    ask_for_usage(shape, envelope, skim, quirks, &mut relay);
    cap_output(shape, envelope, skim, target, &mut relay.edits);
    for &(ours, theirs) in quirks.renamed {
        rename(envelope, ours, theirs, shape.output_caps.contains(&ours), &mut relay);
    }
    for &field in quirks.unsupported {
        if field != STREAM_OPTIONS && envelope.contains(field) && !removes(&relay.edits, field) {
            drop_field(envelope, field, "the provider does not take this field", &mut relay);
        }
    }
    relay
}

/// Without usage in the stream there is nothing to meter by, so it is asked for where it must be.
fn ask_for_usage(shape: &Shape, envelope: &Envelope, skim: &Skim, quirks: &Quirks, relay: &mut RelayEdits) {
    let refused = quirks.stream_usage == StreamUsage::Always || quirks.unsupported.contains(&STREAM_OPTIONS);
    if refused {
        if envelope.contains(STREAM_OPTIONS) {
            drop_field(envelope, STREAM_OPTIONS, "the provider takes no stream options", relay);
        }
        return;
    }
    let must_ask = shape.streams && skim.stream && !skim.include_usage;
    if !must_ask || quirks.stream_usage != StreamUsage::OnRequest {
        return;
    }
    relay.withhold_usage = true;
    // The caller's own options, with one member more or changed: the same splice, one level down.
    let options = envelope.value(STREAM_OPTIONS).and_then(|value| Envelope::parse(value).ok());
    let text = match &options {
        Some(options) => splice(options, &[Edit::insert(INCLUDE_USAGE, EditValue::json("true"))]).to_bytes(),
        None => "{\"include_usage\":true}".into(),
    };
    let (field, member, value) = (STREAM_OPTIONS.into(), Some(INCLUDE_USAGE), EditValue::json(text));
    relay.edits.push(if envelope.contains(STREAM_OPTIONS) {
        Edit::Replace { field, member, value }
    } else {
        Edit::Insert { field, member, value }
    });
}

/// Sees to it that no cap is above what governs: the smallest of the caller's caps and the hold's.
fn cap_output(
    shape: &Shape,
    envelope: &Envelope,
    skim: &Skim,
    target: &RelayTarget<'_>,
    edits: &mut Vec<Edit>,
) {
    let caller = skim.output_max.as_ref().map(|max| max.tokens);
    let Some(cap) = caller.into_iter().chain(target.output_cap).min() else { return };
    for &field in shape.output_caps {
        if envelope.unsigned(field).is_some_and(|tokens| tokens > cap) {
            edits.push(Edit::replace(field, EditValue::number(cap)));
        }
    }
    if caller.is_some() {
        return;
    }
    let supported =
        |field: &&&str| !target.quirks.unsupported.contains(*field) || is_renamed(target.quirks, field);
    if let Some(&field) = shape.output_caps.iter().find(supported) {
        edits.push(Edit::set(envelope, field, EditValue::number(cap)));
    }
}

fn is_renamed(quirks: &Quirks, field: &str) -> bool {
    quirks.renamed.iter().any(|(ours, _)| *ours == field)
}

/// Gives a field the provider's name for it. Of two caps on the output the other one already has the governing value.
fn rename(
    envelope: &Envelope,
    ours: &'static str,
    theirs: &'static str,
    is_cap: bool,
    relay: &mut RelayEdits,
) {
    let edited = relay.edits.iter().rev().find(|edit| edit.field() == ours);
    let value = match edited {
        Some(edit) => edit.value().cloned(),
        None => envelope.value(ours).map(EditValue::json),
    };
    let Some(value) = value else { return };
    relay.edits.retain(|edit| edit.field() != ours);
    let taken = envelope.contains(theirs) || relay.edits.iter().any(|edit| edit.field() == theirs);
    if taken && !is_cap {
        drop_field(
            envelope,
            ours,
            "the provider knows this field under another name, which is set too",
            relay,
        );
        return;
    }
    if envelope.contains(ours) {
        relay.edits.push(Edit::remove(ours));
    }
    if !taken || envelope.raw_bytes(theirs) == Some(b"null") {
        relay.edits.push(Edit::set(envelope, theirs, value));
    }
}

/// Removes a field in place of any other edit of it.
fn drop_field(envelope: &Envelope, field: &'static str, why: &'static str, relay: &mut RelayEdits) {
    relay.edits.retain(|edit| edit.field() != field);
    relay.leave_out(envelope, field, why);
}

fn removes(edits: &[Edit], field: &str) -> bool {
    edits.iter().any(|edit| matches!(edit, Edit::Remove { field: removed } if removed == field))
}
