//! How deployments are doing, learned from real traffic: one breaker per credential and model, one retry budget.
//! No probe that could be billed is ever sent.

mod breaker;
mod retry_budget;

pub use breaker::Breaker;
pub use retry_budget::RetryBudget;
