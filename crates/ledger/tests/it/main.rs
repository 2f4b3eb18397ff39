//! The journal against what cannot be done inside one process: being killed, and a disk that is really full.

#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test, in helpers too")]

mod crash;
mod disk_full;
#[path = "../../src/samples.rs"]
mod samples;
