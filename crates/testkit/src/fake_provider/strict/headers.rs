//! Request headers.

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method};

use super::Findings;
use crate::fake_provider::error::ApiError;
use crate::fake_provider::{Arrived, Caller, Setup, Transport};

/// The headers a gateway sends of its own, or may pass on.
const PROPER: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "openai-beta",
    "user-agent",
];

pub(super) fn judge(setup: &Setup, arrived: &Arrived, findings: &mut Findings) {
    authorisation(setup, &arrived.headers, findings);
    if arrived.method == Method::POST {
        let json = text(&arrived.headers, CONTENT_TYPE.as_str())
            .is_some_and(|value| value.starts_with("application/json"));
        if !json {
            improper("content-type is not application/json", findings);
        }
    }
    if setup.caller == Caller::Anyone {
        return;
    }
    if arrived.method == Method::POST && arrived.transport == Transport::Tcp {
        let length = arrived.body.len().to_string();
        if text(&arrived.headers, CONTENT_LENGTH.as_str()) != Some(length.as_str()) {
            improper("content-length is missing or wrong", findings);
        }
    }
    if text(&arrived.headers, ACCEPT_ENCODING.as_str()).is_some_and(|value| value != "identity") {
        improper("accept-encoding is not identity", findings);
    }
    for name in arrived.headers.keys().map(http::HeaderName::as_str) {
        if !PROPER.contains(&name) && !setup.headers.iter().any(|tolerated| tolerated == name) {
            improper(&format!("header '{name}' must not cross"), findings);
        }
        if arrived.headers.get_all(name).iter().count() > 1 {
            improper(&format!("header '{name}' comes twice"), findings);
        }
    }
}

fn authorisation(setup: &Setup, headers: &HeaderMap, findings: &mut Findings) {
    let Some(key) = &setup.key else { return };
    let (found, message) = match text(headers, AUTHORIZATION.as_str()) {
        Some(value) if value.strip_prefix("Bearer ") == Some(key) => return,
        Some(_) => ("authorization is wrong", "Incorrect API key provided."),
        None => ("authorization is missing", "You didn't provide an API key."),
    };
    let error = ApiError::invalid(None, Some("invalid_api_key"), message.to_owned()).with_status(401);
    findings.add(found, error);
}

fn improper(found: &str, findings: &mut Findings) {
    findings.add(found, ApiError::invalid(None, None, format!("Bad request: {found}.")));
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
