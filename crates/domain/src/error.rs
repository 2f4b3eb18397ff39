//! Every error a caller can meet, in one table.
//!
//! Lower floors have small error enums of their own and convert once, where they hand over to the engine. How a kind
//! looks in a dialect is `wire`'s business; turning it into an HTTP answer is `server::render`'s.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The cause beneath an error: logged, never shown to a caller.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error for a caller. `message` says what to do next; `source` is for the log.
#[derive(Debug)]
pub struct Error {
    /// Which row of the table.
    pub kind: ErrorKind,
    /// Written for the caller.
    pub message: Cow<'static, str>,
    /// The request field or header at fault, if one is.
    pub param: Option<Cow<'static, str>>,
    /// How long the caller should wait before trying again, if waiting helps.
    pub retry_after: Option<Duration>,
    /// What the provider itself answered, where the error is relayed from it.
    pub upstream: Option<UpstreamAnswer>,
    /// Logged only.
    pub source: Option<Source>,
}

/// A provider's own words about a request it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamAnswer {
    /// The provider's HTTP status.
    pub status: u16,
    /// The provider's error code, if it gave one.
    pub code: Option<String>,
}

impl Error {
    /// An error with a message for the caller.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), param: None, retry_after: None, upstream: None, source: None }
    }

    /// Names the field or header at fault.
    #[must_use]
    pub fn about(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says how long to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The HTTP status the caller sees: the provider's own where its refusal is relayed.
    pub fn status(&self) -> u16 {
        self.upstream.as_ref().map_or_else(|| self.kind.facts().status, |answer| answer.status)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.facts().code, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Whose fault an error is: the metric label and the log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The request itself.
    Caller,
    /// A rule of the operator: budget, limit, scope.
    Policy,
    /// A provider.
    Upstream,
    /// This gateway.
    Gateway,
}

/// What a caller sees of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// HTTP status.
    pub status: u16,
    /// Stable machine-readable code: OpenAI's `error.code`.
    pub code: &'static str,
    /// OpenAI's `error.type`.
    pub openai_type: &'static str,
    /// Anthropic's `error.type`.
    pub anthropic_type: &'static str,
    /// Google's `error.status`.
    pub gemini_status: &'static str,
    /// Whose fault.
    pub fault: Fault,
    /// Whether the same request may succeed later without a change.
    pub retryable: bool,
}

