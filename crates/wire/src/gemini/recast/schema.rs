//! Google's own kind of schema (`Schema` in google-genai, `types.py`) beside JSON Schema: the names of types are in upper
//! case, and `nullable` stands for a type that may be `null`. Everything else has the same name and stays as it is, in its
//! order, for models read properties in the order they are written in.

use trunkline_domain::Text;
use trunkline_domain::chat::{Field, RawJson};

use super::{DIALECT, form};
use crate::json::{Object, object, wire_object};

/// Names of types: Google's and JSON Schema's.
const TYPES: &[(&str, &str)] = &[
    ("STRING", "string"),
    ("NUMBER", "number"),
    ("INTEGER", "integer"),
    ("BOOLEAN", "boolean"),
    ("ARRAY", "array"),
    ("OBJECT", "object"),
    ("NULL", "null"),
];

/// How deep a schema may nest; a deeper one is not understood.
const DEPTH_MAX: u32 = 64;

wire_object! {
    struct Members {}
}

fn members(raw: &RawJson) -> Option<Vec<Field>> {
    let Members { rest } = serde_json::from_str(raw.get()).ok()?;
    Some(rest.extras(DIALECT, 0).fields().to_vec())
}

/// What is found out about a schema while it is lifted.
#[derive(Default)]
struct Seen {
    upper: bool,
    lower: bool,
    /// Something that lowering would not restore.
    odd: bool,
}

/// A schema of Google's kind as JSON Schema, and how it was spelled. Where the spelling cannot be restored from it, the
/// second half is `None`.
pub(super) fn lift(raw: &RawJson) -> (RawJson, Option<u32>) {
    let mut seen = Seen::default();
    let mut out = Vec::with_capacity(raw.get().len());
    let lifted = lift_into(raw, &mut out, &mut seen, 0).and_then(|()| text(out));
    match lifted {
        None => (raw.clone(), Some(form::SCHEMA | form::SCHEMA_LOWER)),
        // Lower case throughout: it is JSON Schema already.
        Some(_) if !seen.upper && !seen.odd => (raw.clone(), Some(form::SCHEMA | form::SCHEMA_LOWER)),
        Some(lifted) => (lifted, (!seen.lower && !seen.odd).then_some(form::SCHEMA)),
    }
}

fn text(out: Vec<u8>) -> Option<RawJson> {
    String::from_utf8(out).ok().and_then(|text| RawJson::parse(&text))
}

/// `None` where it is no schema.
fn lift_into(raw: &RawJson, out: &mut Vec<u8>, seen: &mut Seen, depth: u32) -> Option<()> {
    let fields = members(raw).filter(|_| depth < DEPTH_MAX)?;
    let find = |name: &str| fields.iter().find(|(key, _)| &**key == name).map(|(_, value)| value);
    let nullable = find("nullable").is_some_and(|value| value.get() == "true");
    let typed = find("type").and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    let mut whole = Some(());
    object(out, |object| {
        for (key, value) in &fields {
            match &**key {
                "type" => {
                    let Some((google, json)) = typed.as_deref().and_then(named) else {
                        seen.odd |= value.get().starts_with('[');
                        object.raw(key, value);
                        continue;
                    };
                    seen.upper |= typed.as_deref() == Some(google);
                    seen.lower |= typed.as_deref() == Some(json);
                    // Lower case goes both ways only as long as nothing changes.
                    seen.odd |= nullable && typed.as_deref() == Some(json);
                    if nullable { object.member(key, &[json, "null"]) } else { object.member(key, json) }
                }
                "nullable" if nullable && typed.as_deref().is_some_and(|typed| named(typed).is_some()) => {}
                _ => inner(object, key, value, &mut |raw, out| {
                    whole = whole.and(lift_into(raw, out, seen, depth + 1));
                }),
            }
        }
    });
    whole
}

fn named(name: &str) -> Option<(&'static str, &'static str)> {
    TYPES.iter().copied().find(|(google, json)| name == *google || name == *json)
}

