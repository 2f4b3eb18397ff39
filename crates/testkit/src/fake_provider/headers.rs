//! Request headers that no provider should get from a gateway, whatever the dialect.

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method};

use super::{Arrived, Caller, Setup, Transport};

/// The headers a gateway sends in every dialect.
const PROPER: &[&str] =
    &["accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"];

/// What is improper about a request's headers. `own` are the dialect's.
pub(crate) fn improper(setup: &Setup, arrived: &Arrived, own: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    if arrived.method == Method::POST {
        let json = text(&arrived.headers, CONTENT_TYPE.as_str())
            .is_some_and(|value| value.starts_with("application/json"));
        if !json {
            found.push("content-type is not application/json".to_owned());
        }
    }
    if setup.caller == Caller::Anyone {
        return found;
    }
    if arrived.method == Method::POST && arrived.transport == Transport::Tcp {
        let length = arrived.body.len().to_string();
        if text(&arrived.headers, CONTENT_LENGTH.as_str()) != Some(length.as_str()) {
            found.push("content-length is missing or wrong".to_owned());
        }
    }
    if text(&arrived.headers, ACCEPT_ENCODING.as_str()).is_some_and(|value| value != "identity") {
        found.push("accept-encoding is not identity".to_owned());
    }
    for name in arrived.headers.keys().map(http::HeaderName::as_str) {
        let known = PROPER.contains(&name) || own.contains(&name);
        if !known && !setup.headers.iter().any(|tolerated| tolerated == name) {
            found.push(format!("header '{name}' must not cross"));
        }
        if arrived.headers.get_all(name).iter().count() > 1 {
            found.push(format!("header '{name}' comes twice"));
        }
    }
    found
}

/// A header's value.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
