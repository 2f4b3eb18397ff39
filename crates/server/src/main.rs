//! The front door: HTTP in, wiring, and the command line.
//!
//! What it is: the binary `trunkline`. What it is not: a place for decisions about requests; those are the engine's.
//!
//! Where to look first: [`boot`] (what is started, in which order), [`routes`] (the whole public surface on one page),
//! [`listen`] (connections), [`render`] (the only place that turns an error into HTTP).

mod access;
mod admin;
mod app;
mod boot;
mod cli;
mod front;
mod ingress;
mod listen;
mod query;
mod reload;
mod render;
mod routes;

/// Small and steady in memory, and the same on every libc. Without transparent huge pages (`no_thp`), which would make
/// an idle gateway several times as large as what it uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
