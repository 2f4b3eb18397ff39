//! What response headers say about limits: `x-ratelimit-*`, `retry-after`, `retry-after-ms`. Not a limiter and not a
//! clock: instants come in as arguments. Where to look first: [`RateLimitState`] and [`retry_after`].
//!
//! Sources: OpenAI's header names and duration form, <https://developers.openai.com/api/docs/guides/rate-limits>;
//! the same names at Groq, requests counted per day and tokens per minute,
//! <https://console.groq.com/docs/rate-limits>; `retry-after-ms` beside `retry-after` in seconds or as a date,
//! openai-python `src/openai/_base_client.py` (`_parse_retry_after_header`); HTTP dates, RFC 9110 §10.2.3.

use std::time::Duration;

use http::HeaderMap;
use trunkline_domain::UnixMs;

/// The longest a provider can make the gateway stay away by asking for it.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// The longest reset that is believed; windows are a day at most.
pub const RESET_MAX: Duration = Duration::from_hours(24);

/// What a provider's headers say about the limits of the credential used. Whatever was not said, or said as `-1`
/// (Azure's word for "unknown"), is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimitState {
    /// Requests allowed per window.
    pub limit_requests: Option<u64>,
    /// Requests left in the window.
    pub remaining_requests: Option<u64>,
    /// Milliseconds until the window of requests is full again, at most [`RESET_MAX`].
    pub reset_requests_ms: Option<u64>,
    /// Tokens allowed per window.
    pub limit_tokens: Option<u64>,
    /// Tokens left in the window.
    pub remaining_tokens: Option<u64>,
    /// Milliseconds until the window of tokens is full again, at most [`RESET_MAX`].
    pub reset_tokens_ms: Option<u64>,
    /// How long to stay away, where it is given as a duration; [`retry_after`] also reads dates.
    pub retry_after: Option<Duration>,
}

/// How the names of OpenAI's family begin.
const FAMILY: [&str; 2] = ["x-ratelimit-", "retry-after"];

/// Reads OpenAI's family of rate-limit headers.
pub fn default_rate_limits(headers: &HeaderMap) -> RateLimitState {
    // Many providers send none of them: one look at the names is less than a search for each.
    if !headers.keys().any(|name| FAMILY.iter().any(|start| name.as_str().starts_with(start))) {
        return RateLimitState::default();
    }
    let count = |name| text(headers, name).and_then(|text| text.parse().ok());
    let reset = |name| text(headers, name).and_then(duration).map(|reset| millis(reset.min(RESET_MAX)));
    RateLimitState {
        limit_requests: count("x-ratelimit-limit-requests"),
        remaining_requests: count("x-ratelimit-remaining-requests"),
        reset_requests_ms: reset("x-ratelimit-reset-requests"),
        limit_tokens: count("x-ratelimit-limit-tokens"),
        remaining_tokens: count("x-ratelimit-remaining-tokens"),
        reset_tokens_ms: reset("x-ratelimit-reset-tokens"),
        retry_after: relative_retry_after(headers),
    }
}

/// How long the provider asks the gateway to stay away: `retry-after-ms`, then `retry-after` in seconds (fractions
/// too) or as an HTTP date. At most [`RETRY_AFTER_MAX`]; zero for a date that has passed.
pub fn retry_after(headers: &HeaderMap, now: UnixMs) -> Option<Duration> {
    relative_retry_after(headers).or_else(|| {
        let date =
            jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text(headers, "retry-after")?).ok()?;
        Some(Duration::from_millis(UnixMs::from(date).since(now)).min(RETRY_AFTER_MAX))
    })
}

fn relative_retry_after(headers: &HeaderMap) -> Option<Duration> {
    let ms = || Some(seconds(text(headers, "retry-after-ms")?)? / 1000);
    let wait = ms().or_else(|| seconds(text(headers, "retry-after")?))?;
    Some(wait.min(RETRY_AFTER_MAX))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A plain number of seconds, or Go's form of a duration: `17ms`, `1s`, `6m0s`, `2m59.56s`, `1h0m0s`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    seconds(text).or_else(|| {
        let mut total = Duration::ZERO;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, tail) = rest.split_at_checked(rest.find(|c: char| !is_numeric(c))?)?;
            let (unit, next) = tail.split_at_checked(tail.find(is_numeric).unwrap_or(tail.len()))?;
            let amount = seconds(number)?;
            total = total.checked_add(match unit {
                "ms" => amount / 1000,
                "s" => amount,
                "m" => amount.checked_mul(60)?,
                "h" => amount.checked_mul(3600)?,
                "d" => amount.checked_mul(86_400)?,
                _ => return None,
            })?;
            rest = next;
        }
        (!text.is_empty()).then_some(total)
    })
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

fn seconds(text: &str) -> Option<Duration> {
    if !text.chars().all(is_numeric) {
        return None;
    }
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn now() -> UnixMs {
        let now: jiff::Timestamp = "2026-11-25T07:00:00Z".parse().unwrap();
        now.into()
    }

    #[test]
    fn openai_headers_are_read() {
        let state = default_rate_limits(&headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]));
        let expected = RateLimitState {
            limit_requests: Some(60),
            limit_tokens: Some(150_000),
            remaining_requests: Some(59),
            remaining_tokens: Some(149_984),
            reset_requests_ms: Some(1000),
            reset_tokens_ms: Some(360_000),
            retry_after: None,
        };
        assert_eq!(state, expected);
    }

    #[test]
    fn durations_have_many_forms() {
        for (text, ms) in [
            ("17ms", Some(17)),
            ("7.66s", Some(7660)),
            ("2m59.56s", Some(179_560)),
            ("1h0m0s", Some(3_600_000)),
            ("1d", Some(86_400_000)),
            ("60", Some(60_000)),
            ("0.5", Some(500)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("s", None),
            ("1 s", None),
            ("1.2.3s", None),
            ("5y", None),
            ("inf", None),
            ("1e9s", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text).map(millis), ms, "{text:?}");
        }
    }

    #[test]
    fn unknown_limits_stay_unknown() {
        let state = default_rate_limits(&headers(&[
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "-1"),
            ("x-ratelimit-reset-tokens", "99999999999999999999s"),
        ]));
        assert_eq!(state, RateLimitState { reset_tokens_ms: None, ..RateLimitState::default() });
    }

    #[test]
    fn resets_are_capped() {
        let state = default_rate_limits(&headers(&[("x-ratelimit-reset-requests", "500h0m0s")]));
        assert_eq!(state.reset_requests_ms, Some(millis(RESET_MAX)));
    }

    #[test]
    fn retry_after_has_three_forms() {
        let after = |pairs| retry_after(&headers(pairs), now());
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(after(&[("retry-after", "0.25")]), Some(Duration::from_millis(250)));
        assert_eq!(
            after(&[("retry-after-ms", "1500"), ("retry-after", "2")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(after(&[("retry-after", "Wed, 25 Nov 2026 07:00:20 GMT")]), Some(Duration::from_secs(20)));
        assert_eq!(after(&[("retry-after", "Wed, 25 Nov 2026 06:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(after(&[("retry-after", "later")]), None);
    }

    #[test]
    fn a_provider_cannot_send_the_gateway_away_for_days() {
        for value in ["86400", "Fri, 01 Jan 2100 00:00:00 GMT"] {
            assert_eq!(
                retry_after(&headers(&[("retry-after", value)]), now()),
                Some(RETRY_AFTER_MAX),
                "{value}"
            );
        }
    }
}
