//! One exchange: a request on a connection, the wait for the response's head, and the body as it arrives.
//!
//! A request is sent again only when it certainly never reached the application: an HTTP/2 connection closed before its
//! first byte was written, or the server said that it did not process the stream. Over HTTP/1.1 (`http1`) a connection
//! that has ended is found so before anything is written.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::{PathAndQuery, Scheme as UriScheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use trunkline_domain::attempt::Cause;
use trunkline_wire::splice::SplicedBody;

use super::connection::{Lease, Stream};
use super::{Shared, http1};
use crate::body::RequestBody;
use crate::cause::{failed, of_exchange, unprocessed};
use crate::dispatch::{BodyError, ByteStream, Call, DispatchError, Response, ResponseBytes};
use crate::origin::{Origin, Scheme};

/// HTTP/2 connections one request is tried on while none of them takes it.
const CONNECTIONS_TRIED_MAX: usize = 4;

/// A request as it is on every connection.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) path: PathAndQuery,
    /// None that say how the connection is used or where the body ends.
    pub(super) headers: HeaderMap,
    pub(super) body: SplicedBody,
}

/// What became of a request on one HTTP/2 connection.
enum Sent {
    Answered(http::Response<Incoming>),
    /// It certainly never reached the application.
    Untouched(DispatchError),
    Failed(DispatchError),
}

pub(super) async fn run(shared: &Arc<Shared>, call: Call) -> Result<Response, DispatchError> {
    let (connect_timeout, headers_timeout) = (call.connect_timeout, call.headers_timeout);
    let origin = Arc::clone(&call.origin);
    let pool = shared.pool(&origin);
    pool.call();
    let outgoing = Outgoing::of(call)?;
    let mut last = None;
    for _ in 0..CONNECTIONS_TRIED_MAX {
        let mut stream = match shared.lease(&origin, &pool, connect_timeout).await? {
            Lease::Http1(connection) => {
                return http1::exchange(connection, outgoing, &origin, pool, headers_timeout).await;
            }
            Lease::Http2(stream) => stream,
        };
        match send(&mut stream, &origin, &outgoing, headers_timeout).await {
            Sent::Answered(response) => return Ok(answer(response, stream)),
            Sent::Failed(error) => return Err(error),
            Sent::Untouched(error) => {
                tracing::debug!(%origin, %error, "the connection was gone, taking another");
                stream.retire();
                last = Some(error.message);
            }
        }
    }
    Err(failed(Cause::ConnectFailed, last.unwrap_or_default()))
}

impl Outgoing {
    fn of(call: Call) -> Result<Self, DispatchError> {
        let path = call
            .origin
            .path(call.path)
            .map_err(|_| failed(Cause::Internal, "the request's path is not a valid one"))?;
        let mut headers = call.headers;
        if let Some((name, value)) = call.authorization {
            headers.insert(name, value);
        }
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        // The body's length is exact and written by the connection.
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        headers.remove(PROXY_AUTHORIZATION);
        headers.remove(HOST);
        Ok(Self { method: call.method, path, headers, body: call.body })
    }

    /// With HTTP/2's pseudo-headers.
    fn http2(&self, origin: &Origin) -> Result<Request<RequestBody>, http::Error> {
        let mut parts = Uri::from(self.path.clone()).into_parts();
        parts.scheme =
            Some(if origin.scheme() == Scheme::Https { UriScheme::HTTPS } else { UriScheme::HTTP });
        parts.authority = Some(origin.authority().clone());
        let mut request = Request::new(RequestBody::new(self.body.clone()));
        *request.uri_mut() = Uri::from_parts(parts)?;
        *request.method_mut() = self.method.clone();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

async fn send(stream: &mut Stream, origin: &Origin, outgoing: &Outgoing, headers_timeout: Duration) -> Sent {
    let request = match outgoing.http2(origin) {
        Ok(request) => request,
        Err(error) => {
            return Sent::Failed(failed(Cause::Internal, format!("the request cannot be written: {error}")));
        }
    };
    let upload = request.body().upload();
    let sending = async {
        match stream.sender.try_send_request(request).await {
            Ok(response) => Sent::Answered(response),
            Err(mut refused) => {
                let unsent = refused.take_message().is_some();
                let error = refused.into_error();
                let typed = of_exchange(&error);
                if unsent || unprocessed(&error) { Sent::Untouched(typed) } else { Sent::Failed(typed) }
            }
        }
    };
    tokio::select! {
        biased;
        sent = sending => sent,
        () = upload.stalled(headers_timeout) => {
            let message = format!("no response head from {origin} within {} ms", headers_timeout.as_millis());
            Sent::Failed(failed(Cause::HeadersTimeout, message))
        }
    }
}

fn answer(response: http::Response<Incoming>, stream: Stream) -> Response {
    let (head, incoming) = response.into_parts();
    let address = Some(stream.address());
    let body = Body { incoming, stream: Some(stream) };
    Response { status: head.status.as_u16(), headers: head.headers, body: ResponseBytes::new(body), address }
}

/// A response's body over HTTP/2. Holds the stream's place until its end; dropped before, it resets the stream.
struct Body {
    incoming: Incoming,
    stream: Option<Stream>,
}

impl ByteStream for Body {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            return match std::task::ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => Poll::Ready(Some(Ok(piece))),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => {
                    self.stream = None;
                    Poll::Ready(Some(Err(BodyError(crate::cause::words(&error)))))
                }
                None => {
                    self.stream = None;
                    // hyper takes a stream that was reset or left out with NO_ERROR for one that ended well. Only one
                    // whose end was announced has (RFC 9113 §8.1).
                    let ended = self.incoming.is_end_stream();
                    let cut = || {
                        Err(BodyError("the stream was given up, without an error, before its end".to_owned()))
                    };
                    Poll::Ready((!ended).then(cut))
                }
            };
        }
    }
}
