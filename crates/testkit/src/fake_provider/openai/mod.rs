//! OpenAI's API: chat, completions, embeddings, models.

pub(crate) mod answer;
pub(crate) mod error;
pub(crate) mod strict;
