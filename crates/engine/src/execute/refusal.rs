//! What the caller is told when no candidate answered: the public kind of the failure that says most, and each
//! attempt with its cause.

use std::fmt::Write as _;

use trunkline_domain::attempt::{Cause, CauseClass, UpstreamError};
use trunkline_domain::error::UpstreamAnswer;
use trunkline_domain::{Error, ErrorKind};

use super::walk::Failure;

/// The error for a walk that ended with these failures.
pub(super) fn of(failures: &[Failure]) -> Error {
    let Some(last) = failures.last() else {
        return Error::new(
            ErrorKind::Internal,
            "the plan held no candidate: this is a defect of the gateway",
        );
    };
    if last.error.cause.class() == CauseClass::Caller {
        return relayed(&last.error);
    }
    let tried = failures.iter().rev().find(|failure| failure.tried).unwrap_or(last);
    let kind = tried.error.cause.error_kind();
    let mismatched = |failure: &Failure| failure.error.cause == Cause::SchemaMismatch;
    let head = if mismatched(tried) {
        "no answer was the JSON document that was asked for"
    } else {
        "no provider could answer"
    };
    let mut message = String::from(head);
    for (failure, ordinal) in failures.iter().zip(1..) {
        let separator = if ordinal == 1 { ": " } else { "; " };
        let status = failure.error.status.map(|status| format!(" (status {status})")).unwrap_or_default();
        let place = failure.error.message.as_deref().filter(|_| mismatched(failure));
        let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
        let cause = match failure.tried {
            true => failure.error.cause.as_str(),
            // Without a credential of its own there was nothing to cool down.
            false if failure.error.message.is_some() => "no credential, not tried",
            false => "cooling_down, not tried",
        };
        if write!(message, "{separator}{ordinal}. {}: {cause}{place}{status}", failure.deployment).is_err() {
            break;
        }
    }
    let mut error = Error::new(kind, message);
    error.retry_after = failures.iter().filter_map(|failure| failure.error.retry_after).min();
    error
}

/// A refusal that is the caller's own fault keeps the provider's status and message.
fn relayed(refusal: &UpstreamError) -> Error {
    let message = refusal.message.as_deref().unwrap_or("the provider refused the request without saying why");
    let mut error = Error::new(ErrorKind::UpstreamRejected, message.to_owned());
    error.upstream = refusal
        .status
        .filter(|status| (400..500).contains(status))
        .map(|status| UpstreamAnswer { status, code: refusal.code.as_deref().map(str::to_owned) });
    error
}
