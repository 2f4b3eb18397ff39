//! Refusals in OpenAI's form: `openai/types/shared/error_object.py` of the official Python SDK.

use serde_json::json;

use crate::fake_provider::api::Scripted;
use crate::fake_provider::findings::{Error, Said};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) code: Option<String>,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
}

impl ApiError {
    /// A 400 about a field, or about none.
    pub(crate) fn invalid(param: Option<&str>, code: Option<&str>, message: String) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error".to_owned(),
            code: code.map(str::to_owned),
            param: param.map(str::to_owned),
            message,
        }
    }

    /// The same with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        json!({ "error": { "message": self.message, "type": self.kind, "param": self.param, "code": self.code } })
            .to_string()
    }
}

impl Error for ApiError {
    fn said(&self) -> Said {
        Said::new(self.status, self.body())
    }
}

/// What a script asks for.
pub(crate) fn scripted(error: &Scripted<'_>) -> ApiError {
    let invalid = ApiError::invalid(None, error.code, error.message.to_owned());
    ApiError { kind: error.kind.to_owned(), ..invalid }.with_status(error.status)
}
