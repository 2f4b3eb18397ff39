//! The named edits that make a caller's request fit for one deployment. Whatever is not named here passes untouched,
//! fields nobody knows yet included. Of the quirks only `unsupported` and `understands` have a meaning in this dialect.

use std::borrow::Cow;

use bytes::Bytes;

use super::present;
use super::skim::GENERATION_CONFIG;
use crate::codec::{Loss, LossKind, RelayEdits, RelayTarget, Skim, Subject};
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
    for &field in GATEWAY_FIELDS {
        if envelope.contains(field) && !target.quirks.understands.contains(&field) {
            relay.edits.push(Edit::remove(field));
        }
    }
    cap_output(envelope, skim, target, &mut relay);
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
