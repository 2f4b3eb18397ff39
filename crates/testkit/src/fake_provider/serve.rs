//! The provider over loopback TCP: HTTP/1.1 here, HTTP/2 in [`http2`].

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::body::ScriptedBody;
use super::line::Line;
use super::socket::{Socket, Watched};
use super::tls::Certificate;
use super::{Arrived, FakeProvider, Outcome, Transport, http2};

/// The largest request body it reads.
pub(crate) const BODY_MAX: usize = 64 << 20;

/// A running server. Dropping it closes its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, as an SDK takes it.
    pub fn base_url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
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
        let provider = self.clone();
        listen("http", address, move |socket| converse(socket, provider.clone())).await
    }

    /// Listens with TLS and HTTP/2; port 0 takes a free one.
    pub async fn listen_http2(&self, address: SocketAddr, certificate: &Certificate) -> io::Result<Server> {
        let (provider, acceptor) = (self.clone(), certificate.acceptor());
        listen("https", address, move |socket| http2::converse(socket, acceptor.clone(), provider.clone()))
            .await
    }
}

async fn listen<F: Future<Output = ()> + Send + 'static>(
    scheme: &'static str,
    address: SocketAddr,
    converse: impl Fn(TcpStream) -> F + Send + 'static,
) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((socket, _)) = accepted else { continue };
                    socket.set_nodelay(true).ok();
                    connections.spawn(converse(socket));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok(Server { address, scheme, accepting })
}

async fn converse(socket: TcpStream, provider: FakeProvider) {
    let line = Line::to_socket();
    let socket = Watched::new(Socket::new(socket, line.clone()), line.clone());
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
        Outcome::Respond { status, headers, body } => Ok(respond(status, headers)?.map(|()| *body)),
        Outcome::Close(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
    }
}

/// A response's head.
pub(crate) fn respond(status: u16, headers: HeaderMap) -> io::Result<Response<()>> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    *response.headers_mut() = headers;
    Ok(response)
}
