//! Who is left out, and why. Each rule looks at one deployment and one request; the first that speaks is the reason.

mod capability;
mod health;

use trunkline_domain::plan::{DeploymentIx, ExclusionReason};
use trunkline_domain::{NanoUsd, Operation};

pub(crate) use self::capability::{Need, does_operation_at_all};
use crate::ask::{Ask, Budgeted};
use crate::bound::{self, NoBound};
use crate::world::{Deployment, Unpriced, World};

/// Whether a deployment may serve the request, and at what worst-case cost; else why not.
pub fn admit(
    world: &World<'_>,
    ask: &Ask<'_>,
    tier_name: &str,
    ix: DeploymentIx,
    deployment: &Deployment,
) -> Result<NanoUsd, ExclusionReason> {
    scope(ask, tier_name, deployment)?;
    capability::check(ask, deployment)?;
    kept(ask, deployment)?;
    let bound = price(world, ask, deployment)?;
    health::check(world, ix)?;
    Ok(bound)
}

/// A key may use a model that it names by the name asked, by its canonical slug or by its label.
fn scope(ask: &Ask<'_>, tier_name: &str, deployment: &Deployment) -> Result<(), ExclusionReason> {
    let names = [tier_name, &**deployment.model(), &*deployment.label];
    let covered = ask.scope.is_empty()
        || ask.scope.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)));
    if covered { Ok(()) } else { Err(ExclusionReason::Scope) }
}

/// What a provider keeps is found in its own dialect, at one account.
fn kept(ask: &Ask<'_>, deployment: &Deployment) -> Result<(), ExclusionReason> {
    let Some(keeper) = ask.keeper else { return Ok(()) };
    let spoken = deployment.api(ask.operation, ask.dialect).is_some_and(|api| api.dialect == ask.dialect);
    let keeps = *deployment.account == *keeper && spoken && deployment.provider.keeps_responses;
    if keeps { Ok(()) } else { Err(ExclusionReason::KeptElsewhere) }
}

fn price(world: &World<'_>, ask: &Ask<'_>, deployment: &Deployment) -> Result<NanoUsd, ExclusionReason> {
    // Counting is free where it is offered at all.
    if ask.operation == Operation::CountTokens {
        return Ok(NanoUsd::ZERO);
    }
    match bound::bound(deployment, ask.skim, None, world.now) {
        Ok(bound) => Ok(bound),
        Err(NoBound::Unpriced) if deployment.unpriced == Unpriced::Serve && ask.budgeted == Budgeted::No => {
            Ok(NanoUsd::ZERO)
        }
        Err(NoBound::Unpriced) => Err(ExclusionReason::Unpriced),
        Err(NoBound::Unbounded(_)) if ask.budgeted == Budgeted::No => Ok(NanoUsd::ZERO),
        Err(NoBound::Unbounded(field)) => Err(ExclusionReason::Unbounded { field: field.into() }),
    }
}
