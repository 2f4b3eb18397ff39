//! Errors in both directions: `{"error": {"code", "message", "status", "details"}}`, googleapis `google/rpc/status.proto`
//! and `error_details.proto`; google-genai, `errors.py` (an error may stand in an array of one).

use std::time::Duration;

use bytes::Bytes;
use serde_json::Number;
use trunkline_domain::{Error, Text};

use crate::codec::{Codec, ErrorWords};
use crate::json::{Object, Str, object, wire_object};
use crate::openai;

/// The longest message kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

/// The longest code kept, in bytes.
const CODE_BYTES_MAX: usize = 128;

wire_object! {
    ignoring struct Answer { "error" => error: Words }
}

wire_object! {
    ignoring struct Words {
        "code" => code: Number,
        "message" => message: Str,
        "status" => status: Str,
        "details" => details: Vec<Detail>,
    }
}

wire_object! {
    ignoring struct Detail {
        "reason" => reason: Str,
        "fieldViolations" | "field_violations" => violations: Vec<Violation>,
        "retryDelay" | "retry_delay" => retry_delay: Str,
    }
}

wire_object! {
    ignoring struct Violation { "field" => field: Str }
}

/// Reads a provider's error body; `None` where it is none. The code is the most exact word there is: the reason
/// (`API_KEY_INVALID`), or the status. Servers that put something else in Google's place are read as OpenAI's imitators.
pub(super) fn read(body: &[u8]) -> Option<ErrorWords> {
    let answer = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice::<Vec<Answer>>(body).ok().and_then(|all| all.into_iter().next()),
        _ => serde_json::from_slice::<Answer>(body).ok(),
    };
    let words = answer.and_then(|answer| answer.error).filter(|words| words.status.is_some());
    let Some(words) = words else { return openai::chat::CODEC.read_error(body) };
    let cut = |text: &Str, max: usize| {
        Text::from(text.0.get(..text.0.floor_char_boundary(max)).unwrap_or_default())
    };
    let details = words.details.as_deref().unwrap_or_default();
    let reason = details.iter().find_map(|detail| detail.reason.as_ref());
    let violations = details.iter().filter_map(|detail| detail.violations.as_ref()).flatten();
    let kind = words.status.as_ref().map(|status| cut(status, CODE_BYTES_MAX));
    Some(ErrorWords {
        message: words.message.as_ref().map(|message| cut(message, MESSAGE_BYTES_MAX)),
        code: reason.map(|reason| cut(reason, CODE_BYTES_MAX)).or_else(|| kind.clone()),
        kind,
        param: violations
            .filter_map(|violation| violation.field.as_ref())
            .map(|field| cut(field, MESSAGE_BYTES_MAX))
            .next(),
        wrapped: None,
        retry_after: details.iter().find_map(|detail| delay(&detail.retry_delay.as_ref()?.0)),
    })
}

/// A duration as JSON has it: `34.4s` (`google/protobuf/duration.proto`).
fn delay(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// Writes an error as the body of an answer.
pub(super) fn body(error: &Error) -> Bytes {
    json(error).into()
}

/// Writes an error as the end of a stream.
pub(super) fn event(error: &Error) -> Bytes {
    [b"data: ", json(error).as_slice(), b"\n\n"].concat().into()
}

fn json(error: &Error) -> Vec<u8> {
    let facts = error.kind.facts();
    let mut out = Vec::with_capacity(256);
    object(&mut out, |body| {
        body.object("error", |words| {
            words.member("code", &error.status());
            words.member("message", &*error.message);
            words.member("status", facts.gemini_status);
            words.array("details", |details| {
                details.object(|info| {
                    typed(info, "ErrorInfo");
                    info.member("reason", &facts.code.to_ascii_uppercase());
                    info.member("domain", "trunkline");
                });
                if let Some(param) = &error.param {
                    details.object(|request| {
                        typed(request, "BadRequest");
                        request.array("fieldViolations", |violations| {
                            violations.object(|violation| {
                                violation.member("field", param);
                                violation.member("description", &*error.message);
                            });
                        });
                    });
                }
                if let Some(wait) = error.retry_after {
                    details.object(|retry| {
                        typed(retry, "RetryInfo");
                        retry.member("retryDelay", &format!("{}s", wait.as_secs_f64().ceil()));
                    });
                }
            });
        });
    });
    out
}

fn typed(object: &mut Object<'_>, name: &str) {
    object.member("@type", &format!("type.googleapis.com/google.rpc.{name}"));
}
