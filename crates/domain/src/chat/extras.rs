//! What a decoder met and the canonical form has no name for: kept as written, for the dialect it came from.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::dialect::Dialect;
use crate::model::Text;

/// A JSON value as it was written.
#[derive(Clone)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// A value that `text` is the JSON of; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Self(raw.to_owned()))
    }

    /// The value as written.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Whether it is `null`, which says nothing and is therefore no loss.
    pub fn is_null(&self) -> bool {
        self.get() == "null"
    }
}

impl PartialEq for RawJson {
    /// Equal as written.
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    /// Only `serde_json` can do it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// A field no canonical name was found for.
pub type Field = (Text, RawJson);

/// What one level of a message held besides what the canonical form names: unknown fields, and how the known ones were
/// spelled where a dialect has two spellings for one meaning. A pointer's size when there is nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extras(Option<Box<Kept>>);

#[derive(Clone, PartialEq, Eq)]
struct Kept {
    dialect: Dialect,
    form: u32,
    fields: Vec<Field>,
}

impl Extras {
    /// What `dialect` kept. `form` is a set of bits of its own: which of two equivalent spellings was used, so that
    /// encoding restores it. It has no meaning elsewhere and is never a loss.
    pub fn new(dialect: Dialect, form: u32, fields: Vec<Field>) -> Self {
        if form == 0 && fields.is_empty() {
            return Self(None);
        }
        Self(Some(Box::new(Kept { dialect, form, fields })))
    }

    /// The unknown fields, in the order written, whoever wrote them.
    pub fn fields(&self) -> &[Field] {
        self.0.as_ref().map_or(&[], |kept| &kept.fields)
    }

    /// Whether this was kept for `dialect`.
    pub fn is_of(&self, dialect: Dialect) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.dialect == dialect)
    }

    /// The spelling `dialect` recorded; 0 where another one did or none.
    pub fn form(&self, dialect: Dialect) -> u32 {
        self.0.as_ref().filter(|kept| kept.dialect == dialect).map_or(0, |kept| kept.form)
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Extras"),
            Some(kept) => write!(f, "Extras({:?}, {:#x}, {:?})", kept.dialect, kept.form, kept.fields),
        }
    }
}
