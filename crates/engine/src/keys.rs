//! Virtual keys in memory: a concurrent map from hash to record. Not part of the snapshot; a request keeps the record
//! it met at the door, and revocation is a flag in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use trunkline_domain::access::{Budget, BudgetWindow, KeyHash, VirtualKey};
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_domain::{Error, ErrorKind, NanoUsd, TenantScope, UnixMs};
use trunkline_ledger::api::{KeyStore, LedgerStore, StoreError};
use trunkline_ledger::clock::Clock;
use trunkline_ledger::hold::{CellIx, OrganisationAccount};
use trunkline_ledger::window::RateState;

/// How long a lookup may wait for the store.
const STORE_DEADLINE: Duration = Duration::from_secs(2);
/// Keys read from the store at once while loading.
const PAGE: u32 = 1_000;

/// A key as it is used: its facts, its limits' state, its budgets' cells.
#[derive(Debug)]
pub struct KeyRecord {
    /// The facts.
    pub facts: VirtualKey,
    /// Windows of its rate limits.
    pub rates: Arc<RateState>,
    /// The account its holds are taken from.
    pub account: Arc<OrganisationAccount>,
    /// The cells of its budgets, in the order of `facts.budgets`.
    pub cells: Vec<CellIx>,
    revoked: AtomicBool,
}

impl KeyRecord {
    /// Whether the key may be used at `now`; checked at the door and again before each attempt.
    pub fn check_alive(&self, now: UnixMs) -> Result<(), Error> {
        if self.revoked.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::KeyExpired, "this API key was revoked: ask for a new one"));
        }
        match self.facts.expires_at {
            Some(expiry) if expiry <= now => {
                Err(Error::new(ErrorKind::KeyExpired, "this API key has expired: ask for a new one"))
            }
            _ => Ok(()),
        }
    }
}

/// What a key goes on with that another process has counted so far.
#[derive(Clone, Debug)]
pub(crate) struct Inherited {
    /// Its budgets in which something is spent or held.
    pub(crate) cells: Vec<(BudgetWindow, CellIx)>,
    /// Its rate windows.
    pub(crate) rates: Arc<RateState>,
}

/// What an attempt may come to that another process has under way, and nobody will say how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Whose.
    pub key: KeyId,
    /// When it began.
    pub at: UnixMs,
    /// The most it is charged.
    pub charge: NanoUsd,
}

/// What a lookup found.
#[derive(Debug)]
pub enum Lookup {
    /// The record.
    Found(Arc<KeyRecord>),
    /// Nobody has such a key.
    Unknown,
    /// Not in memory, and the store did not answer.
    StoreAway,
}

/// All keys.
pub struct Keys {
    pub(crate) by_hash: papaya::HashMap<KeyHash, Arc<KeyRecord>>,
    pub(crate) accounts: papaya::HashMap<OrganisationId, Arc<OrganisationAccount>>,
    /// Until all keys are loaded.
    inherited: papaya::HashMap<KeyId, Inherited>,
    outstanding: Mutex<Vec<Outstanding>>,
    store: Arc<dyn KeyStore>,
    ledger: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    loaded: AtomicBool,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("count", &self.by_hash.len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// No keys in memory yet.
    pub fn new(store: Arc<dyn KeyStore>, ledger: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            by_hash: papaya::HashMap::new(),
            accounts: papaya::HashMap::new(),
            inherited: papaya::HashMap::new(),
            outstanding: Mutex::default(),
            store,
            ledger,
            clock,
            loaded: AtomicBool::new(false),
        }
    }

    /// Counts as spent what the ledger does not have yet: what other processes may still come to, and what is on its
    /// way. Instead of what was expected before; first before anybody is admitted.
    pub fn expect(&self, outstanding: Vec<Outstanding>) {
        *self.outstanding.lock().unwrap_or_else(PoisonError::into_inner) = outstanding;
    }

    /// Has a key go on where another process was.
    pub(crate) fn inherit(&self, key: KeyId, inherited: Inherited) {
        self.inherited.pin().insert(key, inherited);
    }

    /// The account of an organisation.
    pub(crate) fn account(&self, organisation: OrganisationId) -> Arc<OrganisationAccount> {
        let accounts = self.accounts.pin();
        accounts.get_or_insert_with(organisation, || Arc::new(OrganisationAccount::new())).clone()
    }

    async fn spent(&self) -> Result<Spent, StoreError> {
        let now = self.clock.now();
        let mut spent = Spent::read(&*self.ledger, now).await?;
        spent.add(&self.outstanding.lock().unwrap_or_else(PoisonError::into_inner), now);
        Ok(spent)
    }

