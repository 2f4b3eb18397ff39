//! Named edits of a request, and the body they make: segments of the caller's own bytes with the edits between them.
//!
//! The caller's bytes are never copied. Whatever the edits, the result is an object without duplicate keys: replacing
//! a field that is not there inserts it, inserting one that is there replaces it, removing one that is not there does
//! nothing, and of several edits to one field the last one counts.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::envelope::Envelope;

/// One change of one top-level field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The value becomes another.
    Replace {
        /// The field.
        field: Cow<'static, str>,
        /// The member of the field's object that is changed, where only one is.
        member: Option<&'static str>,
        /// JSON text of the whole field.
        value: EditValue,
    },
    /// A field is added at the end.
    Insert {
        /// The field.
        field: Cow<'static, str>,
        /// The member of the field's object that it is about, where it is about one.
        member: Option<&'static str>,
        /// JSON text.
        value: EditValue,
    },
    /// The field goes.
    Remove {
        /// The field.
        field: Cow<'static, str>,
    },
}

/// JSON text that an edit puts into a body. Its `Debug` shows the length only: it may hold the caller's words.
#[derive(Clone, PartialEq, Eq)]
pub struct EditValue(Bytes);

impl EditValue {
    /// A JSON string, escaped.
    pub fn string(text: &str) -> Self {
        Self(json_string(text).into())
    }

    /// A JSON number.
    pub fn number(number: u64) -> Self {
        Self(number.to_string().into())
    }

    /// Text that is JSON already.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for EditValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EditValue({} bytes)", self.0.len())
    }
}

impl Edit {
    /// Sets a field: replaces it where the object has it, inserts it where not.
    pub fn set(envelope: &Envelope, field: &'static str, value: EditValue) -> Self {
        if envelope.contains(field) { Self::replace(field, value) } else { Self::insert(field, value) }
    }

    /// Replaces a field.
    pub fn replace(field: impl Into<Cow<'static, str>>, value: EditValue) -> Self {
        Self::Replace { field: field.into(), member: None, value }
    }

    /// Inserts a field.
    pub fn insert(field: impl Into<Cow<'static, str>>, value: EditValue) -> Self {
        Self::Insert { field: field.into(), member: None, value }
    }

    /// Removes a field.
    pub fn remove(field: impl Into<Cow<'static, str>>) -> Self {
        Self::Remove { field: field.into() }
    }

    /// The top-level field it touches.
    pub fn field(&self) -> &str {
        match self {
            Self::Replace { field, .. } | Self::Insert { field, .. } | Self::Remove { field } => field,
        }
    }

    /// The name it bears in receipts: the field, or the member of it that is changed (`stream_options.include_usage`).
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Replace { field, member: Some(member), .. }
            | Self::Insert { field, member: Some(member), .. } => Cow::Owned(format!("{field}.{member}")),
            Self::Replace { .. } | Self::Insert { .. } | Self::Remove { .. } => Cow::Borrowed(self.field()),
        }
    }

    /// What the field becomes; `None` where it goes.
    pub fn value(&self) -> Option<&EditValue> {
        match self {
            Self::Replace { value, .. } | Self::Insert { value, .. } => Some(value),
            Self::Remove { .. } => None,
        }
    }
}

/// A body as segments in order, most of them slices of the caller's bytes. Cloning copies no bytes.
#[derive(Clone, Default)]
pub struct SplicedBody {
    segments: Segments,
    len: usize,
}

/// The segments of a [`SplicedBody`]: a request with the usual edits needs no heap for them.
pub type Segments = SmallVec<[Bytes; 8]>;

impl SplicedBody {
    /// Exact length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The segments, in order; none is empty.
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The segments, in order, by value.
    pub fn into_segments(self) -> Segments {
        self.segments
    }

    /// All segments copied into one: for tests and for readers inside this process.
    pub fn to_bytes(&self) -> Bytes {
        match self.segments.as_slice() {
            [only] => only.clone(),
            several => several.concat().into(),
        }
    }

    fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.len += segment.len();
            self.segments.push(segment);
        }
    }
}

impl From<Bytes> for SplicedBody {
    fn from(body: Bytes) -> Self {
        let mut spliced = Self::default();
        spliced.push(body);
        spliced
    }
}

impl fmt::Debug for SplicedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SplicedBody({} bytes in {} segments)", self.len, self.segments.len())
    }
}

/// Applies edits to a request.
pub fn splice(envelope: &Envelope, edits: &[Edit]) -> SplicedBody {
    let body = envelope.body();
    let fields = envelope.spans();
    let mut out = SplicedBody::default();
    // Everything before `copied` is in `out` or was removed.
    let mut copied = 0;
    let mut kept_any = false;
    for (place, field) in fields.iter().enumerate() {
        match last_edit(edits, field.name(body)).map(Edit::value) {
            None => kept_any = true,
            Some(Some(value)) => {
                kept_any = true;
                out.push(body.slice(copied..field.value.start));
                out.push(value.0.clone());
                copied = field.value.end;
            }
            Some(None) if kept_any => {
                // From the end of the previous value: the comma before the field goes with it.
                let previous = place.checked_sub(1).and_then(|before| fields.get(before));
                let from = previous.map_or(field.key.start, |previous| previous.value.end).max(copied);
                out.push(body.slice(copied..from));
                copied = field.value.end;
            }
            Some(None) => {
                out.push(body.slice(copied..field.key.start.max(copied)));
                copied = fields.get(place + 1).map_or(field.value.end, |next| next.key.start);
            }
        }
    }
    let end = fields.last().map_or_else(
        || memchr::memchr(b'{', body).map_or(0, |brace| brace + 1),
        |last| last.value.end.max(copied),
    );
    for (place, edit) in edits.iter().enumerate() {
        let superseded = edits.iter().skip(place + 1).any(|later| later.field() == edit.field());
        let Some(value) = edit.value().filter(|_| !superseded && envelope.find(edit.field()).is_none())
        else {
            continue;
        };
        let comma = if kept_any { "," } else { "" };
        kept_any = true;
        out.push(body.slice(copied..end));
        copied = end;
        out.push(format!("{comma}{}:", json_string(edit.field())).into());
        out.push(value.0.clone());
    }
    out.push(body.slice(copied..));
    out
}

fn last_edit<'a>(edits: &'a [Edit], field: &[u8]) -> Option<&'a Edit> {
    edits.iter().rev().find(|edit| edit.field().as_bytes() == field)
}

/// A text as a JSON string.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
