//! What a deployment can do. Only a known "no" excludes: nobody is left out for facts that are missing.

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Capability, Modality, Offer, Support};
use trunkline_domain::Operation;
use trunkline_domain::plan::ExclusionReason;
use trunkline_providers::spec::Api;
use trunkline_wire::codec::Needs;

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

/// Whether a deployment does an operation in any dialect.
pub(crate) fn does_operation_at_all(operation: Operation, deployment: &Deployment) -> bool {
    let (provider, offer) = (deployment.provider, &deployment.offer);
    let serves = |api: &Api| api.operation == operation && provider.adapter.serves(api, &offer.upstream_id);
    provider.apis.iter().any(serves) && sort_fits(operation, offer)
}

/// Something a request may need of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Tools,
    Schema,
    Logprobs,
    Images,
    Audio,
    Files,
}

impl Need {
    pub(crate) const ALL: [Self; 6] =
        [Self::Tools, Self::Schema, Self::Logprobs, Self::Images, Self::Audio, Self::Files];

    /// What an exclusion says is missing.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Schema => "response_format",
            Self::Logprobs => "logprobs",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::Files => "files",
        }
    }

    const fn is_asked(self, needs: Needs) -> bool {
        match self {
            Self::Tools => needs.tools,
            Self::Schema => needs.schema,
            Self::Logprobs => needs.logprobs,
            Self::Images => needs.vision,
            Self::Audio => needs.audio,
            Self::Files => needs.files,
        }
    }

    /// Whether a model is known to meet it, or known not to.
    pub(crate) fn is_met(self, offer: &Offer) -> Support {
        let can = |capability| offer.capabilities.get(capability);
        let takes = |modality| offer.input.contains(modality);
        match self {
            Self::Tools => can(Capability::Tools),
            Self::Schema => can(Capability::StructuredOutput),
            Self::Logprobs => can(Capability::Logprobs),
            Self::Images => both(can(Capability::Vision), takes(Modality::Image)),
            Self::Audio => both(can(Capability::AudioInput), takes(Modality::Audio)),
            Self::Files => either(can(Capability::PdfInput), takes(Modality::File)),
        }
    }
}

/// Of two sources on the same, the one that denies it.
const fn both(one: Support, other: Support) -> Support {
    match (one, other) {
        (Support::No, _) | (_, Support::No) => Support::No,
        (Support::Yes, _) | (_, Support::Yes) => Support::Yes,
        (Support::Unknown, Support::Unknown) => Support::Unknown,
    }
}

/// Of two sources on different ways to do the same, the one that says yes.
const fn either(one: Support, other: Support) -> Support {
    match (one, other) {
        (Support::Yes, _) | (_, Support::Yes) => Support::Yes,
        (Support::No, Support::No) => Support::No,
        (Support::Unknown, _) | (_, Support::Unknown) => Support::Unknown,
    }
}

fn missing(ask: &Ask<'_>, deployment: &Deployment) -> Option<&'static str> {
    let needs = ask.skim.needs;
    let unmet = |need: &Need| need.is_asked(needs) && need.is_met(&deployment.offer) == Support::No;
    let deaf = ask.skim.provider_preferences && !understands(deployment, "provider");
    Need::ALL.into_iter().find(unmet).map(Need::as_str).or(deaf.then_some("provider"))
}

fn understands(deployment: &Deployment, field: &str) -> bool {
    deployment.provider.quirks.understands.contains(&field)
}
