//! A response's head: found in a buffer, and parsed. Its values stay slices of what was read.

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use super::{HEAD_MAX, HEADERS_MAX, Malformed};

/// A response's status line and headers.
#[derive(Clone, Debug)]
pub struct Head {
    /// HTTP status, 100 to 599 where the server keeps to the protocol.
    pub status: u16,
    /// Headers; their values share the bytes that were read.
    pub headers: HeaderMap,
    /// HTTP/1.0 instead of 1.1.
    pub(super) old: bool,
}

impl Head {
    /// Parses a whole block, its empty line included.
    pub(super) fn parse(block: &Bytes) -> Result<Self, Malformed> {
        let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut lines);
        match response.parse(block) {
            Ok(httparse::Status::Complete(length)) if length == block.len() => {}
            Ok(_) => return Err(Malformed("the response's head ends in two places")),
            Err(error) => return Err(malformed(error)),
        }
        let (Some(status), Some(version)) = (response.code, response.version) else {
            return Err(Malformed("the response has no status"));
        };
        if status < 100 {
            return Err(Malformed("the response's status is below any there is"));
        }
        let mut headers = HeaderMap::with_capacity(response.headers.len());
        for line in &*response.headers {
            let name = HeaderName::from_bytes(line.name.as_bytes())
                .map_err(|_| Malformed("a header's name is not a token"))?;
            let value = HeaderValue::from_maybe_shared(block.slice_ref(line.value))
                .map_err(|_| Malformed("a header's value has a control character"))?;
            headers.append(name, value);
        }
        Ok(Self { status, headers, old: version == 0 })
    }

    /// RFC 9112 §9.3.
    pub(super) fn keeps_connection(&self) -> bool {
        let says = |word: &str| {
            let values = self.headers.get_all(CONNECTION).iter();
            values
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .any(|option| option.trim().eq_ignore_ascii_case(word))
        };
        !says("close") && (!self.old || says("keep-alive"))
    }
}

/// Looks for a head's end without looking at any byte again.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// Before it no line ends that could be the last.
    searched: usize,
    began: bool,
}

impl Finder {
    /// The head with its empty line, out of the buffer, once it is there.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        let end = self.end(buffer);
        if end.unwrap_or(buffer.len()) > HEAD_MAX {
            return Err(Malformed("the response's head is too long"));
        }
        if let Some(end) = end {
            *self = Self::default();
            return Ok(Some(buffer.split_to(end).freeze()));
        }
        // What does not even begin like one is not waited for.
        if !self.began && !buffer.is_empty() {
            could_begin(buffer)?;
            self.began = buffer.len() >= HTTP.len();
        }
        Ok(None)
    }

    /// Where the line after the first empty one begins.
    fn end(&mut self, buffer: &[u8]) -> Option<usize> {
        while let Some(found) = buffer.get(self.searched..).and_then(|rest| memchr(b'\n', rest)) {
            let line_end = self.searched + found + 1;
            match buffer.get(line_end..)? {
                [b'\n', ..] => return Some(line_end + 1),
                [b'\r', b'\n', ..] => return Some(line_end + 2),
                // Whether the next line is empty does not show yet.
                [] | [b'\r'] => return None,
                _ => self.searched = line_end,
            }
        }
        self.searched = buffer.len();
        None
    }
}

/// What every response begins with.
const HTTP: &[u8] = b"HTTP/1.";

/// Whether a response's head may begin so.
pub(super) fn could_begin(buffer: &[u8]) -> Result<(), Malformed> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    httparse::Response::new(&mut lines).parse(buffer).map(|_| ()).map_err(malformed)
}

fn malformed(error: httparse::Error) -> Malformed {
    Malformed(match error {
        httparse::Error::HeaderName => "a header's name is not a token",
        httparse::Error::HeaderValue => "a header's value has a control character",
        httparse::Error::NewLine => "a line of the response's head does not end as it must",
        httparse::Error::Status => "the response's status is not a number",
        httparse::Error::TooManyHeaders => "the response has too many headers",
        httparse::Error::Version => "the answer is not HTTP/1.1",
        httparse::Error::Token => "the response's status line cannot be read",
    })
}
