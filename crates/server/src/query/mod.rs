//! Questions that cost nothing: models, providers, a generation, a key. They are answered from the snapshot and the
//! ledger, for a caller with a valid key: what is configured here is not everybody's to know.

pub(crate) mod generation;
pub(crate) mod key;
mod listings;
pub(crate) mod models;
mod price;
pub(crate) mod providers;
mod shape;

use std::time::Duration;

use serde::Serialize;

use crate::app::App;

/// How long a question waits for what was just written to become readable.
const FLUSH: Duration = Duration::from_millis(500);
/// The most of a caller's text that is shown back, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// `{"data": …}`.
#[derive(Serialize)]
struct Data<T> {
    data: T,
}

/// `{"status": …}`.
#[derive(Serialize)]
pub(crate) struct Status {
    pub(crate) status: &'static str,
}

/// A parameter of a query string, decoded; the first of that name.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    Some(decode(value))
}

/// Percent-decoding, with `+` for a space; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let escaped =
            escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (escaped, first) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
                continue;
            }
            (None, b'+') => bytes.push(b' '),
            (None, other) => bytes.push(*other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A caller's text as an error message shows it.
pub(crate) fn shown(text: &str) -> &str {
    text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default()
}

/// Lets what was just answered reach the ledger. If that takes too long the question is answered without it.
async fn catch_up(app: &App) {
    if app.engine.core().journal.flush(FLUSH).await.is_err() {
        tracing::debug!("the ledger is behind the journal");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_and_decoded() {
        assert_eq!(parameter(Some("a=1&id=gen-1%2F+x"), "id").as_deref(), Some("gen-1/ x"));
        assert_eq!(parameter(Some("id=%zz%"), "id").as_deref(), Some("%zz%"));
        assert_eq!(parameter(Some("identity=1"), "id"), None);
        assert_eq!(parameter(None, "id"), None);
    }
}
