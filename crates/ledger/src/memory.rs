//! A store in this process: for tests, and for a gateway that is to remember nothing. It keeps every promise of
//! [`crate::api`] but surviving the process, and can be told to fail or to freeze, as a database does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokio::sync::watch;
use trunkline_domain::access::{KeyHash, VirtualKey};
use trunkline_domain::id::{AttemptId, KeyId, RequestId};
use trunkline_domain::ledger::{AttemptEntry, Correction, EntryState, Payer, RequestRecord};
use trunkline_domain::{NanoUsd, TenantScope, Text, UnixMs, Usage};

use crate::api::{
    AdminTokenStore, KeyStore, LedgerRecord, LedgerStore, StoreError, StoreFuture, UsageGroup, UsageQuery,
    UsageRow,
};
use crate::sync::Mutex;

const DAY_MS: i64 = 86_400_000;

/// How the store behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreMode {
    /// It answers.
    #[default]
    Working,
    /// It answers every call with [`StoreError::Unavailable`].
    Failing,
    /// It answers nothing until the mode changes.
    Frozen,
}

#[derive(Debug, Default)]
struct Tables {
    attempts: BTreeMap<AttemptId, AttemptEntry>,
    requests: HashMap<RequestId, RequestRecord>,
    corrections: BTreeMap<(AttemptId, UnixMs), Correction>,
    keys: BTreeMap<KeyId, VirtualKey>,
    key_changes: u64,
    tokens: HashSet<KeyHash>,
}

/// All stores in one.
#[derive(Debug)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    mode: watch::Sender<StoreMode>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that works.
    pub fn new() -> Self {
        Self { tables: Mutex::new(Tables::default()), mode: watch::Sender::new(StoreMode::Working) }
    }

    /// Makes it work, fail or freeze from now on; calls that are frozen go on in the new mode.
    pub fn set_mode(&self, mode: StoreMode) {
        self.mode.send_replace(mode);
    }

    /// Every row, in the order of attempt ids.
    pub fn all_attempts(&self) -> Vec<AttemptEntry> {
        self.tables.lock().attempts.values().cloned().collect()
    }

    /// Every request record, in the order of request ids.
    pub fn all_requests(&self) -> Vec<RequestRecord> {
        let mut records: Vec<_> = self.tables.lock().requests.values().cloned().collect();
        records.sort_unstable_by_key(|record| record.id);
        records
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Tables) -> Result<T, StoreError> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let mut mode = self.mode.subscribe();
            let gone = |_| StoreError::Unavailable("the store is gone".to_owned());
            let mode = *mode.wait_for(|mode| *mode != StoreMode::Frozen).await.map_err(gone)?;
            if mode == StoreMode::Failing {
                return Err(StoreError::Unavailable("told to fail".to_owned()));
            }
            work(&mut self.tables.lock())
        })
    }
}

fn sees_payer(scope: TenantScope, payer: &Payer) -> bool {
    scope.organisation().is_none_or(|organisation| payer.organisation == organisation)
        && scope.key().is_none_or(|key| payer.key == key)
}

fn sees_request(scope: TenantScope, record: &RequestRecord) -> bool {
    record.payer.as_ref().map_or(scope == TenantScope::Installation, |payer| sees_payer(scope, payer))
}

fn sees_key(scope: TenantScope, key: &VirtualKey) -> bool {
    scope.organisation().is_none_or(|organisation| key.organisation == organisation)
        && scope.key().is_none_or(|id| key.id == id)
}

impl Tables {
    fn holds(&self, scope: TenantScope, record: &LedgerRecord) -> bool {
        match record {
            LedgerRecord::Attempt(entry) => sees_payer(scope, &entry.opening.payer),
            LedgerRecord::Request(record) => sees_request(scope, record),
            LedgerRecord::Correction(correction) => {
                let row = self.attempts.get(&correction.attempt);
                row.map_or(scope == TenantScope::Installation, |row| sees_payer(scope, &row.opening.payer))
            }
        }
    }

    fn append(&mut self, record: &LedgerRecord) {
        match record {
            LedgerRecord::Attempt(entry) => {
                self.attempts.entry(entry.opening.id).or_insert_with(|| (**entry).clone());
            }
            LedgerRecord::Request(record) => {
                self.requests.entry(record.id).or_insert_with(|| (**record).clone());
            }
            LedgerRecord::Correction(correction) => {
                let id = (correction.attempt, correction.at);
                self.corrections.entry(id).or_insert_with(|| (**correction).clone());
            }
        }
    }

