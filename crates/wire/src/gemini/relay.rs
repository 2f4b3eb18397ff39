//! The named edits that make a caller's request fit for one deployment. Whatever is not named here passes untouched,
//! fields nobody knows yet included. Of the quirks only `unsupported` and `understands` have a meaning in this dialect.

use bytes::Bytes;

use super::present;
use super::skim::GENERATION_CONFIG;
use crate::codec::{RelayEdits, RelayTarget, Skim};
use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue, splice};

/// Fields meant for a gateway, not for a model. They are removed unless the server is known to understand them.
pub(crate) const GATEWAY_FIELDS: &[&str] = &["models", "provider", "session_id", "routing", "tags"];

const MAX: [&str; 2] = ["maxOutputTokens", "max_output_tokens"];

pub(super) fn relay(envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
    let mut relay = RelayEdits::default();
    // The path names the model.
    if envelope.contains("model") {
        relay.edits.push(Edit::remove("model"));
    }
    relay.leave_out_gateway_fields(envelope, GATEWAY_FIELDS, target.quirks);
    cap_output(envelope, skim, target, &mut relay);
    relay.leave_out_unsupported(envelope, target.quirks);
    relay
}

/// Sees to it that the cap is not above the hold's: the caller's own configuration, with one member more or changed.
fn cap_output(envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>, relay: &mut RelayEdits) {
    let Some(cap) = target.output_cap else { return };
    if skim.output_max.as_ref().is_some_and(|max| max.tokens <= cap) {
        return;
    }
    let given = present(envelope, GENERATION_CONFIG);
    let field = given.map_or(GENERATION_CONFIG[0], |(field, _)| field);
    let config = given.and_then(|_| envelope.value(field)).and_then(|config| Envelope::parse(config).ok());
    let value = match &config {
        Some(config) => {
            let [camel, snake] = MAX;
            let member = if config.contains(snake) { snake } else { camel };
            splice(config, &[Edit::replace(member, EditValue::number(cap))]).to_bytes()
        }
        None => Bytes::from(format!("{{\"{}\":{cap}}}", MAX[0])),
    };
    let (field, member, value) = (field.into(), Some(MAX[0]), EditValue::json(value));
    relay.edits.push(if given.is_some() {
        Edit::Replace { field, member, value }
    } else {
        Edit::Insert { field, member, value }
    });
}
