//! A frame: one complete piece of a stream, as the bytes it came in and the payload inside.
//!
//! Where to look first: [`Frame`]; [`framing::sse`](crate::framing::sse) finds frames in a byte stream.

use std::ops::Range;

use bytes::Bytes;

/// The longest frame by default, in bytes: a stream that exceeds it is broken off as malformed.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Exactly the bytes it came in, framing included.
    pub raw: Bytes,
    /// Where in `raw` the event's name is, if it has one.
    pub(crate) event: Option<Range<usize>>,
    /// The payload.
    pub data: FrameData,
}

/// The payload of a [`Frame`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameData {
    /// None: comments, a blank line, an id.
    Empty,
    /// A part of [`Frame::raw`].
    Within(Range<usize>),
    /// Lines of [`Frame::raw`] joined by line feeds.
    Joined(Bytes),
}

impl Frame {
    /// The payload; empty where there is none.
    pub fn data(&self) -> &[u8] {
        match &self.data {
            FrameData::Empty => &[],
            FrameData::Within(range) => self.raw.get(range.clone()).unwrap_or_default(),
            FrameData::Joined(joined) => joined,
        }
    }

    /// The event's name, if it has one.
    pub fn event(&self) -> Option<&[u8]> {
        self.event.clone().and_then(|range| self.raw.get(range))
    }
}

/// A stream that cannot be cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame longer than the cap.
    #[error("an event is longer than {limit} bytes")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
    },
    /// A message whose checksum is not that of its bytes.
    #[error("a message of the stream is damaged: its checksum is wrong")]
    Checksum,
    /// A message that says lengths it cannot have, or headers that are none.
    #[error("a message of the stream is malformed")]
    Malformed,
}
