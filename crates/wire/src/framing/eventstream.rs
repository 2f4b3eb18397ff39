//! AWS's event stream (`application/vnd.amazon.eventstream`), cut out of a byte stream as it arrives: binary messages with
//! headers, a payload and two checksums.
//!
//! Sources: <https://smithy.io/2.0/aws/amazon-eventstream.html> (encoding, message types); botocore 1.43.67,
//! `botocore/eventstream.py` (lengths, order of checks). A message, its numbers big-endian:
//!
//! | Bytes | |
//! |---|---|
//! | 4 | length of the whole message |
//! | 4 | length of the headers |
//! | 4 | CRC-32 of the eight bytes before |
//! | … | headers: length of the name (1), name, type (1), value |
//! | … | payload |
//! | 4 | CRC-32 of everything before |
//!
//! A frame's name is that of its event, exception or error; what it is says [`kind`]. The prelude is checked before anything
//! is kept, so that a damaged length cannot make the stream wait for bytes that never come. What the end of the stream leaves
//! of a message is no frame. A message inside one chunk is a slice of it; only one that spans chunks is copied.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::frame::{Frame, FrameData, FrameError};

/// The content type of such a stream.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";

/// The longest headers of a message, in bytes.
pub const HEADERS_BYTES_MAX: usize = 128 * 1024;

/// Lengths and their checksum.
const PRELUDE: usize = 12;

/// A checksum.
const CHECKSUM: usize = 4;

/// A header's type whose value is text.
const STRING: u8 = 7;

const MESSAGE_TYPE: &[u8] = b":message-type";

/// Where a message's name is.
const NAMES: [&[u8]; 3] = [b":event-type", b":exception-type", b":error-code"];

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// An event.
    Event,
    /// An exception the service's interface describes: its payload has the words.
    Exception,
    /// An error nobody described: its headers have the words.
    Error,
}

/// What a frame of such a stream is; `None` where it does not say, or is none.
pub fn kind(frame: &Frame) -> Option<MessageKind> {
    match header(frame, MESSAGE_TYPE)? {
        b"event" => Some(MessageKind::Event),
        b"exception" => Some(MessageKind::Exception),
        b"error" => Some(MessageKind::Error),
        _ => None,
    }
}

/// The words of an error whose message is a header.
pub fn error_message(frame: &Frame) -> Option<&[u8]> {
    header(frame, b":error-message")
}

/// A message of such a stream: headers of text, and a payload.
pub fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut encoded = Vec::with_capacity(128);
    for (name, value) in headers {
        // Names and values longer than their lengths can say are cut.
        let (name, value) = (cut(name, u8::MAX.into()), cut(value, u16::MAX.into()));
        encoded.push(u8::try_from(name.len()).unwrap_or_default());
        encoded.extend_from_slice(name);
        encoded.push(STRING);
        encoded.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        encoded.extend_from_slice(value);
    }
    let length = PRELUDE + encoded.len() + payload.len() + CHECKSUM;
    let mut out = Vec::with_capacity(length);
    for length in [length, encoded.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&encoded);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.into()
}

fn cut(text: &str, length: usize) -> &[u8] {
    text.as_bytes().get(..text.floor_char_boundary(length)).unwrap_or_default()
}

/// An event with a payload of JSON.
pub fn event(name: &str, payload: &[u8]) -> Bytes {
    message(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        payload,
    )
}

/// An exception with a payload of JSON.
pub fn exception(name: &str, payload: &[u8]) -> Bytes {
    message(
        &[(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")],
        payload,
    )
}

/// Cuts a byte stream into messages. Push a chunk, then take frames until there is none.
#[derive(Debug)]
pub struct EventStreamFramer {
    limit: usize,
    /// The beginning of a message, from chunks before this one.
    begun: BytesMut,
    /// Bytes not looked at yet.
    chunk: Bytes,
    /// The length of the message being cut, once its prelude has come and been checked.
    length: Option<usize>,
    broken: bool,
}

impl EventStreamFramer {
    /// A framer for a new stream. `limit` is the longest message allowed, in bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, begun: BytesMut::new(), chunk: Bytes::new(), length: None, broken: false }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.chunk = [self.chunk.as_ref(), chunk.as_ref()].concat().into();
        }
    }

    /// The next complete message, if one is there. After an error there is nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: `None` means that another chunk is needed"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        if self.broken {
            return None;
        }
        let frame = self.cut().and_then(|raw| raw.map(frame).transpose()).transpose()?;
        self.broken = frame.is_err();
        Some(frame)
    }

    /// The bytes of the next message, if all of them are there.
    fn cut(&mut self) -> Result<Option<Bytes>, FrameError> {
        let length = if let Some(length) = self.length {
            length
        } else {
            let Some(prelude) = self.prelude() else { return Ok(self.keep()) };
            *self.length.insert(check(&prelude, self.limit)?)
        };
        let missing = length.saturating_sub(self.begun.len());
        if self.chunk.len() < missing {
            return Ok(self.keep());
        }
        self.length = None;
        let piece = self.chunk.split_to(missing);
        if self.begun.is_empty() {
            return Ok(Some(piece));
        }
        self.begun.extend_from_slice(&piece);
        Ok(Some(self.begun.split().freeze()))
    }

    /// The prelude, if all of it is there.
    fn prelude(&self) -> Option<[u8; PRELUDE]> {
        let mut bytes = self.begun.iter().chain(&self.chunk).copied();
        let mut prelude = [0; PRELUDE];
        for byte in &mut prelude {
            *byte = bytes.next()?;
        }
        Some(prelude)
    }

    /// Keeps what is there of a message until more comes.
    fn keep(&mut self) -> Option<Bytes> {
        self.begun.extend_from_slice(&std::mem::take(&mut self.chunk));
        None
    }
}

