//! Provider state on its way: what providers sign or encrypt and want back unchanged (a thinking block's signature, a
//! thought signature, encrypted reasoning), found in requests and answers that are relayed, and cut out of a request
//! that goes to somebody who would refuse it. In the canonical chat the same is
//! [`Minted`](trunkline_domain::chat::Minted).
//!
//! Nothing is decoded into an object: a request's field is passed over, and written anew only where something goes. Where to
//! look first: [`State`]; the dialects' `state.rs`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::cursor::{Cursor, Kind};
use crate::envelope::unquote;
use crate::splice::{Edit, json_string};

/// A piece of provider state in a request, or a place where one may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// What it is.
    pub kind: StateKind<'a>,
    /// Path of the block it belongs to, as in `messages[1].content[0]`.
    pub path: String,
}

/// The kinds of provider state in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateKind<'a> {
    /// A signature, or something encrypted.
    Signed(Cow<'a, str>),
    /// Thinking without a signature: of a provider that signs none.
    Unsigned,
    /// A call of a tool that carries no state itself.
    Call {
        /// The call's id.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
    },
}

/// What becomes of a piece of provider state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes, and with it the block it makes sense in. A call without state stays whatever is said.
    Drop,
}

/// Says what becomes of each piece of provider state, in the order of the conversation.
pub type Judge<'a> = &'a mut dyn FnMut(&State<'_>) -> Verdict;

/// Shows a judge what `visit` finds in one pass; only where something goes is `rewrite` asked for the edit, with a
/// judge that says the same again.
pub(crate) fn review(
    judge: Judge<'_>,
    visit: impl FnOnce(&mut dyn FnMut(State<'_>)),
    rewrite: impl FnOnce(Judge<'_>) -> Option<Edit>,
) -> Option<Edit> {
    let mut dropped = HashSet::new();
    visit(&mut |state| {
        if judge(&state) == Verdict::Drop && !matches!(state.kind, StateKind::Call { .. }) {
            dropped.insert(state.path);
        }
    });
    if dropped.is_empty() {
        return None;
    }
    rewrite(&mut |state| if dropped.contains(&state.path) { Verdict::Drop } else { Verdict::Keep })
}

/// A member that is a text, empty ones left out, of the object a cursor is within.
pub(crate) fn value<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    unquote(cursor.skip()).filter(|text| !text.is_empty())
}

/// Passes over the elements of an array, with their places.
pub(crate) fn placed<'a>(cursor: &mut Cursor<'a>, mut each: impl FnMut(usize, &mut Cursor<'a>)) {
    let mut place = 0;
    cursor.array(|element| {
        each(place, element);
        place += 1;
    });
}

/// What becomes of a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Keep,
    Drop,
    Become(Vec<u8>),
}

impl Change {
    /// Whether an array is left with nothing in it.
    pub(crate) fn is_emptied(&self) -> bool {
        matches!(self, Self::Become(json) if json == b"[]")
    }

    /// The new value; `None` where nothing changes.
    pub(crate) fn value(self) -> Option<Vec<u8>> {
        if let Self::Become(json) = self { Some(json) } else { None }
    }

    /// Drops instead what is left with nothing in it.
    pub(crate) fn or_drop(self) -> Self {
        if self.is_emptied() { Self::Drop } else { self }
    }
}

/// Asks `each` of every element of an array, by its place; what is no array stays.
pub(crate) fn elements<'a>(raw: &'a [u8], mut each: impl FnMut(usize, &'a [u8]) -> Change) -> Change {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Array {
        return Change::Keep;
    }
    let (mut place, mut changed) = (0, false);
    let mut kept: Vec<Cow<'a, [u8]>> = Vec::new();
    cursor.array(|element| {
        let element = element.skip();
        match each(place, element) {
            Change::Keep => kept.push(Cow::Borrowed(element)),
            Change::Drop => changed = true,
            Change::Become(json) => {
                changed = true;
                kept.push(Cow::Owned(json));
            }
        }
        place += 1;
    });
    if changed { Change::Become(enclosed(b'[', &kept, b']')) } else { Change::Keep }
}

/// Asks `each` of every member of an object, by its key; what is no object stays.
pub(crate) fn members<'a>(raw: &'a [u8], mut each: impl FnMut(&[u8], &'a [u8]) -> Change) -> Change {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() != Kind::Object {
        return Change::Keep;
    }
    let mut changed = false;
    let mut kept: Vec<Cow<'a, [u8]>> = Vec::new();
    cursor.object(|key, value| {
        let value = value.skip();
        let value = match each(key, value) {
            Change::Keep => Cow::Borrowed(value),
            Change::Drop => {
                changed = true;
                return;
            }
            Change::Become(json) => {
                changed = true;
                Cow::Owned(json)
            }
        };
        let mut member = json_string(&String::from_utf8_lossy(key)).into_bytes();
        member.push(b':');
        member.extend_from_slice(&value);
        kept.push(Cow::Owned(member));
    });
    if changed { Change::Become(enclosed(b'{', &kept, b'}')) } else { Change::Keep }
}

