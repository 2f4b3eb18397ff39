//! The engine as the server sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderMap;
use trunkline_domain::receipt::Receipt;
use trunkline_domain::{Error, Secret};
use trunkline_ledger::Clock;
use trunkline_ledger::api::{KeyStore, LedgerStore};
use trunkline_ledger::journal::Journal;

use crate::answer::Answer;
use crate::authenticate::authenticate;
use crate::configurator::Configurator;
use crate::core::Core;
use crate::deliver::Refusal;
use crate::door::{Door, DoorLimits};
use crate::health::RetryBudget;
use crate::inbound::Inbound;
use crate::kept::ids::{KEY_BYTES, KeptIds};
use crate::kept::{RecallAsk, Recalled};
use crate::keys::{KeyRecord, Keys};
use crate::measure::Measure;
use crate::minted::MintedTable;
use crate::snapshot::{Snapshot, Snapshots};
use crate::tasks::Tasks;
use crate::telemetry::metrics::{Gauges, Metrics};

/// What an engine is made of.
pub struct EngineParts {
    /// Makes snapshots.
    pub configurator: Arc<Configurator>,
    /// The first of them: [`Configurator::first`].
    pub snapshot: Snapshot,
    /// Virtual keys.
    pub keys: Arc<dyn KeyStore>,
    /// The ledger.
    pub ledger: Arc<dyn LedgerStore>,
    /// The journal.
    pub journal: Journal,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Bounds of the door.
    pub door: DoorLimits,
    /// The installation's own key for the ids of what providers keep: with another one, ids handed out before are void.
    pub kept_key: Secret<[u8; KEY_BYTES]>,
}

/// The engine. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Engine(pub(crate) Arc<Core>);

impl Engine {
    /// Puts the parts together. Keys are not loaded yet: see [`Keys::load`].
    pub fn new(parts: EngineParts) -> Self {
        let EngineParts { configurator, snapshot, keys, ledger, journal, clock, door, kept_key } = parts;
        Self(Arc::new(Core {
            configurator,
            snapshots: Snapshots::new(snapshot),
            measure: Measure::default(),
            door: Door::new(door),
            keys: Keys::new(keys, ledger, clock.clone()),
            journal,
            retries: RetryBudget::default(),
            hedges: Arc::default(),
            minted: MintedTable::new(rand::random()),
            metrics: Metrics::default(),
            tasks: Tasks::default(),
            kept: KeptIds::new(&kept_key),
            clock,
            draining: AtomicBool::new(false),
        }))
    }

    /// Serves one inference request. There is no other way in: keys, scopes, budgets and the meter hold on every
    /// route because every route comes through here.
    pub async fn serve(&self, inbound: Inbound) -> Result<Answer, Refusal> {
        crate::serve::serve(&self.0, inbound).await
    }

    /// Asks for an answer that a provider keeps. As strict as [`Self::serve`] about who may; nothing is asked of a model, so
    /// nothing is held or recorded.
    pub async fn recall(&self, ask: RecallAsk) -> Result<Recalled, Error> {
        crate::kept::recall(&self.0, ask).await
    }

    /// Says what would be done with a request, without doing it.
    pub async fn explain(&self, inbound: Inbound) -> Result<Receipt, Error> {
        crate::explain::explain(&self.0, inbound).await
    }

    /// Whose key the headers carry.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Arc<KeyRecord>, Error> {
        authenticate(&self.0.keys, headers, self.0.clock.now()).await
    }

    /// The shared parts.
    pub fn core(&self) -> &Arc<Core> {
        &self.0
    }

    /// What makes the next snapshot.
    pub fn configurator(&self) -> &Arc<Configurator> {
        &self.0.configurator
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshots.current()
    }

    /// Puts another configuration in force. Requests under way keep the one they met.
    pub fn reload(&self, next: Snapshot) {
        self.0.snapshots.replace(next);
        self.warm_up();
    }

    /// Has connections to every account opened beside, and the tokens of clouds obtained, so that the first request finds
    /// them. Returns at once.
    pub fn warm_up(&self) {
        for account in self.snapshot().accounts.values() {
            let origins: Vec<_> =
                account.credentials.iter().map(|credential| Arc::clone(&credential.origin)).collect();
            account.dispatch.warm_up(&origins);
            account.credentials.iter().for_each(|credential| credential.access.start());
        }
    }

    /// Who is let in, and when: [`Door::watch`] runs on every thread that serves.
    pub fn door(&self) -> &Door {
        &self.0.door
    }

    /// Virtual keys.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// The text Prometheus reads.
    pub fn metrics_text(&self) -> String {
        let depth = self.0.journal.depth();
        self.0.metrics.render(Gauges {
            open_holds: self.0.keys.open_holds(),
            journal_records: depth.records,
            journal_bytes: depth.bytes,
            journal_refused: depth.refused,
            door: self.0.door.figures(),
        })
    }

    /// Whether the gateway can serve: the keys are in memory and it is not stopping.
    pub fn is_ready(&self) -> bool {
        self.0.keys.is_loaded() && !self.is_draining()
    }

    /// Whether new requests are refused because the gateway is stopping.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Refuses new requests from now on.
    pub fn begin_drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Waits for background work, then for the journal to reach the store, each within `limit`. What does not reach
    /// the store stays in the journal and is found at the next start.
    pub async fn finish(&self, limit: Duration) {
        self.0.tasks.finish(limit).await;
        if self.0.journal.flush(limit).await.is_err() {
            tracing::warn!("the journal did not reach the store in time: it is read again at the next start");
        }
    }
}
