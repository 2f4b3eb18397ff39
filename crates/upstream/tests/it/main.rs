//! The way out, seen through its doors: real sockets on loopback, servers scripted by each test.

#![expect(clippy::disallowed_methods, reason = "`json!` is made of it")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, its servers too"
)]

mod addresses;
mod bodies;
mod clouds;
mod deadlines;
mod failures;
mod fetching;
mod http1;
mod http2;
mod proxying;
mod reuse;
mod support;
mod tls;
