//! Request headers.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Findings;
use crate::fake_provider::headers::{improper, text};
use crate::fake_provider::openai::error::ApiError;
use crate::fake_provider::{Arrived, Setup};

/// The headers of this API that a gateway sends of its own, or may pass on.
const PROPER: &[&str] = &["authorization", "openai-beta"];

pub(super) fn judge(setup: &Setup, arrived: &Arrived, findings: &mut Findings) {
    authorisation(setup, &arrived.headers, findings);
    for found in improper(setup, arrived, PROPER) {
        let error = ApiError::invalid(None, None, format!("Bad request: {found}."));
        findings.add(found, error);
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
