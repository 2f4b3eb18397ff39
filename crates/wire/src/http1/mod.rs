//! HTTP/1.1 responses as bytes: the head, and where the body begins, continues and ends (RFC 9112).
//!
//! What it is: [`Answer`], which is given a buffer as it fills and takes out of it first the head and then the body in as
//! few pieces as it came in. What it is not: a connection, or a request. Nothing is guessed: a response whose length two
//! readers could understand differently is malformed, because the next response on the connection would begin elsewhere for
//! each.

mod chunked;
mod framing;
mod head;

use bytes::{Bytes, BytesMut};

use self::framing::Framing;
pub use self::head::Head;

/// A response's head may be so long, in bytes.
pub const HEAD_MAX: usize = 64 * 1024;
/// It may have so many header lines.
pub const HEADERS_MAX: usize = 128;
/// So many interim responses (`100 Continue`, `103 Early Hints`) are passed over.
const INTERIM_MAX: usize = 16;

/// The response is none that this speaks. Says which rule was broken, never what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// How a connection's end was met before that of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// The response has no end but this one: it is complete.
    #[error("complete")]
    Complete,
    /// It has another, which was not there yet.
    #[error("the connection was closed before the end of the response")]
    Cut,
}

/// What the buffer held of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next of its bytes; not empty.
    Piece(Bytes),
    /// Nothing yet: more must be read.
    More,
    /// Everything was handed out.
    End,
}

/// Whether the request was one whose answer has no body, whatever its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `HEAD`.
    HeadOnly,
    /// Any other method but `CONNECT`, which is not for this.
    Whole,
}

/// One response being read, from its first byte to its last.
#[derive(Debug)]
pub struct Answer {
    asked: Asked,
    finder: head::Finder,
    interim: usize,
    framing: Framing,
    reusable: bool,
}

impl Answer {
    /// To a request not yet answered.
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            finder: head::Finder::default(),
            interim: 0,
            framing: Framing::Length(0),
            reusable: false,
        }
    }

    /// Takes the head out of the buffer, once it is there whole. Interim responses before it are passed over.
    pub fn head(&mut self, buffer: &mut BytesMut) -> Result<Option<Head>, Malformed> {
        while let Some(block) = self.finder.take(buffer)? {
            let head = Head::parse(&block)?;
            if head.status == 101 {
                return Err(Malformed("the protocol was switched, which nobody asked for"));
            }
            if head.status >= 200 {
                self.framing = Framing::of(&head, self.asked)?;
                self.reusable = self.framing != Framing::UntilClose && head.keeps_connection();
                return Ok(Some(head));
            }
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(Malformed("too many interim responses"));
            }
        }
        Ok(None)
    }

    /// Takes what the buffer holds of the body, in one piece: chunks are put together in place.
    pub fn body(&mut self, buffer: &mut BytesMut) -> Result<Step, Malformed> {
        self.framing.take(buffer)
    }

    /// Whether the body's last byte was handed out.
    pub fn is_complete(&self) -> bool {
        self.framing.is_complete()
    }

    /// Whether the connection is good for another exchange once this one is complete.
    pub fn leaves_connection_open(&self) -> bool {
        self.reusable
    }

    /// What it means that the connection ended while the body was read. The buffer holds nothing more.
    pub fn ended(&self) -> Ending {
        if self.framing == Framing::UntilClose || self.is_complete() { Ending::Complete } else { Ending::Cut }
    }

    /// What it means that the connection ended before the head: garbage is told from a head that is not all there.
    pub fn ended_in_head(&self, buffer: &[u8]) -> Result<(), Malformed> {
        head::could_begin(buffer)
    }
}

#[cfg(test)]
mod tests;
