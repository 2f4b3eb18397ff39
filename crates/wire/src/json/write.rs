//! Writing objects straight into a byte vector, in the order the code says: the same value always gives the same bytes.

use serde::Serialize;
use trunkline_domain::chat::RawJson;

use super::text;

/// Writes one object.
pub(crate) fn object(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    let from = out.len();
    out.push(b'{');
    members(&mut Object { out, from, first: true });
    out.push(b'}');
}

/// An object being written.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    /// Where it begins.
    from: usize,
    first: bool,
}

impl Object<'_> {
    /// What has been written so far: an object without its end.
    pub(crate) fn written(&self) -> &[u8] {
        self.out.get(self.from..).unwrap_or_default()
    }

    /// A member whose value is any serialisable value: a string, a number, `true`, a list.
    pub(crate) fn member<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        self.key(key);
        json(self.out, value);
    }

    /// A member, if there is a value.
    pub(crate) fn optional<T: Serialize>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.member(key, &value);
        }
    }

    /// A member as it was written.
    pub(crate) fn raw(&mut self, key: &str, value: &RawJson) {
        self.key(key);
        self.out.extend_from_slice(value.get().as_bytes());
    }

    /// A member that is an object.
    pub(crate) fn object(&mut self, key: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        object(self.out, members);
    }

    /// A member that is an array.
    pub(crate) fn array(&mut self, key: &str, elements: impl FnOnce(&mut Array<'_>)) {
        self.key(key);
        self.out.push(b'[');
        elements(&mut Array { out: self.out, first: true });
        self.out.push(b']');
    }

    /// A member that is JSON already.
    pub(crate) fn written_member(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(json);
    }

    /// A member that is an array of elements that are JSON already, with commas between them.
    pub(crate) fn elements(&mut self, key: &str, elements: &[u8]) {
        self.key(key);
        self.out.push(b'[');
        self.out.extend_from_slice(elements);
        self.out.push(b']');
    }

    /// The members of an object that is JSON already, and not empty.
    pub(crate) fn members_of(&mut self, object: &[u8]) {
        let members = object.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or_default();
        comma(self.out, &mut self.first);
        self.out.extend_from_slice(members);
    }

    fn key(&mut self, key: &str) {
        comma(self.out, &mut self.first);
        text::string(self.out, key);
        self.out.push(b':');
    }
}

/// An array being written.
pub(crate) struct Array<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Array<'_> {
    /// An element as it was written.
    pub(crate) fn raw(&mut self, value: &RawJson) {
        comma(self.out, &mut self.first);
        self.out.extend_from_slice(value.get().as_bytes());
    }

    /// An element that is an object.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        comma(self.out, &mut self.first);
        object(self.out, members);
    }
}

fn comma(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
}

/// Strings, numbers and lists of them cannot fail to be written to memory.
fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    if text::string_of(out, value) {
        return;
    }
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "a value without maps of odd keys is always JSON");
}
