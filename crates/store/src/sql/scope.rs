//! How a query is kept within its tenant: every question is built by [`Scoped::select`], which writes the tenant's
//! condition itself, so a question without one cannot be asked.

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Type};
use trunkline_domain::TenantScope;
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_ledger::api::StoreError;

use crate::error::Result;

/// Where a row names its tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant {
    organisation: &'static str,
    key: Option<&'static str>,
}

impl Tenant {
    /// Rows of the ledger.
    pub(crate) const LEDGER: Tenant = Tenant { organisation: "t.organisation_id", key: Some("t.key_id") };
    /// Virtual keys themselves.
    pub(crate) const KEYS: Tenant = Tenant { organisation: "t.organisation_id", key: Some("t.id") };
    /// What belongs to an organisation and to no key.
    pub(crate) const ORGANISATION: Tenant = Tenant { organisation: "t.organisation_id", key: None };
}

/// A question limited to a tenant.
pub(crate) struct Scoped {
    sql: String,
    arguments: SqliteArguments,
    failure: Option<StoreError>,
}

impl Scoped {
    /// `SELECT … FROM table AS t`, limited to the scope. What follows is appended with [`Scoped::and`]; parameters
    /// are anonymous (`?`) and bound in order.
    pub(crate) fn select(scope: TenantScope, head: &str, tenant: Tenant) -> Self {
        let mut scoped =
            Self { sql: format!("{head} WHERE true"), arguments: SqliteArguments::default(), failure: None };
        if let Some(organisation) = scope.organisation() {
            scoped = scoped.and(&format!(" AND {} = ?", tenant.organisation)).bind(id(organisation.0));
        }
        if let Some(key) = scope.key() {
            scoped = match tenant.key {
                Some(column) => scoped.and(&format!(" AND {column} = ?")).bind(id(key.0)),
                None => scoped.and(" AND false"),
            };
        }
        scoped
    }

    /// Appends to the statement.
    #[must_use]
    pub(crate) fn and(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Binds the next parameter.
    #[must_use]
    pub(crate) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        if let Err(error) = self.arguments.add(value) {
            self.failure = Some(StoreError::Damaged(error.to_string()));
        }
        self
    }

    /// The finished question.
    pub(crate) fn query(self) -> Result<Query<'static, Sqlite, SqliteArguments>> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(sqlx::query_with(AssertSqlSafe(self.sql), self.arguments)),
        }
    }
}

/// An id as it is stored.
pub(crate) fn id(uuid: uuid::Uuid) -> Vec<u8> {
    uuid.into_bytes().to_vec()
}

/// Refuses to write for another tenant than the scope's.
pub(crate) fn require(scope: TenantScope, organisation: OrganisationId, key: KeyId) -> Result<()> {
    let covered = scope.organisation().is_none_or(|own| own == organisation)
        && scope.key().is_none_or(|own| own == key);
    if covered { Ok(()) } else { Err(StoreError::NotFound) }
}

/// Refuses what only the installation itself may do.
pub(crate) fn require_installation(scope: TenantScope) -> Result<()> {
    match scope {
        TenantScope::Installation => Ok(()),
        TenantScope::Organisation(_) | TenantScope::Key(..) => Err(StoreError::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use trunkline_domain::id::{KeyId, OrganisationId};

    use super::*;

    #[test]
    fn the_scope_writes_the_condition() {
        let key = TenantScope::Key(OrganisationId::FIRST, KeyId(uuid::Uuid::from_u128(2)));
        for (scope, tenant, sql) in [
            (TenantScope::Installation, Tenant::LEDGER, "S WHERE true"),
            (key, Tenant::LEDGER, "S WHERE true AND t.organisation_id = ? AND t.key_id = ?"),
            (key, Tenant::ORGANISATION, "S WHERE true AND t.organisation_id = ? AND false"),
        ] {
            assert_eq!(Scoped::select(scope, "S", tenant).sql, sql);
        }
    }
}
