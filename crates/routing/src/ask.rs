//! What a request needs and its caller may use.

use trunkline_domain::access::ModelPattern;
use trunkline_domain::plan::Deadlines;
use trunkline_domain::{Dialect, Operation};
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
    /// Deadlines, if the route sets none.
    pub deadlines: Deadlines,
    /// Random number for choices among equals.
    pub seed: u64,
}

/// Whether a budget limits the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budgeted {
    /// A hard budget: a bill that cannot be bounded is refused.
    Yes,
    /// No budget: the bound only informs.
    No,
}
