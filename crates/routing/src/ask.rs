//! What a request needs and its caller may use.

use std::time::Duration;

use trunkline_domain::access::ModelPattern;
use trunkline_domain::chat::Minter;
use trunkline_domain::receipt::AffinityBy;
use trunkline_domain::{Dialect, Operation, Text};
use trunkline_wire::codec::Skim;

/// One question to the planner.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What is asked.
    pub operation: Operation,
    /// In which language; a deployment serves it only in the same one.
    pub dialect: Dialect,
    /// The request's facts.
    pub skim: &'a Skim,
    /// Models the key may use; empty means all.
    pub scope: &'a [ModelPattern],
    /// Whether a budget limits the bill, so that it must be bounded.
    pub budgeted: Budgeted,
    /// Attempts allowed, if neither route nor request says less.
    pub attempts_max: u8,
    /// How long the whole request may take, if the route does not say.
    pub total: Duration,
    /// Random number for choices among equals.
    pub seed: u64,
    /// The account that keeps the answer the request goes on from: no other can serve it.
    pub keeper: Option<&'a str>,
    /// What ties the request to a deployment that may remember something of it.
    pub affinity: Option<Affinity>,
    /// Whose state the conversation carries: who made the latest that is known.
    pub state: Option<StateOrigin<'a>>,
}

/// Where a piece of provider state was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateOrigin<'a> {
    /// Who takes it back.
    pub minter: &'a Minter,
    /// The deployment that made it: `account/upstream-id`.
    pub deployment: &'a Text,
}

/// What ties requests to one deployment, so that its prompt cache and its state are found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// What it is told by.
    pub by: AffinityBy,
    /// The same for requests that belong together.
    pub hash: u64,
}

/// Whether a budget limits the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budgeted {
    /// A hard budget: a bill that cannot be bounded is refused.
    Yes,
    /// No budget: the bound only informs.
    No,
}
