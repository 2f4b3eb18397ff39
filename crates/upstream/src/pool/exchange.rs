//! One exchange: a request on a connection, the wait for the response's head, and the body as it arrives.
//!
//! A request is sent again only when it certainly never reached the application: the connection closed before its
//! first byte was written, or an HTTP/2 server said that it did not process the stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::Scheme as UriScheme;
use http::{HeaderValue, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use trunkline_domain::attempt::Cause;

use super::Shared;
use super::connection::Lease;
use super::origin::OriginPool;
use crate::body::RequestBody;
use crate::cause::{failed, of_exchange, unprocessed};
use crate::connect::authorization;
use crate::dispatch::{BodyError, ByteStream, Call, DispatchError, Response, ResponseBytes};
use crate::origin::{Origin, Scheme};

/// Connections one request is tried on while none of them takes it.
const CONNECTIONS_TRIED_MAX: usize = 4;

/// What became of a request on one connection.
enum Sent {
    Answered(http::Response<Incoming>),
    /// It certainly never reached the application; the request is ready for another connection.
    Untouched(Request<RequestBody>, DispatchError),
    Failed(DispatchError),
}

pub(super) async fn run(shared: &Arc<Shared>, call: Call) -> Result<Response, DispatchError> {
    let (connect_timeout, headers_timeout) = (call.connect_timeout, call.headers_timeout);
    let origin = Arc::clone(&call.origin);
    let pool = shared.pool(&origin);
    pool.call();
    let mut request = request(call)?;
    let mut last = None;
    for _ in 0..CONNECTIONS_TRIED_MAX {
        let mut lease = shared.lease(&origin, &pool, connect_timeout).await?;
        match send(&mut lease, &origin, request, headers_timeout).await {
            Sent::Answered(response) => return Ok(answer(response, lease, pool)),
            Sent::Failed(error) => return Err(error),
            Sent::Untouched(same, error) => {
                tracing::debug!(%origin, %error, "the connection was gone, taking another");
                match &lease {
                    Lease::Http1(_) => pool.drop_idle(),
                    Lease::Http2(stream) => stream.retire(),
                }
                request = same;
                last = Some(error.message);
            }
        }
    }
    Err(failed(Cause::ConnectFailed, last.unwrap_or_default()))
}

/// The request as it is on every connection.
fn request(call: Call) -> Result<Request<RequestBody>, DispatchError> {
    let path = call
        .origin
        .path(call.path)
        .map_err(|_| failed(Cause::Internal, "the request's path is not a valid one"))?;
    let mut request = Request::new(RequestBody::new(call.body));
    *request.method_mut() = call.method;
    *request.uri_mut() = Uri::from(path);
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
    *request.headers_mut() = headers;
    Ok(request)
}

async fn send(
    lease: &mut Lease,
    origin: &Origin,
    mut request: Request<RequestBody>,
    headers_timeout: Duration,
) -> Sent {
    if let Err(error) = shape(&mut request, origin, lease) {
        return Sent::Failed(failed(Cause::Internal, format!("the request cannot be written: {error}")));
    }
    let upload = request.body().upload();
    let sending = async {
        match lease {
            Lease::Http1(connection) => match connection.sender.try_send_request(request).await {
                Ok(response) => Sent::Answered(response),
                Err(mut refused) => sort(refused.take_message(), &refused.into_error()),
            },
            Lease::Http2(stream) => {
                let spare = request.clone();
                match stream.sender.try_send_request(request).await {
                    Ok(response) => Sent::Answered(response),
                    Err(mut refused) => {
                        let unsent = refused.take_message();
                        let error = refused.into_error();
                        sort(unsent.or_else(|| unprocessed(&error).then_some(spare)), &error)
                    }
                }
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

fn sort(unsent: Option<Request<RequestBody>>, error: &hyper::Error) -> Sent {
    let typed = of_exchange(error);
    match unsent {
        Some(request) => Sent::Untouched(request.map(|body| body.clone()), typed),
        None => Sent::Failed(typed),
    }
}

/// Writes the request's target as this connection wants it: the path alone with a `host` header, the whole URL for a
/// proxy (RFC 9112 §3.2.2) and for HTTP/2's pseudo-headers.
fn shape(request: &mut Request<RequestBody>, origin: &Origin, lease: &Lease) -> Result<(), http::Error> {
    let http2 = matches!(lease, Lease::Http2(_));
    let forwarded = origin.proxy().filter(|_| origin.scheme() == Scheme::Http);
    if http2 || forwarded.is_some() {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme =
            Some(if origin.scheme() == Scheme::Https { UriScheme::HTTPS } else { UriScheme::HTTP });
        parts.authority = Some(origin.authority().clone());
        *request.uri_mut() = Uri::from_parts(parts)?;
    } else if request.uri().scheme().is_some() {
        let path =
            request.uri().path_and_query().cloned().unwrap_or(http::uri::PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
    }
    if http2 {
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(HOST);
        return Ok(());
    }
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().insert(HOST, origin.host_header().clone());
    if let Some(value) = forwarded.map(|proxy| authorization(proxy)).transpose()?.flatten() {
        request.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    Ok(())
}

fn answer(response: http::Response<Incoming>, lease: Lease, pool: Arc<OriginPool>) -> Response {
    let (head, incoming) = response.into_parts();
    let address = Some(lease.address());
    let body = Body { incoming, lease: Some(lease), pool };
    Response { status: head.status.as_u16(), headers: head.headers, body: ResponseBytes::new(body), address }
}

/// A response's body. Holds the connection until its end, and gives it back then; dropped before, it closes the
/// connection or resets the stream.
struct Body {
    incoming: Incoming,
    lease: Option<Lease>,
    pool: Arc<OriginPool>,
}

impl Body {
    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back(&self.pool);
        }
    }
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
                    self.lease = None;
                    Poll::Ready(Some(Err(BodyError(crate::cause::words(&error)))))
                }
                None => {
                    self.give_back();
                    Poll::Ready(None)
                }
            };
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.incoming.is_end_stream() {
            self.give_back();
        }
    }
}
