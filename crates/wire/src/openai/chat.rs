//! Chat completions: `POST /chat/completions`. What the model reads is `messages`, the tools and the answer's schema
//! (openai-python, `types/chat/completion_create_params.py`).

use trunkline_domain::{Dialect, Operation};

use super::{AnswerMember, OpenaiCodec, Shape, prompt};
use crate::codec::{FieldError, Skim};
use crate::cursor::{Cursor, Kind};
use crate::envelope::Envelope;

/// The codec.
pub(crate) static CODEC: OpenaiCodec = OpenaiCodec(Shape {
    dialect: Dialect::OpenaiChat,
    operation: Operation::Chat,
    prompt: read_prompt,
    output_caps: &["max_completion_tokens", "max_tokens"],
    streams: true,
    answer: AnswerMember::Choices,
});

/// Fields by which a provider is told to search the web or run tools of its own, at a fee for each use: OpenAI's,
/// xAI's and OpenRouter's.
const FEE_FIELDS: &[&str] = &["web_search_options", "search_parameters", "plugins"];

fn read_prompt(envelope: &Envelope, skim: &mut Skim) -> Result<(), FieldError> {
    let messages = envelope.raw_bytes("messages").unwrap_or_default();
    prompt::messages(messages, skim)?;
    for field in ["tools", "functions"] {
        tools(field, envelope.raw_bytes(field).unwrap_or_default(), skim)?;
    }
    if let Some(format) = envelope.raw_bytes("response_format") {
        skim.text_bytes += format.len() as u64;
        Cursor::new(format).object(|key, value| match key {
            b"json_schema" => skim.needs.schema |= value.kind() == Kind::Object,
            b"type" => skim.needs.schema |= value.string() == b"json_schema",
            _ => {}
        });
    }
    skim.text_bytes += envelope.raw_bytes("prediction").map_or(0, |prediction| prediction.len() as u64);
    skim.needs.logprobs = envelope.boolean("logprobs") == Some(true);
    skim.needs.unbounded_fees |= FEE_FIELDS.iter().filter_map(|field| envelope.raw_bytes(field)).any(asks);
    Ok(())
}

/// Tool definitions are rendered into the prompt in a form only the provider knows: their length as written stands
/// for it, and each tool has a template overhead besides.
fn tools(field: &'static str, raw: &[u8], skim: &mut Skim) -> Result<(), FieldError> {
    let mut cursor = Cursor::new(raw);
    match cursor.kind() {
        Kind::Null => return Ok(()),
        Kind::Array => {}
        Kind::Object | Kind::String | Kind::Other => {
            return Err(FieldError {
                field: field.into(),
                message: format!("`{field}` must be an array").into(),
            });
        }
    }
    skim.text_bytes += raw.len() as u64;
    cursor.array(|tool| {
        skim.needs.tools = true;
        skim.tools = skim.tools.saturating_add(1);
        tool.object(|key, value| {
            if key == b"type" && field == "tools" {
                skim.needs.unbounded_fees |= !matches!(value.string(), b"function" | b"custom");
            }
        });
    });
    Ok(())
}

/// Whether a value switches something on.
fn asks(raw: &[u8]) -> bool {
    !matches!(raw, b"null" | b"false" | b"[]")
}