    /// A row's cost and charge with its corrections.
    fn money(&self, entry: &AttemptEntry) -> (NanoUsd, NanoUsd) {
        let id = entry.opening.id;
        let corrections = self.corrections.range((id, UnixMs(i64::MIN))..=(id, UnixMs(i64::MAX)));
        corrections.fold(
            (entry.settlement.cost, entry.settlement.charge),
            |(cost, charge), (_, correction)| {
                (cost.saturating_add(correction.cost), charge.saturating_add(correction.charge))
            },
        )
    }

    fn usage(&self, scope: TenantScope, query: &UsageQuery) -> Vec<UsageRow> {
        let from = query.from.map_or(i64::MIN, |from| midnight(from).0);
        let to = query.to.map_or(i64::MAX, |to| midnight(to.plus_ms(DAY_MS.unsigned_abs() - 1)).0);
        let mut rows: BTreeMap<Vec<Text>, (UsageRow, BTreeSet<RequestId>)> = BTreeMap::new();
        if query.group_by.is_empty() {
            rows.insert(Vec::new(), Default::default());
        }
        for entry in self.attempts.values() {
            let at = entry.opening.opened_at.0;
            if !sees_payer(scope, &entry.opening.payer) || at < from || at >= to {
                continue;
            }
            let groups: Vec<Text> = query.group_by.iter().map(|group| group_of(*group, entry)).collect();
            let (row, requests) = rows.entry(groups).or_default();
            requests.insert(entry.opening.id.request);
            self.add(row, entry);
        }
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|(groups, (row, requests))| UsageRow { groups, requests: requests.len() as u64, ..row })
            .collect();
        rows.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.groups.cmp(&b.groups)));
        rows
    }

    fn add(&self, row: &mut UsageRow, entry: &AttemptEntry) {
        let (cost, charge) = self.money(entry);
        row.attempts += 1;
        row.failed += u64::from(entry.settlement.cause.is_some());
        row.interrupted += u64::from(entry.settlement.state == EntryState::Interrupted);
        row.usage = sum(&row.usage, &entry.settlement.usage);
        row.cost = row.cost.saturating_add(cost);
        row.charge = row.charge.saturating_add(charge);
    }
}

fn midnight(at: UnixMs) -> UnixMs {
    UnixMs(at.0.div_euclid(DAY_MS).saturating_mul(DAY_MS))
}

fn group_of(group: UsageGroup, entry: &AttemptEntry) -> Text {
    let opening = &entry.opening;
    match group {
        UsageGroup::Model => Text::clone(&opening.model.0),
        UsageGroup::Provider => Text::clone(&opening.provider),
        UsageGroup::Account => Text::clone(&opening.account),
        UsageGroup::Key => Text::from(opening.payer.key.to_string()),
        UsageGroup::Day => Text::from(opening.opened_at.day()),
    }
}

fn sum(a: &Usage, b: &Usage) -> Usage {
    let mut sum = *a;
    for (to, from) in [
        (&mut sum.input_tokens, b.input_tokens),
        (&mut sum.cache_read_tokens, b.cache_read_tokens),
        (&mut sum.cache_write_5m_tokens, b.cache_write_5m_tokens),
        (&mut sum.cache_write_1h_tokens, b.cache_write_1h_tokens),
        (&mut sum.output_tokens, b.output_tokens),
        (&mut sum.reasoning_tokens, b.reasoning_tokens),
        (&mut sum.audio_input_tokens, b.audio_input_tokens),
        (&mut sum.audio_output_tokens, b.audio_output_tokens),
        (&mut sum.image_input_tokens, b.image_input_tokens),
        (&mut sum.image_output_tokens, b.image_output_tokens),
    ] {
        *to = to.saturating_add(from);
    }
    for (to, from) in [
        (&mut sum.units.searches, b.units.searches),
        (&mut sum.units.images, b.units.images),
        (&mut sum.units.pages, b.units.pages),
        (&mut sum.units.seconds, b.units.seconds),
    ] {
        *to = to.saturating_add(from);
    }
    sum
}

impl LedgerStore for MemoryStore {
    fn append<'a>(&'a self, scope: TenantScope, batch: &'a [LedgerRecord]) -> StoreFuture<'a, ()> {
        self.answer(move |tables| {
            if !batch.iter().all(|record| tables.holds(scope, record)) {
                return Err(StoreError::NotFound);
            }
            for record in batch {
                tables.append(record);
            }
            Ok(())
        })
    }

