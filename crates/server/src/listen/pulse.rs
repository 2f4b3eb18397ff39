//! Whether a connection still does something: the clock against clients that dribble a request's head, sit idle for
//! ever, or never read what they asked for.
//!
//! What is watched is the socket itself, so it holds for every protocol and from the first byte on. Deadlines on
//! bodies are not here: see `ingress::read`. Look first at [`Pulse::verdict`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::socket::Socket;

/// A connection nobody uses is closed after so long: above the sixty seconds of common load balancers, so that they
/// close first.
const IDLE: Duration = Duration::from_mins(2);
/// A client that takes nothing of what is sent to it for so long has gone.
const WRITE_STALL: Duration = Duration::from_mins(2);
/// Stands for "not now" in the instants below.
const NEVER: u64 = u64::MAX;

/// What a connection did last.
#[derive(Debug)]
pub(crate) struct Pulse {
    opened: Instant,
    /// Requests whose answer has not been sent to its end.
    active: AtomicUsize,
    /// The connection carries many requests at once, so bytes outside a request need not be the head of one.
    multiplexed: AtomicBool,
    /// Since when the head of a request has been coming in.
    head_since_ms: AtomicU64,
    /// Since when nothing has been under way.
    idle_since_ms: AtomicU64,
    /// Since when the client has taken nothing.
    stalled_since_ms: AtomicU64,
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may go on.
    Alive,
    /// It is finished in good order.
    Idle,
    /// It is cut.
    Stuck,
}

impl Pulse {
    /// A connection that has just opened owes its first request.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            active: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
            head_since_ms: AtomicU64::new(0),
            idle_since_ms: AtomicU64::new(0),
            stalled_since_ms: AtomicU64::new(NEVER),
        })
    }

    /// The connection speaks HTTP/2.
    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub(super) fn multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    /// Whether nothing has been under way for so long.
    pub(super) fn idle_for(&self, time: Duration) -> bool {
        let since_ms = self.idle_since_ms.load(Ordering::Relaxed);
        self.active.load(Ordering::Relaxed) == 0
            && u128::from(self.now_ms().saturating_sub(since_ms)) >= time.as_millis()
    }

    /// A request has arrived; it is under way until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.head_since_ms.store(NEVER, Ordering::Relaxed);
        Active(Arc::clone(self))
    }

    pub(super) fn verdict(&self, header_timeout: Duration) -> Verdict {
        let now_ms = self.now_ms();
        let over = |since: &AtomicU64, limit: Duration| {
            let since_ms = since.load(Ordering::Relaxed);
            since_ms != NEVER && u128::from(now_ms.saturating_sub(since_ms)) >= limit.as_millis()
        };
        let quiet = self.active.load(Ordering::Relaxed) == 0;
        let head_due = quiet && !self.multiplexed.load(Ordering::Relaxed);
        if over(&self.stalled_since_ms, WRITE_STALL)
            || (head_due && over(&self.head_since_ms, header_timeout))
        {
            Verdict::Stuck
        } else if quiet && over(&self.idle_since_ms, IDLE) {
            Verdict::Idle
        } else {
            Verdict::Alive
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(NEVER)
    }

    fn received(&self) {
        if self.active.load(Ordering::Relaxed) == 0 && self.head_since_ms.load(Ordering::Relaxed) == NEVER {
            self.head_since_ms.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    fn sent(&self, progress: &Poll<io::Result<usize>>) {
        let stalled = self.stalled_since_ms.load(Ordering::Relaxed) != NEVER;
        match (progress.is_pending(), stalled) {
            (true, false) => self.stalled_since_ms.store(self.now_ms(), Ordering::Relaxed),
            (false, true) => self.stalled_since_ms.store(NEVER, Ordering::Relaxed),
            (true, true) | (false, false) => {}
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Active(Arc<Pulse>);

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.idle_since_ms.store(self.0.now_ms(), Ordering::Relaxed);
        }
    }
}

/// A socket whose reads and writes are noticed.
pub(super) struct Watched {
    socket: Socket,
    pulse: Arc<Pulse>,
}

impl Watched {
    pub(super) fn new(socket: Socket, pulse: Arc<Pulse>) -> Self {
        Self { socket, pulse }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if read.is_ready() {
            self.pulse.received();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.pulse.sent(&progress);
        progress
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.pulse.sent(&progress);
        progress
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

    async fn after(pulse: &Pulse, wait: Duration) -> Verdict {
        tokio::time::advance(wait).await;
        pulse.verdict(HEADER_TIMEOUT)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_sends_no_request_is_cut() {
        let pulse = Pulse::new();
        assert_eq!(after(&pulse, Duration::from_secs(9)).await, Verdict::Alive);
        assert_eq!(after(&pulse, Duration::from_secs(1)).await, Verdict::Stuck);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_may_last_but_the_head_of_the_next_may_not() {
        let pulse = Pulse::new();
        let request = pulse.begin();
        assert_eq!(after(&pulse, Duration::from_hours(1)).await, Verdict::Alive);
        drop(request);
        assert_eq!(after(&pulse, Duration::from_mins(1)).await, Verdict::Alive);
        pulse.received();
        assert_eq!(after(&pulse, HEADER_TIMEOUT).await, Verdict::Stuck);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_in_good_order_and_a_multiplexed_one_owes_no_head() {
        let pulse = Pulse::new();
        pulse.is_multiplexed();
        drop(pulse.begin());
        pulse.received();
        assert_eq!(after(&pulse, Duration::from_secs(119)).await, Verdict::Alive);
        assert_eq!(after(&pulse, Duration::from_secs(1)).await, Verdict::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_in_the_middle_of_a_request() {
        let pulse = Pulse::new();
        let _request = pulse.begin();
        pulse.sent(&Poll::Pending);
        assert_eq!(after(&pulse, WRITE_STALL / 2).await, Verdict::Alive);
        pulse.sent(&Poll::Ready(Ok(1)));
        pulse.sent(&Poll::Pending);
        assert_eq!(after(&pulse, WRITE_STALL / 2).await, Verdict::Alive);
        assert_eq!(after(&pulse, WRITE_STALL / 2).await, Verdict::Stuck);
    }
}
