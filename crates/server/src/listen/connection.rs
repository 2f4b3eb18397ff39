//! One connection: HTTP/1.1 or HTTP/2, whichever its first bytes speak, until it ends, is told to, or does nothing.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::watch;

use super::Limits;
use super::pulse::{Pulse, Verdict, Watched};
use super::socket::Socket;
use crate::front::{Front, Peer};

/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// Streams a client may open and reset before they were looked at, and streams we had to reset, before its connection
/// ends: the limits against "rapid reset" (CVE-2023-44487) and what it left open.
const PENDING_RESETS_MAX: usize = 32;
const OWN_RESETS_MAX: usize = 256;
/// An HTTP/2 client is pinged this often while it is silent, and has as long to answer.
const PING: Duration = Duration::from_secs(30);
/// How long a connection without a request is kept once another process serves whoever connects.
const LINGER: Duration = Duration::from_secs(2);
/// hyper's smallest read buffer.
const BUFFER_BYTES_MIN: usize = 8_192;
/// The longest a stuck connection goes unnoticed.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How far a listener is on its way to its end; a later stage is never followed by an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It accepts connections.
    #[default]
    Open,
    /// Another process serves whoever connects now: lead each connection to its end, so that no request is lost.
    Leaving,
    /// Finish what is under way, take nothing new.
    Closing,
    /// Now.
    Cut,
}

/// Where connections are told.
#[derive(Clone, Debug)]
pub(super) struct Told(watch::Receiver<Stage>);

impl Told {
    /// Told by this listener.
    pub(super) fn by(stage: &watch::Sender<Stage>) -> Self {
        Self(stage.subscribe())
    }

    fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Waits for a stage, or one behind it.
    pub(super) async fn reached(&mut self, stage: Stage) {
        if self.0.wait_for(|now| *now >= stage).await.is_err() {
            // The listener is gone without a word, and nobody will be told any more.
            std::future::pending::<()>().await;
        }
    }
}

/// What every connection of a listener is served with.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) front: Arc<Front>,
    pub(super) limits: Limits,
    pub(super) told: Told,
}

/// Serves a connection to its end.
pub(super) async fn serve(socket: Socket, peer: Peer, terms: Terms) {
    let Terms { front, limits, mut told } = terms;
    let leaving = Arc::new(told.clone());
    let pulse = Pulse::new();
    if matches!(&socket, Socket::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2")) {
        pulse.is_multiplexed();
    }
    let io = TokioIo::new(Watched::new(socket, Arc::clone(&pulse)));
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        if request.version() == http::Version::HTTP_2 {
            pulse.is_multiplexed();
        }
        let (front, active, peer) = (Arc::clone(&front), pulse.begin(), peer);
        let (leaving, version) = (Arc::clone(&leaving), request.version());
        async move {
            let mut response = front.answer(request, peer, active).await;
            // HTTP/2 says so in a frame of its own.
            if leaving.stage() >= Stage::Leaving && version < http::Version::HTTP_2 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(&limits);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut checks = tokio::time::interval((limits.header_read_timeout / 4).min(CHECK_EVERY));
    let (mut stage, mut closing) = (Stage::Open, false);
    loop {
        let later = match stage {
            Stage::Open => Stage::Leaving,
            Stage::Leaving => Stage::Closing,
            Stage::Closing | Stage::Cut => Stage::Cut,
        };
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%peer, error, "connection ended");
                }
                return;
            }
            () = told.reached(later) => {
                stage = told.stage().max(later);
                if stage == Stage::Cut {
                    return;
                }
                // HTTP/2 takes leave without losing a request. In HTTP/1.1 a client may be sending one at this very
                // instant: it is answered, with the word that it was the last.
                if !closing && (stage == Stage::Closing || pulse.multiplexed()) {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
            _ = checks.tick() => match pulse.verdict(limits.header_read_timeout) {
                Verdict::Alive if closing || stage == Stage::Open || !pulse.idle_for(LINGER) => {}
                Verdict::Idle if closing => return,
                Verdict::Alive | Verdict::Idle => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::Stuck => {
                    tracing::debug!(%peer, "connection cut: it does nothing");
                    return;
                }
            },
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let header_bytes = usize::try_from(limits.header_bytes_max).unwrap_or(usize::MAX).max(BUFFER_BYTES_MIN);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The time a head may take is kept by the pulse, which also knows an idle connection from a slow one.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes_max)
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(OWN_RESETS_MAX)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}
