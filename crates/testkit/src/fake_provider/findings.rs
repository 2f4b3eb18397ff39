//! What was found wrong with a request.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The error, in the dialect's form.
    pub(crate) body: String,
    pub(crate) violations: Vec<String>,
}

/// Everything found wrong so far, and the answer to the first of it, in a dialect's form.
#[derive(Debug)]
pub(crate) struct Findings<E> {
    pub(crate) error: Option<E>,
    pub(crate) violations: Vec<String>,
}

impl<E> Default for Findings<E> {
    fn default() -> Self {
        Self { error: None, violations: Vec::new() }
    }
}

impl<E> Findings<E> {
    pub(crate) fn add(&mut self, violation: impl Into<String>, error: E) {
        self.violations.push(violation.into());
        self.error.get_or_insert(error);
    }
}

/// The members of an object, in order, duplicates kept.
pub(crate) struct Members(pub(crate) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
