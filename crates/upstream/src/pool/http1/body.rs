//! The body of an answer, which owns its connection.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use trunkline_wire::http1::{Answer, Ending, Step};

use super::Connection;
use super::upload::Upload;
use crate::dispatch::{BodyError, ByteStream};
use crate::pool::origin::OriginPool;

/// Gives the connection back with its last byte; dropped before that, it closes it.
pub(super) struct Body {
    /// None once the body was read, or broke.
    connection: Option<Connection>,
    answer: Answer,
    upload: Upload,
    pool: Arc<OriginPool>,
}

impl Body {
    pub(super) fn new(connection: Connection, answer: Answer, upload: Upload, pool: Arc<OriginPool>) -> Self {
        let mut body = Self { connection: Some(connection), answer, upload, pool };
        body.give_back_when_complete();
        body
    }

    fn give_back_when_complete(&mut self) {
        if !self.answer.is_complete() {
            return;
        }
        // Whatever follows an answer unasked is not the next one's beginning.
        if let Some(connection) = self.connection.take()
            && self.answer.leaves_connection_open()
            && self.upload.is_written()
            && connection.buffer.is_empty()
        {
            self.pool.keep(connection);
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, String>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(None)) };
        // An answer may begin before the request was written to its end.
        self.upload.push(&mut connection.transport, context);
        loop {
            match self.answer.body(&mut connection.buffer).map_err(|error| error.to_string())? {
                Step::Piece(piece) => return Poll::Ready(Ok(Some(piece))),
                Step::End => return Poll::Ready(Ok(None)),
                Step::More => match ready!(connection.poll_read(context)) {
                    Ok(0) if self.answer.ended() == Ending::Complete => return Poll::Ready(Ok(None)),
                    Ok(0) => return Poll::Ready(Err(Ending::Cut.to_string())),
                    Ok(_) => {}
                    Err(error) => return Poll::Ready(Err(error.to_string())),
                },
            }
        }
    }
}

impl ByteStream for Body {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = ready!(self.poll_piece(context));
        self.give_back_when_complete();
        if !matches!(piece, Ok(Some(_))) {
            self.connection = None;
        }
        Poll::Ready(piece.map_err(BodyError).transpose())
    }
}
