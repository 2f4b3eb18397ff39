//! What a strict provider refuses: headers that are not a gateway's own, missing or wrong authorisation, bodies that
//! are not exactly the API's. The first problem is answered as the provider would; all are recorded.
//!
//! Fields: `openai/types/chat/completion_create_params.py`, `completion_create_params.py`,
//! `embedding_create_params.py`, `responses/response_create_params.py` of the official Python SDK 3.57.

pub(crate) mod body;
mod fields;
mod headers;
mod messages;

use http::Method;

use super::answer::Asked;
use super::error::ApiError;
use super::responses;
use super::responses::kept::Kept;
use crate::fake_provider::findings::{self, Verdict};
use crate::fake_provider::{Arrived, Setup};

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

/// Everything found wrong so far, and the answer to the first of it.
pub(super) type Findings = findings::Findings<ApiError>;

impl Findings {
    pub(super) fn invalid(&mut self, param: &str, code: &str, message: impl Into<String>) {
        let message = message.into();
        self.add(message.clone(), ApiError::invalid(Some(param), Some(code), message));
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived, kept: &Kept) -> Verdict {
    let mut findings = Findings::default();
    headers::judge(setup, arrived, &mut findings);
    let path = arrived.path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let asked = match (path, &arrived.method) {
        ("/models", &Method::GET) => Some(Asked::Models(setup.listed())),
        ("/chat/completions", &Method::POST) => body::text(setup, &arrived.body, fields::CHAT, &mut findings),
        ("/completions", &Method::POST) => {
            body::text(setup, &arrived.body, fields::COMPLETION, &mut findings)
        }
        ("/embeddings", &Method::POST) => body::embeddings(setup, &arrived.body, &mut findings),
        ("/responses", &Method::POST) => {
            let fields = body::top_level(setup, &arrived.body, fields::RESPONSE, &mut findings);
            fields
                .and_then(|fields| responses::strict::asked(&fields, kept, &mut findings))
                .map(|asked| Asked::Response(Box::new(asked)))
        }
        (path, method) if path.starts_with("/responses/") => {
            responses::strict::again(path, method, arrived, kept, &mut findings).map(Asked::Kept)
        }
        (_, method) => {
            let message = format!("Unknown request URL: {method} {path}.");
            let error = ApiError::invalid(None, Some("unknown_url"), message.clone()).with_status(404);
            findings.add(message, error);
            None
        }
    };
    findings.verdict(asked, || ApiError::invalid(None, None, "The request could not be read.".to_owned()))
}
