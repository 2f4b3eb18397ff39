//! Embeddings in a form of no dialect: what one dialect's request for vectors means, so that another can say it. Not
//! what is relayed, which stays bytes. Where to look first: [`EmbeddingsRequest`].

use crate::model::Text;
use crate::usage::Usage;

/// A request for one vector per input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingsRequest {
    /// What is embedded, in order.
    pub inputs: Vec<EmbeddingInput>,
    /// How many numbers a vector is to have; the model's own number if it is not said.
    pub dimensions: Option<u64>,
    /// In which form the caller takes vectors.
    pub encoding: VectorEncoding,
    /// What the vectors are for, in Google's words (`RETRIEVAL_QUERY`).
    pub task: Option<Text>,
    /// The title of what is embedded.
    pub title: Option<Text>,
    /// The caller's own name for its end user.
    pub user: Option<Text>,
    /// Fields that no other dialect has.
    pub others: Vec<Text>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbeddingInput {
    /// A text.
    Text(Text),
    /// A text as tokens of the model's own tokenizer.
    Tokens(Vec<u64>),
}

/// In which form a vector is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VectorEncoding {
    /// As an array of numbers.
    #[default]
    Numbers,
    /// As base64 of 32-bit floats, little endian.
    Base64,
}

/// The vectors, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingsResponse {
    /// One for each input.
    pub vectors: Vec<Vec<f64>>,
    /// The model the provider says it used.
    pub model: Text,
    /// As reported; `None` where the provider does not say.
    pub usage: Option<Usage>,
}
