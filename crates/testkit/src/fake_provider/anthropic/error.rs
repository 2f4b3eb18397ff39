//! Errors in Anthropic's form, with the status each type has: <https://platform.claude.com/docs/en/api/errors>.

use serde_json::json;

use crate::fake_provider::api::Scripted;
use crate::fake_provider::findings::{Error, Said};

/// An error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    /// A 400.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::of(400, message)
    }

    /// The error a status stands for.
    pub(crate) fn of(status: u16, message: impl Into<String>) -> Self {
        let kind = match status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            503 | 529 => "overloaded_error",
            500..=599 => "api_error",
            _ => "invalid_request_error",
        };
        Self { status, kind, message: message.into() }
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        let error = json!({ "type": self.kind, "message": self.message });
        json!({ "type": "error", "error": error, "request_id": "req_fake" }).to_string()
    }
}

impl Error for ApiError {
    fn said(&self) -> Said {
        Said::new(self.status, self.body())
    }
}

/// What a script asks for.
pub(crate) fn scripted(error: &Scripted<'_>) -> ApiError {
    ApiError::of(error.status, error.message)
}
