//! Memory that survives: the ledger's store traits over SQLite.
//!
//! What it is: [`Store`], one directory of database files. `control.db` holds virtual keys, admin tokens and
//! catalogue versions; `ledger-YYYY-MM.db` holds one UTC month of attempts, requests, corrections and their rollups,
//! so that a month is dropped by unlinking its file and never by deleting rows. Every file is in WAL mode: the command
//! line reads while a gateway writes.
//!
//! What it is not: a cache, a queue or a counter. Nothing here is asked while a request waits; the journal is what
//! makes rows safe before they arrive.
//!
//! Where to look first: [`open`] for what is opened and how, `months` for which file a row belongs to, `sql/append`
//! for how a batch becomes rows and rollups, `sql/scope` for how a query is kept within its tenant.

mod database;
mod error;
mod migrate;
mod months;
pub mod open;
mod sql;

pub use open::{Durability, Mode, Store, StoreOptions};
pub use sql::catalogue::{BUNDLE_BYTES_MAX, CATALOGUE_VERSIONS_MAX, CatalogueVersion};
