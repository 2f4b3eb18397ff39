//! A cursor over JSON that is known to be well formed, because the [envelope](crate::envelope) has checked it: it
//! jumps over strings instead of reading them and allocates nothing. It is no parser: on text that is not JSON it
//! returns nonsense, though it never fails or runs past the end.

use std::borrow::Cow;

use crate::envelope::unquote;

/// A place in a JSON text, before a value.
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

/// What kind of value is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Null,
    /// A number, `true` or `false`.
    Other,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut cursor = Self { text, at: 0 };
        cursor.white();
        cursor
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.byte() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Other,
        }
    }

    /// Passes over an object, stopping before each member's value; a value that `each` leaves alone is skipped.
    pub(crate) fn object(&mut self, mut each: impl FnMut(&[u8], &mut Self)) {
        if self.kind() != Kind::Object {
            self.skip();
            return;
        }
        self.step();
        while self.byte() == Some(b'"') {
            let from = self.at;
            self.string();
            let quoted = self.text.get(from..self.at).unwrap_or_default();
            let key = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            let key = if key.contains(&b'\\') { unescape(quoted) } else { Cow::Borrowed(key) };
            self.white();
            self.step();
            self.value(|value| each(&key, value));
        }
        self.step();
    }

    /// Passes over an array, stopping before each element; an element that `each` leaves alone is skipped.
    pub(crate) fn array(&mut self, mut each: impl FnMut(&mut Self)) {
        if self.kind() != Kind::Array {
            self.skip();
            return;
        }
        self.step();
        while !matches!(self.byte(), Some(b']') | None) {
            self.value(&mut each);
        }
        self.step();
    }

    /// Passes over a string and returns it as written, without its quotes; over any other value too, as if it were an
    /// empty string. As written it is never shorter than unescaped.
    pub(crate) fn string(&mut self) -> &'a [u8] {
        if self.kind() != Kind::String {
            self.skip();
            return &[];
        }
        let from = self.at + 1;
        let mut at = from;
        while let Some(length) = memchr::memchr(b'"', self.text.get(at..).unwrap_or_default()) {
            let string = self.text.get(from..at + length).unwrap_or_default();
            at += length + 1;
            let backslashes = string.iter().rev().take_while(|byte| **byte == b'\\').count();
            if backslashes % 2 == 0 {
                self.at = at;
                return string;
            }
        }
        self.at = self.text.len();
        &[]
    }

    /// Passes over any value and returns it as written.
    pub(crate) fn skip(&mut self) -> &'a [u8] {
        let from = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => break,
                b'"' => {
                    self.string();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// Lets `each` pass over one value, and makes sure that it is passed, with the comma behind it.
    fn value(&mut self, each: impl FnOnce(&mut Self)) {
        self.white();
        let before = self.at;
        each(self);
        if self.at == before && self.skip().is_empty() {
            self.step();
        }
        self.white();
        if self.byte() == Some(b',') {
            self.step();
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Over one byte and the white space behind it.
    fn step(&mut self) {
        self.at = (self.at + 1).min(self.text.len());
        self.white();
    }

    fn white(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }
}

fn unescape(quoted: &[u8]) -> Cow<'_, [u8]> {
    match unquote(quoted) {
        Some(Cow::Owned(key)) => Cow::Owned(key.into_bytes()),
        Some(Cow::Borrowed(key)) => Cow::Borrowed(key.as_bytes()),
        None => Cow::Borrowed(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_own_quote() {
        for json in [r#""""#, r#""abc""#, r#""a\"b""#, r#""\\""#, r#""a\\\"\\""#, "\"\u{e9}\""] {
            let mut cursor = Cursor::new(json.as_bytes());
            assert_eq!(cursor.string(), &json.as_bytes()[1..json.len() - 1], "{json}");
            assert_eq!(cursor.at, json.len());
        }
    }

    #[test]
    fn members_left_alone_are_skipped() {
        let json = br#" { "a" : [1, {"b": "]}"}] , "\u0063" : {"d":[]} ,"e":-1.5e3, "f" : "x" } "#;
        let mut seen = Vec::new();
        Cursor::new(json).object(|key, value| {
            seen.push((String::from_utf8_lossy(key).into_owned(), value.kind()));
        });
        let expected = [("a", Kind::Array), ("c", Kind::Object), ("e", Kind::Other), ("f", Kind::String)];
        assert_eq!(seen, expected.map(|(key, kind)| (key.to_owned(), kind)));
    }

    #[test]
    fn elements_come_as_written() {
        let mut seen = Vec::new();
        Cursor::new(br#"[ 1 , "a,]" , [2,[3]],null,{"x":"}"} ]"#)
            .array(|element| seen.push(String::from_utf8_lossy(element.skip()).into_owned()));
        assert_eq!(seen, ["1", r#""a,]""#, "[2,[3]]", "null", r#"{"x":"}"}"#]);
    }

    #[test]
    fn broken_text_ends_the_pass() {
        for json in ["", "{", "[", r#"{"a"#, r#"{"a":"#, r#"["\"#, "[1,", "}", "]", "[}", "[,,", "{:"] {
            let mut cursor = Cursor::new(json.as_bytes());
            cursor.object(|_, value| value.array(|_| {}));
            Cursor::new(json.as_bytes()).array(|element| element.object(|_, _| {}));
            assert!(cursor.at <= json.len());
        }
    }
}
