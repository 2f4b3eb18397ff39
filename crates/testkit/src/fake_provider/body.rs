//! A scripted body as it is sent: pieces after their waits, and the end the script wants. One form serves the TCP
//! server (as an [`http_body::Body`]) and in-process calls (as a [`ByteStream`]).

use std::future::Future;
use std::io;
use std::iter::Peekable;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;
use trunkline_upstream::dispatch::{BodyError, ByteStream};

use super::line::Line;
use super::log::{Ending, Entry};
use super::plan::{Part, Parts};
use super::script::{After, End, Sign};

/// A body on its way.
pub(crate) struct ScriptedBody {
    parts: Peekable<Parts>,
    waiting: Option<(Pin<Box<Sleep>>, Part)>,
    end: End,
    sent: Sent,
    entry: Entry,
    line: Line,
    /// The line's count of flushes when the script's end was reached.
    reached: Option<u64>,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    bytes: u64,
    pieces: u64,
}

impl ScriptedBody {
    pub(crate) fn new(parts: Parts, end: End, entry: Entry, line: Line) -> Self {
        let parts = parts.peekable();
        Self { parts, waiting: None, end, sent: Sent::default(), entry, line, reached: None, over: false }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if self.room() == 0 {
            return self.stop(context);
        }
        if self.waiting.is_none() {
            let Some(part) = self.parts.next() else { return self.finish() };
            self.waiting = Some((Box::pin(tokio::time::sleep(part.wait)), part));
        }
        if let Some((wait, part)) = &mut self.waiting
            && !part.wait.is_zero()
        {
            ready!(wait.as_mut().poll(context));
        }
        let Some((_, part)) = self.waiting.take() else { return self.finish() };
        Poll::Ready(Some(Ok(self.send(&part))))
    }

    /// The sign over HTTP/2 by which it breaks off.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self.end {
            End::Sign(sign, _) => Some(sign),
            End::Complete
            | End::Truncate(_)
            | End::Cut(_)
            | End::Reset(_)
            | End::Stall(_)
            | End::Overloaded(_) => None,
        }
    }

    /// Bytes that may still be sent before the end the script wants.
    fn room(&self) -> u64 {
        match self.end {
            End::Complete | End::Overloaded(_) => u64::MAX,
            End::Truncate(after)
            | End::Cut(after)
            | End::Reset(after)
            | End::Stall(after)
            | End::Sign(_, after) => match after {
                After::Bytes(bytes) => bytes.saturating_sub(self.sent.bytes),
                After::Pieces(pieces) if pieces > self.sent.pieces => u64::MAX,
                After::Pieces(_) => 0,
            },
        }
    }

    fn send(&mut self, part: &Part) -> Bytes {
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        let whole = room >= part.bytes.len();
        let bytes = part.bytes.slice(..room.min(part.bytes.len()));
        if !whole {
            // What goes on after all goes on here.
            let rest = Part { wait: Duration::ZERO, bytes: part.bytes.slice(room..), billed: part.billed };
            self.waiting = Some((Box::pin(tokio::time::sleep(rest.wait)), rest));
        }
        self.sent.bytes = self.sent.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.sent.pieces += 1;
        self.entry.sent(bytes.len(), part.billed);
        // Whoever knows the length asks for no more after the last byte: the end is noted with it.
        let last = self.parts.peek().is_none() && whole;
        let truncated = matches!(self.end, End::Truncate(_)) && self.room() == 0;
        if truncated || last && (self.room() > 0 || matches!(self.end, End::Complete | End::Overloaded(_))) {
            self.entry.end(Ending::Finished);
        }
        bytes
    }

    fn finish(&mut self) -> Poll<Option<Result<Bytes, io::Error>>> {
        self.over = true;
        self.entry.end(Ending::Finished);
        Poll::Ready(None)
    }

    fn stop(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        match self.end {
            End::Stall(_) => return Poll::Pending,
            End::Complete | End::Overloaded(_) | End::Truncate(_) => return self.finish(),
            End::Sign(sign, _) if sign.goes_on() && self.line.go_away(sign) => {
                self.end = End::Complete;
                return self.poll(context);
            }
            End::Cut(_) | End::Reset(_) | End::Sign(..) => {
                ready!(self.line.poll_flush(&mut self.reached, context));
            }
        }
        if matches!(self.end, End::Reset(_)) {
            self.line.reset();
        }
        self.over = true;
        self.entry.end(Ending::Cut);
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))))
    }
}

impl ByteStream for ScriptedBody {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.poll(context).map_err(|error| BodyError(error.to_string()))
    }
}

impl http_body::Body for ScriptedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.get_mut().poll(context).map_ok(Frame::data)
    }
}