/// Writes back in Google's kind what [`lift`] made of it.
pub(super) fn lower(raw: &RawJson) -> RawJson {
    let mut out = Vec::with_capacity(raw.get().len());
    lower_into(raw, &mut out, 0).and_then(|()| text(out)).unwrap_or_else(|| raw.clone())
}

fn lower_into(raw: &RawJson, out: &mut Vec<u8>, depth: u32) -> Option<()> {
    let fields = members(raw).filter(|_| depth < DEPTH_MAX)?;
    let mut whole = Some(());
    object(out, |object| {
        for (key, value) in &fields {
            if &**key != "type" {
                inner(object, key, value, &mut |raw, out| whole = whole.and(lower_into(raw, out, depth + 1)));
                continue;
            }
            let one = serde_json::from_str::<String>(value.get()).ok();
            let two =
                serde_json::from_str::<[String; 2]>(value.get()).ok().filter(|[_, null]| null == "null");
            match (one.as_deref().and_then(named), two.as_ref().and_then(|[name, _]| named(name))) {
                (Some((google, _)), _) => object.member(key, google),
                (None, Some((google, _))) => {
                    object.member(key, google);
                    object.member("nullable", &true);
                }
                (None, None) => object.raw(key, value),
            }
        }
    });
    whole
}

/// Writes a member of a schema, with the schemas inside it.
fn inner(
    object: &mut Object<'_>,
    key: &Text,
    value: &RawJson,
    schema: &mut dyn FnMut(&RawJson, &mut Vec<u8>),
) {
    let is_object = value.get().starts_with('{');
    let mut one = |raw: &RawJson| {
        let mut out = Vec::with_capacity(raw.get().len());
        if raw.get().starts_with('{') {
            schema(raw, &mut out);
        } else {
            out.extend_from_slice(raw.get().as_bytes());
        }
        text(out).unwrap_or_else(|| raw.clone())
    };
    match &**key {
        "properties" | "$defs" | "defs" if is_object => object.object(key, |object| {
            for (name, value) in members(value).unwrap_or_default() {
                object.raw(&name, &one(&value));
            }
        }),
        "items" | "additionalProperties" if is_object => object.raw(key, &one(value)),
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
            match serde_json::from_str::<Vec<RawJson>>(value.get()) {
                Ok(all) => object.array(key, |array| {
                    for value in &all {
                        array.raw(&one(value));
                    }
                }),
                Err(_) => object.raw(key, value),
            }
        }
        _ => object.raw(key, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text).unwrap()
    }

    #[test]
    fn googles_schemas_become_json_schemas_and_come_back() {
        let google = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},"a":{"type":"ARRAY","items":{"anyOf":[{"type":"INTEGER"},{"type":"NULL"}]}}},"required":["a"],"propertyOrdering":["type","a"]}"#;
        let (json, form) = lift(&raw(google));
        assert_eq!(
            json.get(),
            r#"{"type":"object","properties":{"type":{"type":["string","null"]},"a":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}},"required":["a"],"propertyOrdering":["type","a"]}"#
        );
        assert_eq!(form, Some(form::SCHEMA));
        assert_eq!(lower(&json).get(), google);
    }

    #[test]
    fn a_schema_in_lower_case_stays_as_it_is() {
        let json = raw(r#"{ "type": "object", "properties": {"a": {"type": "string", "nullable": false}} }"#);
        assert_eq!(lift(&json), (json, Some(form::SCHEMA | form::SCHEMA_LOWER)));
    }

    #[test]
    fn what_cannot_be_restored_is_said() {
        for odd in [
            r#"{"type":"OBJECT","properties":{"a":{"type":"string"}}}"#,
            r#"{"type":"string","nullable":true}"#,
            r#"{"type":["STRING","null"]}"#,
        ] {
            assert_eq!(lift(&raw(odd)).1, None, "{odd}");
        }
    }

    #[test]
    fn a_schema_without_end_is_not_followed() {
        let deep = format!("{}{}{}", r#"{"items":"#.repeat(500), "{}", "}".repeat(500));
        if let Some(deep) = RawJson::parse(&deep) {
            assert_eq!(lift(&deep).0, deep);
            assert_eq!(lower(&deep), deep);
        }
    }
}
