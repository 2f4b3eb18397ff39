//! Reading objects. [`wire_object`] declares a struct of optional known members; members it does not know, and known ones
//! that are `null`, go into its `rest` as written, so that nothing a caller wrote is forgotten.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, Visitor};
use serde_json::value::RawValue;
use trunkline_domain::chat::{Extras, Field, RawJson};
use trunkline_domain::{Dialect, Text};

/// Declares an object of the wire: `struct Name { "member" => field: Type, … }`. Every field becomes `Option<Type>`, and
/// `rest: Rest` is added (`rest: Ignored`, which forgets, for `ignoring struct`: the events of a stream). A member with two spellings is
/// `"member" | "spelling"`. A member given twice is an error. Types must not go through serde's buffering (`untagged`,
/// `flatten`), which cannot keep values as written: where a member has several forms, write a visitor.
macro_rules! wire_object {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($members:tt)* }) => {
        wire_object! { @ $(#[$meta])* $vis $name $crate::json::Rest { $($members)* } }
    };
    ($(#[$meta:meta])* ignoring $vis:vis struct $name:ident { $($members:tt)* }) => {
        wire_object! { @ $(#[$meta])* $vis $name $crate::json::Ignored { $($members)* } }
    };
    (@ $(#[$meta:meta])* $vis:vis $name:ident $rest:ty { $($($key:literal)|+ => $field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name {
            $($vis $field: Option<$type>,)*
            $vis rest: $rest,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;
                impl<'de> serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<$name, M::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<$crate::json::Key<'de>>()? {
                            match key.as_str() {
                                $($($key)|+ => match map.next_value::<Option<$type>>()? {
                                    Some(value) => {
                                        if object.$field.replace(value).is_some() || object.rest.is_null(&key) {
                                            let [name, ..] = [$($key),+];
                                            return Err(serde::de::Error::duplicate_field(name));
                                        }
                                    }
                                    None if object.$field.is_some() => {
                                        let [name, ..] = [$($key),+];
                                        return Err(serde::de::Error::duplicate_field(name));
                                    }
                                    None => object.rest.null(&key),
                                },)*
                                _ => object.rest.keep(&key, map.next_value()?),
                            }
                        }
                        Ok(object)
                    }
                }
                json.deserialize_map(ObjectVisitor)
            }
        }
    };
}
pub(crate) use wire_object;

/// Members that no field was declared for.
#[derive(Default)]
pub(crate) struct Rest(Vec<Field>);

impl Rest {
    /// Keeps a member as written.
    pub(crate) fn keep(&mut self, key: &Key<'_>, value: Box<RawValue>) {
        self.0.push((Text::from(key.as_str()), value.into()));
    }

    /// Keeps that a known member is `null`.
    pub(crate) fn null(&mut self, key: &Key<'_>) {
        self.0.push((Text::from(key.as_str()), RawValue::NULL.to_owned().into()));
    }

    /// Whether a known member was `null` before.
    pub(crate) fn is_null(&self, key: &Key<'_>) -> bool {
        self.0.iter().any(|(name, _)| **name == *key.as_str())
    }

    /// Keeps a known member whose value has no canonical meaning.
    pub(crate) fn push(&mut self, key: &str, value: RawJson) {
        self.0.push((Text::from(key), value));
    }

    /// Keeps what an object inside held besides, under `member.key`: one level of a message keeps its extras in one
    /// place.
    pub(crate) fn nest(&mut self, member: &str, inner: Rest) {
        self.0.extend(inner.0.into_iter().map(|(key, value)| (format!("{member}.{key}").into(), value)));
    }

    /// Adds what another object held.
    pub(crate) fn join(&mut self, other: Rest) {
        self.0.extend(other.0);
    }

    /// Forgets the members that are `null`.
    pub(crate) fn without_nulls(mut self) -> Self {
        self.0.retain(|(_, value)| !value.is_null());
        self
    }

    /// Forgets members of these names.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(key, _)| !names.contains(&&**key));
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members kept, with the spelling of the known ones. Of one given twice the last counts, as most readers have it.
    pub(crate) fn extras(mut self, dialect: Dialect, form: u32) -> Extras {
        if self.0.len() > 1 {
            let mut seen = HashSet::with_capacity(self.0.len());
            self.0.reverse();
            self.0.retain(|(name, _)| seen.insert(name.clone()));
            self.0.reverse();
        }
        Extras::new(dialect, form, self.0)
    }
}

/// Members that no field was declared for, forgotten.
#[derive(Default)]
pub(crate) struct Ignored;

impl Ignored {
    #[expect(clippy::unused_self, reason = "stands where `Rest` may stand")]
    pub(crate) fn keep(&mut self, _: &Key<'_>, _: IgnoredAny) {}

    #[expect(clippy::unused_self, reason = "stands where `Rest` may stand")]
    pub(crate) fn is_null(&self, _: &Key<'_>) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "stands where `Rest` may stand")]
    pub(crate) fn null(&mut self, _: &Key<'_>) {}
}

/// A member's key.
pub(crate) struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        json.deserialize_str(KeyVisitor)
    }
}

/// A string, copied once: straight into shared text.
pub(crate) struct Str(pub(crate) Text);

impl<'de> Deserialize<'de> for Str {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl Visitor<'_> for StrVisitor {
            type Value = Str;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Str, E> {
                Ok(Str(Text::from(text)))
            }
        }
        json.deserialize_str(StrVisitor)
    }
}

/// What is wrong with a value, for the caller: the parser's words without its line and column, which count from the
/// value's own beginning.
pub(crate) fn problem(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rfind(" at line ") {
        Some(at) => words.get(..at).unwrap_or(&words).to_owned(),
        None => words,
    }
}
