//! The nouns of the gateway: ids, money, usage, errors, plans, attempts, access.
//!
//! What it is: plain facts, shared by every other crate. What it is not: behaviour. Nothing here is `async`, reads
//! a clock, rolls a die or touches a file; times and random numbers come in as arguments, so that whatever is built
//! from these types can be replayed.
//!
//! Where to look first: [`attempt`] (what happened at a provider), [`ledger`] (what is written down about it),
//! [`plan`] (what was meant to happen), [`chat`] (what is said), [`error`] (the one table of public errors).

pub mod access;
pub mod attempt;
pub mod chat;
pub mod dialect;
pub mod embeddings;
pub mod error;
pub mod id;
pub mod ledger;
pub mod model;
pub mod money;
pub mod plan;
pub mod receipt;
pub mod resume;
pub mod secret;
pub mod tenant;
pub mod time;
pub mod usage;
pub mod validation;

pub use dialect::{Dialect, Operation};
pub use error::{Error, ErrorKind};
pub use model::{ModelName, Text, UpstreamModel};
pub use money::{NanoUsd, PricePerMillion};
pub use secret::Secret;
pub use tenant::TenantScope;
pub use time::UnixMs;
pub use usage::{Usage, UsageSource};
