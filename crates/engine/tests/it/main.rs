//! The engine in this process, against scripted providers: what callers see, and what the ledger says about it.

#![cfg_attr(test, expect(unreachable_pub, reason = "the modules of a test binary are its only readers"))]

#[cfg(test)]
mod allocations;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod clouds;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod door;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod minted;
#[cfg(test)]
mod patience;
mod recast;
mod relay;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod validation;
