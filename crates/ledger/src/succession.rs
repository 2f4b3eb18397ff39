//! Counters that another process has taken over: what the one before hands on, and what it tells afterwards.
//!
//! What it is not: a connection (the server brings one) or an account of its own. From the handing over on there is one
//! who counts, the successor. Budgets and windows of the process before admit nothing any more
//! ([`crate::hold::OrganisationAccount::hand_over`], [`crate::window::RateState::hand_over`]); it asks for every further
//! hold, and tells how each one ended that was open before. Where to look first: [`Successor`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trunkline_domain::access::{BudgetWindow, KeyHash};
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_domain::{NanoUsd, UnixMs};

use crate::hold::{BudgetRefusal, CellIx};
use crate::window::RateRefusal;

/// Who counts from now on, as seen from the process before.
pub trait Successor: Send + Sync {
    /// Says what has changed in what was handed over. Neither fails nor waits.
    fn tell(&self, change: Change);

    /// Asks whether something may be begun. `None` where nobody answers any more.
    fn ask(&self, question: Question) -> Asked<'_>;
}

/// An answer on its way.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>>;

/// A handle on the successor.
#[derive(Clone)]
pub struct Heir(Arc<dyn Successor>);

impl Heir {
    /// A handle.
    pub fn new(successor: Arc<dyn Successor>) -> Self {
        Self(successor)
    }

    /// See [`Successor::tell`].
    pub fn tell(&self, change: Change) {
        self.0.tell(change);
    }

    /// See [`Successor::ask`].
    pub fn ask(&self, question: Question) -> Asked<'_> {
        self.0.ask(question)
    }
}

impl fmt::Debug for Heir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heir")
    }
}

/// What has changed. Cells, keys and seconds are named as the process before knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// An attempt that was under way has ended: so much is held no longer in one of its cells, so much was charged.
    Cell {
        /// Whose account.
        organisation: OrganisationId,
        /// The cell.
        cell: CellIx,
        /// The start of the window the attempt counts in.
        starts_at: UnixMs,
        /// Held no longer.
        released: NanoUsd,
        /// Charged instead.
        charged: NanoUsd,
    },
    /// An attempt has ended whose hold the successor had granted.
    Hold {
        /// The grant.
        number: u64,
        /// What it is charged.
        charged: NanoUsd,
    },
    /// A request that was under way used other tokens than were held for it.
    Tokens {
        /// Whose window.
        key: KeyId,
        /// The sub-window in which they were held.
        second: u64,
        /// Held so far.
        held: u64,
        /// Used.
        actual: u64,
    },
    /// A request that was under way has ended.
    Ended {
        /// Whose.
        key: KeyId,
    },
    /// The same of a request that the successor had admitted.
    PermitTokens {
        /// The grant.
        number: u64,
        /// Used.
        actual: u64,
    },
    /// A request that the successor had admitted has ended.
    PermitEnded {
        /// The grant.
        number: u64,
    },
}

/// What the process before asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// May an attempt hold so much?
    Hold {
        /// The key's hash.
        key: KeyHash,
        /// The most it can cost.
        amount: NanoUsd,
    },
    /// May a request that likely uses so many tokens begin?
    Admit {
        /// The key's hash.
        key: KeyHash,
        /// Prompt and output.
        tokens: u64,
    },
}

/// What the successor says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It may; what follows refers to this number.
    Granted(u64),
    /// A budget has no room.
    OverBudget(BudgetRefusal),
    /// A rate limit is reached.
    OverLimit(RateRefusal),
    /// The successor cannot say: it does not know the key, or its store is away.
    Unknown,
}

/// A budget as it is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellState {
    /// What the process before calls it.
    pub cell: CellIx,
    /// Its window.
    pub window: BudgetWindow,
    /// The start of the window the figures are of.
    pub starts_at: UnixMs,
    /// Spent in it.
    pub settled: NanoUsd,
    /// Held by attempts under way.
    pub held: NanoUsd,
}

/// A key's rate windows as they are handed over: counts by second, on the clock of the process before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateCounts {
    /// Requests under way.
    pub in_flight: u32,
    /// Requests begun in each second.
    pub requests: Vec<(u64, u64)>,
    /// Tokens held or used in each second.
    pub tokens: Vec<(u64, u64)>,
}

impl RateCounts {
    /// Whether there is nothing to hand over.
    pub fn is_empty(&self) -> bool {
        self.in_flight == 0 && self.requests.is_empty() && self.tokens.is_empty()
    }
}

/// The same instant on the clocks of two processes, in seconds of [`crate::window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds {
    /// On the clock of the process before.
    pub theirs: u64,
    /// On the successor's, a moment later.
    pub ours: u64,
}

impl Seconds {
    /// A second of theirs on our clock: later by up to one, because seconds begin at different instants, and never
    /// earlier, so that nothing leaves a window too soon.
    pub fn ours(self, second: u64) -> u64 {
        let age = self.theirs.saturating_sub(second);
        (self.ours + 1).saturating_sub(age).min(self.ours)
    }
}

#[cfg(test)]
mod loom_tests;
#[cfg(test)]
mod tests;
