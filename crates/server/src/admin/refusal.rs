//! What an administrator is told when something is refused: `{"error":{"code","message"}}`.
//!
//! Not the errors of inference, which are in the caller's dialect ([`crate::render`]). Look first at [`Refusal`].

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use trunkline_domain::Error;
use trunkline_ledger::api::StoreError;

/// Why something is refused; the message says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    code: Code,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    InvalidRequest,
    InvalidToken,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    TooSlow,
    StoreUnavailable,
    Internal,
}

impl Code {
    const fn facts(self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_admin_token"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::StoreUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        }
    }
}

impl Refusal {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Something about the request is not as it must be.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    /// No admin token, or one nobody knows.
    pub(crate) fn token(message: &str) -> Self {
        Self::new(Code::InvalidToken, message)
    }

    /// The owner's socket, opened by somebody else.
    pub(crate) fn not_the_owner(owner: u32) -> Self {
        let message = format!(
            "this socket answers the gateway's own user (id {owner}) and root only: run this as that user, or ask the admin \
             API with a token"
        );
        Self::new(Code::Forbidden, message)
    }

    /// What was named is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// The path is there, the method is not.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            Code::MethodNotAllowed,
            "this path does not take that method: the header `allow` lists those it takes",
        )
    }

    /// What is asked for collides with what is there.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// A body above its cap.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self::new(Code::TooLarge, format!("the body is larger than {bytes_max} bytes"))
    }

    /// A body that did not arrive in time.
    pub(crate) fn too_slow() -> Self {
        Self::new(Code::TooSlow, "the body did not arrive in time: send it again")
    }

    /// The store did not answer.
    pub(crate) fn store_away() -> Self {
        Self::new(Code::StoreUnavailable, "the store did not answer in time: try again")
    }

    /// A defect, or data that cannot be read.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// What is wrong, for a person.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Unavailable(_) | StoreError::DiskFull => Code::StoreUnavailable,
            StoreError::Conflict(_) => Code::Conflict,
            StoreError::NotFound => Code::NotFound,
            StoreError::Damaged(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// What an explanation is refused for.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match error.kind.facts().status {
            404 => Code::NotFound,
            400..=499 => Code::InvalidRequest,
            _ => Code::Internal,
        };
        Self::new(code, error.message)
    }
}

/// The body of a refusal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefusalBody {
    /// The one member.
    pub(crate) error: RefusalWords,
}

/// Code and message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefusalWords {
    /// Stable, for machines.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.code.facts();
        let error = RefusalWords { code: code.to_owned(), message: self.message };
        let mut response = (status, Json(RefusalBody { error })).into_response();
        let headers = response.headers_mut();
        match self.code {
            Code::InvalidToken => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::StoreUnavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Code::InvalidRequest
            | Code::Forbidden
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::Conflict
            | Code::TooLarge
            | Code::TooSlow
            | Code::Internal => {}
        }
        response
    }
}
