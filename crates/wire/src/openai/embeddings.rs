//! Embeddings: `POST /embeddings`. What the model reads is `input` (openai-python, `types/embedding_create_params.py`).

use trunkline_domain::{Dialect, Operation};

use super::{AnswerMember, OpenaiCodec, Shape, prompt};
use crate::codec::{FieldError, Skim};
use crate::envelope::Envelope;

/// The codec.
pub(crate) static CODEC: OpenaiCodec = OpenaiCodec(Shape {
    dialect: Dialect::OpenaiEmbeddings,
    operation: Operation::Embeddings,
    prompt: read_prompt,
    output_caps: &[],
    streams: false,
    answer: AnswerMember::Data,
});

fn read_prompt(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    match envelope.raw_bytes("input") {
        Some(input) => prompt::inputs("input", input, skim),
        None => Err(FieldError {
            field: "input".into(),
            message: "`input` is missing: give a string, an array of strings, or tokens".into(),
        }),
    }
}
