//! The engine in this process, against scripted providers: what callers see, and what the ledger says about it.

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "helpers of tests fail the test")
)]

#[cfg(test)]
mod budgets;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod streams;
