//! Tokens of the admin API. An organisation sees its own; the installation sees all.

use trunkline_domain::access::KeyHash;
use trunkline_domain::{TenantScope, UnixMs};
use trunkline_ledger::api::{AdminTokenStore, StoreError, StoreFuture};

use super::row::Columns;
use super::scope::{Scoped, Tenant, id};
use crate::error::{bounded, is_unique_violation, store_error};
use crate::open::Store;

const INSERT: &str = "INSERT INTO admin_tokens (hash, organisation_id, name, created_at) VALUES (?, ?, ?, ?)";

impl AdminTokenStore for Store {
    fn insert_token<'a>(
        &'a self,
        scope: TenantScope,
        name: &'a str,
        hash: KeyHash,
        at: UnixMs,
    ) -> StoreFuture<'a, ()> {
        Box::pin(bounded(self.deadline, async move {
            if scope.key().is_some() {
                return Err(StoreError::NotFound);
            }
            let organisation = scope.organisation().map(|organisation| id(organisation.0));
            let insert = sqlx::query(INSERT).bind(hash.0.to_vec()).bind(organisation).bind(name).bind(at.0);
            let mut transaction = self.control.write().await?;
            insert.execute(&mut *transaction).await.map_err(|error| {
                if is_unique_violation(&error) {
                    StoreError::Conflict("this admin token is already there".to_owned())
                } else {
                    store_error(error)
                }
            })?;
            transaction.commit().await.map_err(store_error)
        }))
    }

    fn token_exists(&self, scope: TenantScope, hash: KeyHash) -> StoreFuture<'_, bool> {
        Box::pin(bounded(self.deadline, async move {
            let question = Scoped::select(scope, "SELECT 1 FROM admin_tokens AS t", Tenant::ORGANISATION)
                .and(" AND t.hash = ? AND t.revoked_at IS NULL")
                .bind(hash.0.to_vec());
            let mut connection = self.control.read().await?;
            let row = question.query()?.fetch_optional(&mut *connection).await.map_err(store_error)?;
            Ok(row.is_some())
        }))
    }

    fn token_count(&self, scope: TenantScope) -> StoreFuture<'_, u64> {
        Box::pin(bounded(self.deadline, async move {
            let question =
                Scoped::select(scope, "SELECT COUNT(*) FROM admin_tokens AS t", Tenant::ORGANISATION)
                    .and(" AND t.revoked_at IS NULL");
            let mut connection = self.control.read().await?;
            let row = question.query()?.fetch_one(&mut *connection).await.map_err(store_error)?;
            Columns::new(&row).number()
        }))
    }
}
