//! The connections to one origin.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::PoolLimits;
use super::connection::{Http2, Lease};
use super::http1::Connection;
use crate::connect::Protocol;
use crate::origin::{Origin, Scheme};

/// A request on a connection of another thread is a little slower than on one of its own, but faster than a new
/// connection: after so many, one is opened beside.
const BORROWED_MAX: u32 = 8;

/// The connections to one origin. Locked for a few instructions at a time.
pub(super) struct OriginPool {
    pub(super) limits: PoolLimits,
    origin: Arc<Origin>,
    made: Instant,
    /// When it was last called, in milliseconds since `made`, and one more; 0 for never.
    called: AtomicU64,
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

/// What a sweep leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Connections,
    /// None that lasts until the next sweep, at an origin that was called lately.
    Ending,
    Nothing,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl OriginPool {
    pub(super) fn new(origin: Arc<Origin>, limits: PoolLimits) -> Self {
        let speaks = (origin.scheme() != Scheme::Https).then_some(Protocol::Http1);
        let state = State { idle: Vec::new(), shared: Vec::new(), speaks, borrowed: 0 };
        Self {
            limits,
            origin,
            made: Instant::now(),
            called: AtomicU64::new(0),
            state: Mutex::new(state),
            opening: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Notes a call.
    pub(super) fn call(&self) {
        self.called.store(self.age_ms() + 1, Ordering::Relaxed);
    }

    /// Whether it was called not long ago.
    fn called_lately(&self) -> bool {
        let keep_warm_ms = u64::try_from(self.limits.keep_warm.as_millis()).unwrap_or(u64::MAX);
        match self.called.load(Ordering::Relaxed).checked_sub(1) {
            Some(called_ms) => self.age_ms().saturating_sub(called_ms) < keep_warm_ms,
            None => false,
        }
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
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
    pub(super) fn checkout(&self) -> Option<Lease> {
        if let Some(lease) = self.share_existing() {
            return Some(lease);
        }
        while let Some(mut connection) = self.pop_idle() {
            if connection.is_idle() {
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
    fn pop_idle(&self) -> Option<Connection> {
        let here = Handle::current().id();
        let mut state = self.state();
        while let Some(last) = state.idle.len().checked_sub(1) {
            let own = state.idle.iter().rposition(|idle| idle.connection.home() == here);
            let idle = state.idle.remove(own.unwrap_or(last));
            if idle.since.elapsed() < self.limits.idle_timeout {
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
    pub(super) fn keep(&self, mut connection: Connection) {
        connection.rest();
        let mut state = self.state();
        state.idle.push(Idle { connection, since: Instant::now() });
        if state.idle.len() > self.limits.idle_per_origin {
            state.idle.remove(0);
        }
    }

    /// Adds an HTTP/2 connection and takes its first stream.
    pub(super) fn share(&self, mut connection: Http2) -> Lease {
        let lease = Lease::Http2(connection.stream());
        let mut state = self.state();
        state.speaks = Some(Protocol::Http2);
        state.shared.push(connection);
        lease
    }

    /// Closes what stayed unused, and says what is left until the next sweep, which is `period` away. The last HTTP/2
    /// connection of an origin called lately stays: pings keep it alive.
    pub(super) fn sweep(&self, period: Duration) -> Left {
        let called_lately = self.called_lately();
        let mut spared = called_lately;
        let mut state = self.state();
        state
            .idle
            .retain_mut(|idle| idle.connection.is_idle() && idle.since.elapsed() < self.limits.idle_timeout);
        state.shared.retain(|connection| {
            let unused =
                connection.unused_since().is_some_and(|since| since.elapsed() >= self.limits.idle_timeout);
            connection.usable() && (!unused || std::mem::take(&mut spared))
        });
        let lasts = |idle: &Idle| idle.since.elapsed() + period < self.limits.idle_timeout;
        if !state.shared.is_empty() || state.idle.iter().any(lasts) {
            Left::Connections
        } else if called_lately {
            Left::Ending
        } else if state.idle.is_empty() {
            Left::Nothing
        } else {
            Left::Connections
        }
    }
}
