//! One connection, and the right to use it for one exchange.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::Handle;
use tokio::time::Instant;
use trunkline_domain::attempt::Cause;

use super::origin::OriginPool;
use super::{PoolLimits, http1};
use crate::body::RequestBody;
use crate::cause::{failed, of_exchange};
use crate::connect::Connected;
use crate::dispatch::DispatchError;

/// A response's header block may be so long.
const HEADERS_MAX: u32 = 64 * 1024;
/// Flow-control window of one HTTP/2 stream. The connection's window holds one for every stream, so that a reader who
/// is slow, or stopped, holds up nobody else on the connection.
const STREAM_WINDOW: u32 = 128 * 1024;
/// RFC 9113 §6.9.1.
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// The right to use a connection for one exchange.
pub(super) enum Lease {
    Http1(http1::Connection),
    Http2(Stream),
}

impl Lease {
    /// Whether it is driven by another thread's runtime and could be by this one's.
    pub(super) fn is_borrowed(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.home() != Handle::current().id(),
            Self::Http2(_) => false,
        }
    }

    /// Unused.
    pub(super) fn give_back(self, pool: &OriginPool) {
        match self {
            Self::Http1(connection) => pool.keep(connection),
            Self::Http2(_) => {}
        }
    }
}

/// One stream's place on an HTTP/2 connection. Dropping it frees the place.
pub(super) struct Stream {
    pub(super) sender: http2::SendRequest<RequestBody>,
    load: Arc<Load>,
    address: SocketAddr,
}

impl Stream {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server takes no more streams on this connection; those under way go on.
    pub(super) fn retire(&self) {
        self.load.retired.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.load.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An HTTP/2 connection in the pool.
pub(super) struct Http2 {
    sender: http2::SendRequest<RequestBody>,
    load: Arc<Load>,
    address: SocketAddr,
    used: Instant,
}

struct Load {
    streams: AtomicUsize,
    /// As the server's settings allow.
    streams_max: AtomicUsize,
    retired: AtomicBool,
}

impl Http2 {
    pub(super) fn usable(&self) -> bool {
        !self.sender.is_closed() && !self.load.retired.load(Ordering::Relaxed)
    }

    pub(super) fn streams(&self) -> usize {
        self.load.streams.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self, limits: &PoolLimits) -> bool {
        self.streams() < limits.streams_per_connection.min(self.load.streams_max.load(Ordering::Relaxed))
    }

    pub(super) fn unused_since(&self) -> Option<Instant> {
        (self.streams() == 0).then_some(self.used)
    }

    pub(super) fn stream(&mut self) -> Stream {
        self.used = Instant::now();
        self.load.streams.fetch_add(1, Ordering::Relaxed);
        Stream { sender: self.sender.clone(), load: Arc::clone(&self.load), address: self.address }
    }
}

pub(super) async fn http2(connected: Connected, limits: &PoolLimits) -> Result<Http2, DispatchError> {
    let streams = u32::try_from(limits.streams_per_connection).unwrap_or(u32::MAX);
    let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW.saturating_mul(streams).min(WINDOW_MAX))
        .max_header_list_size(HEADERS_MAX)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(connected.transport))
        .await
        .map_err(|error| of_handshake(&error))?;
    let streams_max = AtomicUsize::new(connection.current_max_send_streams());
    let load = Arc::new(Load { streams: AtomicUsize::new(0), streams_max, retired: AtomicBool::new(false) });
    let watched = Arc::clone(&load);
    tokio::spawn(async move {
        let driven = poll_fn(|cx: &mut Context<'_>| {
            let polled: Poll<_> = Pin::new(&mut connection).poll(cx);
            watched.streams_max.store(connection.current_max_send_streams(), Ordering::Relaxed);
            polled
        });
        if let Err(error) = driven.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Ok(Http2 { sender, load, address: connected.address, used: Instant::now() })
}

/// Before any request: nothing can have been processed.
fn of_handshake(error: &hyper::Error) -> DispatchError {
    match of_exchange(error) {
        DispatchError { cause: Cause::Cut, message } => failed(Cause::ConnectFailed, message),
        other => other,
    }
}
