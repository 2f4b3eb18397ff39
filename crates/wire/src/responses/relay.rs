//! The named edits that make a caller's request fit for one deployment. Whatever is not named here passes untouched,
//! fields nobody knows yet included. Of the quirks only `unsupported` and
//! `understands` have a meaning in this dialect.

use crate::codec::{RelayEdits, RelayTarget, Skim};
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
    relay.leave_out_gateway_fields(envelope, GATEWAY_FIELDS, target.quirks);
    if let Some(cap) = target.output_cap
        && skim.output_max.as_ref().is_none_or(|max| max.tokens > cap)
    {
        relay.edits.push(Edit::set(envelope, OUTPUT_CAP, EditValue::number(cap)));
    }
    relay.leave_out_unsupported(envelope, target.quirks);
    relay
}
