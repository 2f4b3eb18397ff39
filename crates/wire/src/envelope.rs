//! The envelope of a request: the caller's bytes and the span of every top-level field, found in one pass.
//!
//! It is not a parse: values stay text, and only their syntax is checked, by a scanner that keeps nesting on the heap (a
//! byte a level), so that depth costs no stack and is bounded by the body's length. Duplicate keys are refused *after* unescaping (`"model"` beside `"m\u006fdel"`), for otherwise one
//! model could be billed and another one served. Look first at [`Envelope::parse`].

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most top-level fields a request may have: several times what any dialect defines.
pub const FIELDS_MAX: usize = 256;

/// A request body that is one JSON object, with the spans of its top-level fields.
#[derive(Clone)]
pub struct Envelope {
    body: Bytes,
    fields: Vec<Field>,
}

/// One top-level field of an [`Envelope`].
#[derive(Clone)]
pub(crate) struct Field {
    /// Where the key is, quotes included.
    pub(crate) key: Range<usize>,
    /// Where the value is.
    pub(crate) value: Range<usize>,
    /// The key unescaped, where it holds escapes.
    unescaped: Option<Box<str>>,
}

impl Envelope {
    /// Skims a body.
    pub fn parse(body: Bytes) -> Result<Self, EnvelopeError> {
        let text = std::str::from_utf8(&body)
            .map_err(|error| EnvelopeError::at(&body, error.valid_up_to(), EnvelopeErrorKind::NotUtf8))?;
        let start = text.len() - text.trim_ascii_start().len();
        match text.as_bytes().get(start) {
            Some(b'{') => {}
            Some(_) => return Err(EnvelopeError::at(&body, start, EnvelopeErrorKind::NotAnObject)),
            None => return Err(EnvelopeError::at(&body, start, EnvelopeErrorKind::Empty)),
        }
        let mut skim = Skimmer { body: text, fields: Vec::with_capacity(16), refusal: None };
        let mut json = serde_json::Deserializer::from_str(text);
        if let Err(error) = skim.deserialize(&mut json) {
            let (offset, kind) = skim
                .refusal
                .unwrap_or_else(|| (offset_of(&body, &error), EnvelopeErrorKind::of_syntax(&error)));
            return Err(EnvelopeError::at(&body, offset, kind));
        }
        let fields = skim.fields;
        if let Err(error) = json.end() {
            let offset = offset_of(&body, &error);
            return Err(EnvelopeError::at(&body, offset, EnvelopeErrorKind::TrailingBytes));
        }
        Ok(Self { body, fields })
    }

    /// The caller's bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether a top-level field is there.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A field's value as written.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.raw_bytes(name).and_then(|raw| std::str::from_utf8(raw).ok())
    }

    /// A field's value as written, as bytes: for large values, which then need not be checked for UTF-8 again.
    pub fn raw_bytes(&self, name: &str) -> Option<&[u8]> {
        self.find(name).and_then(|field| self.body.get(field.value.clone()))
    }

    /// A field's value as written, sharing the body's memory.
    pub fn value(&self, name: &str) -> Option<Bytes> {
        self.find(name).map(|field| self.body.slice(field.value.clone()))
    }

    /// A field's value, if it is a string.
    pub fn string(&self, name: &str) -> Option<Cow<'_, str>> {
        unquote(self.raw_bytes(name)?)
    }

    /// A field's value, if it is `true` or `false`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.raw_bytes(name)? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// A field's value, if it is a whole number that is not negative, written without fraction or exponent.
    pub fn unsigned(&self, name: &str) -> Option<u64> {
        self.raw(name)?.parse().ok()
    }

    /// The names of the fields, unescaped, in the order written.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| std::str::from_utf8(field.name(&self.body)).unwrap_or_default())
    }

    /// The fields, names unescaped and values as written, in the order written.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        self.fields.iter().map(move |field| {
            (text(field.name(&self.body)), text(self.body.get(field.value.clone()).unwrap_or_default()))
        })
    }

    pub(crate) fn spans(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name(&self.body) == name.as_bytes())
    }
}

/// The text of a JSON string given with its quotes; `None` where it is not a string or holds half a surrogate pair.
pub(crate) fn unquote(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(raw).ok().map(Cow::Owned)
}

impl Field {
    /// The key unescaped.
    pub(crate) fn name<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match &self.unescaped {
            Some(name) => name.as_bytes(),
            None => body.get(self.key.start + 1..self.key.end - 1).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Envelope {
    /// Lengths only: a request's text never reaches a log by way of `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} bytes, {} fields)", self.body.len(), self.fields.len())
    }
}

struct Skimmer<'a> {
    body: &'a str,
    fields: Vec<Field>,
    /// What is refused although it is JSON, and where.
    refusal: Option<(usize, EnvelopeErrorKind)>,
}

