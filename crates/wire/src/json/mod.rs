//! JSON for codecs: objects read in one pass with what is unknown kept, and written straight into bytes. Not a document
//! model: nothing is parsed that is not wanted, nothing is built that is not kept.
//!
//! Where to look first: [`wire_object`] (reading), [`Object`] (writing).

pub(crate) mod field;
mod read;
mod text;
mod write;

pub(crate) use read::{Ignored, Key, Rest, Str, problem, wire_object};
pub(crate) use write::{Array, Object, object};
