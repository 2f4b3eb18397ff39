//! One HTTP/1.1 connection and what counts as a good answer on it: status 200, complete within the deadline; a stream
//! also ends as its API says.

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
use crate::error::{Context as _, Error, Result};
use crate::question::Question;

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_mins(1);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    target: Target,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

/// Why there is no good answer, in words.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server said no, in a whole answer.
    Refused(String),
    /// Nothing more can be asked on this connection.
    Broken(String),
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self> {
        let host = HeaderValue::from_str(&target.address.to_string())
            .map_err(|_| Error::Unexpected("the address is no header value".to_owned()))?;
        Ok(Self { target: target.clone(), host, sender: dial(target.address).await? })
    }

    /// Connects anew, where that is needed after a failure.
    pub(super) async fn mend(&mut self, failure: &Failure) -> Result<()> {
        if matches!(failure, Failure::Broken(_)) || self.sender.ready().await.is_err() {
            self.sender = dial(self.target.address).await?;
        }
        Ok(())
    }

    /// Sends one request and reads its whole answer.
    pub(super) async fn ask(
        &mut self,
        question: Question,
        body: Bytes,
    ) -> std::result::Result<Answer, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(question.path());
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("OpenAI/Python 2.54.0"));
        if let Some(authorization) = &self.target.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        tokio::time::timeout(DEADLINE, exchange(&mut self.sender, question, request))
            .await
            .unwrap_or_else(|_| Err(Failure::Broken("no answer within the deadline".to_owned())))
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    question: Question,
    request: Request<Full<Bytes>>,
) -> std::result::Result<Answer, Failure> {
    let broken = |error: hyper::Error| Failure::Broken(error.to_string());
    let wrong = |words: &str| Failure::Broken(words.to_owned());
    sender.ready().await.map_err(broken)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let (head, mut body) = response.into_parts();
    let streams = question.shape.streams();
    // Only streams are searched; the bytes of other good answers are counted and dropped.
    let keep = streams || head.status != StatusCode::OK;
    let (mut kept, mut bytes, mut first_byte) = (BytesMut::new(), 0, None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        let Some(data) = frame.data_ref() else { continue };
        first_byte.get_or_insert_with(Instant::now);
        bytes += data.len();
        if bytes > ANSWER_BYTES_MAX {
            return Err(wrong("the answer is too long"));
        }
        if keep {
            kept.extend_from_slice(data);
        }
    }
    let end = Instant::now();
    if head.status != StatusCode::OK {
        let text: String = String::from_utf8_lossy(&kept).chars().take(300).collect();
        return Err(Failure::Refused(format!("{}: {text}", head.status)));
    }
    let first_byte = first_byte.ok_or_else(|| wrong("the answer is empty"))?;
    if streams && !kept.ends_with(question.end_of_stream()) {
        let end = String::from_utf8_lossy(question.end_of_stream()).trim_end().to_owned();
        return Err(Failure::Broken(format!("the stream does not end with {end}")));
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
