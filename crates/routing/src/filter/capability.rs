//! What a deployment can do. Only a known "no" excludes: nobody is left out for facts that are missing.

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Capability, Modality, Offer, Support};
use trunkline_domain::Operation;
use trunkline_domain::plan::ExclusionReason;

use crate::ask::Ask;
use crate::bound;
use crate::world::{Deployment, OfferState};

pub(super) fn check(ask: &Ask<'_>, deployment: &Deployment) -> Result<(), ExclusionReason> {
    if !does_operation(ask, deployment) {
        return Err(ExclusionReason::Operation);
    }
    if let Some(missing) = missing(ask, deployment) {
        return Err(ExclusionReason::Capability { missing: missing.into() });
    }
    let needed = bound::prompt_tokens_min(ask.skim);
    match deployment.offer.context_window {
        Some(window) if needed > window => Err(ExclusionReason::ContextWindow { window, needed }),
        _ => Ok(()),
    }
}

/// The provider serves the operation in the dialect or in one it can be recast to, and the model is not known to be of another sort.
fn does_operation(ask: &Ask<'_>, deployment: &Deployment) -> bool {
    let spoken = deployment.api(ask.operation, ask.dialect).is_some();
    let known = deployment.state == OfferState::Listed;
    spoken && (!known || sort_fits(ask.operation, &deployment.offer))
}

/// Conversational models complete bare text at many providers without anybody listing it; vectors are another sort.
fn sort_fits(operation: Operation, offer: &Offer) -> bool {
    if offer.other_interface || offer.kind == Kind::Unknown {
        return !offer.other_interface;
    }
    match operation {
        Operation::Chat | Operation::CountTokens => offer.kind == Kind::Chat,
        Operation::TextCompletion => offer.kind != Kind::Embedding,
        Operation::Embeddings => offer.kind == Kind::Embedding,
    }
}

fn missing(ask: &Ask<'_>, deployment: &Deployment) -> Option<&'static str> {
    let (needs, offer) = (ask.skim.needs, &deployment.offer);
    let lacks = |capability| offer.capabilities.get(capability) == Support::No;
    let blind_to = |modality| offer.input.contains(modality) == Support::No;
    let checks = [
        (needs.tools && lacks(Capability::Tools), "tools"),
        (needs.schema && lacks(Capability::StructuredOutput), "response_format"),
        (needs.logprobs && lacks(Capability::Logprobs), "logprobs"),
        (needs.vision && (lacks(Capability::Vision) || blind_to(Modality::Image)), "images"),
        (needs.audio && (lacks(Capability::AudioInput) || blind_to(Modality::Audio)), "audio"),
        (needs.files && lacks(Capability::PdfInput) && blind_to(Modality::File), "files"),
        (ask.skim.provider_preferences && !understands(deployment, "provider"), "provider"),
    ];
    checks.into_iter().find_map(|(missing, name)| missing.then_some(name))
}

fn understands(deployment: &Deployment, field: &str) -> bool {
    deployment.provider.quirks.understands.contains(&field)
}
