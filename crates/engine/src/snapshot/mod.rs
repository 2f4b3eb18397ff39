//! The configuration as it runs: one immutable, validated snapshot. A request keeps the one it met and never sees a
//! reload.
//!
//! State that must outlive a reload (breakers, connection pools) is shared by reference between snapshots; budgets,
//! windows and keys are not here at all.

mod access;
mod account;
mod build;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use trunkline_domain::Text;
use trunkline_domain::plan::{Deadlines, DeploymentIx};
use trunkline_routing::world::{Live, OfferTable, Quantiles};
use trunkline_wire::recast::LossPolicy;

use crate::health::{Breaker, Pace};
use crate::measure::better;

pub use access::CloudRoots;
pub use account::{Account, Credential};
pub use build::{BuildError, Parts, build};

/// Everything a request depends on that configuration decides.
#[derive(Debug)]
pub struct Snapshot {
    /// Grows with every reload.
    pub version: u64,
    /// Who offers what.
    pub offers: OfferTable,
    /// What each deployment needs to be called, in the order of `offers`.
    pub runtimes: Vec<DeploymentRuntime>,
    /// The configured accounts by name.
    pub accounts: HashMap<Text, Arc<Account>>,
    /// Version of the price book every row names.
    pub price_version: Text,
    /// Delivery settings of routes that have any.
    pub delivery: HashMap<Text, Delivery>,
    /// Bounds.
    pub limits: Limits,
}

impl Snapshot {
    /// The runtime part of a deployment.
    pub fn runtime(&self, ix: DeploymentIx) -> Option<&DeploymentRuntime> {
        self.runtimes.get(ix.0 as usize)
    }

    /// How answers to a model name are delivered.
    pub fn delivery(&self, model: &str) -> Delivery {
        self.delivery.get(model).copied().unwrap_or(Delivery {
            annotate: false,
            heartbeat: self.limits.heartbeat,
            losses: LossPolicy::default(),
            resume: false,
            validation: None,
        })
    }
}

/// What a deployment needs to be called.
#[derive(Debug)]
pub struct DeploymentRuntime {
    /// Its account.
    pub account: Arc<Account>,
    /// One breaker for each credential of the account, in the same order.
    pub breakers: Vec<Arc<Breaker>>,
    /// How fast it answers.
    pub pace: Arc<Pace>,
}

impl DeploymentRuntime {
    /// The deployment's row of the live table: what its best credential is worth.
    pub fn live(&self, now_ms: u64) -> Live {
        let rows = self.breakers.iter().map(|breaker| Live {
            standing: breaker.standing(now_ms),
            first_content_ms: breaker.first_content_ms(),
            ..Live::default()
        });
        let quantiles =
            |quantile: &dyn Fn(u32) -> Option<u32>| Quantiles { p90_ms: quantile(90), p95_ms: quantile(95) };
        Live {
            in_flight: self.pace.in_flight(),
            strained: self.account.credentials.iter().all(|credential| !credential.headroom.takes(now_ms, 1)),
            first_content: quantiles(&|percent| self.pace.first_content_quantile(now_ms, percent)),
            whole: quantiles(&|percent| self.pace.whole_quantile(now_ms, percent)),
            ..rows.reduce(better).unwrap_or_default()
        }
    }
}

/// How requests to a model name are translated and their answers delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What may be lost where a provider cannot be told everything.
    pub losses: LossPolicy,
    /// Whether `usage.cost` is spliced in without being asked for.
    pub annotate: bool,
    /// Silence after which a heartbeat is sent.
    pub heartbeat: Duration,
    /// Whether a stream that breaks off is gone on with elsewhere.
    pub resume: bool,
    /// Set where an answer that is to be JSON is validated before it is handed on: how often a deployment whose answer does
    /// not hold is asked again.
    pub validation: Option<u8>,
}

/// How often a deployment whose answer does not hold is asked again, where no route says it.
pub const JSON_SCHEMA_RETRIES: u8 = 1;

/// Bounds over everything that can grow. Each is a key of `[server.limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts of one request.
    pub attempts_max: u8,
    /// Bytes of one buffered answer.
    pub answer_bytes_max: usize,
    /// Bytes of one event.
    pub event_bytes_max: usize,
    /// Bytes of a provider's error body that are read.
    pub error_bytes_max: usize,
    /// Silence after which a heartbeat is sent, if the route says nothing else.
    pub heartbeat: Duration,
    /// Deadlines, if neither account nor route says anything else.
    pub deadlines: Deadlines,
    /// How much of a stream its caller has left is still read for its usage.
    pub drain: DrainLimits,
}

/// Bounds of reading on after the caller has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainLimits {
    /// Bytes of one stream.
    pub bytes_max: usize,
    /// Time for one stream.
    pub time_max: Duration,
    /// Streams at once.
    pub streams_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            answer_bytes_max: 64 << 20,
            event_bytes_max: 16 << 20,
            error_bytes_max: 64 << 10,
            heartbeat: Duration::from_secs(10),
            deadlines: Deadlines::default(),
            drain: DrainLimits { bytes_max: 8 << 20, time_max: Duration::from_mins(2), streams_max: 256 },
        }
    }
}

/// The current snapshot.
#[derive(Debug)]
pub struct Snapshots(ArcSwap<Snapshot>);

impl Snapshots {
    /// Starts with a snapshot.
    pub fn new(first: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// The one a request now met keeps.
    pub fn current(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Swaps in another.
    pub fn replace(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }
}
