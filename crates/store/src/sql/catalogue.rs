//! Catalogue versions: signed bundles as they were fetched, and which one is current. The catalogue is the
//! installation's: other scopes find nothing and may change nothing. What a bundle means is not known here.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use trunkline_domain::{TenantScope, UnixMs};
use trunkline_ledger::api::StoreError;

use super::row::Columns;
use super::scope::require_installation;
use crate::error::{Result, bounded, store_error};
use crate::open::Store;

/// Versions kept; storing one more drops the oldest that is not current.
pub const CATALOGUE_VERSIONS_MAX: u32 = 32;
/// The largest bundle that is stored, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 32 << 20;

/// A stored version of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogueVersion {
    /// Its number; grows with each stored version and is never used twice.
    pub number: u64,
    /// When it was stored.
    pub stored_at: UnixMs,
    /// The size of its bundle, in bytes.
    pub size: u64,
    /// Whether it is the one in use.
    pub current: bool,
}

const LIST: &str = "SELECT v.number, v.stored_at, length(v.bundle), v.number IS c.number \
                    FROM catalogue_versions AS v CROSS JOIN catalogue_current AS c ORDER BY v.number DESC";
const CURRENT: &str = "SELECT v.number, v.stored_at, length(v.bundle), true, v.bundle \
                       FROM catalogue_versions AS v JOIN catalogue_current AS c ON v.number = c.number";
const INSERT: &str = "INSERT INTO catalogue_versions (bundle, stored_at, previous) \
                      SELECT ?, ?, number FROM catalogue_current RETURNING number";
const PRUNE: &str = "DELETE FROM catalogue_versions \
                     WHERE number NOT IN (SELECT number FROM catalogue_versions ORDER BY number DESC LIMIT ?) \
                     AND number IS NOT (SELECT number FROM catalogue_current)";
/// A version that was dropped meanwhile leads back to the built-in catalogue.
const ROLL_BACK: &str = "UPDATE catalogue_current SET number = (SELECT p.number FROM catalogue_versions AS v \
                         JOIN catalogue_versions AS p ON p.number = v.previous \
                         WHERE v.number = catalogue_current.number) WHERE number IS NOT NULL";

impl Store {
    /// Stores a bundle and makes it current; its number.
    ///
    /// # Errors
    /// `NotFound` for any scope but the installation, `Conflict` beyond [`BUNDLE_BYTES_MAX`].
    pub async fn put_catalogue(&self, scope: TenantScope, bundle: &[u8], at: UnixMs) -> Result<u64> {
        require_installation(scope)?;
        if bundle.len() > BUNDLE_BYTES_MAX {
            return Err(StoreError::Conflict(format!(
                "a catalogue bundle has at most {BUNDLE_BYTES_MAX} bytes"
            )));
        }
        bounded(self.deadline, async {
            let mut transaction = self.control.write().await?;
            let number: i64 = sqlx::query_scalar(INSERT)
                .bind(bundle)
                .bind(at.0)
                .fetch_one(&mut *transaction)
                .await
                .map_err(store_error)?;
            let changes = [
                sqlx::query("UPDATE catalogue_current SET number = ?").bind(number),
                sqlx::query(PRUNE).bind(i64::from(CATALOGUE_VERSIONS_MAX)),
            ];
            for change in changes {
                change.execute(&mut *transaction).await.map_err(store_error)?;
            }
            transaction.commit().await.map_err(store_error)?;
            u64::try_from(number).map_err(|_| StoreError::Damaged("a negative catalogue version".to_owned()))
        })
        .await
    }

    /// Stored versions, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn catalogue_versions(&self, scope: TenantScope) -> Result<Vec<CatalogueVersion>> {
        if require_installation(scope).is_err() {
            return Ok(Vec::new());
        }
        bounded(self.deadline, async {
            let mut connection = self.control.read().await?;
            let rows = sqlx::query(LIST).fetch_all(&mut *connection).await.map_err(store_error)?;
            rows.iter().map(|row| version(&mut Columns::new(row))).collect()
        })
        .await
    }

    /// The version in use and its bundle; none where it is the built-in catalogue.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn current_catalogue(&self, scope: TenantScope) -> Result<Option<(CatalogueVersion, Vec<u8>)>> {
        if require_installation(scope).is_err() {
            return Ok(None);
        }
        bounded(self.deadline, async {
            let mut connection = self.control.read().await?;
            current(&mut connection).await
        })
        .await
    }

    /// The bundle of a stored version.
    ///
    /// # Errors
    /// `NotFound` where the scope has no such version.
    pub async fn catalogue_bundle(&self, scope: TenantScope, number: u64) -> Result<Vec<u8>> {
        require_installation(scope)?;
        bounded(self.deadline, async {
            let mut connection = self.control.read().await?;
            let row = sqlx::query("SELECT bundle FROM catalogue_versions WHERE number = ?")
                .bind(super::values::signed(number))
                .fetch_optional(&mut *connection)
                .await
                .map_err(store_error)?;
            Columns::new(&row.ok_or(StoreError::NotFound)?).blob()
        })
        .await
    }

    /// Makes current what was current before the current version was stored; that version, or none where it is the
    /// built-in catalogue.
    ///
    /// # Errors
    /// `NotFound` where the built-in catalogue is current already, or for any scope but the installation.
    pub async fn roll_back_catalogue(&self, scope: TenantScope) -> Result<Option<CatalogueVersion>> {
        require_installation(scope)?;
        bounded(self.deadline, async {
            let mut transaction = self.control.write().await?;
            let done = sqlx::query(ROLL_BACK).execute(&mut *transaction).await.map_err(store_error)?;
            if done.rows_affected() == 0 {
                return Err(StoreError::NotFound);
            }
            let now = current(&mut transaction).await?;
            transaction.commit().await.map_err(store_error)?;
            Ok(now.map(|(version, _)| version))
        })
        .await
    }
}

async fn current(connection: &mut SqliteConnection) -> Result<Option<(CatalogueVersion, Vec<u8>)>> {
    let row = sqlx::query(CURRENT).fetch_optional(connection).await.map_err(store_error)?;
    row.as_ref().map(with_bundle).transpose()
}

fn with_bundle(row: &SqliteRow) -> Result<(CatalogueVersion, Vec<u8>)> {
    let mut columns = Columns::new(row);
    Ok((version(&mut columns)?, columns.blob()?))
}

fn version(columns: &mut Columns<'_>) -> Result<CatalogueVersion> {
    Ok(CatalogueVersion {
        number: columns.number()?,
        stored_at: UnixMs(columns.integer()?),
        size: columns.number()?,
        current: columns.flag()?,
    })
}