fn enclosed(open: u8, items: &[Cow<'_, [u8]>], close: u8) -> Vec<u8> {
    let mut json = Vec::with_capacity(items.iter().map(|item| item.len() + 1).sum::<usize>() + 2);
    json.push(open);
    json.extend_from_slice(&items.join(&b','));
    json.push(close);
    json
}

/// A member of an object, as written.
pub(crate) fn member<'a>(raw: &'a [u8], names: &[&str]) -> Option<&'a [u8]> {
    let mut found = None;
    each_member(raw, |key, value| {
        if names.iter().any(|name| name.as_bytes() == key) {
            found = Some(value);
        }
    });
    found
}

/// A member of an object that is a text, empty ones left out.
pub(crate) fn text<'a>(raw: &'a [u8], names: &[&str]) -> Option<Cow<'a, str>> {
    member(raw, names).and_then(unquote).filter(|text| !text.is_empty())
}

/// Passes over the members of an object.
pub(crate) fn each_member<'a>(raw: &'a [u8], mut each: impl FnMut(&[u8], &'a [u8])) {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() == Kind::Object {
        cursor.object(|key, value| each(key, value.skip()));
    }
}

/// Passes over the elements of an array.
pub(crate) fn each_element<'a>(raw: &'a [u8], mut each: impl FnMut(&'a [u8])) {
    let mut cursor = Cursor::new(raw);
    if cursor.kind() == Kind::Array {
        cursor.array(|element| each(element.skip()));
    }
}

/// Words looked for, prepared once.
pub(crate) type Needles<const N: usize> = LazyLock<[Finder<'static>; N]>;

/// Prepares words to be looked for.
pub(crate) fn needles<const N: usize>(words: [&'static str; N]) -> [Finder<'static>; N] {
    words.map(Finder::new)
}

/// Whether a text holds one of some words: cheap enough for every event of a stream.
pub(crate) fn holds(text: &[u8], needles: &[Finder<'_>]) -> bool {
    needles.iter().any(|needle| needle.find(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_written_anew_and_the_rest_as_it_was() {
        let raw = br#" [ {"a" : 1.50} , "b", [ 2 ] ] "#;
        assert_eq!(elements(raw, |_, _| Change::Keep), Change::Keep);
        let changed = elements(raw, |place, _| match place {
            0 => Change::Keep,
            1 => Change::Drop,
            _ => Change::Become(b"null".to_vec()),
        });
        assert_eq!(changed, Change::Become(br#"[{"a" : 1.50},null]"#.to_vec()));
        assert!(elements(raw, |_, _| Change::Drop).is_emptied());
    }

    #[test]
    fn members_are_known_by_their_name_however_it_is_written() {
        let raw = br#"{ "\u0061" : 1, "q\"" : 2, "c":3 }"#;
        let changed = members(raw, |key, _| if key == b"a" { Change::Drop } else { Change::Keep });
        assert_eq!(changed, Change::Become(br#"{"q\"":2,"c":3}"#.to_vec()));
        assert_eq!(members(raw, |_, _| Change::Keep), Change::Keep);
        assert_eq!(member(raw, &["a"]), Some(&b"1"[..]));
    }

    #[test]
    fn what_is_no_array_or_object_stays() {
        for raw in [&b"1"[..], b"\"[]\"", b"null", b"", b"{}"] {
            assert_eq!(elements(raw, |_, _| Change::Drop), Change::Keep);
        }
        assert_eq!(members(b"[1]", |_, _| Change::Drop), Change::Keep);
    }
}
