//! The named edits that make a caller's request fit for one deployment. Whatever is not named here passes untouched,
//! fields nobody knows yet included. Of the quirks only `unsupported` and `understands` have a meaning in this dialect.

use std::borrow::Cow;

use crate::codec::{Loss, LossKind, RelayEdits, RelayTarget, Skim, Subject};
use crate::envelope::Envelope;
use crate::splice::{Edit, EditValue, splice};

/// Fields meant for a gateway, not for a model: OpenRouter's, LiteLLM's and this one's, as far as Anthropic has none of
/// the same name (it has `fallbacks`). They are removed unless the server is known to understand them.
pub(super) const GATEWAY_FIELDS: &[&str] = &["models", "provider", "session_id", "routing", "tags"];

const MAX_TOKENS: &str = "max_tokens";
const THINKING: &str = "thinking";
const BUDGET: &str = "budget_tokens";

/// The least budget for thinking that is taken (anthropic-sdk-python, `types/thinking_config_enabled_param.py`).
pub(super) const BUDGET_MIN: u64 = 1024;

pub(super) fn relay(envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits {
    let mut relay = RelayEdits::default();
    if envelope.string("model").as_deref() != Some(target.model) {
        relay.edits.push(Edit::set(envelope, "model", EditValue::string(target.model)));
    }
    relay.leave_out_gateway_fields(envelope, GATEWAY_FIELDS, target.quirks);
    cap_output(envelope, skim, target, &mut relay);
    relay.leave_out_unsupported(envelope, target.quirks);
    relay
}

/// Sees to it that the cap is not above the hold's, and that a budget for thinking stays below it, as it must.
fn cap_output(envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>, relay: &mut RelayEdits) {
    let Some(cap) = target.output_cap else { return };
    if skim.output_max.as_ref().is_some_and(|max| max.tokens <= cap) {
        return;
    }
    relay.edits.push(Edit::set(envelope, MAX_TOKENS, EditValue::number(cap)));
    let Some(thinking) = envelope.value(THINKING).and_then(|thinking| Envelope::parse(thinking).ok()) else {
        return;
    };
    if thinking.unsigned(BUDGET).is_none_or(|budget| budget < cap) {
        return;
    }
    let why = "the budget for thinking must be below the output cap, which a budget lowered";
    relay.losses.push(loss("thinking.budget_tokens", why, Subject::Reasoning, LossKind::Adapted));
    if cap <= BUDGET_MIN {
        relay.edits.push(Edit::remove(THINKING));
        return;
    }
    let lowered = splice(&thinking, &[Edit::replace(BUDGET, EditValue::number(cap - 1))]).to_bytes();
    relay.edits.push(Edit::Replace {
        field: THINKING.into(),
        member: Some(BUDGET),
        value: EditValue::json(lowered),
    });
}

fn loss(path: &'static str, why: &'static str, subject: Subject, kind: LossKind) -> Loss {
    Loss { path: Cow::Borrowed(path), why: Cow::Borrowed(why), subject, kind }
}
