//! What a scripted call and the connection under it tell each other: the call waits until everything before a cut has
//! really been written, and says how the connection is to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::script::{ErrorCode, Sign};

/// The line to a socket; in this process there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    state: Option<Arc<Mutex<State>>>,
    /// The call's stream over HTTP/2.
    stream: Option<u32>,
}

#[derive(Debug, Default)]
struct State {
    resets: bool,
    hangs_up: bool,
    /// Frames that the connection above knows nothing of.
    saying: Vec<u8>,
    flushes: u64,
    waiting: Vec<Waker>,
}

impl Line {
    /// A line to a socket.
    pub(crate) fn to_socket() -> Self {
        Self { state: Some(Arc::default()), stream: None }
    }

    /// The same of an HTTP/2 stream.
    pub(crate) fn of_stream(&self, stream: u32) -> Self {
        Self { state: self.state.clone(), stream: Some(stream) }
    }

    /// The socket has passed on all it was given.
    pub(crate) fn flushed(&self) {
        let Some(mut state) = self.lock() else { return };
        state.flushes += 1;
        state.waiting.drain(..).for_each(Waker::wake);
    }

    /// Waits for a flush that begins after the first poll, whose count is kept in `since`.
    pub(crate) fn poll_flush(&self, since: &mut Option<u64>, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut state) = self.lock() else { return Poll::Ready(()) };
        if since.is_some_and(|since| state.flushes > since) {
            return Poll::Ready(());
        }
        since.get_or_insert(state.flushes);
        state.waiting.push(context.waker().clone());
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

    /// Nothing more is to be written, and the socket is to end once the other side is gone too.
    pub(crate) fn hang_up(&self) {
        if let Some(mut state) = self.lock() {
            state.hangs_up = true;
        }
    }

    /// Whether it is.
    pub(crate) fn hangs_up(&self) -> bool {
        self.lock().is_some_and(|state| state.hangs_up)
    }

    /// Has a `GOAWAY` written; whether that is what the sign wants, and there is a stream to say it of.
    pub(crate) fn go_away(&self, sign: Sign) -> bool {
        let (Some(stream), Some(mut state)) = (self.stream, self.lock()) else { return false };
        let (last, code) = match sign {
            Sign::RstStream(_) => return false,
            Sign::GoAway(code) => (stream, code),
            // A client's streams have odd numbers, from 1 on.
            Sign::LeftOut => (stream.saturating_sub(2), ErrorCode::NoError),
        };
        // RFC 9113 §4.1 and §6.8: eight bytes of type 7 without flags on stream 0, the last stream, the code.
        state.saying.extend([0, 0, 8, 7, 0, 0, 0, 0, 0]);
        state.saying.extend(last.to_be_bytes());
        state.saying.extend(u32::from(code.reason()).to_be_bytes());
        true
    }

    /// Frames to be written now.
    pub(crate) fn take_saying(&self) -> Vec<u8> {
        self.lock().map(|mut state| std::mem::take(&mut state.saying)).unwrap_or_default()
    }

    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
