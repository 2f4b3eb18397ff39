//! The head of a request, written.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, HeaderName, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method};
use trunkline_domain::attempt::Cause;

use crate::cause::failed;
use crate::connect::authorization;
use crate::dispatch::DispatchError;
use crate::origin::{Origin, Scheme};
use crate::pool::exchange::Outgoing;

/// More than most heads need, credentials included.
const USUAL: usize = 512;

/// With its target as this connection wants it: the path alone, or the whole URL for a proxy (RFC 9112 §3.2.2).
pub(super) fn head(request: &Outgoing, origin: &Origin) -> Result<Bytes, DispatchError> {
    let forwarded = origin.proxy().filter(|_| origin.scheme() == Scheme::Http);
    let mut head = BytesMut::with_capacity(USUAL);
    head.put_slice(request.method.as_str().as_bytes());
    head.put_slice(b" ");
    if forwarded.is_some() {
        head.put_slice(b"http://");
        head.put_slice(origin.authority().as_str().as_bytes());
    }
    head.put_slice(request.path.as_str().as_bytes());
    head.put_slice(b" HTTP/1.1\r\n");
    line(&mut head, &HOST, origin.host_header());
    for (name, value) in &request.headers {
        line(&mut head, name, value);
    }
    if !request.body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(&request.method) {
        line(&mut head, &CONTENT_LENGTH, &HeaderValue::from(request.body.len()));
    }
    let credential = forwarded.map(|proxy| authorization(proxy)).transpose();
    let credential = credential.map_err(|error| {
        failed(Cause::Internal, format!("the credential for the proxy cannot be written: {error}"))
    })?;
    if let Some(value) = credential.flatten() {
        line(&mut head, &PROXY_AUTHORIZATION, &value);
    }
    head.put_slice(b"\r\n");
    Ok(head.freeze())
}

fn line(head: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    head.put_slice(name.as_str().as_bytes());
    head.put_slice(b": ");
    head.put_slice(value.as_bytes());
    head.put_slice(b"\r\n");
}
