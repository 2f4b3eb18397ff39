//! One binary: the suite every store must pass, and what is particular to files.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

mod files;
mod laws;
mod suite;
mod support;
