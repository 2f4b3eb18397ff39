//! The legacy `POST /completions`.

use serde_json::{Map, Value};

use super::{TextAsk, field, refuse, text_ask};
use crate::sandbox::error::ApiError;
use crate::sandbox::tokens;

/// What `max_tokens` is if the request does not say.
const OUTPUT_DEFAULT: usize = 16;
/// More prompts than this are refused.
const PROMPTS_MAX: usize = 128;

/// A completion request.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct CompletionAsk {
    pub(in crate::sandbox) text: TextAsk,
    /// At least one. Prompts given as token ids are empty: nobody here knows what they mean.
    pub(in crate::sandbox) prompts: Vec<String>,
    /// Whether the answer begins with the prompt.
    pub(in crate::sandbox) echo: bool,
}

/// Reads a completion request.
pub(in crate::sandbox) fn completion(body: &Map<String, Value>) -> Result<CompletionAsk, ApiError> {
    let mut text = text_ask(body, &["max_tokens"], OUTPUT_DEFAULT)?;
    refuse(body, &["logprobs", "suffix"])?;
    if field::whole(body, "best_of", 1..=20)?.is_some_and(|best_of| best_of != 1) {
        return Err(ApiError::unsupported("best_of"));
    }
    let (prompts, prompt_tokens) = prompts(body.get("prompt").unwrap_or(&Value::Null))?;
    text.prompt_tokens = prompt_tokens;
    Ok(CompletionAsk { text, prompts, echo: field::boolean(body, "echo")?.unwrap_or(false) })
}

fn prompts(prompt: &Value) -> Result<(Vec<String>, u64), ApiError> {
    let wrong = || {
        let expected = "a string, an array of strings, an array of tokens or an array of token arrays";
        ApiError::wrong_type("prompt", expected, prompt)
    };
    let Value::Array(several) = prompt else {
        return match prompt {
            Value::Null => Ok((vec![String::new()], 0)),
            Value::String(one) => Ok((vec![one.clone()], tokens::count(one))),
            _ => Err(wrong()),
        };
    };
    if several.is_empty() || several.len() > PROMPTS_MAX && !several.iter().all(Value::is_u64) {
        return Err(ApiError::value("prompt", "1 to 128 prompts"));
    }
    if let Some(count) = token_ids(several) {
        return Ok((vec![String::new()], count));
    }
    let mut prompts = Vec::new();
    let mut total = 0;
    for one in several {
        let count = match one {
            Value::String(text) => tokens::count(text),
            Value::Array(ids) => token_ids(ids).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        };
        total += count;
        prompts.push(one.as_str().unwrap_or_default().to_owned());
    }
    Ok((prompts, total))
}

/// How many token ids an array holds, if that is what it holds.
pub(super) fn token_ids(values: &[Value]) -> Option<u64> {
    (!values.is_empty() && values.iter().all(Value::is_u64)).then_some(values.len())?.try_into().ok()
}
