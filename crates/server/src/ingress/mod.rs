//! Requests with a body: read it, hand it to the engine, and what surrounds that at the door.
//!
//! Where to look first: [`inference`], the one way to an answer; [`read`] (how bodies get into memory).

pub(crate) mod cors;
pub(crate) mod explain;
pub(crate) mod forwarded;
pub(crate) mod inference;
pub(crate) mod kept;
pub(crate) mod read;
