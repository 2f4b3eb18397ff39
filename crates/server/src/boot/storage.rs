//! What survives: the data directory, the store in it, and the journal in front of the store.
//!
//! One process at a time serves a data directory: it holds the directory's lock. Beside it there may be processes that were
//! succeeded and still finish their streams; each writes a journal of its own. Look first at [`Storage::open`].

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trunkline_domain::TenantScope;
use trunkline_domain::ledger::AttemptEntry;
use trunkline_engine::config::file::{ConfigFile, Durability};
use trunkline_engine::keys::Outstanding;
use trunkline_ledger::api::{LedgerRecord, LedgerStore, StoreError};
use trunkline_ledger::journal::{
    self, Journal, JournalError, JournalOptions, Orphan, Recovered, read_outstanding,
};
use trunkline_store::{Store, StoreOptions};

use super::{StartError, machine};

/// The journal's directory in the data directory; further ones are `journal-2`, `journal-3` and so on.
const JOURNAL_DIRECTORY: &str = "journal";
/// The most journals: as many processes may finish their streams at once.
const JOURNALS_MAX: u32 = 256;
/// The file whose lock is held by the process that serves.
const LOCK_FILE: &str = "lock";
/// Records appended at once at the start.
const BATCH_RECORDS: usize = 256;
/// The least room a request takes in the journal, in attempts: a route may come to allow more while running.
const ATTEMPTS_MIN: u8 = 8;

/// The right to serve a data directory. It can be handed over: the lock is held until the last handle on it is closed.
#[derive(Debug)]
pub(crate) struct DataLock(File);

/// Why a data directory is not ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error(
        "the data directory {} is in use by another process: stop it, choose another with --data-dir, or take over from it \
         with --takeover",
        .0.display()
    )]
    InUse(PathBuf),
    #[error("the data directory {} cannot be locked: {source}", .directory.display())]
    Io { directory: PathBuf, source: io::Error },
}

