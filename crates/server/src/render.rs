//! Errors and answers as HTTP: the only place that turns an [`Error`] into a response, in the caller's dialect.
//!
//! `retry-after` is RFC 9110 §10.2.3; `retry-after-ms` and `x-should-retry` are what OpenAI's clients read
//! (openai-python, `_base_client.py`, `_should_retry` and `_parse_retry_after_header`).

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use trunkline_domain::error::Fault;
use trunkline_domain::{Dialect, Error, ErrorKind};
use trunkline_engine::answer::Answer;
use trunkline_engine::deliver::Refusal;
use trunkline_wire::codec_for;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the engine answered.
pub(crate) fn answer(answer: Answer) -> Response {
    let Answer { status, headers, body } = answer;
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

/// A refusal of the engine, in the caller's dialect.
pub(crate) fn refusal(dialect: Dialect, refusal: Refusal) -> Response {
    let Refusal { error, headers } = refusal;
    let mut response = error_in(dialect, &error);
    // What an error says of itself is not replaced: the engine's headers are ids, attempts and limits.
    let own = std::mem::replace(response.headers_mut(), headers);
    response.headers_mut().extend(own);
    response
}

/// An error of a route that belongs to no dialect: OpenAI's form, which every client of this gateway reads.
pub(crate) fn plain(error: &Error) -> Response {
    error_in(Dialect::OpenaiChat, error)
}

/// An error in a dialect.
pub(crate) fn error_in(dialect: Dialect, error: &Error) -> Response {
    log(error);
    let mut response = Response::new(Body::from(codec_for(dialect).error_body(error)));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    describe(error, response.headers_mut());
    response
}

/// A document.
pub(crate) fn json<T: Serialize>(document: &T) -> Response {
    match serde_json::to_vec(document) {
        Ok(body) => {
            let mut response = Response::new(Body::from(body));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        Err(error) => {
            let message = "the gateway could not write its answer: this is a defect";
            plain(&Error::new(ErrorKind::Internal, message).because(error))
        }
    }
}

fn describe(error: &Error, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, JSON);
    if let Some(wait) = error.retry_after {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
    }
    if !error.kind.facts().retryable {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if error.status() == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// One line an error: the louder, the more it is ours to mend. The cause beneath is shown here and nowhere else.
fn log(error: &Error) {
    let code = error.kind.facts().code;
    let source = error.source.as_ref().map(tracing::field::display);
    match error.kind.facts().fault {
        Fault::Caller => tracing::debug!(code, message = %error.message, source, "refused"),
        Fault::Policy => tracing::info!(code, message = %error.message, source, "refused"),
        Fault::Upstream => tracing::warn!(code, message = %error.message, source, "provider failed"),
        Fault::Gateway => tracing::error!(code, message = %error.message, source, "failed"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waiting_is_said_in_whole_seconds_rounded_up_and_in_milliseconds() {
        let error = Error::new(ErrorKind::RateLimited, "slow down").retry_after(Duration::from_millis(1_001));
        let response = plain(&error);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[RETRY_AFTER_MS], "1001");
        assert!(!response.headers().contains_key(SHOULD_RETRY));
    }

    #[test]
    fn every_kind_says_whether_trying_again_helps() {
        for kind in ErrorKind::ALL {
            let response = plain(&Error::new(*kind, "x"));
            let facts = kind.facts();
            assert_eq!(response.status().as_u16(), facts.status);
            assert_eq!(response.headers().contains_key(SHOULD_RETRY), !facts.retryable, "{kind:?}");
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), facts.status == 401, "{kind:?}");
        }
    }

    #[test]
    fn the_engines_headers_stay_and_do_not_replace_the_errors_own() {
        let mut headers = HeaderMap::new();
        headers.insert("x-generation-id", HeaderValue::from_static("gen-1"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let error = Error::new(ErrorKind::BudgetExceeded, "x");
        let response = refusal(Dialect::OpenaiEmbeddings, Refusal { error, headers });
        assert_eq!(response.headers()["x-generation-id"], "gen-1");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers().get_all(CONTENT_TYPE).iter().count(), 1);
    }
}
