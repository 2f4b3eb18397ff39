//! Who may go on with an answer that broke off: those of a plan that are known to continue a prefilled answer, others of
//! the same model first, each with what it could cost at most. Pure, like the plan itself.

use std::collections::HashSet;

use trunkline_domain::plan::{Candidate, DeploymentIx, RoutePlan};
use trunkline_domain::{Dialect, UnixMs};
use trunkline_wire::codec::Skim;

use crate::ask::Budgeted;
use crate::bound::{self, NoBound};
use crate::world::{Deployment, OfferTable};

/// The rest of an answer, as a question.
#[derive(Clone, Copy, Debug)]
pub struct Rest<'a> {
    /// The caller's dialect.
    pub dialect: Dialect,
    /// The request's facts, the text that is there already and the output that is left included.
    pub skim: &'a Skim,
    /// Whose streams of this answer broke off, the first one's first.
    pub broken: &'a [DeploymentIx],
    /// Whether a budget limits the bill.
    pub budgeted: Budgeted,
    /// The instant prices are read for.
    pub now: UnixMs,
}

/// The candidates in the order in which they are asked.
pub fn continuations(offers: &OfferTable, plan: &RoutePlan, rest: &Rest<'_>) -> Vec<Candidate> {
    let model = rest.broken.first().and_then(|first| offers.get(*first)).map(Deployment::model);
    let able = plan.root.candidates().into_iter().filter_map(|candidate| {
        let deployment = offers.get(candidate.deployment)?;
        let another = !rest.broken.contains(&candidate.deployment);
        let continues =
            another && deployment.continuing_api(rest.dialect).is_some() && fits(rest, deployment);
        let bound = bound::bound(deployment, rest.skim, None, rest.now);
        let bound = match (bound, rest.budgeted) {
            (Ok(bound), _) => bound,
            // As in the plan: without a budget the bound only informs.
            (Err(NoBound::Unpriced | NoBound::Unbounded(_)), Budgeted::No) => candidate.bound,
            (Err(_), Budgeted::Yes) => return None,
        };
        continues.then_some((Some(deployment.model()) != model, Candidate { bound, ..*candidate }))
    });
    let mut able: Vec<(bool, Candidate)> = able.collect();
    able.sort_by_key(|(another_model, _)| *another_model);
    // A plan may hold one under two names.
    let mut seen = HashSet::new();
    able.retain(|(_, candidate)| seen.insert(candidate.deployment));
    able.into_iter().map(|(_, candidate)| candidate).collect()
}

fn fits(rest: &Rest<'_>, deployment: &Deployment) -> bool {
    let needed = bound::prompt_tokens_min(rest.skim);
    deployment.offer.context_window.is_none_or(|window| needed <= window)
}
