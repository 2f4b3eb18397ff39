//! The named edits that make a caller's request fit for one deployment. Whatever is not named here passes untouched,
//! fields nobody knows yet included. Of the quirks only `unsupported` and
//! `understands` have a meaning in this dialect.

use std::borrow::Cow;

use crate::codec::{Loss, LossKind, RelayEdits, RelayTarget, Skim, Subject};
use crate::envelope::Envelope;
use crate::openai::relay::GATEWAY_FIELDS;
use crate::splice::{Edit, EditValue};

/// The field that caps the output.
pub(super) const OUTPUT_CAP: &str = "max_output_tokens";

pub(super) fn relay(envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
    let mut relay = RelayEdits::default();
    if envelope.string("model").as_deref() != Some(target.model) {
        relay.edits.push(Edit::set(envelope, "model", EditValue::string(target.model)));
    }
    for &field in GATEWAY_FIELDS {
        if envelope.contains(field) && !target.quirks.understands.contains(&field) {
            relay.edits.push(Edit::remove(field));
        }
    }
    if let Some(cap) = target.output_cap
        && skim.output_max.as_ref().is_none_or(|max| max.tokens > cap)
    {
        relay.edits.push(Edit::set(envelope, OUTPUT_CAP, EditValue::number(cap)));
    }
    for &field in target.quirks.unsupported {
        if envelope.contains(field) {
            relay.edits.push(Edit::remove(field));
            if envelope.raw_bytes(field) != Some(b"null") {
                relay.losses.push(Loss {
                    path: Cow::Borrowed(field),
                    why: Cow::Borrowed("the provider does not take this field"),
                    subject: Subject::of_field(field),
                    kind: LossKind::Dropped,
                });
            }
        }
    }
    relay
}
