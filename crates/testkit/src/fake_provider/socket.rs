//! What lies under a connection: the TCP socket, which can end in a reset, and a watch on what is written, TLS or not,
//! which can say a frame of its own and then fall silent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::line::Line;

/// A socket that can end in a reset.
pub(crate) struct Socket {
    socket: TcpStream,
    line: Line,
}

impl Socket {
    pub(crate) fn new(socket: TcpStream, line: Line) -> Self {
        Self { socket, line }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.resets() {
            self.socket.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.resets() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// A stream that tells its line of every flush and does what the line says: between two frames, it says one more, and it
/// hangs up. Afterwards it only reads, so that what was said is not lost in a reset.
pub(crate) struct Watched<S> {
    stream: S,
    line: Line,
    /// Of the line's own frames, what is not yet written.
    saying: Vec<u8>,
    silent: bool,
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    pub(crate) fn new(stream: S, line: Line) -> Self {
        Self { stream, line, saying: Vec::new(), silent: false }
    }

    fn poll_saying(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.saying.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.saying))?;
            self.saying.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.silent {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_saying(context))?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// The connection above flushes when it has written whole frames only.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.silent {
            return Poll::Ready(Ok(()));
        }
        let more = self.line.take_saying();
        self.saying.extend(more);
        ready!(self.poll_saying(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.line.hangs_up() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.silent = true;
        }
        self.line.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.silent {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
