//! Bytes to meaning and back: what a request asks, which edits a provider needs, what an answer says about itself.
//!
//! What it is: pure functions and small state machines over byte strings. A request stays the caller's bytes; it is
//! skimmed, and parsed into an object and written anew only where the provider speaks another dialect. What it is not: a client or a server. Nothing here reads a
//! clock, rolls a die or touches a socket.
//!
//! Where to look first: [`codec::Codec`] (relay: the same dialect on both sides), found by [`codec_for`];
//! [`recast::ChatCodec`] (another dialect), found by [`chat_codec_for`]; [`envelope`] (a request's top-level fields),
//! [`splice`] (named edits), [`frame`] (pieces of a stream), `openai/` (the dialects).

mod anthropic;
mod bedrock;
pub mod codec;
mod cohere;
mod cursor;
pub mod envelope;
mod fields;
pub mod frame;
pub mod framing;
pub mod gemini;
pub mod headers;
pub mod http1;
mod json;
mod ollama;
mod openai;
pub mod quirks;
pub mod recast;
pub mod responses;
pub mod routing;
pub mod splice;
pub mod state;

use trunkline_domain::Dialect;

use crate::codec::Codec;
use crate::recast::{CallerCodec, ChatCodec, EmbeddingsCodec};

/// The codec by which a dialect is relayed. A dialect that is only recast has none of its own and gets that of OpenAI's
/// chat, which can render an error but would misread a body: whoever lets a caller choose a dialect offers none of those.
pub fn codec_for(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::OpenaiChat | Dialect::BedrockConverse | Dialect::CohereChat | Dialect::OllamaChat => {
            &openai::chat::CODEC
        }
        Dialect::OpenaiResponses => &responses::CODEC,
        Dialect::AnthropicMessages => &anthropic::CODEC,
        Dialect::GeminiGenerate => &gemini::CODEC,
        Dialect::GeminiEmbed => &gemini::embeddings::ONE,
        Dialect::GeminiBatchEmbed => &gemini::embeddings::MANY,
        Dialect::OpenaiCompletions => &openai::completions::CODEC,
        Dialect::OpenaiEmbeddings => &openai::embeddings::CODEC,
    }
}

/// Whether a request in one dialect can be put to a provider that speaks another.
pub fn can_recast(from: Dialect, to: Dialect) -> bool {
    let chats = caller_codec_for(from).is_some() && chat_codec_for(to).is_some();
    let embeddings = embeddings_codec_for(from).is_some() && embeddings_codec_for(to).is_some();
    from != to && (chats || embeddings)
}

/// The codec by which callers of a chat dialect are served by providers of another. `None` for a dialect that is no chat.
pub fn caller_codec_for(dialect: Dialect) -> Option<&'static dyn CallerCodec> {
    chat_codec_for(dialect).map(|codec| codec as &dyn CallerCodec)
}

/// The codec by which providers of a chat dialect serve callers of another. `None` for a dialect that is no chat.
pub fn chat_codec_for(dialect: Dialect) -> Option<&'static dyn ChatCodec> {
    match dialect {
        Dialect::OpenaiChat => Some(&openai::recast::CODEC),
        Dialect::OpenaiResponses => Some(&responses::recast::CODEC),
        Dialect::AnthropicMessages => Some(&anthropic::recast::CODEC),
        Dialect::GeminiGenerate => Some(&gemini::recast::CODEC),
        Dialect::BedrockConverse => Some(&bedrock::CODEC),
        Dialect::CohereChat => Some(&cohere::CODEC),
        Dialect::OllamaChat => Some(&ollama::CODEC),
        Dialect::OpenaiCompletions
        | Dialect::OpenaiEmbeddings
        | Dialect::GeminiEmbed
        | Dialect::GeminiBatchEmbed => None,
    }
}

/// The codec by which embeddings of one dialect are recast to another. `None` for a dialect that has none.
pub fn embeddings_codec_for(dialect: Dialect) -> Option<&'static dyn EmbeddingsCodec> {
    match dialect {
        Dialect::OpenaiEmbeddings => Some(&openai::recast::embeddings::CODEC),
        Dialect::GeminiEmbed => Some(&gemini::recast::embeddings::ONE),
        Dialect::GeminiBatchEmbed => Some(&gemini::recast::embeddings::MANY),
        Dialect::OpenaiChat
        | Dialect::OpenaiCompletions
        | Dialect::OpenaiResponses
        | Dialect::AnthropicMessages
        | Dialect::GeminiGenerate
        | Dialect::BedrockConverse
        | Dialect::CohereChat
        | Dialect::OllamaChat => None,
    }
}
