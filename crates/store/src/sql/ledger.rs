//! The ledger's trait, method by method.

use trunkline_domain::id::{KeyId, RequestId};
use trunkline_domain::ledger::{AttemptEntry, RequestRecord};
use trunkline_domain::{NanoUsd, TenantScope, UnixMs};
use trunkline_ledger::api::{LedgerRecord, LedgerStore, StoreFuture, UsageQuery, UsageRow};

use super::{attempts, requests};
use crate::error::{Result, bounded};
use crate::open::Store;

impl LedgerStore for Store {
    fn append<'a>(&'a self, scope: TenantScope, batch: &'a [LedgerRecord]) -> StoreFuture<'a, ()> {
        Box::pin(bounded(self.deadline, self.append_batch(scope, batch)))
    }

    fn attempts(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Vec<AttemptEntry>> {
        Box::pin(bounded(self.deadline, self.attempts_of(scope, request)))
    }

    fn request(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Option<RequestRecord>> {
        Box::pin(bounded(self.deadline, self.record_of(scope, request)))
    }

    fn usage<'a>(&'a self, scope: TenantScope, query: &'a UsageQuery) -> StoreFuture<'a, Vec<UsageRow>> {
        Box::pin(bounded(self.deadline, self.sum_usage(scope, query)))
    }

    fn spend_by_key(&self, scope: TenantScope, since: UnixMs) -> StoreFuture<'_, Vec<(KeyId, NanoUsd)>> {
        Box::pin(bounded(self.deadline, self.sum_spend(scope, since)))
    }
}

impl Store {
    async fn attempts_of(&self, scope: TenantScope, request: RequestId) -> Result<Vec<AttemptEntry>> {
        for month in self.months.likeliest_for(request).await? {
            let mut connection = self.months.database(month).await?.read().await?;
            let entries = attempts::of_request(&mut connection, scope, request).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Ok(Vec::new())
    }

    async fn record_of(&self, scope: TenantScope, request: RequestId) -> Result<Option<RequestRecord>> {
        for month in self.months.likeliest_for(request).await? {
            let mut connection = self.months.database(month).await?.read().await?;
            let record = requests::by_id(&mut connection, scope, request).await?;
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
    }
}