/// A row of the table of public errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The body or a field is not what the operation takes.
    InvalidRequest,
    /// A field that is understood but cannot be honoured.
    UnsupportedParameter,
    /// No key, or one nobody knows.
    Unauthenticated,
    /// A key past its expiry, or revoked.
    KeyExpired,
    /// The key's scope does not cover what was asked.
    Forbidden,
    /// Settled plus held would pass a budget.
    BudgetExceeded,
    /// Under a hard budget the bill of this request cannot be bounded.
    CostUnbounded,
    /// A request, token or concurrency limit of the key.
    RateLimited,
    /// No such route.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Nobody offers a model of that name.
    ModelNotFound,
    /// The model is known, but no configured deployment can do what was asked.
    NothingCapable,
    /// A body beyond the cap.
    RequestTooLarge,
    /// The body's content type or encoding is not one the operation takes.
    UnsupportedMediaType,
    /// Too much under way at once.
    Overloaded,
    /// The journal has no room; nothing is dispatched that could not be recorded.
    JournalFull,
    /// The store did not answer in time and the answer is not known from memory.
    StoreUnavailable,
    /// The gateway is draining.
    ShuttingDown,
    /// The provider refused the request as the caller's fault; its message is relayed.
    UpstreamRejected,
    /// The provider does not accept the operator's credential.
    UpstreamAuth,
    /// Every candidate is rate limited.
    UpstreamRateLimited,
    /// Every candidate is overloaded.
    UpstreamOverloaded,
    /// A provider's server error.
    UpstreamFailed,
    /// A provider did not speak in time.
    UpstreamTimeout,
    /// A provider could not be reached.
    UpstreamUnreachable,
    /// A provider answered something that is not its protocol.
    UpstreamMalformed,
    /// A provider's answer ended before its end.
    UpstreamCut,
    /// No answer was the JSON document that was asked for.
    UpstreamSchemaMismatch,
    /// The account that keeps the answer a request refers to is no longer configured, or offers less than it did.
    ProviderStateGone,
    /// Every candidate is cooling down.
    NoHealthyDeployment,
    /// The request's own deadline passed.
    DeadlineExceeded,
    /// The caller went away; recorded, never rendered.
    ClientClosed,
    /// A defect of this gateway.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the reference page.
    pub const ALL: &'static [ErrorKind] = &[
        Self::InvalidRequest,
        Self::UnsupportedParameter,
        Self::Unauthenticated,
        Self::KeyExpired,
        Self::Forbidden,
        Self::BudgetExceeded,
        Self::CostUnbounded,
        Self::RateLimited,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::ModelNotFound,
        Self::NothingCapable,
        Self::RequestTooLarge,
        Self::UnsupportedMediaType,
        Self::Overloaded,
        Self::JournalFull,
        Self::StoreUnavailable,
        Self::ShuttingDown,
        Self::UpstreamRejected,
        Self::UpstreamAuth,
        Self::UpstreamRateLimited,
        Self::UpstreamOverloaded,
        Self::UpstreamFailed,
        Self::UpstreamTimeout,
        Self::UpstreamUnreachable,
        Self::UpstreamMalformed,
        Self::UpstreamCut,
        Self::UpstreamSchemaMismatch,
        Self::ProviderStateGone,
        Self::NoHealthyDeployment,
        Self::DeadlineExceeded,
        Self::ClientClosed,
        Self::Internal,
    ];

    /// The row. Out of budget is 402 and not 429, because official SDKs retry 429 by themselves and would hammer an
    /// empty budget.
    pub const fn facts(self) -> Facts {
        use Fault::{Caller, Gateway, Policy, Upstream};
        let (status, code, openai_type, fault, retryable) = match self {
            Self::InvalidRequest => (400, "invalid_request", "invalid_request_error", Caller, false),
            Self::UnsupportedParameter => {
                (400, "unsupported_parameter", "invalid_request_error", Caller, false)
            }
            Self::Unauthenticated => (401, "invalid_api_key", "authentication_error", Caller, false),
            Self::KeyExpired => (401, "api_key_expired", "authentication_error", Caller, false),
            Self::Forbidden => (403, "permission_denied", "permission_error", Policy, false),
            Self::BudgetExceeded => (402, "budget_exceeded", "billing_error", Policy, false),
            Self::CostUnbounded => (402, "cost_unbounded", "billing_error", Policy, false),
            Self::RateLimited => (429, "rate_limit_exceeded", "rate_limit_error", Policy, true),
            Self::NotFound => (404, "not_found", "invalid_request_error", Caller, false),
            Self::MethodNotAllowed => (405, "method_not_allowed", "invalid_request_error", Caller, false),
            Self::ModelNotFound => (404, "model_not_found", "invalid_request_error", Caller, false),
            Self::NothingCapable => (404, "nothing_capable", "invalid_request_error", Policy, false),
            Self::RequestTooLarge => (413, "request_too_large", "invalid_request_error", Caller, false),
            Self::UnsupportedMediaType => {
                (415, "unsupported_media_type", "invalid_request_error", Caller, false)
            }
            Self::Overloaded => (503, "overloaded", "overloaded_error", Gateway, true),
            Self::JournalFull => (503, "journal_full", "overloaded_error", Gateway, true),
            Self::StoreUnavailable => (503, "store_unavailable", "overloaded_error", Gateway, true),
            Self::ShuttingDown => (503, "shutting_down", "overloaded_error", Gateway, true),
            Self::UpstreamRejected => (400, "upstream_rejected", "invalid_request_error", Caller, false),
            Self::UpstreamAuth => (502, "upstream_auth", "upstream_error", Upstream, false),
            Self::UpstreamRateLimited => (429, "upstream_rate_limited", "rate_limit_error", Upstream, true),
            Self::UpstreamOverloaded => (503, "upstream_overloaded", "overloaded_error", Upstream, true),
            Self::UpstreamFailed => (502, "upstream_failed", "upstream_error", Upstream, true),
            Self::UpstreamTimeout => (504, "upstream_timeout", "upstream_error", Upstream, true),
            Self::UpstreamUnreachable => (502, "upstream_unreachable", "upstream_error", Upstream, true),
            Self::UpstreamMalformed => (502, "upstream_malformed", "upstream_error", Upstream, true),
            Self::UpstreamCut => (502, "upstream_cut", "upstream_error", Upstream, true),
            // It was tried again here, and each try is billed: clients are told not to do the same.
            Self::UpstreamSchemaMismatch => {
                (502, "upstream_schema_mismatch", "upstream_error", Upstream, false)
            }
            Self::ProviderStateGone => (410, "provider_state_gone", "invalid_request_error", Policy, false),
            Self::NoHealthyDeployment => (503, "no_healthy_deployment", "overloaded_error", Upstream, true),
            Self::DeadlineExceeded => (504, "deadline_exceeded", "upstream_error", Upstream, true),
            Self::ClientClosed => (499, "client_closed", "invalid_request_error", Caller, false),
            Self::Internal => (500, "internal_error", "api_error", Gateway, true),
        };
        let (anthropic_type, gemini_status) = (self.anthropic_type(), self.gemini_status());
        Facts { status, code, openai_type, anthropic_type, gemini_status, fault, retryable }
    }

    /// Google's status for it: canonical codes and the HTTP statuses they belong to
    /// (googleapis `google/rpc/code.proto`, <https://ai.google.dev/gemini-api/docs/generate-content/api-errors>).
    const fn gemini_status(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::UnsupportedParameter
            | Self::RequestTooLarge
            | Self::UnsupportedMediaType
            | Self::UpstreamRejected => "INVALID_ARGUMENT",
            Self::Unauthenticated | Self::KeyExpired => "UNAUTHENTICATED",
            Self::Forbidden => "PERMISSION_DENIED",
            Self::BudgetExceeded | Self::CostUnbounded => "FAILED_PRECONDITION",
            Self::RateLimited | Self::UpstreamRateLimited => "RESOURCE_EXHAUSTED",
            Self::NotFound | Self::ModelNotFound | Self::NothingCapable | Self::ProviderStateGone => {
                "NOT_FOUND"
            }
            Self::MethodNotAllowed => "UNIMPLEMENTED",
            Self::Overloaded
            | Self::JournalFull
            | Self::StoreUnavailable
            | Self::ShuttingDown
            | Self::UpstreamOverloaded
            | Self::UpstreamUnreachable
            | Self::NoHealthyDeployment => "UNAVAILABLE",
            Self::UpstreamTimeout | Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::ClientClosed => "CANCELLED",
            Self::UpstreamAuth
            | Self::UpstreamFailed
            | Self::UpstreamMalformed
            | Self::UpstreamCut
            | Self::UpstreamSchemaMismatch
            | Self::Internal => "INTERNAL",
        }
    }

    /// Anthropic's type for it (<https://platform.claude.com/docs/en/api/errors>).
    const fn anthropic_type(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::UnsupportedParameter
            | Self::MethodNotAllowed
            | Self::UnsupportedMediaType
            | Self::UpstreamRejected
            | Self::ClientClosed => "invalid_request_error",
            Self::Unauthenticated | Self::KeyExpired => "authentication_error",
            Self::Forbidden => "permission_error",
            Self::BudgetExceeded | Self::CostUnbounded => "billing_error",
            Self::RateLimited | Self::UpstreamRateLimited => "rate_limit_error",
            Self::NotFound | Self::ModelNotFound | Self::NothingCapable | Self::ProviderStateGone => {
                "not_found_error"
            }
            Self::RequestTooLarge => "request_too_large",
            Self::Overloaded
            | Self::JournalFull
            | Self::StoreUnavailable
            | Self::ShuttingDown
            | Self::UpstreamOverloaded
            | Self::NoHealthyDeployment => "overloaded_error",
            Self::UpstreamTimeout | Self::DeadlineExceeded => "timeout_error",
            Self::UpstreamAuth
            | Self::UpstreamFailed
            | Self::UpstreamUnreachable
            | Self::UpstreamMalformed
            | Self::UpstreamCut
            | Self::UpstreamSchemaMismatch
            | Self::Internal => "api_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.facts().code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn an_empty_budget_is_not_retried_by_official_clients() {
        assert_eq!(ErrorKind::BudgetExceeded.facts().status, 402);
    }
}
