//! What processes have left that are gone, where the store does not take it at the start: the gateway serves meanwhile, and
//! brings it there later.
//!
//! Until then it counts as spent. It comes into the store only once the keys are in memory with what is there now, so that
//! nothing is counted twice. Look first at [`Leftovers::bring`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trunkline_engine::Engine;
use trunkline_engine::keys::Outstanding;
use trunkline_store::Store;

use super::storage::{Adoption, Behind, adopt};

/// Pauses between looks at whether the keys are in memory.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Pauses between tries to bring a journal into the store, and how long the own one may take each time.
const AGAIN: Duration = Duration::from_secs(2);

/// What the store does not have.
#[derive(Default)]
pub(super) struct Leftovers {
    /// In the journal that this process writes now.
    pub(super) behind: Option<Behind>,
    /// In others.
    pub(super) adoption: Adoption,
}

impl Leftovers {
    /// What counts as spent.
    pub(super) fn outstanding(&self) -> Vec<Outstanding> {
        let Adoption { running, outstanding, .. } = &self.adoption;
        let behind = self.behind.iter().flat_map(|behind| &behind.outstanding);
        running.iter().chain(outstanding).chain(behind).copied().collect()
    }

    /// Brings all of it into the store as soon as that takes it; ends with `stop`.
    pub(super) fn bring(self, engine: &Engine, store: &Arc<Store>, stop: &CancellationToken) {
        if self.behind.is_none() && self.adoption.waiting.is_empty() {
            return;
        }
        let (engine, store) = (engine.clone(), Arc::clone(store));
        let all = async move {
            while !engine.keys().is_loaded() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let Adoption { running, waiting, .. } = self.adoption;
            if let Some(behind) = self.behind {
                behind.begin();
                while engine.core().journal.flush(AGAIN).await.is_err() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            for (journal, _) in waiting {
                adopt_at_last(&store, journal).await;
            }
            engine.keys().expect(running);
            tracing::info!("the store has what the last process left");
        };
        drop(tokio::spawn(stop.clone().run_until_cancelled_owned(all)));
    }
}

async fn adopt_at_last(store: &Store, journal: PathBuf) {
    while let Err(error) = adopt(store, &journal).await {
        tracing::debug!(%error, "what a process has left still waits");
        tokio::time::sleep(AGAIN).await;
    }
}
