//! Errors in Google's form: <https://google.aip.dev/193>; which word goes with which status:
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>.

use serde_json::{Value, json};

use crate::fake_provider::api::Scripted;
use crate::fake_provider::findings::{Error, Said};

/// An error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// `reason` of an `ErrorInfo` in its details.
    pub(crate) reason: Option<&'static str>,
}

impl ApiError {
    /// A 400.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::of(400, message)
    }

    /// The error a status stands for.
    pub(crate) fn of(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), reason: None }
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        let word = match self.status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            500..=599 => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        let mut error = json!({ "code": self.status, "message": self.message, "status": word });
        if let (Some(reason), Some(error)) = (self.reason, error.as_object_mut()) {
            let info = json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": { "service": "generativelanguage.googleapis.com" },
            });
            error.insert("details".to_owned(), Value::Array(vec![info]));
        }
        json!({ "error": error }).to_string()
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