impl DataLock {
    /// Takes it, unless another process has it. The directory is there.
    pub(crate) fn take(directory: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { directory: directory.to_owned(), source };
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The lock as the process before has handed it over.
    pub(super) fn inherited(lock: OwnedFd) -> Self {
        Self(File::from(lock))
    }
}

impl AsFd for DataLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The store, the journal, and the task between them.
pub(super) struct Storage {
    pub(super) store: Arc<Store>,
    pub(super) journal: Journal,
    /// The journal's directory.
    pub(super) journal_directory: PathBuf,
    /// What the store did not take of what the last process left. It stays in the journal.
    pub(super) behind: Option<Behind>,
    draining: JoinHandle<()>,
    stop: CancellationToken,
}

/// What is in the journal and not in the store, from before the start. It counts as spent meanwhile, so it may not come
/// into the store while sums are read there.
pub(super) struct Behind {
    /// Why.
    pub(super) why: StoreError,
    /// What it comes to.
    pub(super) outstanding: Vec<Outstanding>,
    begin: oneshot::Sender<()>,
}

impl Behind {
    /// Has it brought into the store, from now on.
    pub(super) fn begin(self) {
        // Where nobody hears it the process is ending.
        self.begin.send(()).unwrap_or_default();
    }
}

impl Storage {
    /// Opens both. What the process left that wrote this journal last is in the store when this returns, or `behind` says
    /// what it comes to: so it counts in budgets before anybody is admitted.
    pub(super) async fn open(settings: &ConfigFile) -> Result<Self, StartError> {
        let (journal, journal_directory, recovered) =
            open_journal(settings).map_err(|error| StartError::Other(error.to_string()))?;
        let store = Store::open(store_options(settings))
            .await
            .map_err(|error| StartError::Other(error.to_string()))?;
        let store = Arc::new(store);
        let taken = append(&*store, recovered).await;
        let (begin, told) = oneshot::channel();
        let behind = match taken {
            Ok(()) => None,
            Err(NotTaken { why, records }) => {
                tracing::warn!(error = %why, records = records.len(), "the store does not take what the last process left; it waits in the journal");
                let outstanding = records.iter().filter_map(expected).collect();
                Some(Behind { why, outstanding, begin })
            }
        };
        let waits = behind.is_some();
        let stop = CancellationToken::new();
        let draining = journal.drainer().run(store.clone(), stop.clone().cancelled_owned());
        let told = stop.clone().run_until_cancelled_owned(told);
        let draining = tokio::spawn(async move {
            if !waits || matches!(told.await, Some(Ok(()))) {
                draining.await;
            }
        });
        Ok(Self { store, journal, journal_directory, behind, draining, stop })
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

/// Why a journal cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the store does not take what a process has left in {}: {source}", .directory.display())]
    Store { directory: PathBuf, source: StoreError },
    #[error("the journal {} cannot be deleted: {source}", .directory.display())]
    Delete { directory: PathBuf, source: io::Error },
    #[error("the gateway is stopping")]
    Stopping,
}

/// What became of what other processes have left.
#[derive(Default)]
pub(crate) struct Adoption {
    /// What those can still come to that finish their streams.
    pub(crate) running: Vec<Outstanding>,
    /// Journals of processes that are gone which the store did not take.
    pub(crate) waiting: Vec<(PathBuf, AdoptError)>,
    /// What they come to.
    pub(crate) outstanding: Vec<Outstanding>,
}

/// Brings into the store what processes have left that are gone. `own` is the journal of this process.
pub(crate) async fn adopt_all(store: &Store, data_dir: &Path, own: &Path) -> Result<Adoption, AdoptError> {
    let mut adoption = Adoption::default();
    for directory in journals(data_dir).filter(|directory| directory != own && directory.exists()) {
        let adopted = adopt(store, &directory).await;
        let outstanding = match adopted {
            Ok(Adopted::Gone) => continue,
            Ok(Adopted::StillWritten) => &mut adoption.running,
            Err(error @ AdoptError::Store { .. }) => {
                adoption.waiting.push((directory.clone(), error));
                &mut adoption.outstanding
            }
            Err(error) => return Err(error),
        };
        outstanding.extend(read_outstanding(&directory)?.iter().filter_map(expected));
    }
    Ok(adoption)
}

fn expected(record: &LedgerRecord) -> Option<Outstanding> {
    let LedgerRecord::Attempt(entry) = record else { return None };
    let AttemptEntry { opening, settlement } = &**entry;
    Some(Outstanding { key: opening.payer.key, at: opening.opened_at, charge: settlement.charge })
}

/// What became of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// It is in the store, and gone.
    Gone,
    /// A process writes there.
    StillWritten,
}

/// Brings into the store what a process has left in its journal, and deletes it.
pub(crate) async fn adopt(store: &Store, directory: &Path) -> Result<Adopted, AdoptError> {
    let path = directory.to_owned();
    let opened = tokio::task::spawn_blocking(move || Orphan::open(&path)).await;
    let Some(mut orphan) = opened.map_err(|_| AdoptError::Stopping)?? else {
        return Ok(Adopted::StillWritten);
    };
    append(store, std::mem::take(&mut orphan.recovered))
        .await
        .map_err(|NotTaken { why, .. }| AdoptError::Store { directory: directory.to_owned(), source: why })?;
    orphan.delete().map_err(|source| AdoptError::Delete { directory: directory.to_owned(), source })?;
    Ok(Adopted::Gone)
}

/// All the places where there may be a journal.
fn journals(data_dir: &Path) -> impl Iterator<Item = PathBuf> {
    let further = (2..=JOURNALS_MAX).map(|number| format!("{JOURNAL_DIRECTORY}-{number}"));
    let names = std::iter::once(JOURNAL_DIRECTORY.to_owned()).chain(further);
    names.map(|name| data_dir.join(name))
}

/// Opens the first journal that nobody writes.
pub(crate) fn open_journal(settings: &ConfigFile) -> Result<(Journal, PathBuf, Recovered), JournalError> {
    let mut taken = None;
    for directory in journals(&settings.server.data_dir) {
        let options = JournalOptions { directory: directory.clone(), ..journal_options(settings) };
        match Journal::open(options) {
            Ok((journal, recovered)) => return Ok((journal, directory, recovered)),
            Err(error @ JournalError::InUse(_)) => taken = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(taken.unwrap_or(JournalError::InUse(settings.server.data_dir.join(JOURNAL_DIRECTORY))))
}

fn journal_options(settings: &ConfigFile) -> JournalOptions {
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

/// What the store did not take, and why.
struct NotTaken {
    why: StoreError,
    records: Vec<LedgerRecord>,
}

async fn append(store: &dyn LedgerStore, recovered: Recovered) -> Result<(), NotTaken> {
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
    let mut batches = records.chunks(BATCH_RECORDS);
    while let Some(batch) = batches.next() {
        if let Err(why) = store.append(TenantScope::Installation, batch).await {
            let records = std::iter::once(batch).chain(batches).flatten().cloned().collect();
            return Err(NotTaken { why, records });
        }
    }
    Ok(())
}

fn is_interrupted(record: &LedgerRecord) -> bool {
    use trunkline_domain::ledger::EntryState::Interrupted;
    matches!(record, LedgerRecord::Attempt(entry) if entry.settlement.state == Interrupted)
}

/// Makes the data directory usable.
pub(super) fn prepare(directory: &Path) -> Result<(), StartError> {
    private(directory).map_err(|error| unusable(directory, &error))
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
