//! Where a body ends, by the head before it (RFC 9112 §6).

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::chunked::Chunked;
use super::{Asked, Head, Malformed, Step};

/// How a body is delimited, and how much of it is left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many more bytes.
    Length(u64),
    Chunked(Chunked),
    /// The connection's end.
    UntilClose,
}

impl Framing {
    /// RFC 9112 §6.3, and where it lets a recipient choose between mending and refusing, refusing.
    pub(super) fn of(head: &Head, asked: Asked) -> Result<Self, Malformed> {
        let length = length(head)?;
        let chunked = chunked(head)?;
        if chunked && length.is_some() {
            return Err(Malformed("the response has a length and a transfer coding"));
        }
        Ok(match (asked, head.status, length) {
            (Asked::HeadOnly, ..) | (_, 204 | 304, _) => Self::Length(0),
            _ if chunked => Self::Chunked(Chunked::default()),
            (.., Some(length)) => Self::Length(length),
            (.., None) => Self::UntilClose,
        })
    }

    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Step, Malformed> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(_) | Self::UntilClose if buffer.is_empty() => Ok(Step::More),
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= here as u64;
                Ok(Step::Piece(buffer.split_to(here).freeze()))
            }
            Self::UntilClose => Ok(Step::Piece(buffer.split().freeze())),
            Self::Chunked(chunked) => chunked.take(buffer),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_complete(),
            Self::UntilClose => false,
        }
    }
}

/// Digits alone. Several that agree are one (§6.3 item 5); several that do not are the classic way to smuggle.
fn length(head: &Head) -> Result<Option<u64>, Malformed> {
    let mut agreed = None;
    for value in head.headers.get_all(CONTENT_LENGTH) {
        for item in value.as_bytes().split(|byte| *byte == b',') {
            let length =
                number(item.trim_ascii()).ok_or(Malformed("the response's length is not a number"))?;
            if agreed.is_some_and(|agreed| agreed != length) {
                return Err(Malformed("the response has two lengths"));
            }
            agreed = Some(length);
        }
    }
    Ok(agreed)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// No request of ours says that it takes another coding (`te`), and HTTP/1.0 has none.
fn chunked(head: &Head) -> Result<bool, Malformed> {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") && !head.old => Ok(true),
        (Some(_), _) => Err(Malformed("the response's transfer coding is not chunked alone")),
    }
}
