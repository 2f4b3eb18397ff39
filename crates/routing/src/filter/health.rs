//! Who must be left alone for now. An open breaker does not exclude (the last candidate is never ejected, it only
//! comes last); a provider that asked to be left alone is.

use trunkline_domain::plan::{DeploymentIx, ExclusionReason};

use crate::world::{Standing, World};

pub(super) fn check(world: &World<'_>, ix: DeploymentIx) -> Result<(), ExclusionReason> {
    match world.live.of(ix).standing {
        Standing::Barred { until_ms, .. } if until_ms > world.monotonic_ms => {
            Err(ExclusionReason::CoolingDown)
        }
        Standing::Barred { .. } | Standing::Healthy | Standing::Degraded | Standing::Open => Ok(()),
    }
}