    fn attempts(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Vec<AttemptEntry>> {
        let (first, last) = (AttemptId { request, ordinal: 0 }, AttemptId { request, ordinal: u8::MAX });
        self.answer(move |tables| {
            let rows = tables.attempts.range(first..=last).map(|(_, row)| row);
            Ok(rows.filter(|row| sees_payer(scope, &row.opening.payer)).cloned().collect())
        })
    }

    fn request(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Option<RequestRecord>> {
        self.answer(move |tables| {
            Ok(tables.requests.get(&request).filter(|record| sees_request(scope, record)).cloned())
        })
    }

    fn usage<'a>(&'a self, scope: TenantScope, query: &'a UsageQuery) -> StoreFuture<'a, Vec<UsageRow>> {
        self.answer(move |tables| Ok(tables.usage(scope, query)))
    }

    fn spend_by_key(&self, scope: TenantScope, since: UnixMs) -> StoreFuture<'_, Vec<(KeyId, NanoUsd)>> {
        self.answer(move |tables| {
            let mut spend: BTreeMap<KeyId, NanoUsd> = BTreeMap::new();
            let seen = tables.attempts.values().filter(|row| {
                sees_payer(scope, &row.opening.payer) && row.opening.opened_at >= midnight(since)
            });
            for row in seen {
                let total = spend.entry(row.opening.payer.key).or_default();
                *total = total.saturating_add(tables.money(row).1);
            }
            spend.retain(|_, total| *total != NanoUsd::ZERO);
            Ok(spend.into_iter().collect())
        })
    }
}

impl KeyStore for MemoryStore {
    fn insert<'a>(&'a self, scope: TenantScope, key: &'a VirtualKey) -> StoreFuture<'a, ()> {
        self.answer(move |tables| {
            if !sees_key(scope, key) {
                return Err(StoreError::NotFound);
            }
            if tables.keys.contains_key(&key.id) || is_name_taken(tables, key) {
                return Err(StoreError::Conflict(format!("there is already a key named {}", key.name)));
            }
            tables.keys.insert(key.id, key.clone());
            tables.key_changes += 1;
            Ok(())
        })
    }

    fn update<'a>(&'a self, scope: TenantScope, key: &'a VirtualKey) -> StoreFuture<'a, ()> {
        self.answer(move |tables| {
            let there = tables.keys.get(&key.id).is_some_and(|known| sees_key(scope, known));
            if !there || !sees_key(scope, key) {
                return Err(StoreError::NotFound);
            }
            if is_name_taken(tables, key) {
                return Err(StoreError::Conflict(format!("there is already a key named {}", key.name)));
            }
            tables.keys.insert(key.id, key.clone());
            tables.key_changes += 1;
            Ok(())
        })
    }

    fn by_hash(&self, scope: TenantScope, hash: KeyHash) -> StoreFuture<'_, Option<VirtualKey>> {
        self.answer(move |tables| {
            Ok(tables.keys.values().find(|key| key.hash == hash && sees_key(scope, key)).cloned())
        })
    }

    fn page(&self, scope: TenantScope, after: Option<KeyId>, limit: u32) -> StoreFuture<'_, Vec<VirtualKey>> {
        self.answer(move |tables| {
            let later = tables.keys.values().filter(|key| after.is_none_or(|after| key.id > after));
            Ok(later.filter(|key| sees_key(scope, key)).take(limit as usize).cloned().collect())
        })
    }

    fn version(&self, _scope: TenantScope) -> StoreFuture<'_, u64> {
        self.answer(|tables| Ok(tables.key_changes))
    }
}

fn is_name_taken(tables: &Tables, key: &VirtualKey) -> bool {
    let same = |other: &VirtualKey| {
        other.id != key.id && other.organisation == key.organisation && other.name == key.name
    };
    key.revoked_at.is_none() && tables.keys.values().any(|other| other.revoked_at.is_none() && same(other))
}

impl AdminTokenStore for MemoryStore {
    fn insert_token<'a>(
        &'a self,
        _scope: TenantScope,
        _name: &'a str,
        hash: KeyHash,
        _at: UnixMs,
    ) -> StoreFuture<'a, ()> {
        self.answer(move |tables| {
            tables.tokens.insert(hash);
            Ok(())
        })
    }

    fn token_exists(&self, _scope: TenantScope, hash: KeyHash) -> StoreFuture<'_, bool> {
        self.answer(move |tables| Ok(tables.tokens.contains(&hash)))
    }

    fn token_count(&self, _scope: TenantScope) -> StoreFuture<'_, u64> {
        self.answer(|tables| Ok(tables.tokens.len() as u64))
    }
}

#[cfg(test)]
mod tests;
