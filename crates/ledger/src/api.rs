//! The promises a store makes, as traits. No database is named here; `store` implements them over SQL, [`crate::memory`]
//! in memory. Every method takes the [`TenantScope`] it may touch.

use std::future::Future;
use std::pin::Pin;

use trunkline_domain::access::{KeyHash, VirtualKey};
use trunkline_domain::id::{KeyId, RequestId};
use trunkline_domain::ledger::{AttemptEntry, Correction, RequestRecord};
use trunkline_domain::{NanoUsd, TenantScope, Text, UnixMs, Usage};

/// What a store method returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer in time, or is not there.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The disk under it is full.
    #[error("the disk under the store is full")]
    DiskFull,
    /// What is asked for collides with what is there, such as a key's name.
    #[error("{0}")]
    Conflict(String),
    /// The scope does not hold what was named.
    #[error("not found")]
    NotFound,
    /// The stored data is not what this version writes.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
}

/// A record on its way from the journal into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerRecord {
    /// An attempt that ended, or was found interrupted.
    Attempt(Box<AttemptEntry>),
    /// A request that ended.
    Request(Box<RequestRecord>),
    /// A correction.
    Correction(Box<Correction>),
}

/// The ledger: append-only rows, and questions about them.
pub trait LedgerStore: Send + Sync {
    /// Appends records and their rollups in one transaction. Idempotent by attempt id, request id, or (for
    /// corrections) attempt id and time: a record already there changes nothing, rollups included.
    fn append<'a>(&'a self, scope: TenantScope, batch: &'a [LedgerRecord]) -> StoreFuture<'a, ()>;

    /// The rows of one request, by ordinal.
    fn attempts(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Vec<AttemptEntry>>;

    /// The record of one request.
    fn request(&self, scope: TenantScope, request: RequestId) -> StoreFuture<'_, Option<RequestRecord>>;

    /// Sums over rows, grouped as asked, dearest first.
    fn usage<'a>(&'a self, scope: TenantScope, query: &'a UsageQuery) -> StoreFuture<'a, Vec<UsageRow>>;

    /// What each key was charged since a UTC midnight (`since` is rounded down to one); keys without any are absent.
    fn spend_by_key(&self, scope: TenantScope, since: UnixMs) -> StoreFuture<'_, Vec<(KeyId, NanoUsd)>>;
}

/// How usage is grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageGroup {
    /// By canonical model.
    Model,
    /// By provider.
    Provider,
    /// By configured account.
    Account,
    /// By virtual key.
    Key,
    /// By UTC day.
    Day,
}

/// A question about usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// One or more; rows are distinct in all of them together. Empty gives one row of totals.
    pub group_by: Vec<UsageGroup>,
    /// First instant, inclusive; rounded down to a UTC midnight.
    pub from: Option<UnixMs>,
    /// Last instant, exclusive; rounded up to a UTC midnight.
    pub to: Option<UnixMs>,
}

/// One row of an answer about usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The values of the groups, in the order of [`UsageQuery::group_by`].
    pub groups: Vec<Text>,
    /// Distinct requests. A request tried at two models counts for both, and once in a row that holds both.
    pub requests: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were interrupted: whether they failed and what they used is not known, and not counted.
    pub interrupted: u64,
    /// The usage of all others.
    pub usage: Usage,
    /// What providers charge, corrections included.
    pub cost: NanoUsd,
    /// What payers are charged, corrections included.
    pub charge: NanoUsd,
}

/// Virtual keys.
pub trait KeyStore: Send + Sync {
    /// Stores a new key. [`StoreError::Conflict`] where a living key of the organisation has its name.
    fn insert<'a>(&'a self, scope: TenantScope, key: &'a VirtualKey) -> StoreFuture<'a, ()>;

    /// Replaces the facts of a key that is there. [`StoreError::NotFound`] where the scope has none of that id.
    fn update<'a>(&'a self, scope: TenantScope, key: &'a VirtualKey) -> StoreFuture<'a, ()>;

    /// The key with this hash, revoked and expired ones too.
    fn by_hash(&self, scope: TenantScope, hash: KeyHash) -> StoreFuture<'_, Option<VirtualKey>>;

    /// Keys in the order of their ids, starting after `after`; at most `limit`.
    fn page(&self, scope: TenantScope, after: Option<KeyId>, limit: u32) -> StoreFuture<'_, Vec<VirtualKey>>;

    /// A number that grows with every change to any key in the scope: what a gateway polls to notice changes made
    /// beside it.
    fn version(&self, scope: TenantScope) -> StoreFuture<'_, u64>;
}

/// Tokens of the admin API.
pub trait AdminTokenStore: Send + Sync {
    /// Stores a token's SHA-256 under a name.
    fn insert_token<'a>(
        &'a self,
        scope: TenantScope,
        name: &'a str,
        hash: KeyHash,
        at: UnixMs,
    ) -> StoreFuture<'a, ()>;

    /// Whether a token with this SHA-256 is there and not revoked.
    fn token_exists(&self, scope: TenantScope, hash: KeyHash) -> StoreFuture<'_, bool>;

    /// How many tokens there are.
    fn token_count(&self, scope: TenantScope) -> StoreFuture<'_, u64>;
}
