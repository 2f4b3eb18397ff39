//! How a batch becomes rows and rollups: sorted by month file first, then one transaction per file. A failure in a
//! later file leaves earlier ones written; delivering the batch again completes it and counts nothing twice.

use std::collections::{BTreeMap, HashMap};

use trunkline_domain::TenantScope;
use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::{AttemptEntry, Correction, RequestRecord};
use trunkline_ledger::api::{LedgerRecord, StoreError};

use super::rollup::Rollup;
use super::scope::require;
use super::{attempts, corrections, requests};
use crate::error::{Result, store_error};
use crate::months::{Month, Months};
use crate::open::Store;

/// What one month file is to take.
#[derive(Default)]
struct Share<'a> {
    attempts: Vec<&'a AttemptEntry>,
    requests: Vec<&'a RequestRecord>,
    corrections: Vec<&'a Correction>,
}

impl Store {
    pub(crate) async fn append_batch(&self, scope: TenantScope, batch: &[LedgerRecord]) -> Result<()> {
        for (month, share) in sort(&self.months, scope, batch).await? {
            let database = self.months.database(month).await?;
            let mut transaction = database.write().await?;
            let mut rollup = Rollup::default();
            for entry in attempts::insert(&mut transaction, &share.attempts).await? {
                rollup.attempt(entry);
            }
            requests::insert(&mut transaction, &share.requests).await?;
            corrections::insert(&mut transaction, scope, &share.corrections, &mut rollup).await?;
            rollup.write(&mut transaction).await?;
            transaction.commit().await.map_err(store_error)?;
        }
        Ok(())
    }
}

/// Sorts the batch by month. Whatever the scope does not cover, or names an attempt that is nowhere, is refused here,
/// before anything is written.
async fn sort<'a>(
    months: &Months,
    scope: TenantScope,
    batch: &'a [LedgerRecord],
) -> Result<BTreeMap<Month, Share<'a>>> {
    let mut shares: BTreeMap<Month, Share<'a>> = BTreeMap::new();
    let mut later = Vec::new();
    for record in batch {
        match record {
            LedgerRecord::Attempt(entry) => {
                let opening = &entry.opening;
                require(scope, opening.payer.organisation, opening.payer.key)?;
                let month = Month::of_row(opening.id.request, opening.opened_at);
                shares.entry(month).or_default().attempts.push(entry);
            }
            LedgerRecord::Request(record) => {
                match &record.payer {
                    Some(payer) => require(scope, payer.organisation, payer.key)?,
                    None => super::scope::require_installation(scope)?,
                }
                let month = Month::of_row(record.id, record.arrived_at);
                shares.entry(month).or_default().requests.push(record);
            }
            LedgerRecord::Correction(correction) => later.push(&**correction),
        }
    }
    if later.is_empty() {
        return Ok(shares);
    }
    let beside: HashMap<AttemptId, Month> = shares
        .iter()
        .flat_map(|(month, share)| share.attempts.iter().map(|entry| (entry.opening.id, *month)))
        .collect();
    for correction in later {
        let month = match beside.get(&correction.attempt) {
            Some(month) => *month,
            None => month_of(months, scope, correction.attempt).await?,
        };
        shares.entry(month).or_default().corrections.push(correction);
    }
    Ok(shares)
}

/// The file that holds an attempt.
async fn month_of(months: &Months, scope: TenantScope, attempt: AttemptId) -> Result<Month> {
    for month in months.likeliest_for(attempt.request).await? {
        let mut connection = months.database(month).await?.read().await?;
        if attempts::exists(&mut connection, scope, attempt).await? {
            return Ok(month);
        }
    }
    Err(StoreError::NotFound)
}
