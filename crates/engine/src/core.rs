//! The engine's shared parts: what every request and every background task refers to.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use trunkline_ledger::Clock;
use trunkline_ledger::journal::Journal;

use crate::configurator::Configurator;
use crate::door::Door;
use crate::health::{HedgeBudget, RetryBudget};
use crate::kept::ids::KeptIds;
use crate::keys::Keys;
use crate::measure::Measure;
use crate::minted::MintedTable;
use crate::snapshot::Snapshots;
use crate::tasks::Tasks;
use crate::telemetry::metrics::Metrics;

/// Shared by reference, never copied.
pub struct Core {
    /// Makes the next configuration.
    pub configurator: Arc<Configurator>,
    /// The configuration as it runs.
    pub snapshots: Snapshots,
    /// Live figures.
    pub measure: Measure,
    /// Who is let in, and when.
    pub door: Door,
    /// Virtual keys.
    pub keys: Keys,
    /// The journal.
    pub journal: Journal,
    /// Retries that may still be made.
    pub retries: RetryBudget,
    /// Hedges that may still be made.
    pub hedges: Arc<HedgeBudget>,
    /// Who made which provider state.
    pub(crate) minted: MintedTable,
    /// Counters and histograms.
    pub metrics: Metrics,
    /// Background work.
    pub tasks: Tasks,
    /// The ids of what providers keep.
    pub kept: KeptIds,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whether new requests are refused because the gateway is stopping.
    pub draining: AtomicBool,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}
