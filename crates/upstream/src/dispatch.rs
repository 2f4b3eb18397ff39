//! The first of the three doors: a call that carries a caller's body to a provider. Called from one place,
//! `engine::execute::try_one`.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use trunkline_domain::attempt::Cause;
use trunkline_wire::splice::SplicedBody;

use crate::origin::Origin;

/// What carries calls: the pools of this crate, or something in this process that answers like a provider.
pub trait Dispatch: Send + Sync {
    /// Sends one call and waits for the response's head. Dropping the future or the response's body closes the
    /// exchange.
    fn dispatch(&self, call: Call) -> DispatchFuture<'_>;

    /// Has connections (TCP and TLS, no request) to these origins opened beside, so that the first call to each finds one.
    /// Returns at once; whether it works is for the log only.
    fn warm_up(&self, _origins: &[Arc<Origin>]) {}
}

/// What [`Dispatch::dispatch`] returns.
pub type DispatchFuture<'a> = Pin<Box<dyn Future<Output = Result<Response, DispatchError>> + Send + 'a>>;

/// One call.
#[derive(Debug)]
pub struct Call {
    /// Where it goes: resolved from configuration, never from a request.
    pub origin: Arc<Origin>,
    /// Method.
    pub method: Method,
    /// Path below the origin's base path, with its leading slash, and query.
    pub path: String,
    /// Headers, without authorisation.
    pub headers: HeaderMap,
    /// Authorisation, made sensitive, so that nothing prints it.
    pub authorization: Option<(HeaderName, HeaderValue)>,
    /// The body, as segments of the caller's own bytes and our edits.
    pub body: SplicedBody,
    /// Name resolution, TCP and TLS.
    pub connect_timeout: Duration,
    /// From the request's last byte to the response's head.
    pub headers_timeout: Duration,
}

/// A response whose head has arrived.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: ResponseBytes,
    /// The address connected to; none in this process.
    pub address: Option<SocketAddr>,
}

/// The bytes of a response as they arrive, each piece as it came.
pub trait ByteStream: Send {
    /// The next piece; `None` at a clean end.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>>;
}

/// A response's body. Dropping it before its end closes the connection (HTTP/1.1) or resets the stream (HTTP/2).
pub struct ResponseBytes(Box<dyn ByteStream>);

impl ResponseBytes {
    /// Wraps a stream.
    pub fn new(stream: impl ByteStream + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// The next piece; `None` at a clean end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.0.poll_next(context)
    }

    /// The next piece; `None` at a clean end. Safe to drop while waiting.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

impl std::fmt::Debug for ResponseBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseBytes")
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", .cause.as_str())]
pub struct DispatchError {
    /// Typed.
    pub cause: Cause,
    /// For the log and the operator: never holds a credential.
    pub message: String,
}

/// The body broke before its end.
#[derive(Debug, thiserror::Error)]
#[error("the response body broke off: {0}")]
pub struct BodyError(pub String);
