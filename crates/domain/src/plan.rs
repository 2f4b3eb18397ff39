//! What is meant to happen: a plan is facts and indices, so `routing` can return it and a receipt can keep it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::Cause;
use crate::model::Text;
use crate::money::NanoUsd;
use crate::receipt::ReceiptAffinity;

/// A deployment's place in the snapshot's table. Meaningful only together with that snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentIx(pub u32);

/// The ordered decision for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePlan {
    /// What to do.
    pub root: Step,
    /// Bounds over all attempts.
    pub limits: AttemptLimits,
    /// Who was considered and left out, and why.
    pub excluded: Vec<Exclusion>,
    /// Whether the request was tied to a deployment.
    pub affinity: Option<ReceiptAffinity>,
    /// Version of the live table the plan was made from.
    pub world_version: u64,
    /// The random seed the plan was made with.
    pub seed: u64,
}

/// A node of the plan. Only `engine::execute` interprets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Try one deployment.
    Try(Candidate),
    /// Try one step after another, moving on when one fails for a cause in `on`.
    InOrder {
        /// In order.
        steps: Vec<Step>,
        /// Causes that move on to the next step.
        on: CauseSet,
    },
    /// Try one deployment, and a second one beside it when the first is slow; the first content wins.
    Hedge {
        /// Tried at once.
        first: Candidate,
        /// Tried when the first has failed or is slow.
        second: Candidate,
        /// From the first's dispatch until it counts as slow.
        after: Duration,
    },
    /// Try one step; where it fails, the chain that is for its cause.
    Fallback {
        /// In any case.
        first: Box<Step>,
        /// The first whose causes hold the last failure's is taken, and no other.
        chains: Vec<Chain>,
    },
}

/// What is tried after certain causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Which.
    pub on: CauseSet,
    /// What is tried.
    pub step: Step,
}

impl Step {
    /// The candidates in the order in which they would be tried.
    pub fn candidates(&self) -> Vec<&Candidate> {
        match self {
            Self::Try(candidate) => vec![candidate],
            Self::InOrder { steps, .. } => steps.iter().flat_map(Step::candidates).collect(),
            Self::Hedge { first, second, .. } => vec![first, second],
            Self::Fallback { first, chains } => {
                let chains = chains.iter().flat_map(|chain| chain.step.candidates());
                first.candidates().into_iter().chain(chains).collect()
            }
        }
    }
}

/// One deployment that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub deployment: DeploymentIx,
    /// The most this attempt can cost: what its hold takes.
    pub bound: NanoUsd,
}

/// A set of causes, as bits in the order of [`Cause::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CauseSet(u64);

impl CauseSet {
    /// Every cause for which another deployment of the same model may succeed.
    pub fn failover() -> Self {
        Cause::ALL.iter().copied().filter(|cause| cause.fails_over()).collect()
    }

    /// [`CauseSet::failover`], and those for which another *model* may succeed.
    pub fn fallback() -> Self {
        Self::failover().with(Cause::ContextTooLong).with(Cause::ContentBlocked)
    }

    /// Removes a cause.
    #[must_use]
    pub fn without(self, cause: Cause) -> Self {
        Self(self.0 & !(1 << (cause as u64)))
    }

    /// Adds a cause.
    #[must_use]
    pub fn with(self, cause: Cause) -> Self {
        Self(self.0 | 1 << (cause as u64))
    }

    /// Whether the cause is in the set.
    pub fn contains(self, cause: Cause) -> bool {
        self.0 & 1 << (cause as u64) != 0
    }
}

impl FromIterator<Cause> for CauseSet {
    fn from_iter<I: IntoIterator<Item = Cause>>(causes: I) -> Self {
        causes.into_iter().fold(Self::default(), Self::with)
    }
}

/// Bounds over the attempts of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// How many attempts may be dispatched at most.
    pub attempts_max: u8,
    /// The whole request, all attempts together.
    pub total: Duration,
    /// From arrival; an attempt without content by then is left for the next candidate, if there is one.
    pub content_budget: Option<Duration>,
    /// Deadlines of the route, before those of the account an attempt goes to.
    pub timeouts: Timeouts,
}

/// The five deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// Name resolution, TCP and TLS.
    pub connect: Duration,
    /// From the request's last byte to the response's headers.
    pub headers: Duration,
    /// From dispatch to the first content: heartbeats and empty deltas do not count.
    pub first_content: Duration,
    /// Between two pieces of content, once committed.
    pub idle: Duration,
    /// The whole request, all attempts together.
    pub total: Duration,
}

/// Deadlines that differ from those beneath: an account's from the default, a route's from the account's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS.
    pub connect: Option<Duration>,
    /// Until the response's headers.
    pub headers: Option<Duration>,
    /// Until the first content.
    pub first_content: Option<Duration>,
    /// Between two pieces of content.
    pub idle: Option<Duration>,
    /// The whole: of a request where a route says it, of one attempt where an account does.
    pub total: Option<Duration>,
}

impl Timeouts {
    /// These deadlines, and those of `base` where nothing is said.
    pub fn over(self, base: Deadlines) -> Deadlines {
        Deadlines {
            connect: self.connect.unwrap_or(base.connect),
            headers: self.headers.unwrap_or(base.headers),
            first_content: self.first_content.unwrap_or(base.first_content),
            idle: self.idle.unwrap_or(base.idle),
            total: self.total.unwrap_or(base.total),
        }
    }
}

impl Default for Deadlines {
    /// Generous enough for a reasoning model that thinks for minutes before its first visible token.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            headers: Duration::from_mins(2),
            first_content: Duration::from_mins(3),
            idle: Duration::from_mins(2),
            total: Duration::from_mins(30),
        }
    }
}

/// A deployment that was considered and left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// `account/upstream-id`.
    pub deployment: Text,
    /// Why.
    pub reason: ExclusionReason,
}

/// Why a deployment was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum ExclusionReason {
    /// It does not do the operation asked for.
    Operation,
    /// The key's scope does not cover the model.
    Scope,
    /// The prompt and the output asked for do not fit its window.
    ContextWindow {
        /// The window in tokens.
        window: u64,
        /// The upper bound of what was asked, in tokens.
        needed: u64,
    },
    /// It lacks something the request needs.
    Capability {
        /// What: `tools`, `vision` …
        missing: Text,
    },
    /// Its price is not known and unpriced models are refused.
    Unpriced,
    /// Under a budget its bill must be bounded, and a field of the request prevents that.
    Unbounded {
        /// The field.
        field: Text,
    },
    /// Its worst case passes what is left of a budget.
    Budget {
        /// The worst case.
        bound: NanoUsd,
    },
    /// Its breaker is open or all its credentials are cooling down.
    CoolingDown,
    /// The request goes on from an answer that another account keeps.
    KeptElsewhere,
    /// There were more candidates than attempts allowed.
    BeyondAttempts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_sets_hold_what_was_put_in() {
        let set = CauseSet::default().with(Cause::Cut).with(Cause::Internal);
        assert!(
            set.contains(Cause::Cut) && set.contains(Cause::Internal) && !set.contains(Cause::RateLimited)
        );
        for (place, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(*cause as usize, place);
        }
    }

    #[test]
    fn another_model_may_have_the_window_this_one_lacks() {
        assert!(!CauseSet::failover().contains(Cause::ContextTooLong));
        assert!(CauseSet::fallback().contains(Cause::ContextTooLong));
        assert!(!CauseSet::fallback().contains(Cause::InvalidRequest));
    }
}