    /// Reads every key and what its budgets have already been charged. Until it is done a miss reads through. Where the
    /// ledger does not say what was charged, the keys without budgets are read nevertheless.
    pub async fn load(&self) -> Result<usize, StoreError> {
        let spent = self.spent().await;
        let mut after = None;
        loop {
            let page = self.store.page(TenantScope::Installation, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for key in page {
                match &spent {
                    Ok(spent) => drop(self.admit(key, spent)),
                    Err(_) if key.budgets.is_empty() => drop(self.admit(key, &Spent::default())),
                    Err(_) => {}
                }
            }
        }
        spent?;
        self.loaded.store(true, Ordering::Release);
        self.inherited.pin().clear();
        Ok(self.by_hash.len())
    }

    /// Whether every key is in memory.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// How many are in memory.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Holds taken and not settled, over all organisations.
    pub fn open_holds(&self) -> u64 {
        self.accounts.pin().values().map(|account| account.open_holds()).sum()
    }

    /// Whether none is in memory.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Finds a key by the hash of its secret.
    pub async fn find(&self, hash: KeyHash) -> Lookup {
        if let Some(record) = self.by_hash.pin().get(&hash) {
            return Lookup::Found(record.clone());
        }
        if self.is_loaded() {
            return Lookup::Unknown;
        }
        let read = async {
            let key = self.store.by_hash(TenantScope::Installation, hash).await?;
            let Some(key) = key else { return Ok(None) };
            let spent = if key.budgets.is_empty() { Spent::default() } else { self.spent().await? };
            Ok::<_, StoreError>(Some(self.admit(key, &spent)))
        };
        match tokio::time::timeout(STORE_DEADLINE, read).await {
            Ok(Ok(Some(record))) => Lookup::Found(record),
            Ok(Ok(None)) => Lookup::Unknown,
            Ok(Err(_)) | Err(_) => Lookup::StoreAway,
        }
    }

    /// A key that was just made: stored first, then usable at once.
    pub async fn create(&self, key: VirtualKey) -> Result<(), StoreError> {
        self.store.insert(TenantScope::Organisation(key.organisation), &key).await?;
        self.admit(key, &Spent::default());
        Ok(())
    }

    /// Changed facts of a key: stored, then in force at once. A changed hash ends the old secret; windows and budgets
    /// go on where they were, with their new limits.
    pub async fn update(&self, old: KeyHash, key: VirtualKey) -> Result<(), StoreError> {
        self.store.update(TenantScope::Organisation(key.organisation), &key).await?;
        let spent = self.spent().await?;
        let Some(record) = self.by_hash.pin().remove(&old).cloned() else {
            self.admit(key, &spent);
            return Ok(());
        };
        record.revoked.store(true, Ordering::Relaxed);
        record.rates.change_limits(key.limits);
        let next = Arc::new(KeyRecord {
            rates: record.rates.clone(),
            cells: self.carry_cells(&record, &key, &spent),
            account: record.account.clone(),
            revoked: AtomicBool::new(key.revoked_at.is_some()),
            facts: key,
        });
        self.by_hash.pin().insert(next.facts.hash, next);
        Ok(())
    }

    /// The cells of a changed key: a budget over the same window keeps its cell and what was spent from it.
    fn carry_cells(&self, record: &KeyRecord, key: &VirtualKey, spent: &Spent) -> Vec<CellIx> {
        let mut old: Vec<_> = record.facts.budgets.iter().zip(&record.cells).collect();
        let now = self.clock.now();
        let mut cells = Vec::with_capacity(key.budgets.len());
        for budget in &key.budgets {
            if let Some(place) = old.iter().position(|(before, _)| before.window == budget.window) {
                let (_, cell) = old.swap_remove(place);
                record.account.change_limit(*cell, budget.limit);
                cells.push(*cell);
            } else {
                cells.push(record.account.cell(
                    budget.limit,
                    budget.window,
                    spent.of(key.id, budget.window),
                    now,
                ));
            }
        }
        for (_, cell) in old {
            record.account.remove(*cell);
        }
        cells
    }

    /// Puts a key into the map; one that is already there stays, with its windows and cells.
    fn admit(&self, key: VirtualKey, spent: &Spent) -> Arc<KeyRecord> {
        let hash = key.hash;
        let map = self.by_hash.pin();
        if let Some(known) = map.get(&hash) {
            return known.clone();
        }
        let now = self.clock.now();
        let account = self.account(key.organisation);
        let inherited = self.inherited.pin().get(&key.id).cloned();
        let (mut known, rates) = inherited.map_or_else(
            || (Vec::new(), Arc::new(RateState::new(key.limits))),
            |Inherited { cells, rates }| (cells, rates),
        );
        rates.change_limits(key.limits);
        let mut fresh = Vec::new();
        let mut cell = |budget: &Budget| {
            if let Some(place) = known.iter().position(|(window, _)| *window == budget.window) {
                let (_, cell) = known.swap_remove(place);
                account.change_limit(cell, budget.limit);
                return cell;
            }
            let cell = account.cell(budget.limit, budget.window, spent.of(key.id, budget.window), now);
            fresh.push(cell);
            cell
        };
        let cells = key.budgets.iter().map(&mut cell).collect();
        let record = Arc::new(KeyRecord {
            rates,
            cells,
            account: account.clone(),
            revoked: AtomicBool::new(key.revoked_at.is_some()),
            facts: key,
        });
        match map.try_insert(hash, record.clone()) {
            Ok(_) => record,
            Err(taken) => {
                for cell in fresh {
                    account.remove(cell);
                }
                taken.current.clone()
            }
        }
    }
}

/// What keys were charged in the windows that are now running.
#[derive(Default)]
struct Spent(Vec<(BudgetWindow, std::collections::HashMap<KeyId, NanoUsd>)>);

impl Spent {
    async fn read(ledger: &dyn LedgerStore, now: UnixMs) -> Result<Self, StoreError> {
        let mut windows = Vec::with_capacity(4);
        for window in [BudgetWindow::Day, BudgetWindow::Week, BudgetWindow::Month, BudgetWindow::Total] {
            let rows = ledger.spend_by_key(TenantScope::Installation, window.start(now)).await?;
            windows.push((window, rows.into_iter().collect()));
        }
        Ok(Self(windows))
    }

    fn add(&mut self, outstanding: &[Outstanding], now: UnixMs) {
        for (window, spent) in &mut self.0 {
            let start = window.start(now);
            for Outstanding { key, at, charge } in outstanding {
                if *at >= start {
                    let sum = spent.entry(*key).or_default();
                    *sum = sum.saturating_add(*charge);
                }
            }
        }
    }

    fn of(&self, key: KeyId, window: BudgetWindow) -> NanoUsd {
        let known = self.0.iter().find(|(known, _)| *known == window);
        known.and_then(|(_, spent)| spent.get(&key).copied()).unwrap_or_default()
    }
}
