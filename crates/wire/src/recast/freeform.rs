//! A tool that takes any text, as a function of one text: its schema, its arguments, and the text out of arguments that
//! come piece by piece.

use trunkline_domain::Text;
use trunkline_domain::chat::{Opaque, RawJson};

/// The function's one argument.
const INPUT: &str = "input";

/// The schema of the arguments. A grammar stands in the argument's description, as its dialect writes it.
pub(super) fn schema(format: Option<&Opaque>) -> Option<RawJson> {
    let grammar = format.map(|format| format!("Text in this grammar: {}", format.raw.get()));
    let description = serde_json::to_string(grammar.as_deref().unwrap_or("Any text.")).ok()?;
    RawJson::parse(&format!(
        "{{\"type\":\"object\",\"properties\":{{\"{INPUT}\":{{\"type\":\"string\",\"description\":{description}}}}},\
         \"required\":[\"{INPUT}\"],\"additionalProperties\":false}}"
    ))
}

/// A text as arguments.
pub(super) fn wrapped(text: &str) -> Text {
    // A text can be written as JSON; were it not, its bare form is refused as no object.
    let text = serde_json::to_string(text).unwrap_or_default();
    format!("{{\"{INPUT}\":{text}}}").into()
}

/// The text out of arguments that come piece by piece. Arguments of another form are the text as they stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwrapped {
    state: State,
    /// What cannot be read yet: the beginning, or half an escape.
    pending: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    After,
    /// It is not of that form.
    Verbatim,
}

/// The most of a beginning that is kept: white space included, the form needs less.
const BEGINNING_MAX: usize = 256;

impl Unwrapped {
    /// The text of arguments that have all come.
    pub(super) fn whole(arguments: &str) -> Text {
        Self::default().more(arguments)
    }

    /// The text that more of the arguments give.
    pub(super) fn more(&mut self, more: &str) -> Text {
        if self.state == State::Verbatim {
            return more.into();
        }
        self.pending.push_str(more);
        if self.state == State::Before {
            match begun(&self.pending) {
                Begun::Text(rest) => {
                    self.pending = rest.to_owned();
                    self.state = State::Inside;
                }
                Begun::NotYet if self.pending.len() <= BEGINNING_MAX => return Text::from(""),
                Begun::NotYet | Begun::Other => {
                    self.state = State::Verbatim;
                    return std::mem::take(&mut self.pending).into();
                }
            }
        }
        if self.state == State::Inside { self.inside() } else { Text::from("") }
    }

    /// Reads a JSON string up to its end, or to an escape whose rest is still to come.
    fn inside(&mut self) -> Text {
        let (ready, ended) = readable(&self.pending);
        let (text, rest) = self.pending.split_at_checked(ready).unwrap_or((&self.pending, ""));
        let text: String = serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned());
        self.pending = rest.to_owned();
        if ended {
            self.state = State::After;
            self.pending.clear();
        }
        text.into()
    }
}

enum Begun<'a> {
    /// The text begins here.
    Text(&'a str),
    NotYet,
    Other,
}

/// What `{"input":"` is followed by, whatever white space is in it.
fn begun(arguments: &str) -> Begun<'_> {
    let mut rest = arguments;
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Begun::NotYet,
            None => return Begun::Other,
        }
    }
    Begun::Text(rest)
}

/// How much of a JSON string's inside can be read now, and whether its end has come.
fn readable(inside: &str) -> (usize, bool) {
    const SURROGATE: usize = 6;
    let bytes = inside.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let length = match (byte, bytes.get(at + 1)) {
            (b'"', _) => return (at, true),
            (b'\\', None) => return (at, false),
            (b'\\', Some(b'u')) => {
                // The first half of a pair is read with the second.
                let first = bytes.get(at + 2..at + 4).is_some_and(is_first_half);
                if first { 2 * SURROGATE } else { SURROGATE }
            }
            (b'\\', Some(_)) => 2,
            _ => 1,
        };
        if at + length > bytes.len() {
            return (at, false);
        }
        at += length;
    }
    (at, false)
}

/// Whether the first two digits are those of the first half of a surrogate pair.
fn is_first_half(digits: &[u8]) -> bool {
    matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_comes_out_as_it_went_in_however_its_arguments_are_cut(text: String, cuts: Vec<u8>) {
            let arguments = wrapped(&text);
            // As some providers write it.
            let mut escaped = String::new();
            for unit in arguments.encode_utf16() {
                match u8::try_from(unit) {
                    Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
                    _ => escaped.extend(format!("\\u{unit:04x}").chars()),
                }
            }
            for arguments in [arguments.to_string(), escaped] {
                let mut unwrapped = Unwrapped::default();
                let mut rest = arguments.as_str();
                let mut out = String::new();
                for cut in &cuts {
                    let at = (0..=usize::from(*cut).min(rest.len())).rev().find(|at| rest.is_char_boundary(*at));
                    let (piece, after) = rest.split_at(at.unwrap_or(0));
                    out.push_str(&unwrapped.more(piece));
                    rest = after;
                }
                out.push_str(&unwrapped.more(rest));
                prop_assert_eq!(&out, &text);
            }
        }
    }

    #[test]
    fn arguments_of_another_form_are_the_text_as_they_stand() {
        for arguments in ["*** Begin Patch", "{\"patch\":\"x\"}", "{\"input\":7}"] {
            assert_eq!(&*Unwrapped::whole(arguments), arguments);
        }
        assert_eq!(&*Unwrapped::whole(" { \"input\" : \"a\\nb\" } "), "a\nb");
    }
}
