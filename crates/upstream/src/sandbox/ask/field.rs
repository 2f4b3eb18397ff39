//! Reads typed fields of an object; null counts as absent, as OpenAI's `Optional` says.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::sandbox::error::ApiError;

fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

pub(super) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ApiError> {
    let read = |value: &'a Value| value.as_str().ok_or_else(|| ApiError::wrong_type(name, "a string", value));
    present(body, name).map(read).transpose()
}

pub(super) fn boolean(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, ApiError> {
    let read = |value: &Value| value.as_bool().ok_or_else(|| ApiError::wrong_type(name, "a boolean", value));
    present(body, name).map(read).transpose()
}

pub(super) fn object<'a>(
    body: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, ApiError> {
    let read =
        |value: &'a Value| value.as_object().ok_or_else(|| ApiError::wrong_type(name, "an object", value));
    present(body, name).map(read).transpose()
}

pub(super) fn array<'a>(
    body: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Vec<Value>>, ApiError> {
    let read =
        |value: &'a Value| value.as_array().ok_or_else(|| ApiError::wrong_type(name, "an array", value));
    present(body, name).map(read).transpose()
}

pub(super) fn whole(
    body: &Map<String, Value>,
    name: &str,
    allowed: RangeInclusive<i64>,
) -> Result<Option<usize>, ApiError> {
    let Some(value) = present(body, name) else { return Ok(None) };
    let number = value.as_i64().ok_or_else(|| ApiError::wrong_type(name, "an integer", value))?;
    if number < *allowed.start() {
        let message = format!(
            "Invalid '{name}': integer below minimum value. Expected a value >= {}, but got {number} instead.",
            allowed.start()
        );
        return Err(ApiError::field(name, "integer_below_min_value", message));
    }
    if number > *allowed.end() {
        let message = format!(
            "Invalid '{name}': integer above maximum value. Expected a value <= {}, but got {number} instead.",
            allowed.end()
        );
        return Err(ApiError::field(name, "integer_above_max_value", message));
    }
    Ok(usize::try_from(number).ok())
}

pub(super) fn decimal(
    body: &Map<String, Value>,
    name: &str,
    allowed: RangeInclusive<f64>,
) -> Result<Option<f64>, ApiError> {
    let Some(value) = present(body, name) else { return Ok(None) };
    let number = value.as_f64().ok_or_else(|| ApiError::wrong_type(name, "a decimal", value))?;
    if allowed.contains(&number) {
        return Ok(Some(number));
    }
    let expected = format!("a decimal from {} to {}", allowed.start(), allowed.end());
    Err(ApiError::value(name, &expected))
}
