//! JSON lines, cut out of a byte stream as it arrives: one value a line, `\n` or `\r\n` behind it
//! (<https://github.com/ndjson/ndjson-spec>). Blank lines are frames without a payload. A last line without its end counts:
//! whether the answer was complete is judged by its content.
//!
//! A line inside one chunk is a slice of it; only one that spans chunks is copied.

use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameData, FrameError};

/// Cuts a byte stream into lines. Push a chunk, then take frames until there is none.
#[derive(Debug)]
pub struct NdjsonFramer {
    limit: usize,
    /// The beginning of a line, from chunks before this one.
    begun: BytesMut,
    /// Bytes not looked at yet.
    chunk: Bytes,
    broken: bool,
}

impl NdjsonFramer {
    /// A framer for a new stream. `limit` is the longest line allowed, in bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, begun: BytesMut::new(), chunk: Bytes::new(), broken: false }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.chunk = [self.chunk.as_ref(), chunk.as_ref()].concat().into();
        }
    }

    /// The next complete line, if one is there. After an error there is nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: `None` means that another chunk is needed"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        if self.broken || self.chunk.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.chunk).map(|at| at + 1);
        let taken = end.unwrap_or(self.chunk.len());
        if self.begun.len().saturating_add(taken) > self.limit {
            self.broken = true;
            return Some(Err(FrameError::TooLong { limit: self.limit }));
        }
        let piece = self.chunk.split_to(taken);
        if end.is_none() {
            self.begun.extend_from_slice(&piece);
            return None;
        }
        Some(Ok(Frame::of_json_line(self.join(piece))))
    }

    /// The line that the end of the stream leaves without its end, if there is one.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        let rest = std::mem::take(&mut self.chunk);
        let raw = self.join(rest);
        (!raw.is_empty()).then(|| Frame::of_json_line(raw))
    }

    /// The line's bytes: what was begun in earlier chunks, and its last piece.
    fn join(&mut self, piece: Bytes) -> Bytes {
        if self.begun.is_empty() {
            return piece;
        }
        self.begun.extend_from_slice(&piece);
        self.begun.split().freeze()
    }
}

impl Frame {
    /// A line, its end included.
    pub fn of_json_line(raw: Bytes) -> Self {
        let from = raw.len() - raw.trim_ascii_start().len();
        let length = raw.trim_ascii().len();
        let data = if length == 0 { FrameData::Empty } else { FrameData::Within(from..from + length) };
        Self { raw, event: None, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames<'a>(
        limit: usize,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Frame>, FrameError> {
        let mut cutter = NdjsonFramer::new(limit);
        let mut frames = Vec::new();
        for chunk in chunks {
            cutter.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = cutter.next() {
                frames.push(frame?);
            }
        }
        frames.extend(cutter.finish());
        Ok(frames)
    }

    #[test]
    fn lines_are_the_stream_however_it_is_cut() {
        let stream = b"{\"a\":1}\n\r\n {\"b\":2} \r\n{\"c\":3}";
        let whole = frames(64, [stream.as_slice()]).unwrap();
        let payloads: Vec<&[u8]> = whole.iter().map(Frame::data).collect();
        assert_eq!(payloads, [b"{\"a\":1}".as_slice(), b"", b"{\"b\":2}", b"{\"c\":3}"]);
        assert_eq!(whole.iter().flat_map(|frame| frame.raw.to_vec()).collect::<Vec<_>>(), stream);
        for size in 1..stream.len() {
            assert_eq!(frames(64, stream.chunks(size)).unwrap(), whole, "{size}");
        }
    }

    #[test]
    fn a_line_longer_than_the_cap_breaks_the_stream() {
        let error = FrameError::TooLong { limit: 8 };
        assert_eq!(frames(8, [b"1234567\n".as_slice()]).unwrap().len(), 1);
        assert_eq!(frames(8, [b"12345678\n".as_slice()]).unwrap_err(), error);
        assert_eq!(frames(8, b"123456789".chunks(1)).unwrap_err(), error);
        let mut framer = NdjsonFramer::new(1);
        framer.push(Bytes::from_static(b"12\n3\n"));
        assert_eq!(framer.next(), Some(Err(FrameError::TooLong { limit: 1 })));
        assert_eq!((framer.next(), framer.finish()), (None, None));
    }
}
