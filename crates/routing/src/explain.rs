//! The plan as a document a person can read: the head of every receipt, and the whole of `explain`.

use trunkline_catalogue::TokenClass;
use trunkline_domain::id::RequestId;
use trunkline_domain::plan::{Candidate, DeploymentIx, Exclusion, ExclusionReason, RoutePlan};
use trunkline_domain::receipt::{Receipt, ReceiptCandidate, Versions};
use trunkline_domain::{ModelName, Text};

use crate::ask::Ask;
use crate::bound;
use crate::world::{Standing, World};

/// Describes a decision. `plan` is none where everybody was left out; `excluded` then says why.
pub fn explain(
    world: &World<'_>,
    ask: &Ask<'_>,
    plan: Option<&RoutePlan>,
    excluded: Vec<Exclusion>,
    request: Option<RequestId>,
    versions: Versions,
) -> Receipt {
    let candidates = plan.map(|plan| plan.root.candidates()).unwrap_or_default();
    let first =
        candidates.first().and_then(|first| world.offers.get(first.deployment)).map(|first| &first.offer);
    Receipt {
        request_id: request.map(|id| Text::from(id.to_string())),
        model_asked: ModelName(ask.skim.model.clone()),
        operation: ask.operation,
        prompt_tokens_max: first.and_then(|offer| bound::prompt_tokens_max(ask.skim, offer)),
        output_tokens_max: first.and_then(|offer| bound::output_tokens_max(ask.skim, offer, None)),
        candidates: candidates.into_iter().filter_map(|candidate| describe(world, candidate)).collect(),
        excluded,
        affinity: plan.and_then(|plan| plan.affinity.clone()),
        attempts: Vec::new(),
        seams: Vec::new(),
        not_resumed: None,
        validation: None,
        cost_usd: None,
        edits: Vec::new(),
        losses: Vec::new(),
        versions,
    }
}

fn describe(world: &World<'_>, candidate: &Candidate) -> Option<ReceiptCandidate> {
    let deployment = world.offers.get(candidate.deployment)?;
    let priced = deployment.offer.prices.is_priced(world.now);
    let rates = deployment.offer.prices.standard(world.now);
    let rate = |class| rates.and_then(|rates| rates.billed(class)).map(|price| Text::from(price.to_string()));
    Some(ReceiptCandidate {
        deployment: deployment.label.clone(),
        provider: Text::from(deployment.provider.id),
        model: ModelName(deployment.model().clone()),
        bound_usd: priced.then(|| Receipt::dollars(candidate.bound)),
        price_usd_per_million: rate(TokenClass::Input).zip(rate(TokenClass::Output)),
        caution: caution(world, candidate.deployment),
    })
}

fn caution(world: &World<'_>, ix: DeploymentIx) -> Option<ExclusionReason> {
    match world.live.of(ix).standing {
        Standing::Open | Standing::Barred { .. } => Some(ExclusionReason::CoolingDown),
        Standing::Healthy | Standing::Degraded => None,
    }
}
