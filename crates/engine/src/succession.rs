//! Counters that change hands while requests are under way: what this process gives to its successor, and what it answers
//! to the process it has succeeded.
//!
//! What it is not: sockets, or when to hand over (the server's). Where to look first: [`Keys::hand_over`] on one side,
//! [`Predecessor`] on the other. Both can be true at once of a process that was succeeded while the one before it still
//! finishes its streams: then questions and changes pass through to whoever counts.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trunkline_domain::access::KeyHash;
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_domain::{NanoUsd, Text, UnixMs};
use trunkline_ledger::hold::{BudgetRefusal, CellIx, Hold, NoHold, OrganisationAccount};
use trunkline_ledger::succession::{Answer, CellState, Change, Heir, Question, RateCounts, Seconds};
use trunkline_ledger::window::{NoPermit, RatePermit, RateRefusal, RateState, second};

use crate::Engine;
use crate::keys::{Inherited, KeyRecord, Keys, Lookup};

/// Grants of one predecessor that are open at once, of each sort: more than it can have requests under way.
const GRANTS_MAX: usize = 1 << 20;

/// Everything that is counted, at the instant from which the successor counts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// The instant, in seconds of the giver's clock.
    second: u64,
    keys: Vec<KeyCounters>,
    /// What goes through each account, under the operator's own limits.
    accounts: Vec<(Text, RateCounts)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeyCounters {
    key: KeyId,
    organisation: OrganisationId,
    cells: Vec<CellState>,
    rates: RateCounts,
}

/// Why the successor grants nothing.
#[derive(Debug)]
pub(crate) enum NoGrant<R> {
    /// A limit or a budget is reached.
    Refused(R),
    /// Nobody who counts answers.
    Away,
}

impl Engine {
    /// Lets the successor count from now on, and says what it starts from. Every key must be in memory: one read later
    /// would be counted by nobody.
    pub fn hand_over(&self, heir: &Heir) -> Counters {
        let core = self.core();
        let now_ms = core.clock.monotonic_ms();
        let accounts = self.snapshot();
        let accounts = accounts.accounts.values().filter_map(|account| {
            let counts = account.rates.counts(now_ms);
            (!counts.is_empty()).then(|| (account.name.clone(), counts))
        });
        Counters {
            second: second(now_ms),
            keys: core.keys.hand_over(heir, core.clock.now(), now_ms),
            accounts: accounts.collect(),
        }
    }

    /// Counts here again: the successor did not begin.
    pub fn take_back(&self) {
        self.keys().take_back();
    }

    /// Counts on from where another process was. Before anybody is admitted.
    pub fn succeed(&self, counters: Counters) -> Predecessor {
        let core = self.core();
        let (now, now_ms) = (core.clock.now(), core.clock.monotonic_ms());
        let seconds = Seconds { theirs: counters.second, ours: second(now_ms) };
        let snapshot = self.snapshot();
        for (name, counts) in &counters.accounts {
            if let Some(account) = snapshot.accounts.get(name) {
                account.rates.start_from(counts, seconds, now_ms);
            }
        }
        let mut predecessor = Predecessor {
            engine: self.clone(),
            seconds,
            cells: HashMap::new(),
            rates: HashMap::new(),
            holds: HashMap::new(),
            permits: HashMap::new(),
            granted: 0,
        };
        for key in counters.keys {
            predecessor.inherit(key, now, now_ms);
        }
        predecessor
    }
}

impl Keys {
    fn hand_over(&self, heir: &Heir, now: UnixMs, now_ms: u64) -> Vec<KeyCounters> {
        let mut states: HashMap<(OrganisationId, CellIx), CellState> = HashMap::new();
        for (organisation, account) in &self.accounts.pin() {
            let cells = account.hand_over(*organisation, heir.clone(), now);
            states.extend(cells.into_iter().map(|state| ((*organisation, state.cell), state)));
        }
        let mut keys = Vec::new();
        for record in self.by_hash.pin().values() {
            let (key, organisation) = (record.facts.id, record.facts.organisation);
            let rates = record.rates.hand_over(key, heir.clone(), now_ms);
            let cells = record.cells.iter().filter_map(|cell| states.remove(&(organisation, *cell)));
            let cells: Vec<CellState> = cells.collect();
            if !rates.is_empty() || !cells.is_empty() {
                keys.push(KeyCounters { key, organisation, cells, rates });
            }
        }
        keys
    }

    fn take_back(&self) {
        self.accounts.pin().values().for_each(|account| account.take_back());
        self.by_hash.pin().values().for_each(|record| record.rates.take_back());
    }

    /// Holds money for an attempt: here, or at the process that counts now.
    pub(crate) async fn hold(
        record: &KeyRecord,
        amount: NanoUsd,
        now: UnixMs,
    ) -> Result<Hold, NoGrant<BudgetRefusal>> {
        for _ in 0..2 {
            let heir = match record.account.hold(&record.cells, amount, now) {
                Ok(hold) => return Ok(hold),
                Err(NoHold::Refused(refusal)) => return Err(NoGrant::Refused(refusal)),
                Err(NoHold::HandedOver(heir)) => heir,
            };
            match Box::pin(heir.ask(Question::Hold { key: record.facts.hash, amount })).await {
                Some(Answer::Granted(number)) => return Ok(Hold::granted(heir, number, amount)),
                Some(Answer::OverBudget(refusal)) => return Err(NoGrant::Refused(refusal)),
                Some(Answer::OverLimit(_) | Answer::Unknown) => break,
                // It may have been taken back.
                None => {}
            }
        }
        Err(NoGrant::Away)
    }

