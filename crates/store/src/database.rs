//! One database file: its one writer, its few readers. Knows nothing of tables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, Transaction};
use trunkline_ledger::api::StoreError;

use crate::error::{Result, about, io_error, store_error};
use crate::migrate::Schema;
use crate::open::{Durability, Mode};

/// Readers of one file at once. Each is a thread and a page cache; they close when idle.
const READERS_MAX: u32 = 2;
/// How long a reader stays open without work.
const READER_IDLE: Duration = Duration::from_secs(30);
/// Page cache of each connection, in KiB.
const PAGE_CACHE_KIB: u32 = 1024;
/// What the WAL file is cut back to after a checkpoint, in bytes.
const WAL_BYTES_KEPT: u32 = 16 << 20;

/// How files are opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) durability: Durability,
    pub(crate) busy_timeout: Duration,
    pub(crate) deadline: Duration,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Database {
    writer: Option<SqlitePool>,
    readers: SqlitePool,
}

impl Database {
    /// Opens the file, creating and migrating it where the mode allows.
    pub(crate) async fn open(path: &Path, schema: &Schema, settings: Settings) -> Result<Self> {
        let opened = match settings.mode {
            Mode::ReadWrite => Self::open_writable(path, schema, settings).await,
            Mode::ReadOnly => Self::open_readable(path, schema, settings).await,
        };
        opened.map_err(|error| about(path, error))
    }

    async fn open_writable(path: &Path, schema: &Schema, settings: Settings) -> Result<Self> {
        create_private(path).await?;
        let synchronous = match settings.durability {
            Durability::Process => SqliteSynchronous::Normal,
            Durability::Power => SqliteSynchronous::Full,
        };
        let options = connect_options(path, settings)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .pragma("journal_size_limit", WAL_BYTES_KEPT.to_string());
        // On a full disk SQLite ends a transaction by itself (<https://www.sqlite.org/c3ref/get_autocommit.html>), and the
        // driver goes on believing that there is one. Such a connection begins no other: a new one takes its place.
        let pool = pool_options(settings).max_connections(1).before_acquire(|connection, _| {
            let well = !connection.is_in_transaction();
            Box::pin(async move { Ok(well) })
        });
        let writer = pool.connect_with(options).await.map_err(store_error)?;
        schema.migrate(&mut *writer.acquire().await.map_err(store_error)?).await?;
        Ok(Self { writer: Some(writer), readers: readers(path, settings) })
    }

    async fn open_readable(path: &Path, schema: &Schema, settings: Settings) -> Result<Self> {
        if !tokio::fs::try_exists(path).await.unwrap_or(false) {
            let why = "is not there: start the gateway once, it makes the files";
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        let readers = readers(path, settings);
        schema.check(&mut *readers.acquire().await.map_err(store_error)?).await?;
        Ok(Self { writer: None, readers })
    }

    /// A transaction that holds the file's write lock from its first statement on.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        let Some(writer) = &self.writer else {
            return Err(StoreError::Unavailable("the store was opened for reading only".to_owned()));
        };
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(store_error)
    }

    /// Waits for work under way and closes; the last process to close a file folds its WAL into it.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

fn connect_options(path: &Path, settings: Settings) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(settings.busy_timeout)
        .pragma("cache_size", format!("-{PAGE_CACHE_KIB}"))
        .pragma("temp_store", "memory")
        .thread_name(|number| format!("sqlite-{number}"))
        .disable_statement_logging()
}

fn pool_options(settings: Settings) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(settings.deadline)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn readers(path: &Path, settings: Settings) -> SqlitePool {
    pool_options(settings)
        .max_connections(READERS_MAX)
        .idle_timeout(READER_IDLE)
        .connect_lazy_with(connect_options(path, settings).read_only(true))
}

/// Makes the file, for its owner only, before SQLite would make it for all: the WAL takes the same mode.
async fn create_private(path: &Path) -> Result<()> {
    let made =
        tokio::fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).await;
    made.map(drop).map_err(|error| io_error("cannot be written", &error))
}

/// Makes the directory, for its owner only.
pub(crate) async fn create_private_directory(path: &Path) -> Result<PathBuf> {
    let made = tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).await;
    made.map_err(|error| io_error(&format!("the directory {} cannot be made", path.display()), &error))?;
    Ok(path.to_owned())
}
