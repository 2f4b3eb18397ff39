//! Strings as JSON: what needs no escape is copied in whole stretches, found eight bytes at a time. A prompt is one long
//! string, and looking at it byte by byte would be most of what writing it costs.

use std::fmt;

use serde::Serialize;
use serde::ser::{Impossible, Serializer};

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a text in quotes, escaped as serde_json does.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((plain, special)) = first_special(rest).and_then(|at| rest.split_at_checked(at)) {
        let Some((byte, behind)) = special.split_first() else { break };
        out.extend_from_slice(plain);
        escape(out, *byte);
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A value as a string, if it is one; otherwise nothing is written.
pub(super) fn string_of<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> bool {
    value.serialize(Strings(out)).is_ok()
}

/// Where the first byte is that needs an escape.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    let in_words = words.iter().enumerate().find_map(|(at, word)| {
        let found = specials(u64::from_le_bytes(*word));
        (found != 0).then(|| at * 8 + found.trailing_zeros() as usize / 8)
    });
    in_words.or_else(|| {
        let at = tail.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
        Some(words.len() * 8 + at)
    })
}

/// The highest bit of each byte that needs an escape; above the first such byte others may be marked too (the haszero of
/// Anderson's "Bit Twiddling Hacks", <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
fn specials(word: u64) -> u64 {
    let below = |bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let equal = |byte: u8| {
        let zeroed = word ^ (ONES * u64::from(byte));
        zeroed.wrapping_sub(ONES) & !zeroed
    };
    (below(0x20) | equal(b'"') | equal(b'\\')) & HIGH_BITS
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xf)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Takes strings, and says of everything else that it is none.
struct Strings<'a>(&'a mut Vec<u8>);

macro_rules! no_string {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, fmt::Error> {
            Err(fmt::Error)
        })*
    };
}

impl Serializer for Strings<'_> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Impossible<(), fmt::Error>;
    type SerializeTuple = Impossible<(), fmt::Error>;
    type SerializeTupleStruct = Impossible<(), fmt::Error>;
    type SerializeTupleVariant = Impossible<(), fmt::Error>;
    type SerializeMap = Impossible<(), fmt::Error>;
    type SerializeStruct = Impossible<(), fmt::Error>;
    type SerializeStructVariant = Impossible<(), fmt::Error>;

    fn serialize_str(self, text: &str) -> Result<(), fmt::Error> {
        string(self.0, text);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), fmt::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), fmt::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), fmt::Error> {
        Err(fmt::Error)
    }

    no_string! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        string(&mut out, text);
        out
    }

    #[test]
    fn every_character_below_128_is_written_as_serde_json_does() {
        for byte in 0..128_u8 {
            for before in 0..17 {
                let text = format!("{}{}abcdefgh", "x".repeat(before), char::from(byte));
                assert_eq!(written(&text), serde_json::to_vec(&text).unwrap(), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_does(text in "[\\PC\0-\u{1f}\"\\\\é漢🙂]{0,80}") {
            prop_assert_eq!(written(&text), serde_json::to_vec(&text).unwrap());
        }
    }

    #[test]
    fn only_strings_are_strings() {
        let mut out = Vec::new();
        assert!(string_of(&mut out, &Some("a\nb")));
        assert_eq!(out, br#""a\nb""#);
        assert!(
            !string_of(&mut out, &1) && !string_of(&mut out, &["a"]) && !string_of(&mut out, &None::<&str>)
        );
        assert_eq!(out, br#""a\nb""#, "nothing of them");
    }
}
