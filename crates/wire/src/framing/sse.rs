//! Server-sent events, cut out of a byte stream as it arrives.
//!
//! Source: WHATWG HTML, §9.2.5 "Parsing an event stream" and §9.2.6 "Interpreting an event stream"
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>). Three things differ on purpose. Frames keep
//! their exact bytes, comments included, so that concatenated they are the stream. And an event that the end of the
//! stream leaves without its blank line counts (the standard discards it): servers do end that way, and whether the
//! answer was complete is judged by its content, not by a missing line. A byte order mark is ignored before any event,
//! not only before the first.
//!
//! An event inside one chunk is a slice of it; only one that spans chunks is copied. A line end of a lone CR at the end
//! of a chunk waits for the next byte, which may be the LF that belongs to it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameData, FrameError};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Cuts a byte stream into events. Push a chunk, then take frames until there is none.
#[derive(Debug)]
pub struct SseFramer {
    limit: usize,
    /// The beginning of an event, from chunks before this one.
    begun: BytesMut,
    /// Bytes not looked at yet.
    chunk: Bytes,
    line: LineState,
    broken: bool,
}

/// How far the current line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineState {
    /// At its start.
    Start,
    /// Past its start.
    Within,
    /// Behind a CR that ended it: an LF would belong to it. Holds whether the line was blank.
    CarriageReturn { blank: bool },
}

impl SseFramer {
    /// A framer for a new stream. `limit` is the longest event allowed, in bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, begun: BytesMut::new(), chunk: Bytes::new(), line: LineState::Start, broken: false }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.chunk = [self.chunk.as_ref(), chunk.as_ref()].concat().into();
        }
    }

    /// The next complete event, if one is there. After an error there is nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: `None` means that another chunk is needed"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        if self.broken || self.chunk.is_empty() {
            return None;
        }
        let found = self.find_end();
        let taken = found.as_ref().map_or(self.chunk.len(), |end| end.at);
        if self.begun.len().saturating_add(taken) > self.limit {
            self.broken = true;
            return Some(Err(FrameError::TooLong { limit: self.limit }));
        }
        let piece = self.chunk.split_to(taken);
        let Some(end) = found else {
            self.begun.extend_from_slice(&piece);
            return None;
        };
        Some(Ok(match end.only_line {
            Some(length) if self.begun.is_empty() && !piece.starts_with(BYTE_ORDER_MARK) => {
                Frame::of_line(piece, length)
            }
            Some(_) | None => Frame::of_event(self.join(piece)),
        }))
    }

    /// The event that the end of the stream leaves without a blank line, if there is one.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.broken {
            return None;
        }
        let rest = std::mem::take(&mut self.chunk);
        let raw = self.join(rest);
        self.line = LineState::Start;
        (!raw.is_empty()).then(|| Frame::of_event(raw))
    }

    /// The event's bytes: what was begun in earlier chunks, and its last piece.
    fn join(&mut self, piece: Bytes) -> Bytes {
        if self.begun.is_empty() {
            return piece;
        }
        self.begun.extend_from_slice(&piece);
        self.begun.split().freeze()
    }

    /// Where in the chunk the current event ends.
    fn find_end(&mut self) -> Option<EventEnd> {
        let bytes = self.chunk.as_ref();
        let mut at = 0;
        let mut lines = 0_usize;
        let mut first_line = 0;
        loop {
            if let LineState::CarriageReturn { blank } = self.line {
                at += usize::from(*bytes.get(at)? == b'\n');
                self.line = LineState::Start;
                if blank {
                    return Some(EventEnd { at, only_line: (lines == 1).then_some(first_line) });
                }
            }
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.line = LineState::Within;
                return None;
            };
            let blank = length == 0 && self.line == LineState::Start;
            if !blank {
                lines += 1;
                first_line = if lines == 1 { length } else { first_line };
            }
            at += length + 1;
            if rest.get(length) == Some(&b'\r') {
                self.line = LineState::CarriageReturn { blank };
                continue;
            }
            self.line = LineState::Start;
            if blank {
                return Some(EventEnd { at, only_line: (lines == 1).then_some(first_line) });
            }
        }
    }
}

/// Where an event ends in the chunk.
struct EventEnd {
    /// Behind its blank line.
    at: usize,
    /// The length of its only line, where it has no more than one in this chunk: the usual case, for which the event
    /// need not be searched again.
    only_line: Option<usize>,
}

impl Frame {
    /// Reads the fields of one event.
    pub fn of_event(raw: Bytes) -> Self {
        let (event, data) = fields(&raw, Lines::of(&raw));
        Self { raw, event, data }
    }

    /// Reads the field of an event known to have one line.
    fn of_line(raw: Bytes, length: usize) -> Self {
        let (event, data) = fields(&raw, std::iter::once(0..length));
        Self { raw, event, data }
    }
}

/// What the lines of an event say: its name and its payload.
fn fields(raw: &[u8], lines: impl Iterator<Item = Range<usize>>) -> (Option<Range<usize>>, FrameData) {
    let mut event = None;
    let mut data = FrameData::Empty;
    for line in lines {
        match field(raw, line) {
            Some((b"data", value)) => data = append(raw, &data, value),
            Some((b"event", value)) => event = Some(value),
            Some(_) | None => {}
        }
    }
    match data {
        FrameData::Within(range) if range.is_empty() => (event, FrameData::Empty),
        FrameData::Empty | FrameData::Within(_) | FrameData::Joined(_) => (event, data),
    }
}

/// The spans of an event's lines, without their ends.
struct Lines<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn of(raw: &'a [u8]) -> Self {
        Self { raw, at: if raw.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 } }
    }
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    /// The LF of a CRLF comes out as an empty line, which no reader of fields minds.
    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.raw.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = self.at..self.at + length;
        self.at += length + 1;
        Some(line)
    }
}

/// A line's field name and the span of its value; `None` for a comment and for an empty line.
fn field(raw: &[u8], line: Range<usize>) -> Option<(&[u8], Range<usize>)> {
    let bytes = raw.get(line.clone())?;
    if bytes.starts_with(b"data: ") {
        return Some((b"data", line.start + 6..line.end));
    }
    match memchr::memchr(b':', bytes) {
        Some(0) => None,
        Some(colon) => {
            let space = usize::from(bytes.get(colon + 1) == Some(&b' '));
            Some((bytes.get(..colon)?, line.start + colon + 1 + space..line.end))
        }
        None if bytes.is_empty() => None,
        None => Some((bytes, line.end..line.end)),
    }
}

fn append(raw: &[u8], data: &FrameData, value: Range<usize>) -> FrameData {
    let before = match data {
        FrameData::Empty => return FrameData::Within(value),
        FrameData::Within(range) => raw.get(range.clone()).unwrap_or_default(),
        FrameData::Joined(joined) => joined.as_ref(),
    };
    FrameData::Joined([before, b"\n", raw.get(value).unwrap_or_default()].concat().into())
}
