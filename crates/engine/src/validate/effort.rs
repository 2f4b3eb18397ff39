//! What holding a document against a schema costs at most, found by walking both without deciding anything: a schema of a
//! few hundred bytes can lead a validator through a document in more ways than anybody can count, or round in circles.
//! Nothing is held against a schema that costs too much. Where to look first: [`Effort::of`].

use serde_json::{Map, Value};

use super::schema::target;

/// The most steps of a check: some tens of milliseconds.
const STEPS_MAX: u64 = 300_000;
/// The most schemas within each other, and parts of the document within each other, at once: the stack's bound.
const DEPTH_MAX: u32 = 384;
/// Bytes of a string that are matched in a step.
const STEP_BYTES: usize = 64;

/// The check would cost more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// A walk under way.
pub(super) struct Effort<'a> {
    root: &'a Value,
    left: u64,
}

impl<'a> Effort<'a> {
    /// Steps it takes to hold a document against a schema, no alternative passed over.
    pub(super) fn of(root: &'a Value, document: &Value) -> Result<u64, TooMuch> {
        let mut effort = Self { root, left: STEPS_MAX };
        effort.visit(root, document, DEPTH_MAX).ok_or(TooMuch)?;
        Ok(STEPS_MAX - effort.left)
    }

    fn spend(&mut self, steps: usize) -> Option<()> {
        self.left = self.left.checked_sub(steps as u64)?;
        Some(())
    }

    fn visit(&mut self, schema: &'a Value, document: &Value, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.spend(1)?;
        let Value::Object(keywords) = schema else { return Some(()) };
        self.spend(keywords.len())?;
        self.assertions(keywords, document)?;
        let beside = self.beside(keywords)?;
        // What is left over is found by evaluating the others again, for each part in the worst case.
        let left_over =
            ["unevaluatedProperties", "unevaluatedItems"].iter().any(|it| keywords.contains_key(*it));
        let times = if left_over { 1 + length(document) } else { 1 };
        for _ in 0..times {
            for schema in &beside {
                self.visit(schema, document, depth)?;
            }
        }
        match document {
            Value::Object(members) => self.members(keywords, members, depth),
            Value::Array(items) => self.items(keywords, items, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(()),
        }
    }

    /// What a schema's own keywords cost.
    fn assertions(&mut self, keywords: &Map<String, Value>, document: &Value) -> Option<()> {
        for keyword in ["enum", "const", "required", "dependentRequired"] {
            if let Some(value) = keywords.get(keyword) {
                self.spend(size(value))?;
            }
        }
        if keywords.contains_key("uniqueItems") {
            self.spend(size(document))?;
        }
        match (keywords.get("pattern"), document) {
            (Some(_), Value::String(text)) => self.spend(text.len() / STEP_BYTES),
            _ => Some(()),
        }
    }

    /// The schemas that are held against the same part of the document.
    fn beside(&mut self, keywords: &'a Map<String, Value>) -> Option<Vec<&'a Value>> {
        let mut beside = Vec::new();
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            self.spend(reference.len() / STEP_BYTES)?;
            beside.push(target(self.root, reference)?.1);
        }
        for list in ["allOf", "anyOf", "oneOf"] {
            beside.extend(keywords.get(list).and_then(Value::as_array).into_iter().flatten());
        }
        beside.extend(["not", "if", "then", "else"].iter().filter_map(|keyword| keywords.get(*keyword)));
        for map in ["dependentSchemas", "dependencies"] {
            let schemas = keywords.get(map).and_then(Value::as_object).into_iter().flat_map(Map::values);
            beside.extend(schemas.filter(|schema| !schema.is_array()));
        }
        Some(beside)
    }

    fn members(
        &mut self,
        keywords: &'a Map<String, Value>,
        members: &Map<String, Value>,
        depth: u32,
    ) -> Option<()> {
        if let Some(Value::Object(properties)) = keywords.get("properties") {
            self.spend(properties.len())?;
            for (name, schema) in properties {
                if let Some(member) = members.get(name) {
                    self.visit(schema, member, depth)?;
                }
            }
        }
        if let Some(Value::Object(patterns)) = keywords.get("patternProperties") {
            for schema in patterns.values() {
                for (name, member) in members {
                    self.spend(1 + name.len() / STEP_BYTES)?;
                    self.visit(schema, member, depth)?;
                }
            }
        }
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            if let Some(schema) = keywords.get(keyword) {
                members.values().try_for_each(|member| self.visit(schema, member, depth))?;
            }
        }
        if let Some(schema) = keywords.get("propertyNames") {
            members.keys().try_for_each(|name| self.visit(schema, &Value::String(name.clone()), depth))?;
        }
        Some(())
    }

    fn items(&mut self, keywords: &'a Map<String, Value>, items: &[Value], depth: u32) -> Option<()> {
        for keyword in ["items", "prefixItems"] {
            if let Some(Value::Array(schemas)) = keywords.get(keyword) {
                schemas.iter().zip(items).try_for_each(|(schema, item)| self.visit(schema, item, depth))?;
            }
        }
        for keyword in ["items", "additionalItems", "unevaluatedItems", "contains"] {
            if let Some(schema) = keywords.get(keyword).filter(|schema| !schema.is_array()) {
                items.iter().try_for_each(|item| self.visit(schema, item, depth))?;
            }
        }
        Some(())
    }
}

/// Parts of a document, one level down.
fn length(document: &Value) -> usize {
    match document {
        Value::Object(members) => members.len(),
        Value::Array(items) => items.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What comparing a document costs.
fn size(document: &Value) -> usize {
    1 + match document {
        Value::Object(members) => members.values().map(size).sum(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::String(text) => text.len() / STEP_BYTES,
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
