//! What a request says: its body, bounded in size and time, and its query.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::members::unknown;
use super::refusal::Refusal;

/// The largest body but for a catalogue's.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// A whole body of at most `bytes_max`.
pub(super) async fn body(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let reading = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(BODY_DEADLINE, reading).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::too_large(bytes_max)),
        Ok(Err(_)) => Err(Refusal::invalid("the body broke off")),
        Err(_) => Err(Refusal::too_slow()),
    }
}

/// The query's parameters, each at most once and none unknown.
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Parameters {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, known: Vec::new() }
    }

    /// The value of a parameter; an empty one counts as none.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let place = self.pairs.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.pairs.swap_remove(place);
        (!value.is_empty()).then_some(value)
    }

    /// A parameter that is `true` or `false`, or absent for the latter.
    pub(super) fn switch(&mut self, name: &'static str) -> Result<bool, Refusal> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::invalid(format!("`{name}` is true or false"))),
        }
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) if self.known.contains(&name.as_str()) => {
                Err(Refusal::invalid(format!("the parameter `{name}` is there twice")))
            }
            Some((name, _)) => Err(Refusal::invalid(unknown("parameter", name, &self.known))),
        }
    }
}
