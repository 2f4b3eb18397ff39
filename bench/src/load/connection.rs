//! One HTTP/1.1 connection and what counts as a good answer on it: status 200, complete within the deadline; a stream
//! also ends with `[DONE]`.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Target;
use super::outcome::Answer;
use crate::body::Shape;
use crate::error::{Context as _, Error, Result};

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_mins(1);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 20;
const END_OF_STREAM: &[u8] = b"data: [DONE]\n\n";

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    target: Target,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self> {
        let host = HeaderValue::from_str(&target.address.to_string())
            .map_err(|_| Error::Unexpected("the address is no header value".to_owned()))?;
        Ok(Self { target: target.clone(), host, sender: dial(target.address).await? })
    }

    pub(super) async fn reopen(&mut self) -> Result<()> {
        self.sender = dial(self.target.address).await?;
        Ok(())
    }

    /// Sends one request and reads its whole answer; what was wrong, in words.
    pub(super) async fn ask(&mut self, shape: Shape, body: Bytes) -> std::result::Result<Answer, String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/v1/chat/completions");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("OpenAI/Python 2.54.0"));
        if let Some(authorization) = &self.target.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        tokio::time::timeout(DEADLINE, exchange(&mut self.sender, shape, request))
            .await
            .unwrap_or_else(|_| Err("no answer within the deadline".to_owned()))
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    shape: Shape,
    request: Request<Full<Bytes>>,
) -> std::result::Result<Answer, String> {
    sender.ready().await.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let (head, mut body) = response.into_parts();
    // Only streams are searched; the bytes of other good answers are counted and dropped.
    let keep = shape.streams() || head.status != StatusCode::OK;
    let (mut kept, mut bytes, mut first_byte) = (BytesMut::new(), 0, None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Some(data) = frame.data_ref() else { continue };
        first_byte.get_or_insert_with(Instant::now);
        bytes += data.len();
        if bytes > ANSWER_BYTES_MAX {
            return Err("the answer is too long".to_owned());
        }
        if keep {
            kept.extend_from_slice(data);
        }
    }
    let end = Instant::now();
    if head.status != StatusCode::OK {
        let text: String = String::from_utf8_lossy(&kept).chars().take(300).collect();
        return Err(format!("{}: {text}", head.status));
    }
    let first_byte = first_byte.ok_or_else(|| "the answer is empty".to_owned())?;
    if shape.streams() && !kept.ends_with(END_OF_STREAM) {
        return Err("the stream does not end with [DONE]".to_owned());
    }
    Ok(Answer { bytes: bytes as u64, events: count_events(&kept), first_byte, end })
}

/// Events with data; comments are none.
fn count_events(stream: &[u8]) -> u64 {
    let at_start = u64::from(stream.starts_with(b"data:"));
    at_start + memchr::memmem::find_iter(stream, b"\ndata:").count() as u64
}

/// One `GET` on a connection of its own: status and body.
pub(crate) async fn get(address: SocketAddr, path: &'static str) -> Result<(StatusCode, Bytes)> {
    let mut sender = dial(address).await?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = http::Uri::from_static(path);
    let host = HeaderValue::from_str(&address.to_string())
        .map_err(|_| Error::Unexpected("the address is no header value".to_owned()))?;
    request.headers_mut().insert(HOST, host);
    let response = sender.send_request(request).await?;
    Ok((response.status(), response.into_body().collect().await?.to_bytes()))
}

async fn dial(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true).context(|| "cannot switch Nagle's algorithm off".to_owned())?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Its error is the error of the request that was under way.
        connection.await.ok();
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines_of_data_not_mentions_of_it() {
        let stream = b": waiting\n\ndata: {\"a\":\"data: no\"}\n\ndata: [DONE]\n\n";
        assert_eq!(count_events(stream), 2);
        assert_eq!(count_events(b"data: [DONE]\n\n"), 1);
        assert_eq!(count_events(b""), 0);
    }
}
