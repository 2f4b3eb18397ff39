//! The binary as its users meet it: started on free ports, spoken to over the network, stopped by signals.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests panic as tests do"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "bodies are made with `json!`, which calls `to_value` on literals: nothing is lost"
)]

mod admin;
mod bodies;
mod chaos;
mod cli;
mod crowd;
mod dialects;
mod errors;
mod inference;
mod kept;
mod kill;
mod lists;
mod protocols;
mod reload;
mod rolling;
mod service;
mod small_disk;
mod startup;
mod stop;
mod storage;
mod support;
mod takeover;
mod unread_log;
mod validation;
