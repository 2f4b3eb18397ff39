//! `POST /embeddings`.

use serde_json::{Map, Value};

use super::completion::token_ids;
use super::{field, model_named};
use crate::sandbox::error::ApiError;
use crate::sandbox::model::SandboxModel;
use crate::sandbox::tokens;

/// Dimensions if the request does not say.
const DIMENSIONS_DEFAULT: usize = 64;
/// The most dimensions a vector may have.
const DIMENSIONS_MAX: i64 = 1_024;
/// The most inputs of one request.
const INPUTS_MAX: usize = 512;
/// The most tokens of one input.
const INPUT_TOKENS_MAX: u64 = 8_192;
/// The most tokens of one request.
const TOKENS_MAX: u64 = 300_000;

/// An embedding request.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct EmbeddingAsk {
    pub(in crate::sandbox) model: &'static SandboxModel,
    /// Texts; token ids are written out as numbers.
    pub(in crate::sandbox) inputs: Vec<String>,
    pub(in crate::sandbox) dimensions: usize,
    pub(in crate::sandbox) encoding: Encoding,
    pub(in crate::sandbox) prompt_tokens: u64,
}

/// `encoding_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Encoding {
    Float,
    /// Little-endian 32-bit floats.
    Base64,
}

/// Reads an embedding request.
pub(in crate::sandbox) fn embedding(body: &Map<String, Value>) -> Result<EmbeddingAsk, ApiError> {
    let model = model_named(body)?;
    let encoding = match field::text(body, "encoding_format")? {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(ApiError::value("encoding_format", "one of 'float' and 'base64'")),
    };
    let dimensions = field::whole(body, "dimensions", 1..=DIMENSIONS_MAX)?.unwrap_or(DIMENSIONS_DEFAULT);
    let input =
        body.get("input").filter(|input| !input.is_null()).ok_or_else(|| ApiError::missing("input"))?;
    let (inputs, prompt_tokens) = inputs(input)?;
    Ok(EmbeddingAsk { model, inputs, dimensions, encoding, prompt_tokens })
}

fn inputs(input: &Value) -> Result<(Vec<String>, u64), ApiError> {
    let all = std::slice::from_ref(input);
    let several = match input {
        Value::Array(ids) if token_ids(ids).is_some() => all,
        Value::Array(several) => several.as_slice(),
        _ => all,
    };
    if several.is_empty() || several.len() > INPUTS_MAX {
        return Err(ApiError::value("input", "1 to 512 inputs"));
    }
    let mut inputs = Vec::new();
    let mut total = 0;
    for one in several {
        let (text, count) = match one {
            Value::String(text) => (text.clone(), tokens::count(text)),
            Value::Array(ids) => (one.to_string(), token_ids(ids).unwrap_or(0)),
            _ => return Err(ApiError::wrong_type("input", "a string or an array of strings or tokens", one)),
        };
        if count == 0 || count > INPUT_TOKENS_MAX {
            return Err(ApiError::value("input", "inputs of 1 to 8192 tokens"));
        }
        total += count;
        inputs.push(text);
    }
    if total > TOKENS_MAX {
        return Err(ApiError::value("input", "at most 300000 tokens in all inputs together"));
    }
    Ok((inputs, total))
}
