//! OpenAI's API: chat, completions, embeddings, models, Responses and what is kept of them.

pub(crate) mod answer;
pub(crate) mod error;
pub(crate) mod mistral;
pub(crate) mod responses;
pub(crate) mod strict;
