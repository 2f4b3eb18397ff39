//! Gemini's API: `generateContent`, its streamed form and `countTokens`.
//!
//! Sources: google-genai 3.6.1, `google/genai/types.py` (members), `google/genai/models.py` (the `…_to_mldev` functions:
//! what of them this API has), `google/genai/errors.py`; <https://ai.google.dev/api/generate-content>,
//! <https://ai.google.dev/gemini-api/docs/thought-signatures> (what Gemini 3 wants back),
//! <https://google.aip.dev/193> (errors). What the real one says about each mistake is documented nowhere; the wording
//! follows what its users report, named where it is used.

mod answer;
pub(crate) mod error;
pub(crate) mod strict;

use serde_json::Value;

use crate::fake_provider::shape::snake;

/// A member, by either of its names.
fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let value = value.as_object()?;
    value.get(name).or_else(|| value.get(&snake(name))).filter(|value| !value.is_null())
}

/// A member that is a text.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    get(value, name)?.as_str()
}

/// The items of a member that is a list.
fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    get(value, name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The parts of the contents.
fn parts(content: &Value) -> &[Value] {
    items(content, "parts")
}
