//! What Anthropic refuses.

mod messages;
mod rules;
mod shapes;
mod words;

use http::Method;
use serde_json::Value;

use super::answer::{Asked, MessageAsked};
use super::error::ApiError;
use crate::fake_provider::findings::{self, Verdict};
use crate::fake_provider::headers::{improper, text};
use crate::fake_provider::shape::{self, Reading, Shape};
use crate::fake_provider::{Arrived, Caller, Setup};

/// The headers of this API that a gateway sends of its own, or may pass on.
const PROPER: &[&str] = &["anthropic-beta", "anthropic-version", "authorization", "x-api-key"];

/// The versions of the API: <https://platform.claude.com/docs/en/api/versioning>.
const VERSIONS: &[&str] = &["2023-01-01", "2023-06-01", NEWEST];

/// The version since which some of a request is no more: [`rules::newest`].
const NEWEST: &str = "2026-10-21";

/// Members that need a beta, and which: <https://platform.claude.com/docs/en/build-with-claude/context-editing>.
const BETAS: &[(&str, &str)] = &[("context_management", "context-management-2025-06-27")];

type Findings = findings::Findings<ApiError>;

impl Findings {
    fn invalid(&mut self, message: impl Into<String>) {
        let message = message.into();
        self.add(message.clone(), ApiError::invalid(message));
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Verdict {
    let mut findings = Findings::default();
    authorisation(setup, arrived, &mut findings);
    for found in improper(setup, arrived, PROPER) {
        findings.invalid(found);
    }
    let path = arrived.path.split('?').next().unwrap_or_default();
    let asked = match (path.strip_prefix("/v1").unwrap_or(path), &arrived.method) {
        ("/models", &Method::GET) => Some(Asked::Models(setup.listed())),
        ("/messages", &Method::POST) => message(setup, arrived, &shapes::MESSAGE, &mut findings)
            .map(|asked| Asked::Message(Box::new(asked))),
        ("/messages/count_tokens", &Method::POST) => message(setup, arrived, &shapes::COUNT, &mut findings)
            .map(|asked| Asked::Count(asked.prompt_tokens())),
        _ => {
            findings.add(format!("unknown path {path}"), ApiError::of(404, "Not Found"));
            None
        }
    };
    findings.verdict(asked, || ApiError::invalid("The request could not be read."))
}

fn authorisation(setup: &Setup, arrived: &Arrived, findings: &mut Findings) {
    let headers = &arrived.headers;
    let bearer = text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let own = text(headers, "x-api-key");
    if own.is_some() && bearer.is_some() && setup.caller == Caller::Gateway {
        findings.invalid("two keys: x-api-key and authorization");
    }
    match (&setup.key, own.or(bearer)) {
        (None, _) => {}
        (Some(key), Some(value)) if value == key => {}
        (Some(_), Some(_)) => findings.add("the key is wrong", ApiError::of(401, "invalid x-api-key")),
        (Some(_), None) => findings.add("no key", ApiError::of(401, "x-api-key header is required")),
    }
    match text(headers, "anthropic-version") {
        Some(version) if VERSIONS.contains(&version) => {}
        Some(version) => findings.invalid(format!("anthropic-version: \"{version}\" is not a valid version")),
        None => findings.invalid("anthropic-version: header is required"),
    }
}

/// The error of a member that comes again.
fn twice(name: &str) -> (String, ApiError) {
    let message = format!("{name}: duplicate key");
    (message.clone(), ApiError::invalid(message))
}

/// Reads a request for a message, or for the count of one.
fn message(
    setup: &Setup,
    arrived: &Arrived,
    shape: &'static Shape,
    findings: &mut Findings,
) -> Option<MessageAsked> {
    let Some(body) = findings.members(setup, &arrived.body, twice) else {
        findings.invalid("The request body is not valid JSON");
        return None;
    };
    let asked = text(&arrived.headers, "anthropic-beta").unwrap_or_default();
    for (member, beta) in BETAS {
        if body.contains_key(*member) && !asked.split(',').any(|asked| asked.trim() == *beta) {
            findings.invalid(format!("{member}: Extra inputs are not permitted"));
        }
    }
    for problem in shape::check(&body, shape, Reading::Exact) {
        findings.invalid(words::of(&problem));
    }
    if findings.error.is_some() {
        return None;
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if !setup.models.is_empty() && !setup.models.iter().any(|served| served == model) {
        findings.add(format!("unknown model '{model}'"), ApiError::of(404, format!("model: {model}")));
    }
    messages::check(&body, findings);
    rules::check(&body, findings);
    if text(&arrived.headers, "anthropic-version") == Some(NEWEST) {
        rules::newest(&body, findings);
    }
    Some(MessageAsked::read(&body))
}
