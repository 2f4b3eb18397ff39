//! What survives: the data directory, the store in it, and the journal in front of the store.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trunkline_domain::TenantScope;
use trunkline_engine::config::file::{ConfigFile, Durability};
use trunkline_ledger::api::{LedgerRecord, LedgerStore};
use trunkline_ledger::journal::{self, Journal, JournalOptions, Recovered};
use trunkline_store::{Store, StoreOptions};

use super::{StartError, machine};

/// The journal's directory in the data directory.
pub(crate) const JOURNAL_DIRECTORY: &str = "journal";
/// Records appended at once at the start.
const BATCH_RECORDS: usize = 256;
/// The least room a request takes in the journal, in attempts: a route may come to allow more while running.
const ATTEMPTS_MIN: u8 = 8;

/// The store, the journal, and the task between them.
pub(super) struct Storage {
    pub(super) store: Arc<Store>,
    pub(super) journal: Journal,
    draining: JoinHandle<()>,
    stop: CancellationToken,
}

impl Storage {
    /// Opens both. What the last process left in the journal is in the store when this returns, so that it counts in
    /// budgets before anybody is admitted.
    pub(super) async fn open(settings: &ConfigFile) -> Result<Self, StartError> {
        let directory = &settings.server.data_dir;
        private(directory).map_err(|error| unusable(directory, &error))?;
        let (journal, recovered) =
            Journal::open(journal_options(settings)).map_err(|error| StartError::Other(error.to_string()))?;
        let store = Store::open(store_options(settings))
            .await
            .map_err(|error| StartError::Other(error.to_string()))?;
        let store = Arc::new(store);
        append(&*store, recovered).await?;
        let stop = CancellationToken::new();
        let draining = journal.drainer().run(store.clone(), stop.clone().cancelled_owned());
        Ok(Self { store, journal, draining: tokio::spawn(draining), stop })
    }

    /// Ends the task and closes both. What is not in the store stays in the journal.
    pub(super) async fn close(self) {
        self.stop.cancel();
        if self.draining.await.is_err() {
            tracing::error!("the task between journal and store had failed");
        }
        self.journal.close();
        self.store.close().await;
    }
}

pub(crate) fn store_options(settings: &ConfigFile) -> StoreOptions {
    StoreOptions {
        durability: match settings.storage.durability {
            Durability::Process => trunkline_store::Durability::Process,
            Durability::Power => trunkline_store::Durability::Power,
        },
        ..StoreOptions::new(&settings.server.data_dir)
    }
}

pub(crate) fn journal_options(settings: &ConfigFile) -> JournalOptions {
    let limits = &settings.server.limits;
    let routes = settings.routes.iter().filter_map(|route| route.attempts_max);
    JournalOptions {
        cap_bytes: settings.storage.journal_bytes_max,
        in_flight_max: limits.in_flight_max(machine::memory_bytes()),
        attempts_max: routes.fold(limits.attempts_max.max(ATTEMPTS_MIN), u8::max),
        durability: match settings.storage.durability {
            Durability::Process => journal::Durability::Process,
            Durability::Power => journal::Durability::Power,
        },
        ..JournalOptions::new(settings.server.data_dir.join(JOURNAL_DIRECTORY))
    }
}

async fn append(store: &dyn LedgerStore, recovered: Recovered) -> Result<(), StartError> {
    let Recovered { records, dropped_bytes } = recovered;
    if records.is_empty() {
        return Ok(());
    }
    let interrupted = records.iter().filter(|record| is_interrupted(record)).count();
    tracing::info!(
        records = records.len(),
        interrupted,
        dropped_bytes,
        "taking over what the last process left"
    );
    for batch in records.chunks(BATCH_RECORDS) {
        store.append(TenantScope::Installation, batch).await.map_err(|error| {
            StartError::Other(format!("the store does not take what the last process left: {error}"))
        })?;
    }
    Ok(())
}

fn is_interrupted(record: &LedgerRecord) -> bool {
    use trunkline_domain::ledger::EntryState::Interrupted;
    matches!(record, LedgerRecord::Attempt(entry) if entry.settlement.state == Interrupted)
}

/// Makes the directory, for its owner only; one that is there and open to others is closed to them.
fn private(directory: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) => return Err(error),
    }
    let mode = std::fs::metadata(directory)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    Ok(())
}

fn unusable(directory: &Path, error: &io::Error) -> StartError {
    StartError::Other(format!(
        "the data directory {} cannot be used ({error}): make it writable for this user, or choose another with \
         --data-dir",
        directory.display()
    ))
}
