//! A JSON object read member by member: what nobody asked for is refused with a suggestion, never ignored.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The members of an object that have not been taken.
pub(super) struct Members {
    /// What stands before a member's name in messages: empty, or `limits.`.
    prefix: String,
    rest: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Members {
    /// The object a body is; an empty body is an empty object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::new(String::new(), Map::new()));
        }
        let rest = serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid(format!("the body is not a JSON object: {error}")))?;
        Ok(Self::new(String::new(), rest))
    }

    /// The object a member is.
    pub(super) fn of(name: &str, value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(rest) => Ok(Self::new(format!("{name}."), rest)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(Refusal::invalid(format!("`{name}` must be an object")))
            }
        }
    }

    fn new(prefix: String, rest: Map<String, Value>) -> Self {
        Self { prefix, rest, known: Vec::new() }
    }

    /// A member, if it is there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.rest.remove(name)
    }

    /// A refusal about a member.
    pub(super) fn refuse(&self, name: &str, what: &str) -> Refusal {
        Refusal::invalid(format!("`{}{name}` {what}", self.prefix))
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(name) => {
                let what = if self.prefix.is_empty() {
                    "member".to_owned()
                } else {
                    format!("member of {}", self.prefix.trim_end_matches('.'))
                };
                Err(Refusal::invalid(unknown(&what, name, &self.known)))
            }
        }
    }
}

/// What is said about a name nobody knows.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(64).collect();
    let likely = known
        .iter()
        .map(|known| (strsim::osa_distance(&shown, known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    match likely {
        Some((_, known)) => format!("unknown {what} `{shown}`: did you mean `{known}`?"),
        None if known.is_empty() => format!("unknown {what} `{shown}`: none is taken here"),
        None => format!("unknown {what} `{shown}`: known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_refused_with_a_suggestion() {
        let mut members = Members::parse(br#"{"name":"x","limts":{}}"#).unwrap();
        members.take("name");
        members.take("limits");
        assert_eq!(members.finish().unwrap_err().message(), "unknown member `limts`: did you mean `limits`?");
    }

    #[test]
    fn a_member_far_from_all_gets_the_list() {
        let mut members = Members::of("limits", serde_json::from_str(r#"{"bananas":1}"#).unwrap()).unwrap();
        members.take("rpm");
        let told = members.finish().unwrap_err();
        assert_eq!(told.message(), "unknown member of limits `bananas`: known are rpm");
    }
}
