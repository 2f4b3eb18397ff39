//! From what SQLite says to what the ledger understands. Not a place for messages to callers: those are made where
//! errors are rendered.

use std::time::Duration;

use sqlx::error::DatabaseError;
use trunkline_ledger::api::StoreError;

// <https://www.sqlite.org/rescode.html>
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_TOOBIG: i32 = 18;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;
const SQLITE_NOTADB: i32 = 26;
/// The shared-memory file beside the WAL could not grow: met on a full disk only.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// The ledger's error for a driver's.
#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` asks for")]
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    if let sqlx::Error::Database(inner) = &error {
        return database_error(inner.as_ref());
    }
    if let sqlx::Error::Io(inner) = &error {
        return io_error("the store's files", inner);
    }
    let decoding = matches!(
        error,
        sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::Encode(_)
            | sqlx::Error::RowNotFound
    );
    if decoding { StoreError::Damaged(error.to_string()) } else { StoreError::Unavailable(error.to_string()) }
}

/// The ledger's error for a file operation's; `what` names the file or directory.
pub(crate) fn io_error(what: &str, error: &std::io::Error) -> StoreError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return StoreError::DiskFull;
    }
    StoreError::Unavailable(format!("{what}: {error}"))
}

fn database_error(error: &dyn DatabaseError) -> StoreError {
    let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    match (code, code & 0xff) {
        (SQLITE_IOERR_SHMSIZE, _) | (_, SQLITE_FULL) => StoreError::DiskFull,
        (_, SQLITE_BUSY | SQLITE_LOCKED) => {
            StoreError::Unavailable("another process holds the database's lock".to_owned())
        }
        (_, SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Damaged(error.message().to_owned()),
        // What is written is at fault: the same again would be refused again.
        (_, SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH) => {
            StoreError::Conflict(error.message().to_owned())
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Whether a unique index refused.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}

/// Names the file in an error about opening it.
pub(crate) fn about(path: &std::path::Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", path.display())),
        StoreError::Damaged(why) => StoreError::Damaged(format!("{}: {why}", path.display())),
        other @ (StoreError::DiskFull | StoreError::Conflict(_) | StoreError::NotFound) => other,
    }
}

/// Runs `work`, but not longer than `deadline`. Dropping a transaction half-way rolls it back.
pub(crate) async fn bounded<T>(deadline: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(format!("no answer within {} ms", deadline.as_millis())))
    })
}
