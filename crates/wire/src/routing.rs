//! `routing`: the one object in a body by which a caller says what it wants of the gateway itself, and the headers that
//! say the same for clients that cannot add fields. Not what routes and policies say. Where to look first: [`Wishes`].

use std::borrow::Cow;

use http::HeaderMap;

use crate::codec::FieldError;
use crate::cursor::{Cursor, Kind};
use crate::envelope::{Envelope, unquote};

/// The object's name in a body.
pub const FIELD: &str = "routing";

/// Names further apart than this are not taken for each other's misspelling.
const SUGGESTION_DISTANCE_MAX: usize = 3;

/// What a caller wants. Whatever is not said is `None`: the route decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// No loss is tolerated: a deployment that cannot be told everything is not asked.
    pub strict: Option<bool>,
    /// A second deployment may be asked when the first is slow.
    pub hedge: Option<bool>,
    /// A stream that breaks off may be gone on with elsewhere.
    pub resume: Option<bool>,
    /// An answer that is to be JSON is validated before it is handed on.
    pub json_schema_validation: Option<bool>,
    /// Milliseconds within which the first content should be there.
    pub ttft_budget_ms: Option<u64>,
    /// Milliseconds within which the whole answer should be there.
    pub latency_budget_ms: Option<u64>,
    /// Its class among those that wait to be let in.
    pub priority: Option<Priority>,
}

/// Which of a tenant's own requests goes first where they wait; it gives nothing over other tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others of the tenant.
    High,
    /// As usual.
    #[default]
    Normal,
    /// After all others of the tenant.
    Low,
}

/// A member: its name, which is a header's with `x-trunkline-` before it and `-` for `_`, and where its value goes.
struct Member {
    name: &'static str,
    header: &'static str,
    place: Place,
    set: fn(&mut Wishes, &str) -> bool,
    expected: &'static str,
}

/// Where a member can be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the body, or in the header where the body does not say it.
    Anywhere,
    /// In the header alone: it is needed before the body is read.
    Header,
}

const BOOLEAN: &str = "true or false";
const MILLISECONDS: &str = "a whole number of milliseconds above zero";

/// How the headers' names begin.
const HEADERS: &str = "x-trunkline-";
const MEMBERS: &[Member] = &[
    Member {
        name: "strict",
        header: "x-trunkline-strict",
        place: Place::Anywhere,
        set: |wishes, value| set(&mut wishes.strict, boolean(value)),
        expected: BOOLEAN,
    },
    Member {
        name: "hedge",
        header: "x-trunkline-hedge",
        place: Place::Anywhere,
        set: |wishes, value| set(&mut wishes.hedge, boolean(value)),
        expected: BOOLEAN,
    },
    Member {
        name: "resume",
        header: "x-trunkline-resume",
        place: Place::Anywhere,
        set: |wishes, value| set(&mut wishes.resume, boolean(value)),
        expected: BOOLEAN,
    },
    Member {
        name: "json_schema_validation",
        header: "x-trunkline-json-schema-validation",
        place: Place::Anywhere,
        set: |wishes, value| set(&mut wishes.json_schema_validation, boolean(value)),
        expected: BOOLEAN,
    },
    Member {
        name: "ttft_budget_ms",
        header: "x-trunkline-ttft-budget-ms",
        place: Place::Anywhere,
        set: |wishes, value| set(&mut wishes.ttft_budget_ms, milliseconds(value)),
        expected: MILLISECONDS,
    },
    Member {
        name: "latency_budget_ms",
        header: "x-trunkline-latency-budget-ms",
        place: Place::Anywhere,
        set: |wishes, value| set(&mut wishes.latency_budget_ms, milliseconds(value)),
        expected: MILLISECONDS,
    },
    Member {
        name: "priority",
        header: "x-trunkline-priority",
        place: Place::Header,
        set: |wishes, value| set(&mut wishes.priority, priority(value)),
        expected: "high, normal or low",
    },
];

impl Wishes {
    /// Reads the object of a body. A member nobody knows is refused: nothing in it is ever ignored.
    pub fn of_body(envelope: &Envelope) -> Result<Self, FieldError> {
        let mut wishes = Self::default();
        let Some(raw) = envelope.raw_bytes(FIELD).filter(|raw| *raw != b"null") else { return Ok(wishes) };
        let mut cursor = Cursor::new(raw);
        if cursor.kind() != Kind::Object {
            return Err(wrong(Cow::Borrowed(FIELD), "an object"));
        }
        let mut problem = None;
        cursor.object(|key, value| {
            let value = value.skip();
            if problem.is_none() {
                problem = wishes.member(&String::from_utf8_lossy(key), value).err();
            }
        });
        problem.map_or(Ok(wishes), Err)
    }

    fn member(&mut self, name: &str, value: &[u8]) -> Result<(), FieldError> {
        let Some(member) = MEMBERS.iter().find(|member| member.name == name) else {
            return Err(unknown(name));
        };
        if member.place == Place::Header {
            return Err(of_header(member));
        }
        let text = unquote(value).map(Cow::into_owned);
        let text = text.as_deref().or_else(|| std::str::from_utf8(value).ok()).unwrap_or_default();
        let null = value == b"null";
        if null || (member.set)(self, text) {
            Ok(())
        } else {
            Err(wrong(format!("{FIELD}.{name}").into(), member.expected))
        }
    }

