//! The shape a body must have: which members, of which types, and nothing else. What is found wrong is said in each
//! dialect's own words, elsewhere. What it is not: rules that hold between members.
//!
//! Where to look first: [`Kind`], then [`check`].

use serde_json::{Map, Value};

/// An object's members.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: &'static [Field],
}

/// One member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
}

/// Whether a member must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It must.
    Required,
    /// It need not, but is not null.
    Optional,
    /// It need not, which null says too.
    Nullable,
}

/// A value's type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Flag,
    /// A whole number in these bounds.
    Whole(i64, i64),
    Decimal,
    /// Anything.
    Any,
    /// An object with any members.
    Free,
    /// One of these texts.
    Choice(&'static [&'static str]),
    List(&'static Kind),
    /// An object whose members all are of a kind.
    Each(&'static Kind),
    Object(&'static Shape),
    /// An object with exactly one of these members.
    OneOf(&'static Shape),
    /// An object whose shape its `type` names.
    Tagged(&'static [(&'static str, &'static Shape)]),
    /// A text, or something else.
    TextOr(&'static Kind),
}

/// How a dialect reads names and nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Names as they are.
    Exact,
    /// As protocol buffers are read from JSON: `lowerCamelCase` or `snake_case`, and null is as absent.
    ProtoJson,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Member(String),
    Index(usize),
    /// The name of the alternative that was read.
    Tag(&'static str),
}

/// Something wrong.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// Where: of an unknown member, the object that holds it.
    pub(crate) path: Vec<Step>,
    pub(crate) wrong: Wrong,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub(crate) enum Wrong {
    /// A member that is not known.
    Unknown(String),
    /// A member that must be there.
    Missing(&'static str),
    /// A value of another type.
    Value(Kind, Value),
}

pub(crate) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Required }
}

pub(crate) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Optional }
}

pub(crate) const fn nullable(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Nullable }
}

/// Everything wrong with a body. Of an object, what is missing and what is unknown comes before what is inside.
pub(crate) fn check(body: &Map<String, Value>, shape: &'static Shape, reading: Reading) -> Vec<Problem> {
    let mut check = Check { reading, path: Vec::new(), problems: Vec::new() };
    check.object(body, shape);
    check.problems
}

/// `lowerCamelCase` as `snake_case`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The type of a value, as Go's reader of JSON calls it.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Check {
    reading: Reading,
    path: Vec<Step>,
    problems: Vec<Problem>,
}

impl Check {
    fn wrong(&mut self, wrong: Wrong) {
        self.problems.push(Problem { path: self.path.clone(), wrong });
    }

    fn at(&mut self, step: Step, check: impl FnOnce(&mut Self)) {
        self.path.push(step);
        check(self);
        self.path.pop();
    }

    fn names(&self, field: &Field, name: &str) -> bool {
        field.name == name || self.reading == Reading::ProtoJson && snake(field.name) == name
    }

    fn object(&mut self, object: &Map<String, Value>, shape: &'static Shape) {
        for field in shape.fields.iter().filter(|field| field.presence == Presence::Required) {
            if !object.keys().any(|name| self.names(field, name)) {
                self.wrong(Wrong::Missing(field.name));
            }
        }
        for (name, value) in object {
            let Some(field) = shape.fields.iter().find(|field| self.names(field, name)) else {
                self.wrong(Wrong::Unknown(name.clone()));
                continue;
            };
            let absent = field.presence == Presence::Nullable || self.reading == Reading::ProtoJson;
            if !(value.is_null() && absent) {
                self.at(Step::Member(name.clone()), |check| check.value(value, field.kind));
            }
        }
    }

    fn value(&mut self, value: &Value, kind: Kind) {
        match (kind, value) {
            (Kind::Any, _)
            | (Kind::Text | Kind::TextOr(_), Value::String(_))
            | (Kind::Flag, Value::Bool(_))
            | (Kind::Decimal, Value::Number(_))
            | (Kind::Free, Value::Object(_)) => {}
            (Kind::Choice(words), Value::String(word)) if words.contains(&word.as_str()) => {}
            (Kind::Whole(least, most), Value::Number(number))
                if number.as_i64().is_some_and(|number| (least..=most).contains(&number)) => {}
            (Kind::TextOr(other), value) => self.value(value, *other),
            (Kind::List(item), Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.at(Step::Index(index), |check| check.value(value, *item));
                }
            }
            (Kind::Each(kind), Value::Object(members)) => {
                for (name, value) in members {
                    self.at(Step::Member(name.clone()), |check| check.value(value, *kind));
                }
            }
            (Kind::Object(shape), Value::Object(object)) => self.object(object, shape),
            (Kind::OneOf(shape), Value::Object(object)) => {
                self.object(object, shape);
                if object.len() != 1 {
                    self.wrong(Wrong::Value(kind, value.clone()));
                }
            }
            (Kind::Tagged(shapes), Value::Object(object)) => self.tagged(value, object, shapes),
            (kind, value) => self.wrong(Wrong::Value(kind, value.clone())),
        }
    }

    fn tagged(
        &mut self,
        value: &Value,
        object: &Map<String, Value>,
        shapes: &'static [(&'static str, &'static Shape)],
    ) {
        let Some(tag) = object.get("type") else { return self.wrong(Wrong::Missing("type")) };
        match shapes.iter().find(|(name, _)| tag == name) {
            Some((name, shape)) => self.at(Step::Tag(name), |check| check.object(object, shape)),
            None => self.wrong(Wrong::Value(Kind::Tagged(shapes), value.clone())),
        }
    }
}
