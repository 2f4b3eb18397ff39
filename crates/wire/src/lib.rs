//! Bytes to meaning and back: what a request asks, which edits a provider needs, what an answer says about itself.
//!
//! What it is: pure functions and small state machines over byte strings. A request stays the caller's bytes; it is
//! skimmed, never parsed into an object and written anew. What it is not: a client or a server. Nothing here reads a
//! clock, rolls a die or touches a socket.
//!
//! Where to look first: [`codec::Codec`], found by [`codec_for`]; [`envelope`] (a request's top-level fields),
//! [`splice`] (named edits), [`frame`] (pieces of a stream), `openai/` (the dialects).

pub mod codec;
mod cursor;
pub mod envelope;
pub mod frame;
pub mod framing;
pub mod headers;
mod openai;
pub mod quirks;
pub mod splice;

use trunkline_domain::Dialect;

use crate::codec::Codec;

/// The codec of a dialect.
pub fn codec_for(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::OpenaiChat => &openai::chat::CODEC,
        Dialect::OpenaiCompletions => &openai::completions::CODEC,
        Dialect::OpenaiEmbeddings => &openai::embeddings::CODEC,
    }
}
