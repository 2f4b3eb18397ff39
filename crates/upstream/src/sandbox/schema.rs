//! The smallest simple value that a JSON Schema accepts: arguments for simulated tool calls, answers in a format.
//!
//! Covers the subset OpenAI documents for structured outputs (types, `properties`, `required`, `items`, `enum`,
//! `const`, `anyOf`, `$defs` and `$ref`, number and array bounds, string formats:
//! <https://platform.openai.com/docs/guides/structured-outputs>) and `oneOf` and `allOf`. `pattern` is not obeyed.

use serde_json::{Map, Value, json};

/// Deeper than this, a value is null: recursive schemas end.
const DEPTH_MAX: u32 = 12;
/// More values than this are not made.
const VALUES_MAX: u32 = 2_000;
/// No array or string is made longer than this, whatever its minimum.
const LENGTH_MAX: u64 = 256;

/// A value for a schema.
pub(super) fn instance(schema: &Value) -> Value {
    Maker { root: schema, values_left: VALUES_MAX }.value(schema, DEPTH_MAX)
}

struct Maker<'a> {
    root: &'a Value,
    values_left: u32,
}

impl Maker<'_> {
    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return Value::Null };
        let Some(left) = self.values_left.checked_sub(1) else { return Value::Null };
        self.values_left = left;
        if let Some(fixed) = schema.get("const").or_else(|| first(schema, "enum")) {
            return fixed.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            return target
                .strip_prefix('#')
                .and_then(|pointer| root.pointer(pointer))
                .map_or(Value::Null, |found| self.value(found, depth));
        }
        if let Some(one) = first(schema, "anyOf").or_else(|| first(schema, "oneOf")) {
            return self.value(one, depth);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            let made = all.iter().map(|part| self.value(part, depth)).collect();
            return merge(made);
        }
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => Value::from(string(schema)),
            "integer" | "number" => number(schema),
            "boolean" => Value::Bool(true),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Value {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let properties = schema.get("properties");
        let mut object = Map::new();
        for name in required.filter_map(Value::as_str) {
            let value = match properties.and_then(|properties| properties.get(name)) {
                Some(property) => self.value(property, depth),
                None => Value::from("example"),
            };
            object.insert(name.to_owned(), value);
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &Value, depth: u32) -> Value {
        let length = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(LENGTH_MAX);
        let items = schema.get("items").unwrap_or(&Value::Null);
        (0..length).map(|_| self.value(items, depth)).collect()
    }
}

fn first<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get(name)?.as_array()?.first()
}

/// The type named, the first of several, or the one the other words imply.
fn type_of(schema: &Value) -> &str {
    let named = schema.get("type").and_then(Value::as_str);
    let several = || first(schema, "type").and_then(Value::as_str);
    let implied = || schema.get("properties").or_else(|| schema.get("required")).map(|_| "object");
    named.or_else(several).or_else(implied).unwrap_or("string")
}

fn string(schema: &Value) -> String {
    let simple = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2025-01-01",
        Some("time") => "00:00:00Z",
        Some("date-time") => "2025-01-01T00:00:00Z",
        Some("duration") => "PT1S",
        Some("email") => "person@example.com",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some("uri") => "https://example.com/",
        _ => "example",
    };
    let bound =
        |name| schema.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n.min(LENGTH_MAX)).ok());
    let padding = bound("minLength").unwrap_or(0).saturating_sub(simple.chars().count());
    let padded = simple.chars().chain(std::iter::repeat_n('x', padding));
    padded.take(bound("maxLength").unwrap_or(usize::MAX)).collect()
}

fn number(schema: &Value) -> Value {
    let bound = |name| schema.get(name).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|below| below.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|above| above.saturating_sub(1)));
    let simple = least.map_or(1, |least| least.max(1)).min(most.unwrap_or(i64::MAX));
    match bound("multipleOf") {
        Some(step) if step > 0 => json!(simple.saturating_add((step - simple.rem_euclid(step)) % step)),
        _ => json!(simple),
    }
}

fn merge(values: Vec<Value>) -> Value {
    let mut merged = Map::new();
    for value in values {
        match value {
            Value::Object(object) => merged.extend(object),
            other => return other,
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_properties_get_simple_values() {
        let schema = json!({"type": "object", "required": ["city", "days", "unit", "deep"], "properties": {
            "city": {"type": "string"}, "days": {"type": "integer", "minimum": 3},
            "unit": {"enum": ["celsius", "kelvin"]}, "note": {"type": "string"},
            "deep": {"$ref": "#/$defs/pair"}},
            "$defs": {"pair": {"type": "array", "minItems": 2, "items": {"type": ["boolean", "null"]}}}});
        assert_eq!(
            instance(&schema),
            json!({"city": "example", "days": 3, "unit": "celsius", "deep": [true, true]})
        );
    }

    #[test]
    fn bounds_are_obeyed() {
        for (schema, value) in [
            (json!({"type": "integer", "exclusiveMinimum": 9}), json!(10)),
            (json!({"type": "number", "maximum": -2}), json!(-2)),
            (json!({"type": "integer", "multipleOf": 5, "minimum": 6}), json!(10)),
            (json!({"type": "string", "minLength": 9}), json!("examplexx")),
            (json!({"type": "string", "maxLength": 2}), json!("ex")),
            (json!({"type": "string", "format": "date"}), json!("2025-01-01")),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(null)),
            (
                json!({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}),
                json!({"a": "example", "b": "example"}),
            ),
            (json!(true), json!("example")),
        ] {
            assert_eq!(instance(&schema), value, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_never_ends_is_cut() {
        let endless = json!({"$ref": "#"});
        assert_eq!(instance(&endless), Value::Null);
        let wide = json!({"type": "array", "minItems": 1_000_000, "items": {"$ref": "#"}});
        assert!(instance(&wide).to_string().len() < 100_000);
    }
}
