//! A request on its way out: its head and its body's segments, written together and without a copy.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite as _;
use trunkline_wire::splice::{Segments, SplicedBody};

use crate::connect::Transport;

/// Segments in one write: more than a request with the usual edits has.
const SLICES_MAX: usize = 16;

/// What is left to write.
pub(super) struct Upload {
    segments: Segments,
    /// The first of the segments that is not written whole; what was written of it is cut off.
    next: usize,
    state: State,
    moved: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Writing,
    Written,
    /// The connection takes no more.
    Refused,
}

impl Upload {
    pub(super) fn new(head: Bytes, body: SplicedBody) -> Self {
        let mut segments = body.into_segments();
        segments.insert(0, head);
        Self { segments, next: 0, state: State::Writing, moved: false }
    }

    /// Writes as far as it goes. What became of it shows in the answer: a server may refuse a body and say why.
    pub(super) fn push(&mut self, transport: &mut Transport, context: &mut Context<'_>) {
        if self.state == State::Writing
            && let Poll::Ready(written) = self.poll(transport, context)
        {
            self.state = if written.is_ok() { State::Written } else { State::Refused };
            self.segments.clear();
        }
    }

    fn poll(&mut self, transport: &mut Transport, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.segments.get(self.next..).filter(|rest| !rest.is_empty()) {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            for (slice, segment) in slices.iter_mut().zip(rest) {
                *slice = IoSlice::new(segment);
            }
            let slices = slices.get(..rest.len()).unwrap_or(&slices);
            let written = ready!(Pin::new(&mut *transport).poll_write_vectored(context, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
            self.moved = true;
        }
        Pin::new(transport).poll_flush(context)
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(segment) = self.segments.get_mut(self.next) {
            if written < segment.len() {
                segment.advance(written);
                return;
            }
            written -= segment.len();
            self.next += 1;
        }
    }

    /// Whether anything was written since this was last asked.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether all of it was taken by the connection.
    pub(super) fn is_written(&self) -> bool {
        self.state == State::Written
    }
}
