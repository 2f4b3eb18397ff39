//! What was found wrong with a request.

use std::fmt;

use http::HeaderMap;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::plan::Accepted;
use super::{GATEWAY_FIELDS, Setup};

/// An error in a dialect's form.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    /// Headers beyond those of every error.
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// An error that can be said.
pub(crate) trait Error {
    fn said(&self) -> Said;
}

impl Said {
    /// One that is all in its body.
    pub(crate) fn new(status: u16, body: String) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }
}

impl Error for Said {
    fn said(&self) -> Said {
        self.clone()
    }
}

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) said: Said,
    pub(crate) violations: Vec<String>,
}

/// What becomes of a request.
pub(crate) type Verdict = Result<Box<dyn Accepted>, Box<Refusal>>;

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

    /// The members of a body, each once, without those the provider is set up to take as well; `None` where it is no
    /// object. `twice` makes the error of a name that comes again.
    pub(crate) fn members(
        &mut self,
        setup: &Setup,
        body: &[u8],
        twice: impl Fn(&str) -> (String, E),
    ) -> Option<Map<String, Value>> {
        let Members(members) = serde_json::from_slice(body).ok()?;
        let mut body = Map::new();
        for (name, value) in members {
            if GATEWAY_FIELDS.contains(&name.as_str()) {
                self.violations.push(format!("gateway field '{name}' leaked"));
            }
            if body.insert(name.clone(), value).is_some() {
                let (violation, error) = twice(&name);
                self.add(violation, error);
            }
        }
        body.retain(|name, _| !setup.fields.contains(name));
        Some(body)
    }
}

impl<E: Error> Findings<E> {
    /// What becomes of a request that asks this. `unreadable` is said where it asks nothing and nothing was found.
    pub(crate) fn verdict(
        self,
        asked: Option<impl Accepted + 'static>,
        unreadable: impl FnOnce() -> E,
    ) -> Verdict {
        match (self.error, asked) {
            (None, Some(asked)) => Ok(Box::new(asked)),
            (error, _) => {
                let said = error.unwrap_or_else(unreadable).said();
                Err(Box::new(Refusal { said, violations: self.violations }))
            }
        }
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
