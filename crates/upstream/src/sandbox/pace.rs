//! A body that arrives piece by piece in tokio time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Sleep;

use crate::dispatch::{BodyError, ByteStream};

/// What comes after a wait: bytes, or the body breaking off.
pub(super) type Piece = (Duration, Result<Bytes, BodyError>);

/// The pieces of a body, made as they are asked for.
pub(super) type Pieces = Box<dyn Iterator<Item = Piece> + Send>;

/// The stream of them.
pub(super) struct Paced {
    pieces: Pieces,
    waiting: Option<Waiting>,
}

struct Waiting {
    until: Pin<Box<Sleep>>,
    then: Result<Bytes, BodyError>,
}

impl Paced {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self { pieces, waiting: None }
    }
}

impl ByteStream for Paced {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.waiting.is_none() {
            let Some((wait, then)) = self.pieces.next() else { return Poll::Ready(None) };
            if wait.is_zero() {
                return Poll::Ready(Some(then));
            }
            self.waiting = Some(Waiting { until: Box::pin(tokio::time::sleep(wait)), then });
        }
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.until.as_mut().poll(context));
        }
        Poll::Ready(self.waiting.take().map(|waiting| waiting.then))
    }
}
