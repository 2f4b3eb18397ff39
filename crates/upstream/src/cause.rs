//! Failures of a connection, typed. Messages come from the libraries' own words about the protocol: never a header,
//! never a body.

use std::error::Error as _;
use std::io;

use h2::Reason;
use trunkline_domain::attempt::Cause;

use crate::dispatch::DispatchError;

/// A typed failure.
pub(crate) fn failed(cause: Cause, message: impl Into<String>) -> DispatchError {
    DispatchError { cause, message: message.into() }
}

/// What became of a request that was handed to a connection and got no response.
pub(crate) fn of_exchange(error: &hyper::Error) -> DispatchError {
    failed(cause_of(error), words(error))
}

/// What broke a connection between the request's first byte and the response's head.
pub(crate) fn of_io(error: &io::Error) -> DispatchError {
    failed(if alert(error) { Cause::TlsFailed } else { Cause::Cut }, error.to_string())
}

/// Whether the server said that it has not processed the request: `REFUSED_STREAM` (RFC 9113 §8.7), or a `GOAWAY` that
/// leaves its stream out (§6.8). Only then may it be sent again.
pub(crate) fn unprocessed(error: &hyper::Error) -> bool {
    h2_error(error).is_some_and(|error| {
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// The library's words with those of its source, where it adds anything.
pub(crate) fn words(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn cause_of(error: &hyper::Error) -> Cause {
    if error.is_user() {
        return Cause::Internal;
    }
    let garbage = error.is_parse() || h2_error(error).is_some_and(h2::Error::is_library);
    if garbage {
        return Cause::Malformed;
    }
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if io.is_some_and(alert) { Cause::TlsFailed } else { Cause::Cut }
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}

/// The alert of a server that wants a client certificate, or refuses the connection otherwise, comes after the handshake in
/// TLS 1.3; it is sent before any request is read.
fn alert(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(_)))
}
