//! How deployments are doing, learned from real traffic: one breaker per credential
//! and model, one headroom per credential, one pace per deployment, one budget of retries and one of
//! hedges.
//! No probe that could be billed is ever sent.

mod breaker;
mod headroom;
mod hedge_budget;
mod pace;
mod retry_budget;

pub use breaker::{Breaker, BreakerFigures, Pass};
pub use headroom::{Headroom, HeadroomFigures};
pub use hedge_budget::{HedgeBudget, Stake};
pub use pace::{InFlight, Pace};
pub use retry_budget::RetryBudget;
