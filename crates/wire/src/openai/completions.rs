//! Legacy completions: `POST /completions`. What the model reads is `prompt` and `suffix` (openai-python,
//! `types/completion_create_params.py`).

use trunkline_domain::{Dialect, Operation};

use super::{AnswerMember, OpenaiCodec, Shape, prompt, skim};
use crate::codec::{FieldError, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;

/// The codec.
pub(crate) static CODEC: OpenaiCodec = OpenaiCodec(Shape {
    dialect: Dialect::OpenaiCompletions,
    operation: Operation::TextCompletion,
    prompt: read_prompt,
    output_caps: &["max_tokens"],
    streams: true,
    answer: AnswerMember::Choices,
});

/// Each prompt is answered `n` times, and `best_of` makes the server generate more than it returns: what is billed is
/// what is generated.
fn read_prompt(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    prompt::inputs("prompt", envelope.raw_bytes("prompt").unwrap_or_default(), skim)?;
    if let Some(suffix) = envelope.raw_bytes("suffix") {
        skim.text_bytes += Cursor::new(suffix).string().len() as u64;
    }
    let best_of = skim::count(envelope, "best_of")?.unwrap_or(1);
    skim.choices = skim.choices.max(best_of).saturating_mul(skim.messages.max(1));
    skim.needs.logprobs = envelope
        .raw_bytes("logprobs")
        .is_some_and(|raw| Cursor::new(raw).kind() == Kind::Other && raw != b"false");
    Ok(())
}
