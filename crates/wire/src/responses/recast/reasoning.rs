//! How much to think, both ways (openai-python, `types/shared_params/reasoning.py`).

use trunkline_domain::chat::{ChatRequest, Effort, RawJson, Reasoning};

use super::{DIALECT, form};
use crate::json::{Object, Str, wire_object};
use crate::openai::recast::encode_request::effort_of;
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{EncodeTarget, Losses};

wire_object! {
    struct WireReasoning { "effort" => effort: RawJson, "summary" => summary: Str }
}

/// Reads `reasoning`.
pub(super) fn decode(raw: &str) -> serde_json::Result<Reasoning> {
    let WireReasoning { effort, summary, mut rest } = serde_json::from_str(raw)?;
    let known = effort
        .as_ref()
        .and_then(|raw| serde_json::from_str::<Str>(raw.get()).ok())
        .and_then(|name| Effort::parse(&name.0));
    if let (Some(raw), None) = (effort, known) {
        rest.push("effort", raw);
    }
    Ok(Reasoning {
        effort: known,
        summary: summary.map(|summary| summary.0),
        extras: rest.extras(DIALECT, form::OWN),
        ..Reasoning::default()
    })
}

/// Writes `reasoning`, or nothing where nothing can be said.
pub(super) fn encode(
    object: &mut Object<'_>,
    request: &ChatRequest,
    target: &EncodeTarget<'_>,
    losses: &mut Losses,
) {
    let Some(reasoning) = &request.reasoning else { return };
    let effort = reasoning.effort.or_else(|| effort_of(reasoning, request, target, losses));
    let wanted = (reasoning.shown == Some(true)).then(|| "auto".into());
    let summary = reasoning.summary.clone().or(wanted);
    let level = || "reasoning".to_owned();
    if effort.is_none() && summary.is_none() && reasoning.extras.form(DIALECT) & form::OWN == 0 {
        return lose_extras(&reasoning.extras, &level, losses);
    }
    object.object("reasoning", |object| {
        object.optional("effort", effort.map(Effort::as_str));
        object.optional("summary", summary);
        restore(object, &reasoning.extras, DIALECT, &level, losses);
    });
}
