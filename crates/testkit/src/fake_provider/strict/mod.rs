//! What a strict provider refuses: headers that are not a gateway's own, missing or wrong authorisation, bodies that
//! are not exactly the API's. The first problem is answered as the provider would; all are recorded.
//!
//! Fields: `openai/types/chat/completion_create_params.py`, `completion_create_params.py`,
//! `embedding_create_params.py` of the official Python SDK 3.57.

mod body;
mod fields;
mod headers;
mod messages;

use http::Method;

use super::answer::Asked;
use super::error::ApiError;
use super::{Arrived, Setup};

/// Top-level fields that are for a gateway and must never reach a provider.
pub const GATEWAY_FIELDS: &[&str] = &[
    "routing",
    "models",
    "provider",
    "session_id",
    "usage",
    "fallbacks",
    "num_retries",
    "timeout",
    "tags",
    "cache",
];

/// A refused request.
pub(crate) struct Refusal {
    pub(crate) error: ApiError,
    pub(crate) violations: Vec<String>,
}

/// Everything found wrong so far, and the answer to the first of it.
#[derive(Default)]
struct Findings {
    error: Option<ApiError>,
    violations: Vec<String>,
}

impl Findings {
    fn add(&mut self, violation: impl Into<String>, error: ApiError) {
        self.violations.push(violation.into());
        self.error.get_or_insert(error);
    }

    fn invalid(&mut self, param: &str, code: &str, message: impl Into<String>) {
        let message = message.into();
        self.add(message.clone(), ApiError::invalid(Some(param), Some(code), message));
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Result<Asked, Box<Refusal>> {
    let mut findings = Findings::default();
    headers::judge(setup, arrived, &mut findings);
    let path = arrived.path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let asked = match (path, &arrived.method) {
        ("/models", &Method::GET) => Some(Asked::Models(listed(setup))),
        ("/chat/completions", &Method::POST) => body::text(setup, &arrived.body, fields::CHAT, &mut findings),
        ("/completions", &Method::POST) => {
            body::text(setup, &arrived.body, fields::COMPLETION, &mut findings)
        }
        ("/embeddings", &Method::POST) => body::embeddings(setup, &arrived.body, &mut findings),
        (_, method) => {
            let message = format!("Unknown request URL: {method} {path}.");
            let error = ApiError::invalid(None, Some("unknown_url"), message.clone()).with_status(404);
            findings.add(message, error);
            None
        }
    };
    match (findings.error, asked) {
        (None, Some(asked)) => Ok(asked),
        (error, _) => {
            let unreadable = || ApiError::invalid(None, None, "The request could not be read.".to_owned());
            let error = error.unwrap_or_else(unreadable);
            Err(Box::new(Refusal { error, violations: findings.violations }))
        }
    }
}

fn listed(setup: &Setup) -> Vec<String> {
    if setup.models.is_empty() { vec!["fake-model".to_owned()] } else { setup.models.clone() }
}
