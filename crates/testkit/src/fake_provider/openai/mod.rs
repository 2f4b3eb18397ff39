//! OpenAI's API: chat, responses, completions, embeddings, models.

pub(crate) mod answer;
pub(crate) mod error;
mod responses;
pub(crate) mod strict;
