//! A tunnel through an HTTP proxy: `CONNECT` (RFC 9110 §9.3.6).

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use trunkline_domain::Secret;
use trunkline_domain::attempt::Cause;

use super::proxy::ProxyConfig;
use crate::cause::{failed, words};
use crate::dispatch::DispatchError;
use crate::origin::Origin;

/// The stream to the origin, over a stream to the proxy.
pub(super) async fn open(
    stream: TcpStream,
    proxy: &ProxyConfig,
    origin: &Origin,
) -> Result<TcpStream, DispatchError> {
    let request = request(proxy, origin)
        .map_err(|_| failed(Cause::Internal, "the request to the proxy cannot be written"))?;
    let through =
        |error: hyper::Error| failed(Cause::ConnectFailed, format!("through the proxy: {}", words(&error)));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(through)?;
    // Ends by itself: with the upgrade, with the connection, or when the sender is dropped.
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await.map_err(through)?;
    if !answer.status().is_success() {
        let message =
            format!("the proxy answered {} when asked for {}", answer.status().as_u16(), origin.host());
        return Err(failed(Cause::ConnectFailed, message));
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(through)?;
    let parts = upgraded
        .downcast::<TokioIo<TcpStream>>()
        .map_err(|_| failed(Cause::Internal, "the tunnel is not the stream it was opened on"))?;
    if !parts.read_buf.is_empty() {
        return Err(failed(Cause::TlsFailed, "the proxy sent bytes before the TLS handshake"));
    }
    Ok(parts.io.into_inner())
}

fn request(proxy: &ProxyConfig, origin: &Origin) -> Result<Request<Empty<&'static [u8]>>, http::Error> {
    let (host, port) = (origin.host(), origin.port());
    let brackets = origin.literal().is_some_and(|address| address.is_ipv6());
    let target: Authority =
        if brackets { format!("[{host}]:{port}") } else { format!("{host}:{port}") }.parse()?;
    let host = HeaderValue::from_str(target.as_str())?;
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = Uri::builder().authority(target).build()?;
    request.headers_mut().insert(HOST, host);
    if let Some(authorization) = authorization(proxy)? {
        request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
    }
    Ok(request)
}

/// The proxy's credential as a header, made sensitive.
pub(crate) fn authorization(proxy: &ProxyConfig) -> Result<Option<HeaderValue>, http::Error> {
    let value = proxy.authorization().map(Secret::expose);
    let mut value = value.map(|text| HeaderValue::from_str(text)).transpose()?;
    if let Some(value) = &mut value {
        value.set_sensitive(true);
    }
    Ok(value)
}
