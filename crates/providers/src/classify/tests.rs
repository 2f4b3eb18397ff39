//! The table of causes, row by row.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use trunkline_domain::UnixMs;

use super::rule::Says;
use super::shared::{NAMES, WORDS};
use super::*;
use crate::registry::ALL;

fn words(message: &str, code: &str, kind: &str) -> ErrorWords {
    let text = |text: &str| (!text.is_empty()).then(|| Text::from(text));
    ErrorWords { message: text(message), code: text(code), kind: text(kind), ..ErrorWords::default() }
}

fn classify(status: u16, words: Option<&ErrorWords>) -> UpstreamError {
    read(status, words).error
}

fn read(status: u16, words: Option<&ErrorWords>) -> Classified {
    let answer = ErrorAnswer { status, headers: &HeaderMap::new(), words, now: UnixMs(0) };
    super::classify(&ProviderSpec::COMPATIBLE, &answer)
}

#[test]
fn a_status_decides_where_words_say_nothing() {
    for (status, cause) in [
        (400, Cause::InvalidRequest),
        (401, Cause::Unauthorized),
        (402, Cause::CreditsExhausted),
        (403, Cause::Forbidden),
        (404, Cause::ModelNotFound),
        (408, Cause::ServerError),
        (409, Cause::ServerError),
        (412, Cause::Forbidden),
        (413, Cause::InvalidRequest),
        (422, Cause::InvalidRequest),
        (429, Cause::RateLimited),
        (498, Cause::Overloaded),
        (500, Cause::ServerError),
        (502, Cause::ServerError),
        (503, Cause::Overloaded),
        (504, Cause::ServerError),
        (524, Cause::ServerError),
        (529, Cause::Overloaded),
        (302, Cause::Malformed),
        (200, Cause::ServerError),
    ] {
        assert_eq!(classify(status, None).cause, cause, "{status}");
        assert_eq!(classify(status, Some(&ErrorWords::default())).cause, cause, "{status}, empty words");
    }
}

#[test]
fn words_say_more_than_a_status() {
    for (status, message, code, kind, cause) in [
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
            "",
            "",
            Cause::ContextTooLong,
        ),
        (
            400,
            "too many tokens: max tokens must be less than or equal to 4096",
            "",
            "",
            Cause::InvalidRequest,
        ),
        (400, "", "context_length_exceeded", "invalid_request_error", Cause::ContextTooLong),
        (400, "", "400", "exceed_context_size_error", Cause::ContextTooLong),
        (
            400,
            "This model's maximum context length is 4096 tokens.",
            "400",
            "BadRequestError",
            Cause::ContextTooLong,
        ),
        (
            400,
            "The input (61709 tokens) is longer than the model's context length",
            "400",
            "",
            Cause::ContextTooLong,
        ),
        (400, "The response was filtered", "content_filter", "", Cause::ContentBlocked),
        (400, "Content Exists Risk", "invalid_request_error", "invalid_request_error", Cause::ContentBlocked),
        (
            400,
            "Invalid prompt: flagged as potentially violating our usage policy.",
            "invalid_prompt",
            "",
            Cause::ContentBlocked,
        ),
        (400, "", "Arrearage", "Arrearage", Cause::CreditsExhausted),
        (400, "Incorrect API key provided: xa***1x.", "", "", Cause::Unauthorized),
        (400, "", "unknown_model", "invalid_request_error", Cause::ModelNotFound),
        (404, "", "model_not_found", "invalid_request_error", Cause::ModelNotFound),
        (413, "", "rate_limit_exceeded", "tokens", Cause::RateLimited),
        (
            429,
            "Request too large for m in organization o on tokens per min (TPM): Limit 10, Requested 20.",
            "rate_limit_exceeded",
            "tokens",
            Cause::RequestOverLimit,
        ),
        (429, "", "rate_limit_exceeded", "requests", Cause::RateLimited),
        (
            429,
            "You exceeded your current quota",
            "insufficient_quota",
            "insufficient_quota",
            Cause::CreditsExhausted,
        ),
        (498, "", "capacity_exceeded", "", Cause::Overloaded),
        (503, "Loading model", "503", "unavailable_error", Cause::Overloaded),
        (500, "Overloaded", "overloaded_error", "overloaded_error", Cause::Overloaded),
    ] {
        let words = words(message, code, kind);
        assert_eq!(classify(status, Some(&words)).cause, cause, "{status} {words:?}");
    }
}