/// The length of the message that a prelude begins.
fn check(prelude: &[u8; PRELUDE], limit: usize) -> Result<usize, FrameError> {
    let said = number(prelude, 8).ok_or(FrameError::Malformed)?;
    if prelude.get(..8).map(crc32fast::hash) != Some(said) {
        return Err(FrameError::Checksum);
    }
    let length = |at| number(prelude, at).and_then(|length| usize::try_from(length).ok());
    let (length, headers) = length(0).zip(length(4)).ok_or(FrameError::Malformed)?;
    if length > limit {
        return Err(FrameError::TooLong { limit });
    }
    let room = length.checked_sub(PRELUDE + CHECKSUM).ok_or(FrameError::Malformed)?;
    if headers > room.min(HEADERS_BYTES_MAX) { Err(FrameError::Malformed) } else { Ok(length) }
}

/// The four bytes at a place, as the number they are.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The frame of a whole message.
fn frame(raw: Bytes) -> Result<Frame, FrameError> {
    let end = raw.len().checked_sub(CHECKSUM).ok_or(FrameError::Malformed)?;
    if raw.get(..end).map(crc32fast::hash) != number(&raw, end) {
        return Err(FrameError::Checksum);
    }
    let mut headers = Headers::of(&raw).ok_or(FrameError::Malformed)?;
    let payload = headers.end..end;
    let mut event = None;
    while headers.at < headers.end {
        let (name, value) = headers.header().ok_or(FrameError::Malformed)?;
        if raw.get(name).is_some_and(|name| NAMES.contains(&name)) {
            event = value.or(event);
        }
    }
    let data = if payload.is_empty() { FrameData::Empty } else { FrameData::Within(payload) };
    Ok(Frame { raw, event, data })
}

/// The text of a header.
fn header<'a>(frame: &'a Frame, name: &[u8]) -> Option<&'a [u8]> {
    let mut headers = Headers::of(&frame.raw)?;
    while headers.at < headers.end {
        let (found, value) = headers.header()?;
        if frame.raw.get(found) == Some(name) {
            return frame.raw.get(value?);
        }
    }
    None
}

/// Reads the headers of a message.
struct Headers<'a> {
    raw: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Headers<'a> {
    fn of(raw: &'a [u8]) -> Option<Self> {
        let length = usize::try_from(number(raw, 4)?).ok()?;
        let end = PRELUDE.checked_add(length).filter(|end| *end <= raw.len())?;
        Some(Self { raw, at: PRELUDE, end })
    }

    /// Where the next header's name is, and its value if that is text; `None` where there is no header.
    fn header(&mut self) -> Option<(Range<usize>, Option<Range<usize>>)> {
        let length = usize::from(self.byte()?);
        let name = self.take(length)?;
        let value = match self.byte()? {
            0 | 1 => return Some((name, None)),
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            kind @ (6 | STRING) => {
                let length = u16::from_be_bytes([self.byte()?, self.byte()?]);
                let value = self.take(length.into())?;
                return Some((name, (kind == STRING).then_some(value)));
            }
            _ => return None,
        };
        self.take(value)?;
        Some((name, None))
    }

    fn byte(&mut self) -> Option<u8> {
        let at = self.take(1)?.start;
        self.raw.get(at).copied()
    }

    fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let from = self.at;
        let to = from.checked_add(length).filter(|to| *to <= self.end)?;
        self.at = to;
        Some(from..to)
    }
}

#[cfg(test)]
mod tests;
