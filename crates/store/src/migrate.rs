//! Schemas and how a file reaches the newest. SQLite keeps a number in each file's header (`PRAGMA user_version`):
//! how many steps were applied. Steps are only ever added; a released one is never edited.

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use trunkline_ledger::api::StoreError;

use crate::error::{Result, store_error};

/// The steps of one kind of file, oldest first.
pub(crate) struct Schema(&'static [&'static str]);

pub(crate) const CONTROL: Schema = Schema(&[include_str!("../migrations/sqlite/control/0001_initial.sql")]);
pub(crate) const LEDGER: Schema = Schema(&[
    include_str!("../migrations/sqlite/ledger/0001_initial.sql"),
    include_str!("../migrations/sqlite/ledger/0002_interrupted.sql"),
    include_str!("../migrations/sqlite/ledger/0003_seams.sql"),
]);

impl Schema {
    fn newest(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Applies the missing steps, all or none. Two processes may do so at once: the second finds nothing to do.
    pub(crate) async fn migrate(&self, connection: &mut SqliteConnection) -> Result<()> {
        if self.is_newest(version(connection).await?)? {
            return Ok(());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let applied = version(&mut transaction).await?;
        if self.is_newest(applied)? {
            return Ok(());
        }
        for step in self.0.iter().skip(applied as usize) {
            sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(store_error)?;
        }
        let stamp = format!("PRAGMA user_version = {}", self.newest());
        sqlx::raw_sql(AssertSqlSafe(stamp)).execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    /// Refuses a file that only a migration could make readable.
    pub(crate) async fn check(&self, connection: &mut SqliteConnection) -> Result<()> {
        let applied = version(connection).await?;
        if self.is_newest(applied)? {
            return Ok(());
        }
        let why = "an older version wrote it: start the gateway once, it brings the file up to date";
        Err(StoreError::Unavailable(why.to_owned()))
    }

    fn is_newest(&self, applied: u32) -> Result<bool> {
        if applied > self.newest() {
            let newest = self.newest();
            return Err(StoreError::Damaged(format!(
                "a newer version wrote it (schema {applied}, this one knows {newest}): upgrade the program"
            )));
        }
        Ok(applied == self.newest())
    }
}

async fn version(connection: &mut SqliteConnection) -> Result<u32> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await.map_err(store_error)
}
