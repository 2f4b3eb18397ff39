//! One upstream call: who asked for it, how it ended, and why.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;
use crate::model::Text;

/// On whose behalf an upstream call is made. Each origin has its own payer; later kinds of background work (shadow,
/// judge, batch) are further variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A caller is waiting.
    #[default]
    Caller,
}

impl Origin {
    /// What the ledger stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
        }
    }
}

/// Why an attempt failed, from status *and* body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The provider says the request is wrong.
    InvalidRequest,
    /// The prompt does not fit this model's window.
    ContextTooLong,
    /// The provider's content policy refused.
    ContentBlocked,
    /// The credential is not accepted.
    Unauthorized,
    /// The credential may not do this.
    Forbidden,
    /// The provider account is out of credit.
    CreditsExhausted,
    /// Too many requests or tokens for this credential.
    RateLimited,
    /// The provider has no capacity at the moment.
    Overloaded,
    /// The deployment names a model or path the provider does not have.
    ModelNotFound,
    /// This request alone is above what the provider account may use in a minute: no wait cures it, and smaller ones pass.
    RequestOverLimit,
    /// A server error.
    ServerError,
    /// An answer that is not the protocol: wrong content type, garbage, truncated JSON, a redirect.
    Malformed,
    /// The answer ended before its end.
    Cut,
    /// The name did not resolve.
    DnsFailed,
    /// No connection: refused, reset, unreachable.
    ConnectFailed,
    /// The TLS handshake or the certificate failed.
    TlsFailed,
    /// The connect deadline passed.
    ConnectTimeout,
    /// The deadline for response headers passed.
    HeadersTimeout,
    /// Headers came, content did not.
    FirstContentTimeout,
    /// Content stopped coming.
    IdleTimeout,
    /// The request's total deadline passed.
    TotalTimeout,
    /// The caller went away.
    ClientClosed,
    /// Cancelled here: another attempt won, or the gateway is stopping.
    Cancelled,
    /// A defect of this gateway.
    Internal,
    /// What should have gone on with an answer that broke off began it again, or did something else than write.
    NotContinued,
    /// The answer is whole, and is not the JSON document that was asked for.
    SchemaMismatch,
}

/// The families of causes; each has its own retry, failover and cooldown rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseClass {
    /// The request itself: no other deployment of the model would take it.
    Caller,
    /// This credential: another one may do.
    Credential,
    /// This credential or provider, for a while.
    Capacity,
    /// This deployment: what it names, or what its account may ask.
    Target,
    /// The provider.
    Provider,
    /// The way there.
    Network,
    /// The answer itself: the provider did its part, the model did not write what was asked.
    Answer,
    /// A decision of ours.
    Policy,
}

