//! State stays home: a conversation that carries what a provider signed or encrypted goes to who takes that back, before
//! anything else counts, priority included. Anybody else would have to be asked without it, and the conversation would lose
//! what was thought. Only who would refuse or fail the request is passed over.

use trunkline_domain::plan::Candidate;
use trunkline_domain::receipt::{AffinityBy, Moved, ReceiptAffinity};

use crate::ask::{Ask, StateOrigin};
use crate::world::{Deployment, Live, Standing, World};

/// Whether a deployment takes back the state the conversation carries.
pub(super) fn takes(ask: &Ask<'_>, deployment: &Deployment) -> bool {
    ask.state.is_some_and(|state| {
        let api = deployment.api(ask.operation, ask.dialect);
        api.is_some_and(|api| deployment.minter(api.dialect) == *state.minter)
    })
}

/// Whether a deployment is asked although others stand better: it fails now and then at most, and has room.
pub(super) fn can_serve(live: &Live) -> bool {
    matches!(live.standing, Standing::Healthy | Standing::Degraded) && !live.strained
}

/// Where the conversation's state belongs, and whether the request goes there.
pub(super) fn tied(
    world: &World<'_>,
    ask: &Ask<'_>,
    candidates: &[Candidate],
    origin: StateOrigin<'_>,
) -> Option<ReceiptAffinity> {
    let first = candidates.first()?;
    let home = candidates.iter().find_map(|candidate| {
        let deployment = world.offers.get(candidate.deployment)?;
        takes(ask, deployment).then_some((candidate, deployment))
    });
    let (deployment, moved) = match home {
        Some((home, deployment)) if home == first => (&deployment.label, None),
        Some((home, deployment)) => {
            let strained = world.live.of(home.deployment).strained;
            (&deployment.label, Some(if strained { Moved::Strained } else { Moved::Unhealthy }))
        }
        None => (origin.deployment, Some(Moved::Absent)),
    };
    Some(ReceiptAffinity { by: AffinityBy::State, deployment: deployment.clone(), moved })
}
