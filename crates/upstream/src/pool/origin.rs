//! The connections to one origin.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::PoolLimits;
use super::connection::{Http1, Http2, Lease};
use crate::connect::Protocol;
use crate::origin::Scheme;

/// A connection whose response has been read to its end is ready for the next request within microseconds. One that is
/// not by then is still sending a request nobody wanted to the end, and is closed.
const SETTLE: Duration = Duration::from_millis(5);

/// A request on a connection of another thread is a little slower than on one of its own, but faster than a new
/// connection: after so many, one is opened beside.
const BORROWED_MAX: u32 = 8;

/// The connections to one origin. Locked for a few instructions at a time.
pub(super) struct OriginPool {
    pub(super) limits: PoolLimits,
    state: Mutex<State>,
    /// Held while a connection is opened that may turn out to be shared.
    pub(super) opening: tokio::sync::Mutex<()>,
}

struct State {
    /// The most recently used one last.
    idle: Vec<Idle>,
    shared: Vec<Http2>,
    speaks: Option<Protocol>,
    /// Requests on connections of other threads since the last was opened for that reason.
    borrowed: u32,
}

struct Idle {
    connection: Http1,
    since: Instant,
}

impl OriginPool {
    pub(super) fn new(scheme: Scheme, limits: PoolLimits) -> Self {
        let speaks = (scheme != Scheme::Https).then_some(Protocol::Http1);
        let state = State { idle: Vec::new(), shared: Vec::new(), speaks, borrowed: 0 };
        Self { limits, state: Mutex::new(state), opening: tokio::sync::Mutex::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the origin was last seen to speak.
    pub(super) fn speaks(&self) -> Option<Protocol> {
        self.state().speaks
    }

    pub(super) fn learn(&self, protocol: Protocol) {
        self.state().speaks = Some(protocol);
    }

    /// A connection that is there and has room.
    pub(super) async fn checkout(&self) -> Option<Lease> {
        if let Some(lease) = self.share_existing() {
            return Some(lease);
        }
        while let Some(mut connection) = self.pop_idle() {
            if connection.sender.is_ready() {
                return Some(Lease::Http1(connection));
            }
            if matches!(timeout(SETTLE, connection.sender.ready()).await, Ok(Ok(()))) {
                return Some(Lease::Http1(connection));
            }
        }
        None
    }

    fn share_existing(&self) -> Option<Lease> {
        let mut state = self.state();
        if state.shared.is_empty() {
            return None;
        }
        state.shared.retain(Http2::usable);
        let full = state.shared.len() >= self.limits.connections_per_origin;
        let least_loaded = state.shared.iter_mut().min_by_key(|connection| connection.streams())?;
        (full || least_loaded.has_room(&self.limits)).then(|| Lease::Http2(least_loaded.stream()))
    }

    /// One of this thread's where there is one.
    fn pop_idle(&self) -> Option<Http1> {
        let here = Handle::current().id();
        let mut state = self.state();
        while let Some(last) = state.idle.len().checked_sub(1) {
            let own = state.idle.iter().rposition(|idle| idle.connection.home() == here);
            let idle = state.idle.remove(own.unwrap_or(last));
            if !idle.connection.sender.is_closed() && idle.since.elapsed() < self.limits.idle_timeout {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Counts a request on another thread's connection; whether this thread should have one more of its own.
    pub(super) fn borrowed(&self) -> bool {
        let mut state = self.state();
        state.borrowed = (state.borrowed + 1) % BORROWED_MAX;
        state.borrowed == 0
    }

    /// Takes an HTTP/1.1 connection back.
    pub(super) fn keep(&self, connection: Http1) {
        if connection.sender.is_closed() {
            return;
        }
        let mut state = self.state();
        state.idle.push(Idle { connection, since: Instant::now() });
        if state.idle.len() > self.limits.idle_per_origin {
            state.idle.remove(0);
        }
    }

    /// Closes every idle HTTP/1.1 connection: the one used last was found dead, and the others are older.
    pub(super) fn drop_idle(&self) {
        let idle = std::mem::take(&mut self.state().idle);
        drop(idle);
    }

    /// Adds an HTTP/2 connection and takes its first stream.
    pub(super) fn share(&self, mut connection: Http2) -> Lease {
        let lease = Lease::Http2(connection.stream());
        let mut state = self.state();
        state.speaks = Some(Protocol::Http2);
        state.shared.push(connection);
        lease
    }

    /// Closes what stayed unused; whether no connection is left.
    pub(super) fn sweep(&self) -> bool {
        let mut state = self.state();
        state.idle.retain(|idle| {
            !idle.connection.sender.is_closed() && idle.since.elapsed() < self.limits.idle_timeout
        });
        state.shared.retain(|connection| {
            let unused =
                connection.unused_since().is_some_and(|since| since.elapsed() >= self.limits.idle_timeout);
            connection.usable() && !unused
        });
        state.idle.is_empty() && state.shared.is_empty()
    }
}
