//! A caller's JSON Schema as something to hold documents against. It is hostile input: its size, its depth, what its
//! patterns compile to and what a check may cost are capped; it is followed nowhere but into itself; patterns are matched in
//! linear time. The rules of the schemas themselves are the `jsonschema` crate's, draft 6 to 2020-12, the last one where
//! `$schema` names none. `format` is not asserted, as the drafts since 2019-09 have it.
//!
//! Where to look first: [`Schema::compile`], [`Schema::hold`].

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use trunkline_domain::{Error, ErrorKind, Text};

use super::effort::{Effort, TooMuch};
use super::{Mismatch, no_json};

/// The longest schema, in bytes. OpenAI's own limit is about as large
/// (<https://platform.openai.com/docs/guides/structured-outputs>, "Limitations on total string size").
const SCHEMA_BYTES_MAX: usize = 128 << 10;
/// The most patterns of one schema.
const PATTERNS_MAX: usize = 128;
/// What one pattern may compile to, in bytes.
const PATTERN_BYTES_MAX: usize = 128 << 10;
/// A check that costs more is not done again to find out where it failed.
const LOCATED_MAX: u64 = 20_000;
/// The most of a place that is shown, in bytes.
const PLACE_BYTES_MAX: usize = 200;

/// A compiled schema.
pub(super) struct Schema {
    validator: Validator,
    root: Value,
}

/// Why documents cannot be held against a schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SchemaProblem {
    /// Where, as a JSON pointer into it.
    at: String,
    why: Cow<'static, str>,
}

impl SchemaProblem {
    fn new(at: &str, why: impl Into<Cow<'static, str>>) -> Self {
        Self { at: at.to_owned(), why: why.into() }
    }

    /// For the caller who wrote it in this field.
    pub(super) fn of(self, field: &'static str) -> Error {
        let Self { at, why } = self;
        let place = if at.is_empty() { "its root".to_owned() } else { format!("`{}`", shown(&at)) };
        let message = format!(
            "`{field}`: no answer can be validated against this JSON schema: at {place}: {why}; change it, or send the \
             request without validation (routing.json_schema_validation = false)"
        );
        Error::new(ErrorKind::InvalidRequest, message).about(field)
    }
}

impl Schema {
    /// Compiles a schema, in bounded time and memory.
    pub(super) fn compile(raw: &str) -> Result<Self, SchemaProblem> {
        if raw.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaProblem::new("", format!("it is longer than {SCHEMA_BYTES_MAX} bytes")));
        }
        let root: Value = serde_json::from_str(raw).map_err(|_| {
            SchemaProblem::new("", "it is nested too deep, or has a number beyond all bounds")
        })?;
        survey(&root)?;
        let patterns =
            PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        let options = jsonschema::options().offline().should_validate_formats(false);
        let validator =
            options.with_pattern_options(patterns).build(&root).map_err(|error| refused(&error))?;
        Ok(Self { validator, root })
    }

    /// Holds a text against it, in bounded time.
    pub(super) fn hold(&self, text: &str) -> Result<(), Mismatch> {
        let document: Value = serde_json::from_str(text).map_err(|_| no_json())?;
        let cost = Effort::of(&self.root, &document).map_err(|TooMuch| {
            Mismatch("too much work to check: the schema follows too many ways at once".into())
        })?;
        if self.validator.is_valid(&document) {
            return Ok(());
        }
        if cost > LOCATED_MAX {
            return Err(Mismatch("somewhere".into()));
        }
        // The keyword is the caller's own word; what the model wrote is repeated nowhere.
        let place = self.validator.validate(&document).err().map(|error| error.schema_path().to_string());
        Err(Mismatch(
            place.map_or_else(|| "somewhere".into(), |place| Text::from(format!("at {}", shown(&place)))),
        ))
    }
}

/// As much of a place as is shown.
fn shown(place: &str) -> &str {
    place.get(..place.floor_char_boundary(PLACE_BYTES_MAX)).unwrap_or_default()
}

fn refused(error: &ValidationError<'_>) -> SchemaProblem {
    let at = error.instance_path().to_string();
    let pattern = matches!(error.kind(), ValidationErrorKind::Format { format } if format == "regex");
    if pattern {
        let why = "the pattern is no regular expression that can be matched in linear time (look-around and \
                   back-references cannot), or compiles to too much";
        return SchemaProblem::new(&at, why);
    }
    // The place says which value is meant.
    SchemaProblem::new(&at, shown(&error.masked().to_string()).to_owned())
}

/// Keywords that hold schemas.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Those that hold a list of them.
const LISTS: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Those that hold them by name.
const MAPS: &[&str] =
    &["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Looks at every schema in a schema: what cannot be followed is refused with its place.
fn survey(root: &Value) -> Result<(), SchemaProblem> {
    let mut seen = HashSet::new();
    let mut patterns = 0;
    let mut waiting = vec![(String::new(), root)];
    while let Some((at, schema)) = waiting.pop() {
        let Value::Object(keywords) = schema else { continue };
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        let problem = |keyword: &str, why| Err(SchemaProblem::new(&format!("{at}/{keyword}"), why));
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if keywords.contains_key(keyword) {
                return problem(keyword, "dynamic references are not followed: use `$ref`");
            }
        }
        if !at.is_empty() && keywords.contains_key("$id") {
            return problem("$id", "a schema within a schema may not have an address of its own");
        }
        if keywords.get("$schema").and_then(Value::as_str).is_some_and(|draft| draft.contains("draft-04")) {
            return problem("$schema", "this draft is too old: use draft 6 or a later one");
        }
        patterns += usize::from(keywords.contains_key("pattern"));
        patterns += keywords.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
        if patterns > PATTERNS_MAX {
            return problem("pattern", "there are more than 128 patterns");
        }
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            match target(root, reference) {
                Some((pointer, schema)) => waiting.push((pointer, schema)),
                None => {
                    return problem(
                        "$ref",
                        "only references into the schema itself are followed: `#/$defs/…`",
                    );
                }
            }
        }
        within(&at, keywords, &mut waiting);
    }
    Ok(())
}

/// The schemas directly within one.
fn within<'a>(at: &str, keywords: &'a Map<String, Value>, waiting: &mut Vec<(String, &'a Value)>) {
    for (name, value) in keywords {
        let name = name.as_str();
        if let Value::Array(list) = value {
            if name == "items" || LISTS.contains(&name) {
                let placed = list.iter().enumerate();
                waiting.extend(placed.map(|(place, one)| (format!("{at}/{name}/{place}"), one)));
            }
        } else if name == "items" || ONE.contains(&name) {
            waiting.push((format!("{at}/{name}"), value));
        } else if let (Value::Object(map), true) = (value, MAPS.contains(&name)) {
            let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
            waiting.extend(map.iter().map(|(key, one)| (format!("{at}/{name}/{}", escaped(key)), one)));
        }
    }
}

/// What a reference names, and by which pointer; `None` where that is not in the schema.
pub(super) fn target<'a>(root: &'a Value, reference: &str) -> Option<(String, &'a Value)> {
    let pointer = percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
    let found = root.pointer(&pointer)?;
    Some((pointer.into_owned(), found))
}