#[test]
fn an_error_inside_a_success_is_decided_by_its_words() {
    for (message, code, kind, cause) in [
        ("Rate limit exceeded", "429", "", Cause::RateLimited),
        ("Provider returned error", "502", "", Cause::ServerError),
        ("", "overloaded_error", "overloaded_error", Cause::Overloaded),
        ("", "", "rate_limit_error", Cause::RateLimited),
        ("", "", "authentication_error", Cause::Unauthorized),
        ("no", "", "invalid_request_error", Cause::InvalidRequest),
        ("The server had an error processing your request.", "", "invalid_request_error", Cause::ServerError),
        ("?", "", "", Cause::ServerError),
        ("?", "200", "", Cause::ServerError),
        ("?", "99999", "", Cause::ServerError),
    ] {
        let words = words(message, code, kind);
        assert_eq!(classify(200, Some(&words)).cause, cause, "{words:?}");
    }
}

#[test]
fn a_broken_server_cannot_blame_the_caller() {
    let words = words("maximum context length", "context_length_exceeded", "invalid_request_error");
    assert_eq!(classify(500, Some(&words)).cause, Cause::ServerError);
    let inside = ErrorWords { code: Some("502".into()), ..words };
    assert_eq!(classify(200, Some(&inside)).cause, Cause::ServerError);
}

/// A parameter's value comes back inside messages: it must not take a credential or a provider out of service.
#[test]
fn a_caller_cannot_write_a_cause_into_an_echoed_message() {
    for rule in rules() {
        assert!(!rule.source.is_empty());
        if let Says::Within(_) = rule.says {
            assert_eq!(rule.cause.class(), CauseClass::Caller, "{rule:?}");
        }
    }
    let words =
        words("Invalid value: 'incorrect api key provided'", "invalid_value", "invalid_request_error");
    assert_eq!(classify(400, Some(&words)).cause, Cause::InvalidRequest);
}

#[test]
fn rules_are_written_as_they_are_compared() {
    for rule in rules() {
        if let Says::Within(text) | Says::Start(text) = rule.says {
            assert_eq!(text, text.to_ascii_lowercase());
        }
    }
}

fn rules() -> impl Iterator<Item = &'static rule::Rule> {
    WORDS.iter().chain(ALL.iter().flat_map(|spec| spec.errors.words))
}

#[test]
fn a_status_alone_is_told_from_words_that_confirm_it() {
    let unknown = words("Something new", "odd_code", "odd_type");
    assert_eq!(read(400, Some(&unknown)).by, ClassifiedBy::Status);
    assert_eq!(read(502, None).by, ClassifiedBy::Status);
    for (name, _) in NAMES {
        let named = words("", "", name);
        assert_eq!(read(400, Some(&named)).by, ClassifiedBy::Words, "{name}");
        assert_eq!(read(400, Some(&named)).error.cause, Cause::InvalidRequest, "{name}: the status decides");
    }
    let code = words("Rate limited", "rate_limit_exceeded", "tokens");
    assert_eq!(read(429, Some(&code)).by, ClassifiedBy::Words);
}

#[test]
fn what_another_provider_said_is_read_for_the_callers_faults_and_shown() {
    let wrapped =
        |text: &str| ErrorWords { wrapped: Some(text.into()), ..words("Provider returned error", "", "") };
    let error = classify(400, Some(&wrapped("This model's maximum context length is 5 tokens.")));
    assert_eq!(error.cause, Cause::ContextTooLong);
    let message = "Provider returned error: This model's maximum context length is 5 tokens.";
    assert_eq!(error.message.as_deref(), Some(message));
    let theirs = classify(400, Some(&wrapped("Incorrect API key provided")));
    assert_eq!(theirs.cause, Cause::InvalidRequest, "it is the aggregator's key, not ours");
}

#[test]
fn the_error_carries_status_words_and_wait() {
    let headers: HeaderMap =
        [(HeaderName::from_static("retry-after"), HeaderValue::from_static("7"))].into_iter().collect();
    let words = words("Slow down", "", "requests");
    let answer = ErrorAnswer { status: 429, headers: &headers, words: Some(&words), now: UnixMs(0) };
    let error = super::classify(&ProviderSpec::COMPATIBLE, &answer).error;
    let expected = UpstreamError {
        cause: Cause::RateLimited,
        status: Some(429),
        message: Some("Slow down".into()),
        code: Some("requests".into()),
        retry_after: Some(Duration::from_secs(7)),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_refused_key_is_not_repeated() {
    let words =
        words("Incorrect API key provided: sk-canary-0123456789. See https://example.com/keys.", "", "");
    let message = classify(401, Some(&words)).message.unwrap();
    assert_eq!(&*message, "Incorrect API key provided: […] See https://example.com/keys.");
}
