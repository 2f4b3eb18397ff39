//! The statements, one file per table or question. Nothing here opens files or decides which one to use beyond asking
//! `months`.

mod append;
mod attempts;
pub(crate) mod catalogue;
mod corrections;
mod keys;
mod ledger;
mod requests;
mod rollup;
mod row;
mod scope;
mod tokens;
mod usage;
mod values;
