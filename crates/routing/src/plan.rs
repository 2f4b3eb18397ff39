//! From names and needs to an ordered plan.

use std::time::Duration;

use trunkline_domain::Text;
use trunkline_domain::attempt::Cause;
use trunkline_domain::plan::{
    AttemptLimits, Candidate, CauseSet, Chain, Exclusion, ExclusionReason, RoutePlan, Step,
};
use trunkline_domain::receipt::ReceiptAffinity;

use crate::ask::Ask;
use crate::resolve::{Tier, resolve, suggestions};
use crate::world::{Fallbacks, Route, Standing, World};
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
    let route = resolution.route;
    let mut draft = Draft {
        world,
        ask,
        hedge: hedging(ask, route),
        excluded: Vec::new(),
        affinity: None,
        room: CANDIDATES_MAX,
    };
    let first = draft.step(&resolution.tiers, fallback(route));
    let chains = route.map(|route| draft.chains(route)).unwrap_or_default();
    let root = match first {
        Some(first) if chains.is_empty() => first,
        Some(first) => Step::Fallback { first: Box::new(first), chains },
        // Nobody of the targets may serve: whoever is there for any cause.
        None => match chains.into_iter().next_back() {
            Some(Chain { step, .. }) => step,
            None => return Err(nothing_left(world, &resolution.tiers, draft.excluded)),
        },
    };
    let Draft { excluded, affinity, .. } = draft;
    let limits = limits(ask, route);
    Ok(RoutePlan { root, limits, excluded, affinity, world_version: world.live.version, seed: ask.seed })
}

fn limits(ask: &Ask<'_>, route: Option<&Route>) -> AttemptLimits {
    let timeouts = route.map(|route| route.timeouts).unwrap_or_default();
    let asked = ask.skim.timeout_ms.map_or(Duration::MAX, Duration::from_millis);
    let total = timeouts.total.unwrap_or(ask.total).min(asked);
    let attempts_max = route.and_then(|route| route.attempts_max).unwrap_or(ask.attempts_max);
    let asked_max = ask.skim.retries_max.map_or(u8::MAX, |retries| retries.saturating_add(1));
    let attempts_max = attempts_max.min(asked_max).max(1);
    AttemptLimits { attempts_max, total, content_budget: content_budget(ask), timeouts }
}

/// Within what time content should be there: the whole answer, where it comes as one.
fn content_budget(ask: &Ask<'_>) -> Option<Duration> {
    let wishes = &ask.skim.wishes;
    let whole = wishes.latency_budget_ms.filter(|_| !ask.skim.stream);
    let budgets = [wishes.ttft_budget_ms, whole];
    budgets.into_iter().flatten().min().map(Duration::from_millis)
}

/// Whether a second deployment may be asked when the first is slow.
fn hedging(ask: &Ask<'_>, route: Option<&Route>) -> Hedging {
    let asked = ask.skim.wishes.hedge.unwrap_or_else(|| route.is_some_and(|route| route.hedge));
    if asked { Hedging::Wanted } else { Hedging::No }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hedging {
    Wanted,
    No,
}

/// Causes for which the next of a route's own models is tried; what has a chain of its own goes there.
fn fallback(route: Option<&Route>) -> CauseSet {
    let Some(Route { fallbacks, .. }) = route else { return CauseSet::fallback() };
    let mut on = CauseSet::fallback();
    if !fallbacks.context_length.is_empty() {
        on = on.without(Cause::ContextTooLong);
    }
    if !fallbacks.content_policy.is_empty() {
        on = on.without(Cause::ContentBlocked);
    }
    on
}

/// A plan in the making.
struct Draft<'a> {
    world: &'a World<'a>,
    ask: &'a Ask<'a>,
    hedge: Hedging,
    excluded: Vec<Exclusion>,
    affinity: Option<ReceiptAffinity>,
    /// Candidates that may still be kept.
    room: usize,
}

impl Draft<'_> {
    /// Tiers, one after another; `None` where nobody is left.
    fn step(&mut self, tiers: &[Tier<'_>], on: CauseSet) -> Option<Step> {
        let mut steps: Vec<Step> = tiers.iter().filter_map(|tier| self.tier(tier)).collect();
        match steps.len() {
            0 => None,
            1 => steps.pop(),
            _ => Some(Step::InOrder { steps, on }),
        }
    }

    /// The deployments of one model, in order.
    fn tier(&mut self, tier: &Tier<'_>) -> Option<Step> {
        let mut candidates = admitted(self.world, self.ask, tier, &mut self.excluded);
        let affinity = order::balanced(self.world, self.ask, &mut candidates);
        if self.affinity.is_none() {
            self.affinity = affinity;
        }
        let kept = candidates.len().min(self.room);
        let late = candidates.drain(kept..).filter_map(|late| beyond(self.world, &late));
        self.excluded.extend(late);
        self.room -= kept;
        let mut steps = Vec::with_capacity(candidates.len());
        let mut rest = candidates.as_slice();
        if let ([first, second, others @ ..], Some(after)) = (rest, self.slow_after(rest)) {
            steps.push(Step::Hedge { first: *first, second: *second, after });
            rest = others;
        }
        steps.extend(rest.iter().copied().map(Step::Try));
        (!steps.is_empty()).then_some(Step::InOrder { steps, on: CauseSet::failover() })
    }

    /// When the first candidate counts as slow: past the time within which nineteen of twenty had answered, or past the
    /// request's own budget. `None` where nobody asked, or nothing is known.
    fn slow_after(&self, candidates: &[Candidate]) -> Option<Duration> {
        if self.hedge == Hedging::No {
            return None;
        }
        let live = self.world.live.of(candidates.first()?.deployment);
        let quantiles = if self.ask.skim.stream { live.first_content } else { live.whole };
        let usual = quantiles.p95_ms.map(|ms| Duration::from_millis(u64::from(ms)));
        [usual, content_budget(self.ask)].into_iter().flatten().min()
    }

    /// What is tried after the causes the route names models for.
    fn chains(&mut self, route: &Route) -> Vec<Chain> {
        let Fallbacks { context_length, content_policy, general } = &route.fallbacks;
        let causes = [
            (context_length, CauseSet::default().with(Cause::ContextTooLong)),
            (content_policy, CauseSet::default().with(Cause::ContentBlocked)),
            (general, CauseSet::fallback()),
        ];
        let mut chains = Vec::new();
        for (names, on) in causes {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            // A name nobody offers any more is no reason to refuse the request.
            let tiers: Vec<Tier<'_>> = names
                .iter()
                .filter_map(|name| resolve(self.world.offers, &[*name]).ok())
                .flat_map(|known| known.tiers)
                .collect();
            if let Some(step) = self.step(&tiers, CauseSet::fallback()) {
                chains.push(Chain { on, step });
            }
        }
        chains
    }
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
