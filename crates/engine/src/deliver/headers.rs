//! The headers of an answer: the provider's that may cross, and our own.

use http::{HeaderMap, HeaderName, HeaderValue};
use trunkline_ledger::window::{RateFigure, RateFigures};
use trunkline_wire::headers::{Direction, cross};

use crate::execute::Head;
use crate::request::Request;

const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-trunkline-provider");
const MODEL: HeaderName = HeaderName::from_static("x-trunkline-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-trunkline-attempts");
const LOSSES: HeaderName = HeaderName::from_static("x-trunkline-losses");
const CLAMPED: HeaderName = HeaderName::from_static("x-trunkline-clamped");
const OVERHEAD: HeaderName = HeaderName::from_static("x-trunkline-overhead-us");
const ESTIMATED: HeaderName = HeaderName::from_static("x-trunkline-estimated");
const COST: HeaderName = HeaderName::from_static("x-trunkline-cost-usd");
/// The most of a list that is put into a header.
const LIST_BYTES_MAX: usize = 1_024;

/// Headers every answer has: known before anything committed.
pub(super) fn common(request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    put(&mut headers, GENERATION_ID, &request.id.to_string());
    let attempts = request.trail.attempts.len();
    headers.insert(ATTEMPTS, HeaderValue::from(attempts));
    limits(&mut headers, &request.key.rates.figures(request.core.clock.monotonic_ms()));
    headers
}

/// Headers of an estimate of the gateway's own.
pub(super) fn estimated(request: &Request) -> HeaderMap {
    let mut headers = common(request);
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ESTIMATED, HeaderValue::from_static("true"));
    headers
}

/// Headers of an answer that committed.
pub(super) fn of(request: &Request, head: &Head) -> HeaderMap {
    let mut headers = common(request);
    if head.recast {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    } else {
        cross(request.codec.dialect(), Direction::Response, &head.headers, &mut headers);
    }
    headers.insert(PROVIDER, HeaderValue::from_static(head.provider));
    put(&mut headers, MODEL, &head.model);
    headers.insert(ATTEMPTS, HeaderValue::from(u16::from(head.ordinal)));
    if !request.trail.losses.is_empty() {
        put(&mut headers, LOSSES, &list(&request.trail.losses));
    }
    if let Some(cap) = request.trail.clamped {
        put(&mut headers, CLAMPED, &format!("max_tokens={cap}"));
    }
    headers
}

/// The cost of a buffered answer, and what the gateway itself added to its time.
pub(super) fn finished(request: &Request, headers: &mut HeaderMap) {
    put(headers, COST, &request.trail.cost.to_string());
    let overhead = request.arrived.elapsed().saturating_sub(request.trail.upstream);
    headers.insert(OVERHEAD, HeaderValue::from(u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX)));
}

/// The key's own limits, in the form OpenAI's clients read.
fn limits(headers: &mut HeaderMap, figures: &RateFigures) {
    let requests =
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
    let tokens = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
    for (names, figure) in [(requests, figures.requests), (tokens, figures.tokens)] {
        let Some(RateFigure { limit, remaining, reset_ms }) = figure else { continue };
        let [limit_name, remaining_name, reset_name] = names;
        headers.insert(HeaderName::from_static(limit_name), HeaderValue::from(limit));
        headers.insert(HeaderName::from_static(remaining_name), HeaderValue::from(remaining));
        put(headers, HeaderName::from_static(reset_name), &format!("{reset_ms}ms"));
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn list(items: &[trunkline_domain::Text]) -> String {
    let mut text = String::new();
    for item in items {
        if text.len() + item.len() + 1 > LIST_BYTES_MAX {
            text.push('…');
            break;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(item);
    }
    text
}