    /// Reads the headers.
    pub fn of_headers(headers: &HeaderMap) -> Result<Self, FieldError> {
        let mut said = Self::default();
        // Most requests have none of them: one look at the names is less than a search for each.
        if !headers.keys().any(|name| name.as_str().starts_with(HEADERS)) {
            return Ok(said);
        }
        for member in MEMBERS {
            let Some(value) = headers.get(member.header) else { continue };
            if !value.to_str().is_ok_and(|value| (member.set)(&mut said, value.trim())) {
                return Err(wrong(Cow::Borrowed(member.header), member.expected));
            }
        }
        Ok(said)
    }

    /// What is said here, and where nothing is, there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            strict: self.strict.or(other.strict),
            hedge: self.hedge.or(other.hedge),
            resume: self.resume.or(other.resume),
            json_schema_validation: self.json_schema_validation.or(other.json_schema_validation),
            ttft_budget_ms: self.ttft_budget_ms.or(other.ttft_budget_ms),
            latency_budget_ms: self.latency_budget_ms.or(other.latency_budget_ms),
            priority: self.priority.or(other.priority),
        }
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    *place = value;
    known
}

fn boolean(value: &str) -> Option<bool> {
    value.parse().ok()
}

fn milliseconds(value: &str) -> Option<u64> {
    value.parse().ok().filter(|ms| *ms > 0)
}

fn priority(value: &str) -> Option<Priority> {
    match value {
        "high" => Some(Priority::High),
        "normal" => Some(Priority::Normal),
        "low" => Some(Priority::Low),
        _ => None,
    }
}

fn of_header(member: &Member) -> FieldError {
    let Member { name, header, .. } = member;
    let field = format!("{FIELD}.{name}");
    let message = format!(
        "`{field}` is said by the header `{header}` alone: whose turn it is, is decided before the body is read"
    );
    FieldError { message: message.into(), field: field.into() }
}

fn wrong(field: Cow<'static, str>, expected: &str) -> FieldError {
    FieldError { message: format!("`{field}` must be {expected}").into(), field }
}

fn unknown(name: &str) -> FieldError {
    let name: String = name.chars().take(64).collect();
    let members = || MEMBERS.iter().filter(|member| member.place == Place::Anywhere);
    let near = members().map(|known| (strsim::osa_distance(&name, known.name), known.name));
    let near = near.min().filter(|(distance, _)| *distance <= SUGGESTION_DISTANCE_MAX);
    let all = || {
        let names: Vec<&str> = members().map(|member| member.name).collect();
        format!("its members are {}", names.join(", "))
    };
    let hint = near.map_or_else(all, |(_, known)| format!("did you mean `{FIELD}.{known}`?"));
    let field = format!("{FIELD}.{name}");
    FieldError { message: format!("`{field}` is not known: {hint}").into(), field: field.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(routing: &str) -> Result<Wishes, String> {
        let envelope = Envelope::parse(format!("{{\"routing\":{routing}}}").into()).unwrap();
        Wishes::of_body(&envelope).map_err(|error| error.message.into_owned())
    }

    #[test]
    fn what_is_said_is_read() {
        let wishes = read(r#"{"strict":true,"ttft_budget_ms":800,"hedge":null}"#).unwrap();
        let said = Wishes { strict: Some(true), ttft_budget_ms: Some(800), ..Wishes::default() };
        assert_eq!(wishes, said);
        assert_eq!(read("null").unwrap(), Wishes::default());
    }

    #[test]
    fn what_nobody_knows_is_refused_with_a_suggestion() {
        assert_eq!(
            read(r#"{"hegde":true}"#).unwrap_err(),
            "`routing.hegde` is not known: did you mean `routing.hedge`?"
        );
        assert!(read(r#"{"colour":1}"#).unwrap_err().contains("its members are strict, hedge"));
        assert_eq!(read(r#"{"strict":1}"#).unwrap_err(), "`routing.strict` must be true or false");
        assert_eq!(read("[]").unwrap_err(), "`routing` must be an object");
    }

    #[test]
    fn a_header_says_what_the_body_does_not() {
        let mut headers = HeaderMap::new();
        headers.insert("x-trunkline-strict", "true".parse().unwrap());
        headers.insert("x-trunkline-ttft-budget-ms", "500".parse().unwrap());
        let said = Wishes::of_headers(&headers).unwrap();
        let wishes = read(r#"{"strict":false}"#).unwrap().or(said);
        assert_eq!((wishes.strict, wishes.ttft_budget_ms), (Some(false), Some(500)));
        headers.insert("x-trunkline-hedge", "maybe".parse().unwrap());
        assert!(Wishes::of_headers(&headers).is_err());
    }

    #[test]
    fn priority_is_said_by_its_header_alone() {
        let mut headers = HeaderMap::new();
        headers.insert("x-trunkline-priority", "low".parse().unwrap());
        assert_eq!(Wishes::of_headers(&headers).unwrap().priority, Some(Priority::Low));
        let message = read(r#"{"priority":"low"}"#).unwrap_err();
        assert!(message.contains("header `x-trunkline-priority`"), "{message}");
        headers.insert("x-trunkline-priority", "urgent".parse().unwrap());
        let error = Wishes::of_headers(&headers).unwrap_err();
        assert_eq!(error.message, "`x-trunkline-priority` must be high, normal or low");
    }

    #[test]
    fn every_header_is_named_after_its_member() {
        for member in MEMBERS {
            assert_eq!(member.header, format!("x-trunkline-{}", member.name.replace('_', "-")));
        }
    }
}
