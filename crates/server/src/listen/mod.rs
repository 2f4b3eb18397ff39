//! Listening: addresses, connections, TLS, and their end.
//!
//! What it is not: requests (see [`crate::front`]) or when to stop (see [`crate::boot`]). Look first at [`Door::open`];
//! one connection's life is in `connection`, what is held against clients that do nothing in [`pulse`].

pub(crate) mod bind;
mod connection;
pub(crate) mod lanes;
pub(crate) mod pulse;
mod socket;
pub(crate) mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use self::bind::{Bound, Listening};
use self::connection::{Stage, Terms, Told};
use self::lanes::Way;
use self::socket::Socket;
use crate::front::{Front, Peer};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After an `accept` that failed (no file descriptor left, mostly) the next one waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener accepts at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open connections.
    pub(crate) connections_max: u32,
    /// All headers of one request, in bytes.
    pub(crate) header_bytes_max: u32,
    /// How long a client may take to send a request's headers.
    pub(crate) header_read_timeout: Duration,
}

/// Where a listener's connections are served.
#[derive(Clone, Debug)]
pub(crate) enum Threads {
    /// On the runtime of everything else.
    Shared,
    /// On their own.
    Lanes(Way),
}

/// A listener with all its connections.
pub(crate) struct Door {
    stage: watch::Sender<Stage>,
    connections: TaskTracker,
}

impl Door {
    /// Accepts connections until it is closed, and serves them where `threads` says.
    pub(crate) fn open(
        bound: Bound,
        tls: Option<&tls::Current>,
        front: Front,
        limits: Limits,
        threads: &Threads,
    ) -> Self {
        let door = Self { stage: watch::Sender::default(), connections: TaskTracker::new() };
        let front = Arc::new(front);
        let seats = Arc::new(Semaphore::new(limits.connections_max as usize));
        for socket in bound.sockets {
            let accepting = Accepting {
                socket,
                tls: tls.cloned(),
                threads: threads.clone(),
                seats: Arc::clone(&seats),
                connections: door.connections.clone(),
                terms: Terms { front: Arc::clone(&front), limits, told: Told::by(&door.stage) },
            };
            drop(door.connections.spawn(accepting.run()));
        }
        door.connections.close();
        door
    }

    /// Accepts nothing any more, because somebody else listens there now. Connections are led to their end without a
    /// request lost: each may send one more, and is told then that it was the last.
    pub(crate) fn leave(&self) {
        self.reach(Stage::Leaving);
    }

    /// Waits until every connection has ended, at most `limit`. Whether they have.
    pub(crate) async fn ended(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.connections.wait()).await.is_ok()
    }

    /// Accepts nothing any more; waits until the requests under way have ended, at most `limit`, then cuts what is
    /// left. Whether anything was left.
    pub(crate) async fn close(&self, limit: Duration) -> bool {
        self.reach(Stage::Closing);
        let in_time = tokio::time::timeout(limit, self.connections.wait()).await.is_ok();
        self.cut();
        self.connections.wait().await;
        in_time
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.reach(Stage::Cut);
    }

    fn reach(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let further = stage > *now;
            *now = stage.max(*now);
            further
        });
    }
}

struct Accepting {
    socket: Listening,
    tls: Option<tls::Current>,
    threads: Threads,
    seats: Arc<Semaphore>,
    connections: TaskTracker,
    terms: Terms,
}

impl Accepting {
    async fn run(self) {
        let mut told = self.terms.told.clone();
        tokio::select! {
            biased;
            () = told.reached(Stage::Leaving) => {}
            () = self.accept() => {}
        }
    }

    /// A connection gets a seat before it is accepted: the others wait in the system's queue.
    async fn accept(&self) {
        loop {
            let Ok(seat) = Arc::clone(&self.seats).acquire_owned().await else { return };
            let (stream, peer) = match self.next().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let place = match &self.threads {
                Threads::Shared => None,
                Threads::Lanes(way) => way.place(),
            };
            let (tls, terms) = (self.tls.clone(), self.terms.clone());
            let Some(place) = place else {
                let serving = serve(stream, tls, peer, terms);
                drop(self.connections.spawn(seated(seat, serving)));
                continue;
            };
            // Its readiness is watched by the runtime it is served on.
            let Ok(stream) = stream.detach() else { continue };
            let serving = async move {
                if let Ok(stream) = stream.attach() {
                    serve(stream, tls, peer, terms).await;
                }
            };
            let (runtime, serving) = place.hold(seated(seat, serving));
            drop(self.connections.spawn_on(serving, &runtime));
        }
    }

    async fn next(&self) -> io::Result<(Socket, Peer)> {
        match &self.socket {
            Listening::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Small answers must not wait for an acknowledgement. Where it fails the client has already gone.
                stream.set_nodelay(true).unwrap_or_default();
                Ok((Socket::Tcp(stream), Peer::Tcp(canonical(address))))
            }
            Listening::Unix(listener) => {
                let stream = listener.accept().await?.0;
                let user = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok((Socket::Unix(stream), Peer::Unix(user)))
            }
        }
    }
}

async fn seated(seat: OwnedSemaphorePermit, serving: impl Future<Output = ()>) {
    serving.await;
    drop(seat);
}

async fn serve(socket: Socket, tls: Option<tls::Current>, peer: Peer, terms: Terms) {
    let mut told = terms.told.clone();
    let secured = tokio::select! {
        biased;
        () = told.reached(Stage::Closing) => None,
        secured = secure(socket, tls, peer) => secured,
    };
    if let Some(socket) = secured {
        connection::serve(socket, peer, terms).await;
    }
}

/// An IPv4 client of a dual-stack socket is shown as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

async fn secure(socket: Socket, tls: Option<tls::Current>, peer: Peer) -> Option<Socket> {
    match (socket, tls) {
        (Socket::Tcp(stream), Some(current)) => handshake(stream, &current, peer).await,
        (socket, _) => Some(socket),
    }
}

async fn handshake(stream: TcpStream, current: &tls::Current, peer: Peer) -> Option<Socket> {
    let acceptor = TlsAcceptor::from(Arc::clone(&current.borrow()));
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "TLS handshake took too long");
            None
        }
    }
}
