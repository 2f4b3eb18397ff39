//! Errors in both directions: a provider's words read from whatever shape they come in, and ours written in OpenAI's
//! (openai-python, `types/shared/error_object.py`).
//!
//! Shapes read: OpenAI's `{"error": {…}}`; the same inside an array, as Google's compatible endpoint wraps it;
//! `{"error": "…"}` (Ollama, llama.cpp's router); bare `{"object": "error", "message": …}` (vLLM before 0.10) and
//! `{"message": …}`; FastAPI's `{"detail": "…"}` and `{"detail": [{"loc", "msg", "type"}]}`
//! (<https://fastapi.tiangolo.com/tutorial/handling-errors/>).

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trunkline_domain::{Error, Text};

use crate::codec::ErrorWords;
use crate::envelope::unquote;

/// What ends a stream.
pub(super) const TERMINAL: &[u8] = b"data: [DONE]\n\n";

/// The longest message kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

/// The longest code, type or parameter kept, in bytes.
const CODE_BYTES_MAX: usize = 256;

/// An error object or what contains one.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What an aggregator adds about the provider it asked.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
}

/// One of FastAPI's complaints about a body.
#[derive(Deserialize)]
struct Complaint<'a> {
    #[serde(borrow)]
    loc: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

/// Reads a provider's error body. `None` where it is none.
pub(crate) fn read(body: &[u8]) -> Option<ErrorWords> {
    if body.trim_ascii_start().starts_with(b"[") {
        let [only]: [&RawValue; 1] = serde_json::from_slice(body).ok()?;
        return read_object(only.get().as_bytes());
    }
    read_object(body)
}

fn read_object(body: &[u8]) -> Option<ErrorWords> {
    let wire: Wire<'_> = serde_json::from_slice(body).ok()?;
    match (wire.error, wire.detail) {
        (Some(error), _) => words(error.get()).map(|words| with_code(words, &wire)),
        (None, _) if wire.choices.is_some() || wire.data.is_some() => None,
        (None, Some(detail)) => words_of_detail(detail.get()),
        (None, None) => wire.message.is_some().then(|| words_of(&wire)),
    }
}

/// Reads the value of an `error` member.
pub(crate) fn words(error: &str) -> Option<ErrorWords> {
    if error.starts_with('{') {
        let words = words_of(&serde_json::from_str(error).ok()?);
        return Some(words);
    }
    let message = unquote(error.as_bytes()).filter(|message| !message.is_empty())?;
    Some(ErrorWords { message: Some(cut(&message, MESSAGE_BYTES_MAX)), ..ErrorWords::default() })
}

/// A message that is all there is of `error` has its code beside it (xAI).
fn with_code(words: ErrorWords, wire: &Wire<'_>) -> ErrorWords {
    if words.code.is_some() {
        return words;
    }
    let kind = wire.kind.and_then(label);
    ErrorWords { code: wire.code.and_then(label).or_else(|| kind.clone()), kind, ..words }
}

fn words_of(wire: &Wire<'_>) -> ErrorWords {
    let kind = wire.kind.or(wire.status).and_then(label);
    ErrorWords {
        message: wire.message.or(wire.detail).and_then(|message| text(message, MESSAGE_BYTES_MAX)),
        code: wire.code.and_then(label).or_else(|| kind.clone()),
        kind,
        param: wire.param.and_then(label),
        wrapped: wire.metadata.and_then(wrapped),
        retry_after: None,
    }
}

/// What the provider behind an aggregator said: `metadata.raw`, its error body or its words
/// (<https://openrouter.ai/docs/api/reference/errors-and-debugging>).
fn wrapped(metadata: &RawValue) -> Option<Text> {
    let metadata: Metadata<'_> = serde_json::from_str(metadata.get()).ok()?;
    let raw = unquote(metadata.raw?.get().as_bytes()).filter(|raw| !raw.is_empty())?;
    let inner: Option<Wire<'_>> = serde_json::from_str(&raw).ok();
    let message = match inner.as_ref().and_then(|inner| inner.error) {
        Some(error) => words_without_metadata(error.get()),
        None => inner
            .as_ref()
            .and_then(|inner| inner.message)
            .and_then(|text| self::text(text, MESSAGE_BYTES_MAX)),
    };
    Some(message.unwrap_or_else(|| cut(&raw, MESSAGE_BYTES_MAX)))
}

/// The message of an error that stands in another: one level, whatever it wraps itself.
fn words_without_metadata(error: &str) -> Option<Text> {
    if !error.starts_with('{') {
        return unquote(error.as_bytes()).map(|message| cut(&message, MESSAGE_BYTES_MAX));
    }
    let wire: Wire<'_> = serde_json::from_str(error).ok()?;
    wire.message.and_then(|message| text(message, MESSAGE_BYTES_MAX))
}

fn words_of_detail(detail: &str) -> Option<ErrorWords> {
    if !detail.starts_with('[') {
        return words(detail);
    }
    let complaints: Vec<Complaint<'_>> = serde_json::from_str(detail).ok()?;
    let first = complaints.first()?;
    let kind = first.kind.and_then(label);
    let path: Vec<Cow<'_, str>> = first.loc.iter().flatten().map(|step| plain(step)).collect();
    let path = path.strip_prefix(&[Cow::Borrowed("body")]).unwrap_or(&path).join(".");
    Some(ErrorWords {
        message: first.msg.and_then(|message| text(message, MESSAGE_BYTES_MAX)),
        code: kind.clone(),
        kind,
        param: (!path.is_empty()).then(|| cut(&path, CODE_BYTES_MAX)),
        ..ErrorWords::default()
    })
}

fn label(raw: &RawValue) -> Option<Text> {
    text(raw, CODE_BYTES_MAX)
}

/// A string's text, or any other value as written.
fn text(raw: &RawValue, bytes_max: usize) -> Option<Text> {
    let plain = plain(raw);
    (!plain.is_empty()).then(|| cut(&plain, bytes_max))
}

fn plain(raw: &RawValue) -> Cow<'_, str> {
    unquote(raw.get().as_bytes()).unwrap_or(Cow::Borrowed(raw.get()))
}

/// At most so many bytes, ending between characters.
fn cut(text: &str, bytes_max: usize) -> Text {
    Text::from(text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default())
}

#[derive(Serialize)]
struct Body<'a> {
    error: Object<'a>,
}

/// An error of ours as the value of `error`.
#[derive(Serialize)]
pub(crate) struct Object<'a> {
    pub(crate) message: &'a str,
    r#type: &'a str,
    pub(crate) param: Option<&'a str>,
    pub(crate) code: &'a str,
}

impl<'a> Object<'a> {
    pub(crate) fn of(error: &'a Error) -> Self {
        let facts = error.kind.facts();
        let upstream = error.upstream.as_ref().and_then(|answer| answer.code.as_deref());
        Self {
            message: &error.message,
            r#type: facts.openai_type,
            param: error.param.as_deref(),
            code: upstream.unwrap_or(facts.code),
        }
    }
}

/// Writes an error as the body of an answer. An error relayed from a provider keeps the provider's code.
pub(crate) fn body(error: &Error) -> Bytes {
    json(error).into()
}

/// Writes an error as the end of a stream.
pub(super) fn event(error: &Error) -> Bytes {
    let mut event = b"data: ".to_vec();
    event.extend(json(error));
    event.extend_from_slice(b"\n\n");
    event.extend_from_slice(TERMINAL);
    event.into()
}

fn json(error: &Error) -> Vec<u8> {
    // Writing strings to memory cannot fail.
    serde_json::to_vec(&Body { error: Object::of(error) }).unwrap_or_default()
}
