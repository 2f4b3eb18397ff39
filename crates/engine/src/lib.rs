//! The verbs: who asks, may they, where to, try it, deliver it, settle it.
//!
//! What it is: [`Engine::serve`], through which every inference request goes, [`Engine::recall`], by which an answer that a
//! provider keeps is asked for again, and the few things around them that need their parts (explain, keys, reload, drain). What it is not: it opens no socket, speaks no SQL and renders no HTTP.
//!
//! Where to look first: `serve.rs`, the straight path on one page; then the rooms in its order: [`authenticate`],
//! `admit`, `plan`, [`execute`], [`deliver`].

pub mod answer;
pub mod authenticate;
pub mod clock;
pub mod config;
pub mod configurator;
pub mod core;
pub mod deliver;
pub mod door;
pub mod execute;
pub mod health;
pub mod inbound;
pub mod kept;
pub mod keys;
pub mod listing;
pub mod measure;
pub mod mint;
pub mod snapshot;
pub mod succession;
pub mod tasks;
pub mod telemetry;

mod admit;
mod engine;
mod explain;
mod meter;
mod minted;
mod offers;
mod plan;
mod request;
mod resume;
mod serve;
mod translate;
mod validate;

pub use engine::{Engine, EngineParts};
