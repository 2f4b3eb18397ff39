//! Opening a store: which directory, for reading or writing, how patient.

use std::path::PathBuf;
use std::time::Duration;

use crate::database::{Database, Settings, create_private_directory};
use crate::error::{Result, bounded};
use crate::migrate;
use crate::months::Months;

/// The file of keys, admin tokens and catalogue versions.
const CONTROL_FILE: &str = "control.db";

/// What may be done with the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Files are made and migrated as needed.
    #[default]
    ReadWrite,
    /// Nothing is made, nothing changed: for reports beside a gateway.
    ReadOnly,
}

/// What a committed batch survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however sudden. A power cut may lose the newest batches, never the file.
    #[default]
    Process,
    /// A power cut too: each commit waits for the disk.
    Power,
}

/// Where and how to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The directory of the database files; made, with mode 0700, where it is missing.
    pub directory: PathBuf,
    /// Reading only, or writing too.
    pub mode: Mode,
    /// What a committed batch survives.
    pub durability: Durability,
    /// How long a statement waits for another process's lock.
    pub busy_timeout: Duration,
    /// How long any one operation may take before it is given up as unavailable.
    pub deadline: Duration,
}

impl StoreOptions {
    /// Reading and writing in a directory, waiting two seconds for locks and ten in all.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            mode: Mode::default(),
            durability: Durability::default(),
            busy_timeout: Duration::from_secs(2),
            deadline: Duration::from_secs(10),
        }
    }
}

/// An open store: implements [`LedgerStore`](trunkline_ledger::api::LedgerStore),
/// [`KeyStore`](trunkline_ledger::api::KeyStore) and
/// [`AdminTokenStore`](trunkline_ledger::api::AdminTokenStore), and keeps catalogue versions.
#[derive(Debug)]
pub struct Store {
    pub(crate) control: Database,
    pub(crate) months: Months,
    pub(crate) deadline: Duration,
}

impl Store {
    /// Opens the store; ledger files are opened when first needed. Call it within a tokio runtime.
    ///
    /// # Errors
    /// One line, naming the file or directory: `Unavailable` where it cannot be made, written or locked, or (reading
    /// only) is not there; `DiskFull`; `Damaged` where a file is no database, or a newer version wrote it.
    pub async fn open(options: StoreOptions) -> Result<Self> {
        let StoreOptions { directory, mode, durability, busy_timeout, deadline } = options;
        let settings = Settings { mode, durability, busy_timeout, deadline };
        bounded(deadline, async {
            let directory = match mode {
                Mode::ReadWrite => create_private_directory(&directory).await?,
                Mode::ReadOnly => directory,
            };
            let control = Database::open(&directory.join(CONTROL_FILE), &migrate::CONTROL, settings).await?;
            Ok(Self { control, months: Months::new(directory, settings), deadline })
        })
        .await
    }

    /// Waits for operations under way and closes every file. Operations after it fail as unavailable.
    pub async fn close(&self) {
        self.months.close().await;
        self.control.close().await;
    }
}