    /// Counts a request in the key's limits: here, or at the process that counts now.
    pub(crate) async fn count(
        record: &KeyRecord,
        now_ms: u64,
        tokens: u64,
    ) -> Result<RatePermit, NoGrant<RateRefusal>> {
        for _ in 0..2 {
            let heir = match record.rates.admit(now_ms, tokens) {
                Ok(permit) => return Ok(permit),
                Err(NoPermit::Refused(refusal)) => return Err(NoGrant::Refused(refusal)),
                Err(NoPermit::HandedOver(heir)) => heir,
            };
            match Box::pin(heir.ask(Question::Admit { key: record.facts.hash, tokens })).await {
                Some(Answer::Granted(number)) => return Ok(RatePermit::granted(heir, number)),
                Some(Answer::OverLimit(refusal)) => return Err(NoGrant::Refused(refusal)),
                Some(Answer::OverBudget(_) | Answer::Unknown) => break,
                None => {}
            }
        }
        Err(NoGrant::Away)
    }
}

/// The process this one has succeeded, as long as it finishes its streams: what it still holds here. Dropping it says
/// that it has ended: what it still held is spent, for nobody will ever say otherwise but its journal, which charges
/// the same.
#[derive(Debug)]
pub struct Predecessor {
    engine: Engine,
    seconds: Seconds,
    /// By its names of them.
    cells: HashMap<(OrganisationId, CellIx), Held>,
    rates: HashMap<KeyId, Running>,
    holds: HashMap<u64, Hold>,
    permits: HashMap<u64, RatePermit>,
    granted: u64,
}

/// What it holds in one cell.
#[derive(Debug)]
struct Held {
    account: Arc<OrganisationAccount>,
    cell: CellIx,
    starts_at: UnixMs,
    amount: NanoUsd,
}

/// Its requests under way with one key.
#[derive(Debug)]
struct Running {
    state: Arc<RateState>,
    in_flight: u32,
}

impl Predecessor {
    fn inherit(&mut self, counters: KeyCounters, now: UnixMs, now_ms: u64) {
        let KeyCounters { key, organisation, cells, rates } = counters;
        let keys = self.engine.keys();
        let account = keys.account(organisation);
        let mut inherited = Vec::with_capacity(cells.len());
        for state in cells {
            let cell = account.inherit(&state, now);
            inherited.push((state.window, cell));
            let (account, starts_at, amount) = (Arc::clone(&account), state.starts_at, state.held);
            self.cells.insert((organisation, state.cell), Held { account, cell, starts_at, amount });
        }
        let state = Arc::new(RateState::inherit(&rates, self.seconds, now_ms));
        keys.inherit(key, Inherited { cells: inherited, rates: Arc::clone(&state) });
        self.rates.insert(key, Running { state, in_flight: rates.in_flight });
    }

    /// Answers a question.
    pub async fn answer(&mut self, question: Question) -> Answer {
        if self.holds.len().max(self.permits.len()) >= GRANTS_MAX {
            return Answer::Unknown;
        }
        match question {
            Question::Hold { key, amount } => self.grant_hold(key, amount).await,
            Question::Admit { key, tokens } => self.grant_permit(key, tokens).await,
        }
    }

    async fn grant_hold(&mut self, key: KeyHash, amount: NanoUsd) -> Answer {
        let Lookup::Found(record) = self.engine.keys().find(key).await else { return Answer::Unknown };
        match Keys::hold(&record, amount, self.engine.core().clock.now()).await {
            Ok(hold) => {
                self.granted += 1;
                self.holds.insert(self.granted, hold);
                Answer::Granted(self.granted)
            }
            Err(NoGrant::Refused(refusal)) => Answer::OverBudget(refusal),
            Err(NoGrant::Away) => Answer::Unknown,
        }
    }

    async fn grant_permit(&mut self, key: KeyHash, tokens: u64) -> Answer {
        let Lookup::Found(record) = self.engine.keys().find(key).await else { return Answer::Unknown };
        match Keys::count(&record, self.engine.core().clock.monotonic_ms(), tokens).await {
            Ok(permit) => {
                self.granted += 1;
                self.permits.insert(self.granted, permit);
                Answer::Granted(self.granted)
            }
            Err(NoGrant::Refused(refusal)) => Answer::OverLimit(refusal),
            Err(NoGrant::Away) => Answer::Unknown,
        }
    }

    /// Takes note of what it tells.
    pub fn note(&mut self, change: &Change) {
        match *change {
            Change::Cell { organisation, cell, starts_at, released, charged } => {
                if let Some(held) = self.cells.get_mut(&(organisation, cell)) {
                    held.amount = held.amount.saturating_sub(released);
                    held.account.book(held.cell, starts_at, released, charged);
                }
            }
            Change::Hold { number, charged } => {
                if let Some(hold) = self.holds.remove(&number) {
                    hold.settle(charged);
                }
            }
            Change::Tokens { key, second, held, actual } => {
                if let Some(running) = self.rates.get(&key) {
                    running.state.correct(self.seconds.ours(second), held, actual);
                }
            }
            Change::Ended { key } => {
                if let Some(running) = self.rates.get_mut(&key).filter(|running| running.in_flight > 0) {
                    running.in_flight -= 1;
                    running.state.end();
                }
            }
            Change::PermitTokens { number, actual } => {
                if let Some(permit) = self.permits.get_mut(&number) {
                    permit.correct_tokens(actual);
                }
            }
            Change::PermitEnded { number } => drop(self.permits.remove(&number)),
        }
    }
}

impl Drop for Predecessor {
    fn drop(&mut self) {
        for held in self.cells.values() {
            if held.amount > NanoUsd::ZERO {
                held.account.book(held.cell, held.starts_at, held.amount, held.amount);
            }
        }
        for running in self.rates.values() {
            (0..running.in_flight).for_each(|_| running.state.end());
        }
    }
}
