//! Money and memory as promises: holds on budgets, sliding windows, the journal, the guards that settle, and the
//! traits a store fulfils.
//!
//! What it is not: a database. No SQL is here; files are touched in [`journal`] only. Where to look first: [`guard`]
//! (what a request owns while it runs), [`hold`] (why a budget cannot be overshot), [`journal`] (why nothing is lost),
//! [`api`] (what a store promises).

pub mod api;
pub mod clock;
pub mod guard;
pub mod hold;
pub mod journal;
pub mod memory;
#[cfg(test)]
mod samples;
pub mod succession;
mod sync;
pub mod window;

pub use clock::Clock;