impl Cause {
    /// Every cause.
    pub const ALL: &'static [Cause] = &[
        Self::InvalidRequest,
        Self::ContextTooLong,
        Self::ContentBlocked,
        Self::Unauthorized,
        Self::Forbidden,
        Self::CreditsExhausted,
        Self::RateLimited,
        Self::Overloaded,
        Self::ModelNotFound,
        Self::RequestOverLimit,
        Self::ServerError,
        Self::Malformed,
        Self::Cut,
        Self::DnsFailed,
        Self::ConnectFailed,
        Self::TlsFailed,
        Self::ConnectTimeout,
        Self::HeadersTimeout,
        Self::FirstContentTimeout,
        Self::IdleTimeout,
        Self::TotalTimeout,
        Self::ClientClosed,
        Self::Cancelled,
        Self::Internal,
        Self::NotContinued,
        Self::SchemaMismatch,
    ];

    /// The family.
    pub const fn class(self) -> CauseClass {
        match self {
            Self::InvalidRequest | Self::ContextTooLong | Self::ContentBlocked => CauseClass::Caller,
            Self::Unauthorized | Self::Forbidden | Self::CreditsExhausted => CauseClass::Credential,
            Self::RateLimited | Self::Overloaded => CauseClass::Capacity,
            Self::ModelNotFound | Self::RequestOverLimit => CauseClass::Target,
            Self::ServerError
            | Self::Malformed
            | Self::Cut
            | Self::HeadersTimeout
            | Self::FirstContentTimeout
            | Self::IdleTimeout => CauseClass::Provider,
            Self::DnsFailed | Self::ConnectFailed | Self::TlsFailed | Self::ConnectTimeout => {
                CauseClass::Network
            }
            Self::SchemaMismatch => CauseClass::Answer,
            Self::TotalTimeout
            | Self::ClientClosed
            | Self::Cancelled
            | Self::Internal
            | Self::NotContinued => CauseClass::Policy,
        }
    }

    /// The stable name: ledger value and metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ContextTooLong => "context_too_long",
            Self::ContentBlocked => "content_blocked",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::CreditsExhausted => "credits_exhausted",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ModelNotFound => "model_not_found",
            Self::RequestOverLimit => "request_over_limit",
            Self::ServerError => "server_error",
            Self::Malformed => "malformed",
            Self::Cut => "cut",
            Self::DnsFailed => "dns_failed",
            Self::ConnectFailed => "connect_failed",
            Self::TlsFailed => "tls_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::HeadersTimeout => "headers_timeout",
            Self::FirstContentTimeout => "first_content_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::ClientClosed => "client_closed",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
            Self::NotContinued => "not_continued",
            Self::SchemaMismatch => "schema_mismatch",
        }
    }

    /// Whether another deployment of the same model may succeed where this one failed.
    pub const fn fails_over(self) -> bool {
        match self.class() {
            CauseClass::Caller | CauseClass::Policy => false,
            CauseClass::Credential
            | CauseClass::Capacity
            | CauseClass::Target
            | CauseClass::Provider
            | CauseClass::Network
            | CauseClass::Answer => true,
        }
    }

    /// Whether the provider may have begun work, and so may bill, although the attempt failed this way.
    pub const fn may_be_billed(self) -> bool {
        match self {
            Self::Cut
            | Self::Malformed
            | Self::HeadersTimeout
            | Self::FirstContentTimeout
            | Self::IdleTimeout
            | Self::TotalTimeout
            | Self::ClientClosed
            | Self::Cancelled
            | Self::Internal
            | Self::NotContinued
            | Self::SchemaMismatch => true,
            Self::InvalidRequest
            | Self::ContextTooLong
            | Self::ContentBlocked
            | Self::Unauthorized
            | Self::Forbidden
            | Self::CreditsExhausted
            | Self::RateLimited
            | Self::Overloaded
            | Self::ModelNotFound
            | Self::RequestOverLimit
            | Self::ServerError
            | Self::DnsFailed
            | Self::ConnectFailed
            | Self::TlsFailed
            | Self::ConnectTimeout => false,
        }
    }

    /// The public error when this was the last attempt's cause.
    pub const fn error_kind(self) -> ErrorKind {
        match self {
            Self::InvalidRequest | Self::ContextTooLong | Self::ContentBlocked | Self::RequestOverLimit => {
                ErrorKind::UpstreamRejected
            }
            Self::Unauthorized | Self::Forbidden | Self::CreditsExhausted | Self::ModelNotFound => {
                ErrorKind::UpstreamAuth
            }
            Self::RateLimited => ErrorKind::UpstreamRateLimited,
            Self::Overloaded => ErrorKind::UpstreamOverloaded,
            Self::ServerError => ErrorKind::UpstreamFailed,
            Self::Malformed => ErrorKind::UpstreamMalformed,
            Self::Cut | Self::NotContinued => ErrorKind::UpstreamCut,
            Self::SchemaMismatch => ErrorKind::UpstreamSchemaMismatch,
            Self::DnsFailed | Self::ConnectFailed | Self::TlsFailed => ErrorKind::UpstreamUnreachable,
            Self::ConnectTimeout | Self::HeadersTimeout | Self::FirstContentTimeout | Self::IdleTimeout => {
                ErrorKind::UpstreamTimeout
            }
            Self::TotalTimeout => ErrorKind::DeadlineExceeded,
            Self::ClientClosed => ErrorKind::ClientClosed,
            Self::Cancelled => ErrorKind::ShuttingDown,
            Self::Internal => ErrorKind::Internal,
        }
    }
}

/// What went wrong upstream, as far as it could be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamError {
    /// Why.
    pub cause: Cause,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The provider's own message, cut to a sane length; never holds our credential. Of an answer that is not what was
    /// asked: where.
    pub message: Option<Text>,
    /// The provider's own code or type.
    pub code: Option<Text>,
    /// How long the provider asks us to stay away.
    pub retry_after: Option<Duration>,
}

impl UpstreamError {
    /// An error without an answer from the provider.
    pub fn of(cause: Cause) -> Self {
        Self { cause, status: None, message: None, code: None, retry_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_mistake_is_not_tried_elsewhere() {
        assert!(!Cause::InvalidRequest.fails_over());
        assert!(Cause::RateLimited.fails_over());
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
