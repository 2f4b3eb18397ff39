//! Virtual keys.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use trunkline_domain::access::{KeyHash, VirtualKey};
use trunkline_domain::id::{KeyId, OrganisationId, TeamId, UserId};
use trunkline_domain::{TenantScope, UnixMs};
use trunkline_ledger::api::{KeyStore, StoreError, StoreFuture};

use super::row::Columns;
use super::scope::{Scoped, Tenant, id, require};
use super::values::json_text;
use crate::error::{Result, bounded, is_unique_violation, store_error};
use crate::open::Store;

const SELECT: &str = "SELECT t.id, t.organisation_id, t.name, t.team_id, t.user_id, t.hash, t.hint, t.models, \
                      t.budgets, t.limits, t.created_at, t.expires_at, t.revoked_at FROM keys AS t";

const INSERT: &str = "INSERT INTO keys (name, team_id, user_id, hash, hint, models, budgets, limits, created_at, \
                      expires_at, revoked_at, id, organisation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const UPDATE: &str = "UPDATE keys SET name = ?, team_id = ?, user_id = ?, hash = ?, hint = ?, models = ?, \
                      budgets = ?, limits = ?, created_at = ?, expires_at = ?, revoked_at = ? \
                      WHERE id = ? AND organisation_id = ?";

impl KeyStore for Store {
    fn insert<'a>(&'a self, scope: TenantScope, key: &'a VirtualKey) -> StoreFuture<'a, ()> {
        Box::pin(bounded(self.deadline, async move {
            require(scope, key.organisation, key.id)?;
            let mut transaction = self.control.write().await?;
            write(&mut transaction, INSERT, key).await?;
            transaction.commit().await.map_err(store_error)
        }))
    }

    fn update<'a>(&'a self, scope: TenantScope, key: &'a VirtualKey) -> StoreFuture<'a, ()> {
        Box::pin(bounded(self.deadline, async move {
            require(scope, key.organisation, key.id)?;
            let mut transaction = self.control.write().await?;
            if write(&mut transaction, UPDATE, key).await? == 0 {
                return Err(StoreError::NotFound);
            }
            transaction.commit().await.map_err(store_error)
        }))
    }

    fn by_hash(&self, scope: TenantScope, hash: KeyHash) -> StoreFuture<'_, Option<VirtualKey>> {
        Box::pin(bounded(self.deadline, async move {
            let question =
                Scoped::select(scope, SELECT, Tenant::KEYS).and(" AND t.hash = ?").bind(hash.0.to_vec());
            let mut connection = self.control.read().await?;
            let row = question.query()?.fetch_optional(&mut *connection).await.map_err(store_error)?;
            row.as_ref().map(read).transpose()
        }))
    }

    fn page(&self, scope: TenantScope, after: Option<KeyId>, limit: u32) -> StoreFuture<'_, Vec<VirtualKey>> {
        Box::pin(bounded(self.deadline, async move {
            let mut question = Scoped::select(scope, SELECT, Tenant::KEYS);
            if let Some(after) = after {
                question = question.and(" AND t.id > ?").bind(id(after.0));
            }
            let question = question.and(" ORDER BY t.id LIMIT ?").bind(i64::from(limit));
            let mut connection = self.control.read().await?;
            let rows = question.query()?.fetch_all(&mut *connection).await.map_err(store_error)?;
            rows.iter().map(read).collect()
        }))
    }

    fn version(&self, scope: TenantScope) -> StoreFuture<'_, u64> {
        // One key's changes move its organisation's number: growing more often than needed is harmless.
        let scope = scope.organisation().map_or(TenantScope::Installation, TenantScope::Organisation);
        Box::pin(bounded(self.deadline, async move {
            let head = "SELECT COALESCE(SUM(t.version), 0) FROM key_versions AS t";
            let question = Scoped::select(scope, head, Tenant::ORGANISATION);
            let mut connection = self.control.read().await?;
            let row = question.query()?.fetch_one(&mut *connection).await.map_err(store_error)?;
            Columns::new(&row).number()
        }))
    }
}

/// Runs [`INSERT`] or [`UPDATE`]: both take the same values in the same order.
async fn write(connection: &mut SqliteConnection, sql: &'static str, key: &VirtualKey) -> Result<u64> {
    let query = sqlx::query(sql)
        .bind(&*key.name)
        .bind(key.team.map(|team| id(team.0)))
        .bind(key.user.map(|user| id(user.0)))
        .bind(key.hash.0.to_vec())
        .bind(&*key.hint)
        .bind(json_text(&key.models)?)
        .bind(json_text(&key.budgets)?)
        .bind(json_text(&key.limits)?)
        .bind(key.created_at.0)
        .bind(key.expires_at.map(|at| at.0))
        .bind(key.revoked_at.map(|at| at.0))
        .bind(id(key.id.0))
        .bind(id(key.organisation.0));
    match query.execute(connection).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) if is_unique_violation(&error) => Err(conflict(&error, key)),
        Err(error) => Err(store_error(error)),
    }
}

fn conflict(error: &sqlx::Error, key: &VirtualKey) -> StoreError {
    let named = error.as_database_error().is_some_and(|inner| inner.message().contains("keys.name"));
    StoreError::Conflict(if named {
        format!("a key named {:?} is already there: revoke it or choose another name", key.name)
    } else {
        "a key with this id or this secret is already there".to_owned()
    })
}

fn read(row: &SqliteRow) -> Result<VirtualKey> {
    let mut columns = Columns::new(row);
    Ok(VirtualKey {
        id: KeyId(columns.id()?),
        organisation: OrganisationId(columns.id()?),
        name: columns.text()?,
        team: columns.id_or_null()?.map(TeamId),
        user: columns.id_or_null()?.map(UserId),
        hash: KeyHash(columns.bytes()?),
        hint: columns.text()?,
        models: columns.json()?,
        budgets: columns.json()?,
        limits: columns.json()?,
        created_at: UnixMs(columns.integer()?),
        expires_at: columns.integer_or_null()?.map(UnixMs),
        revoked_at: columns.integer_or_null()?.map(UnixMs),
    })
}
