//! The chunked coding (RFC 9112 §7.1), taken off in place.
//!
//! A server that writes event by event sends a chunk each, and one read brings several. Their bytes are moved together
//! within the buffer, over the lines between them, so that what was read at once is handed out at once. Extensions and
//! trailers are read over.

use bytes::{Buf as _, BytesMut};

use super::{Malformed, Step};

/// A chunk's line, and the trailers together, may be so long.
const LINES_MAX: usize = 16 * 1024;

/// How far a body has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    place: Place,
    /// Bytes of the chunk's line, or of the trailers, so far.
    line: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A digit of a chunk's size, which is so much so far.
    Size(u64, Digits),
    /// White space after the size.
    Space(u64),
    Extension(u64),
    SizeLf(u64),
    /// So many more bytes of a chunk.
    Data(u64),
    DataCr,
    DataLf,
    /// A line after the last chunk, of which nothing was read yet.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Complete,
    Broken(Malformed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    None,
    Some,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { place: Place::Size(0, Digits::None), line: 0 }
    }
}

impl Chunked {
    pub(super) fn is_complete(&self) -> bool {
        self.place == Place::Complete
    }

    /// The bytes of all chunks, and parts of chunks, in the buffer. What was good before an error is handed out first.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Step, Malformed> {
        // The body's bytes found so far are those from `start` to `end`; everything before `read` was looked at.
        let (mut start, mut end, mut read) = (0, 0, 0);
        while let Some(byte) = buffer.get(read).copied() {
            if let Place::Data(left) = self.place {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len() - read);
                if start == end {
                    (start, end) = (read, read);
                } else {
                    buffer.copy_within(read..read + here, end);
                }
                end += here;
                read += here;
                let left = left - here as u64;
                self.place = if left == 0 { Place::DataCr } else { Place::Data(left) };
            } else if matches!(self.place, Place::Complete | Place::Broken(_)) {
                break;
            } else {
                self.place = self.after(byte).unwrap_or_else(Place::Broken);
                read += 1;
            }
        }
        let mut taken = buffer.split_to(end);
        buffer.advance(read - end);
        taken.advance(start);
        match (taken.is_empty(), self.place) {
            (false, _) => Ok(Step::Piece(taken.freeze())),
            (true, Place::Complete) => Ok(Step::End),
            (true, Place::Broken(error)) => Err(error),
            (true, _) => Ok(Step::More),
        }
    }

    /// The place after one byte that is none of the body's.
    fn after(&mut self, byte: u8) -> Result<Place, Malformed> {
        self.line += 1;
        if self.line > LINES_MAX {
            return Err(Malformed("a chunk's line or the trailers are too long"));
        }
        let place = self.place;
        Ok(match (place, byte) {
            (Place::Size(size, Digits::Some) | Place::Space(size), b';') => Place::Extension(size),
            (Place::Size(size, Digits::Some) | Place::Space(size) | Place::Extension(size), b'\r') => {
                Place::SizeLf(size)
            }
            (Place::Size(size, Digits::Some) | Place::Space(size), b' ' | b'\t') => Place::Space(size),
            (Place::Size(size, _), digit) => Place::Size(larger(size, digit)?, Digits::Some),
            (Place::SizeLf(0) | Place::TrailerLf, b'\n') => Place::TrailerStart,
            (Place::SizeLf(size), b'\n') => Place::Data(size),
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => {
                self.line = 0;
                Place::Size(0, Digits::None)
            }
            (Place::TrailerStart, b'\r') => Place::EndLf,
            (Place::Trailer, b'\r') => Place::TrailerLf,
            (Place::EndLf, b'\n') => Place::Complete,
            // A line feed alone ends a line for some readers and not for others.
            (Place::Extension(_) | Place::TrailerStart | Place::Trailer, b'\n' | 0) => {
                return Err(Malformed("a chunk's extension or a trailer has a control character"));
            }
            (Place::Extension(_), _) => place,
            (Place::TrailerStart | Place::Trailer, _) => Place::Trailer,
            _ => return Err(Malformed("a chunk does not end where its size says")),
        })
    }
}

fn larger(size: u64, digit: u8) -> Result<u64, Malformed> {
    let digit = char::from(digit).to_digit(16).ok_or(Malformed("a chunk's size is not a number"))?;
    size.checked_mul(16)
        .map(|size| size | u64::from(digit))
        .ok_or(Malformed("a chunk is larger than any body can be"))
}
