//! What a scripted body and the socket under it tell each other: the body waits until everything before a cut has
//! really been written, and says when the socket is to end in a reset.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The line to a socket; in this process there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    resets: bool,
    flushes: u64,
    waiting: Option<Waker>,
}

impl Line {
    /// A line to a socket.
    pub(crate) fn to_socket() -> Self {
        Self(Some(Arc::default()))
    }

    /// The socket has passed on all it was given.
    pub(crate) fn flushed(&self) {
        let Some(mut state) = self.lock() else { return };
        state.flushes += 1;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    /// Waits for a flush that begins after the first poll, whose count is kept in `since`.
    pub(crate) fn poll_flush(&self, since: &mut Option<u64>, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut state) = self.lock() else { return Poll::Ready(()) };
        if since.is_some_and(|since| state.flushes > since) {
            return Poll::Ready(());
        }
        since.get_or_insert(state.flushes);
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// The socket is to end in a reset.
    pub(crate) fn reset(&self) {
        if let Some(mut state) = self.lock() {
            state.resets = true;
        }
    }

    /// Whether it is.
    pub(crate) fn resets(&self) -> bool {
        self.lock().is_some_and(|state| state.resets)
    }

    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.0.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
