//! The configuration: from `trunkline.toml` and the environment to typed settings with their secrets.
//!
//! What it is not: the running snapshot ([`crate::snapshot`]), which is built from it. Nothing here watches files,
//! waits or opens connections; only [`secrets`] looks outside the text it is given.
//!
//! Where to look first: [`reload::load`], then [`check::check`], then the table in question ([`server`],
//! [`account`], [`model`], [`route`], [`file`]). [`reference`] describes every key; [`init`] is the file a new user
//! starts from.

pub mod account;
pub mod check;
pub mod cloud;
pub mod discover;
pub mod file;
pub mod init;
pub mod known;
pub mod limits;
pub mod model;
pub mod problem;
pub mod reference;
pub mod reload;
pub mod route;
pub mod secrets;
pub mod server;

mod fallbacks;
mod reader;
#[cfg(test)]
mod tests;

pub use account::AccountSettings;
pub use check::{Checked, KnownModels, check};
pub use discover::{AccountKey, ReadyAccount};
pub use file::ConfigFile;
pub use known::{AnyModel, CatalogueModels};
pub use problem::{Position, Problem, Severity};
pub use reload::{Loaded, load, load_without_file};
pub use secrets::{Environment, ProcessEnvironment};