impl<'a> DeserializeSeed<'a> for &mut Skimmer<'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for &mut Skimmer<'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<&'a RawValue>()? {
            let key_span = self.span(key);
            if let Err(kind) = self.check_room() {
                return self.refuse(key_span.start, kind);
            }
            let field = match self.field(key, key_span.clone()) {
                Ok(field) => field,
                Err(kind) => return self.refuse(key_span.start, kind),
            };
            let value = map.next_value::<&'a RawValue>()?;
            self.fields.push(Field { value: self.span(value), ..field });
        }
        Ok(())
    }
}

impl<'a> Skimmer<'a> {
    /// Where a borrowed piece lies in the body: the distance of their addresses.
    fn span(&self, piece: &'a RawValue) -> Range<usize> {
        let start = piece.get().as_ptr().addr() - self.body.as_ptr().addr();
        start..start + piece.get().len()
    }

    fn check_room(&self) -> Result<(), EnvelopeErrorKind> {
        if self.fields.len() < FIELDS_MAX { Ok(()) } else { Err(EnvelopeErrorKind::TooManyFields) }
    }

    /// A field whose value is yet to be read.
    fn field(&self, key: &'a RawValue, span: Range<usize>) -> Result<Field, EnvelopeErrorKind> {
        let unescaped = match unquote(key.get().as_bytes()) {
            Some(Cow::Borrowed(_)) => None,
            Some(Cow::Owned(name)) => Some(name.into_boxed_str()),
            None => return Err(EnvelopeErrorKind::Syntax("a key with half a surrogate pair".into())),
        };
        let field = Field { key: span, value: 0..0, unescaped };
        let body = self.body.as_bytes();
        if self.fields.iter().any(|other| other.name(body) == field.name(body)) {
            let name: String = String::from_utf8_lossy(field.name(body)).chars().take(64).collect();
            return Err(EnvelopeErrorKind::DuplicateKey(name.into()));
        }
        Ok(field)
    }

    fn refuse<E: serde::de::Error>(&mut self, offset: usize, kind: EnvelopeErrorKind) -> Result<(), E> {
        self.refusal = Some((offset, kind));
        Err(E::custom("refused"))
    }
}

/// Why a body is no envelope, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request body {kind}, at line {line}, column {column} (byte {offset})")]
pub struct EnvelopeError {
    /// Why.
    pub kind: EnvelopeErrorKind,
    /// 1 for the first.
    pub line: usize,
    /// In characters, 1 for the first of a line.
    pub column: usize,
    /// In bytes from the start of the body, 0 for the first.
    pub offset: usize,
}

/// Why a body is no envelope. As text, it completes the sentence "the request body …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeErrorKind {
    /// Nothing but white space.
    #[error("is empty: a JSON object is expected")]
    Empty,
    /// A byte sequence that is not UTF-8.
    #[error("is not valid UTF-8")]
    NotUtf8,
    /// It begins with something else than `{`.
    #[error("is not a JSON object")]
    NotAnObject,
    /// Not JSON; what the parser says about it.
    #[error("is not valid JSON: {0}")]
    Syntax(Box<str>),
    /// It breaks off.
    #[error("is not valid JSON: it ends too early")]
    Truncated,
    /// A key that was there before, escapes undone; cut to 64 characters.
    #[error("has the key {0:?} twice")]
    DuplicateKey(Box<str>),
    /// More than [`FIELDS_MAX`] top-level fields.
    #[error("has more than {FIELDS_MAX} top-level fields")]
    TooManyFields,
    /// Something follows the object.
    #[error("has more text after its JSON object")]
    TrailingBytes,
}

impl EnvelopeErrorKind {
    fn of_syntax(error: &serde_json::Error) -> Self {
        if error.is_eof() {
            return Self::Truncated;
        }
        let words = error.to_string();
        Self::Syntax(words.split_once(" at line ").map_or(words.as_str(), |(what, _)| what).into())
    }
}

impl EnvelopeError {
    fn at(body: &[u8], offset: usize, kind: EnvelopeErrorKind) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let this_line = before.get(line_start..).unwrap_or_default();
        Self {
            kind,
            line: 1 + memchr::memchr_iter(b'\n', before).count(),
            column: 1 + String::from_utf8_lossy(this_line).chars().count(),
            offset,
        }
    }
}

/// Where serde_json stopped, as an offset: its columns count bytes up to and with the offending one, except that a
/// control character inside a string is not counted.
fn offset_of(body: &[u8], error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return body.len();
    }
    let line_start = error
        .line()
        .checked_sub(2)
        .and_then(|newline| memchr::memchr_iter(b'\n', body).nth(newline))
        .map_or(0, |at| at + 1);
    let uncounted = usize::from(error.to_string().starts_with("control character"));
    (line_start + error.column().saturating_sub(1) + uncounted).min(body.len())
}
