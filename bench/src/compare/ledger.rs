//! The gateway's ledger seen from outside: how many rows it has, and a lock that keeps new ones waiting.
//!
//! With the lock held, records stay in the gateway's journal: what the gateway spends then is the request's own path.
//! What it spends after the lock is given back is the drain.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::child::output;
use crate::error::{Context as _, Error, Result};

/// Where the ledger of a running gateway is.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) program: PathBuf,
    pub(super) data_dir: PathBuf,
}

/// A held write lock.
#[derive(Debug)]
pub(super) struct Pause(SqliteConnection);

/// What `trunkline usage --json` prints.
#[derive(Deserialize)]
struct Usage {
    rows: Vec<UsageRow>,
}

#[derive(Deserialize)]
struct UsageRow {
    attempts: u64,
}

impl Ledger {
    /// Attempts that have a row.
    pub(super) fn rows(&self) -> Result<u64> {
        let mut command = Command::new(&self.program);
        let text = output(command.args(["usage", "--json", "--data-dir"]).arg(&self.data_dir))?;
        let usage: Usage = serde_json::from_str(&text)
            .map_err(|error| Error::Unexpected(format!("`usage --json` cannot be read: {error}")))?;
        Ok(usage.rows.iter().map(|row| row.attempts).sum())
    }

    /// Takes the write lock of the newest ledger file.
    pub(super) async fn pause(&self) -> Result<Pause> {
        let file = newest_ledger(&self.data_dir)?;
        let options = SqliteConnectOptions::new().filename(&file).disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        Ok(Pause(connection))
    }
}

impl Pause {
    /// Gives the lock back.
    pub(super) async fn end(mut self) -> Result<()> {
        sqlx::query("ROLLBACK").execute(&mut self.0).await?;
        Ok(self.0.close().await?)
    }
}

fn newest_ledger(data_dir: &Path) -> Result<PathBuf> {
    let cannot = || format!("cannot list {}", data_dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(data_dir).context(cannot)? {
        let path = entry.context(cannot)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("ledger-") && path.extension().is_some_and(|extension| extension == "db") {
            found.push(path);
        }
    }
    // One a month, `ledger-YYYY-MM.db`.
    found
        .into_iter()
        .max()
        .ok_or_else(|| Error::Unexpected(format!("there is no ledger file in {}", data_dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_keeps_others_from_writing_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["ledger-2026-09.db", "ledger-2026-10.db", "control.db"] {
            let options = SqliteConnectOptions::new()
                .filename(directory.path().join(name))
                .create_if_missing(true)
                .busy_timeout(std::time::Duration::ZERO);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query("CREATE TABLE t (x)").execute(&mut connection).await.unwrap();
        }
        let ledger = Ledger { program: PathBuf::new(), data_dir: directory.path().to_owned() };
        let pause = ledger.pause().await.unwrap();
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("ledger-2026-10.db"))
            .busy_timeout(std::time::Duration::ZERO);
        let mut writer = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("INSERT INTO t VALUES (1)").execute(&mut writer).await.unwrap_err();
        pause.end().await.unwrap();
        sqlx::query("INSERT INTO t VALUES (1)").execute(&mut writer).await.unwrap();
    }
}
