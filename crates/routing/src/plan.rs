//! From names and needs to an ordered plan.

use std::time::Duration;

use trunkline_domain::Text;
use trunkline_domain::plan::{
    AttemptLimits, Candidate, CauseSet, Exclusion, ExclusionReason, RoutePlan, Step,
};

use crate::ask::Ask;
use crate::resolve::{Tier, resolve, suggestions};
use crate::world::{Standing, World};
use crate::{filter, order};

/// More candidates than this are never kept: a plan stays small whatever is configured.
const CANDIDATES_MAX: usize = 16;

/// Why there is nothing to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Nobody knows a name.
    UnknownModel {
        /// As asked.
        asked: Text,
        /// Names like it, best first.
        suggestions: Vec<Text>,
    },
    /// Everybody was left out.
    NothingLeft {
        /// Each with its reason.
        excluded: Vec<Exclusion>,
        /// Milliseconds until the first of them may be tried again, where waiting helps.
        retry_after_ms: Option<u64>,
    },
}

/// Decides who is tried, in which order. Pure: the same arguments give the same plan.
pub fn plan(world: &World<'_>, ask: &Ask<'_>) -> Result<RoutePlan, PlanError> {
    let names: Vec<&str> =
        std::iter::once(&ask.skim.model).chain(&ask.skim.models).map(|name| &**name).collect();
    let resolution = resolve(world.offers, &names).map_err(|unknown| PlanError::UnknownModel {
        asked: Text::from(unknown),
        suggestions: suggestions(world.offers, unknown),
    })?;
    let mut excluded = Vec::new();
    let mut room = CANDIDATES_MAX;
    let mut tiers = Vec::with_capacity(resolution.tiers.len());
    for tier in &resolution.tiers {
        let mut candidates = admitted(world, ask, tier, &mut excluded);
        order::balanced(world, &mut candidates, ask.seed);
        let kept = candidates.len().min(room);
        excluded.extend(candidates.drain(kept..).filter_map(|late| beyond(world, &late)));
        room -= kept;
        if !candidates.is_empty() {
            let steps = candidates.into_iter().map(Step::Try).collect();
            tiers.push(Step::InOrder { steps, on: CauseSet::failover() });
        }
    }
    let first = match tiers.len() {
        0 => return Err(nothing_left(world, &resolution.tiers, excluded)),
        1 => tiers.remove(0),
        _ => Step::InOrder { steps: tiers, on: CauseSet::fallback() },
    };
    let route = resolution.route;
    let timeouts = route.map(|route| route.timeouts).unwrap_or_default();
    let asked = ask.skim.timeout_ms.map_or(Duration::MAX, Duration::from_millis);
    let total = timeouts.total.unwrap_or(ask.total).min(asked);
    let attempts_max = route.and_then(|route| route.attempts_max).unwrap_or(ask.attempts_max);
    let asked_max = ask.skim.retries_max.map_or(u8::MAX, |retries| retries.saturating_add(1));
    let limits = AttemptLimits { attempts_max: attempts_max.min(asked_max).max(1), total, timeouts };
    Ok(RoutePlan { root: first, limits, excluded, world_version: world.live.version, seed: ask.seed })
}

fn admitted(
    world: &World<'_>,
    ask: &Ask<'_>,
    tier: &Tier<'_>,
    excluded: &mut Vec<Exclusion>,
) -> Vec<Candidate> {
    let mut candidates = Vec::with_capacity(tier.deployments.len());
    for ix in &tier.deployments {
        let Some(deployment) = world.offers.get(*ix) else { continue };
        match filter::admit(world, ask, tier.name, *ix, deployment) {
            Ok(bound) => candidates.push(Candidate { deployment: *ix, bound }),
            Err(reason) => excluded.push(Exclusion { deployment: deployment.label.clone(), reason }),
        }
    }
    candidates
}

fn beyond(world: &World<'_>, candidate: &Candidate) -> Option<Exclusion> {
    let deployment = world.offers.get(candidate.deployment)?.label.clone();
    Some(Exclusion { deployment, reason: ExclusionReason::BeyondAttempts })
}

fn nothing_left(world: &World<'_>, tiers: &[Tier<'_>], excluded: Vec<Exclusion>) -> PlanError {
    let barred =
        tiers.iter().flat_map(|tier| &tier.deployments).filter_map(|ix| match world.live.of(*ix).standing {
            Standing::Barred { until_ms, .. } => until_ms.checked_sub(world.monotonic_ms),
            Standing::Healthy | Standing::Degraded | Standing::Open => None,
        });
    PlanError::NothingLeft { retry_after_ms: barred.min(), excluded }
}
