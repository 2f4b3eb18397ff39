//! HTTP/1.1 to a provider, on a connection that whoever uses it drives: the task that waits for the answer writes and
//! reads itself, so that nothing is handed from task to task, and the body of the answer owns the connection until its
//! end.
//!
//! What it is not: a parser. What bytes mean is `wire::http1`'s; here they are read and written.

mod body;
mod request;
mod upload;

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::Method;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, ReadBuf};
use tokio::runtime::{self, Handle};
use tokio::time::{Instant, sleep};
use trunkline_domain::attempt::Cause;
use trunkline_wire::http1::{Answer, Asked, Head, Malformed};

use self::body::Body;
use self::upload::Upload;
use super::exchange::Outgoing;
use super::origin::OriginPool;
use crate::cause::{failed, of_io};
use crate::connect::{Connected, Transport};
use crate::dispatch::{DispatchError, Response, ResponseBytes};
use crate::origin::Origin;

/// What a read makes room for at first; twice as much whenever that was filled.
const READ_MIN: usize = 8 * 1024;
/// What it makes room for at most: as much as waits for a reader who is slow, beyond what the kernel holds.
const READ_MAX: usize = 64 * 1024;

/// A connection. Dropping it closes the socket, whatever it was doing.
pub(super) struct Connection {
    transport: Transport,
    /// What was read and not handed out.
    buffer: BytesMut,
    read_size: usize,
    address: SocketAddr,
    /// The runtime that wakes it: for a request that runs there too, nothing goes from thread to thread.
    home: runtime::Id,
}

impl Connection {
    /// Must be called on the runtime it was connected on.
    pub(super) fn new(connected: Connected) -> Self {
        Self {
            transport: connected.transport,
            buffer: BytesMut::new(),
            read_size: READ_MIN,
            address: connected.address,
            home: Handle::current().id(),
        }
    }

    pub(super) fn home(&self) -> runtime::Id {
        self.home
    }

    /// Whether it is open and silent, as it must be between two exchanges. Asks the runtime what it heard; no system call
    /// where that is nothing.
    pub(super) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        let mut unasked = ReadBuf::new(&mut byte);
        let context = &mut Context::from_waker(Waker::noop());
        self.buffer.is_empty() && Pin::new(&mut self.transport).poll_read(context, &mut unasked).is_pending()
    }

    /// Lets go of what one exchange needed and the next may not.
    pub(super) fn rest(&mut self) {
        // What is left of the buffer does not tell how large its allocation is.
        if self.read_size > READ_MIN {
            self.read_size = READ_MIN;
            self.buffer = BytesMut::new();
        }
    }

    /// Reads once; 0 at the connection's end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = self.buffer.capacity() - self.buffer.len();
        if room < self.read_size / 2 {
            self.buffer.reserve(self.read_size);
            room = self.buffer.capacity() - self.buffer.len();
        }
        let read = ready!(pin!(self.transport.read_buf(&mut self.buffer)).poll(context))?;
        if read == room {
            self.read_size = (self.read_size * 2).min(READ_MAX);
        }
        Poll::Ready(Ok(read))
    }

    /// Writes as far as it goes, and reads until the head of the answer is there. An answer may come before the request
    /// was written, and a request that could not be written may still be answered.
    fn poll_head(
        &mut self,
        answer: &mut Answer,
        upload: &mut Upload,
        context: &mut Context<'_>,
    ) -> Poll<Result<Head, DispatchError>> {
        upload.push(&mut self.transport, context);
        loop {
            if let Some(head) = answer.head(&mut self.buffer).map_err(malformed)? {
                return Poll::Ready(Ok(head));
            }
            match ready!(self.poll_read(context)) {
                Ok(0) => {
                    answer.ended_in_head(&self.buffer).map_err(malformed)?;
                    let cut = failed(Cause::Cut, "the connection was closed before the response's head");
                    return Poll::Ready(Err(cut));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(of_io(&error))),
            }
        }
    }
}

/// Sends a request and waits for the head of its answer, at most `timeout` after the last byte was taken.
pub(super) async fn exchange(
    mut connection: Connection,
    request: Outgoing,
    origin: &Origin,
    pool: Arc<OriginPool>,
    timeout: Duration,
) -> Result<Response, DispatchError> {
    let asked = if request.method == Method::HEAD { Asked::HeadOnly } else { Asked::Whole };
    let mut answer = Answer::new(asked);
    let mut upload = Upload::new(request::head(&request, origin)?, request.body);
    let mut overdue = pin!(sleep(timeout));
    let mut waited = false;
    let head = poll_fn(|context| {
        if let Poll::Ready(head) = connection.poll_head(&mut answer, &mut upload, context) {
            return Poll::Ready(head);
        }
        // At the first time the deadline was set just now.
        let moved = upload.take_moved();
        if std::mem::replace(&mut waited, true) && moved {
            overdue.as_mut().reset(Instant::now() + timeout);
        }
        ready!(overdue.as_mut().poll(context));
        let message = format!("no response head from {origin} within {} ms", timeout.as_millis());
        Poll::Ready(Err(failed(Cause::HeadersTimeout, message)))
    })
    .await?;
    let address = Some(connection.address);
    let body = ResponseBytes::new(Body::new(connection, answer, upload, pool));
    Ok(Response { status: head.status, headers: head.headers, body, address })
}

fn malformed(error: Malformed) -> DispatchError {
    failed(Cause::Malformed, error.0)
}
