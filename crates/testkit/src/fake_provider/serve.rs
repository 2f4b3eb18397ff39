//! The provider over loopback TCP, HTTP/1.1.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::body::ScriptedBody;
use super::line::Line;
use super::{Arrived, FakeProvider, Outcome, Transport};

/// The largest request body it reads.
const BODY_MAX: usize = 64 << 20;

/// A running server. Dropping it closes its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, as an SDK takes it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Runs until the process ends.
    pub async fn run(mut self) {
        // It ends only by being aborted.
        (&mut self.accepting).await.ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FakeProvider {
    /// Listens; port 0 takes a free one.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, self.clone()));
        Ok(Server { address, accepting })
    }
}

async fn accept(listener: TcpListener, provider: FakeProvider) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { continue };
                connections.spawn(converse(socket, provider.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(socket: TcpStream, provider: FakeProvider) {
    socket.set_nodelay(true).ok();
    let line = Line::to_socket();
    let socket = Socket { socket, line: line.clone() };
    let service = service_fn(|request| answer(&provider, request, line.clone()));
    // A connection that a script breaks, or the caller leaves, ends in an error: the log has it.
    http1::Builder::new().serve_connection(TokioIo::new(socket), service).await.ok();
}

async fn answer(
    provider: &FakeProvider,
    request: Request<Incoming>,
    line: Line,
) -> Result<Response<ScriptedBody>, io::Error> {
    let (head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, BODY_MAX).collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let arrived =
        Arrived { method: head.method, path, headers: head.headers, body, transport: Transport::Tcp };
    match provider.receive(arrived, line).await {
        Outcome::Respond { status, headers, body } => {
            let mut response = Response::new(*body);
            *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
            *response.headers_mut() = headers;
            Ok(response)
        }
        Outcome::Close => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
    }
}

/// A socket that can end in a reset.
struct Socket {
    socket: TcpStream,
    line: Line,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.resets() {
            self.socket.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(context))?;
        self.line.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.resets() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
