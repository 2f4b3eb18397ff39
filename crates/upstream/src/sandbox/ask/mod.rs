//! Requests as the sandbox understands them. Wrong ones are refused in OpenAI's words; fields it does not know are
//! let pass, as providers do that serve many clients.
//!
//! Fields and limits: `openai/types/chat/completion_create_params.py`, `completion_create_params.py`,
//! `embedding_create_params.py` of the official Python SDK.

mod chat;
mod completion;
mod embedding;
mod field;

use serde_json::{Map, Value};

use super::error::ApiError;
use super::model::{self, SandboxModel};

pub(super) use chat::{ChatAsk, Format, Tool, chat};
pub(super) use completion::{CompletionAsk, completion};
pub(super) use embedding::{EmbeddingAsk, Encoding, embedding};

/// What the two text operations share.
#[derive(Clone, Debug)]
pub(super) struct TextAsk {
    pub(super) model: &'static SandboxModel,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// Answers asked for, for each prompt.
    pub(super) choices: usize,
    /// Tokens each answer may have.
    pub(super) output_max: usize,
    pub(super) stop: Vec<String>,
    pub(super) prompt_tokens: u64,
}

/// The body as an object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(ApiError::invalid("We could not parse the JSON body of your request.")),
    }
}

/// The model named.
fn model_named(body: &Map<String, Value>) -> Result<&'static SandboxModel, ApiError> {
    let name = field::text(body, "model")?;
    let name = name.ok_or_else(|| ApiError::invalid("you must provide a model parameter"))?;
    model::find(name).ok_or_else(|| ApiError::model_not_found(name))
}

/// Refuses fields this provider would have to ignore.
fn refuse(body: &Map<String, Value>, names: &[&str]) -> Result<(), ApiError> {
    let asked = |name: &&&str| {
        body.get(**name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
    };
    names.iter().find(asked).map_or(Ok(()), |name| Err(ApiError::unsupported(name)))
}

fn text_ask(body: &Map<String, Value>, caps: &[&str], cap_default: usize) -> Result<TextAsk, ApiError> {
    let model = model_named(body)?;
    let stream = field::boolean(body, "stream")?.unwrap_or(false);
    let options = field::object(body, "stream_options")?;
    if options.is_some() && !stream {
        return Err(ApiError::field(
            "stream_options",
            "invalid_value",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    let include_usage =
        options.map_or(Ok(None), |options| field::boolean(options, "include_usage"))?.unwrap_or(false);
    let mut output_max = None;
    for cap in caps {
        let tokens = field::whole(body, cap, 1..=i64::from(i32::MAX))?;
        output_max = output_max.into_iter().chain(tokens).min();
    }
    field::decimal(body, "temperature", 0.0..=2.0)?;
    field::decimal(body, "top_p", 0.0..=1.0)?;
    Ok(TextAsk {
        model,
        stream,
        include_usage,
        choices: field::whole(body, "n", 1..=128)?.unwrap_or(1),
        output_max: output_max.unwrap_or(cap_default),
        stop: stop(body)?,
        prompt_tokens: 0,
    })
}

fn stop(body: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    const EXPECTED: &str = "one of a string or an array of at most 4 strings";
    match body.get("stop") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(value @ Value::Array(several)) => {
            let texts: Option<Vec<String>> =
                several.iter().map(|one| one.as_str().map(str::to_owned)).collect();
            texts
                .filter(|texts| texts.len() <= 4)
                .ok_or_else(|| ApiError::wrong_type("stop", EXPECTED, value))
        }
        Some(other) => Err(ApiError::wrong_type("stop", EXPECTED, other)),
    }
}
