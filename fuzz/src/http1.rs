//! A provider's answer over HTTP/1.1: however it was cut, it has the same head, body and end; as it is, and behind a head
//! that says it is chunked.

use bytes::BytesMut;
use trunkline_wire::http1::{Answer, Asked, Ending, Malformed, Step};

use crate::dice::Dice;

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

pub(crate) fn check(data: &[u8]) {
    for answer in [data.to_vec(), [CHUNKED, data].concat()] {
        let whole = read([answer.as_slice()]);
        let pieces = Dice::of(data).pieces(&answer);
        assert_eq!(read(pieces.iter().copied()), whole, "cut into {pieces:?}");
    }
}

/// What an answer said until it ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    status: Option<u16>,
    body: Vec<u8>,
    /// Read, and no part of it.
    left: Vec<u8>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Said, Option<Ending>) {
    let mut said = Said::default();
    let ending = read_into(&mut said, &mut pieces.into_iter()).ok();
    (said, ending)
}

fn read_into<'a>(said: &mut Said, pieces: &mut impl Iterator<Item = &'a [u8]>) -> Result<Ending, Malformed> {
    let (mut answer, mut buffer) = (Answer::new(Asked::Whole), BytesMut::new());
    while said.status.is_none() {
        said.status = answer.head(&mut buffer)?.map(|head| head.status);
        if said.status.is_none() {
            let Some(piece) = pieces.next() else {
                answer.ended_in_head(&buffer)?;
                return Ok(Ending::Cut);
            };
            buffer.extend_from_slice(piece);
        }
    }
    loop {
        match answer.body(&mut buffer)? {
            Step::Piece(piece) => said.body.extend_from_slice(&piece),
            Step::End => {
                assert!(answer.is_complete());
                pieces.for_each(|piece| buffer.extend_from_slice(piece));
                said.left = buffer.to_vec();
                return Ok(Ending::Complete);
            }
            Step::More => {
                assert!(buffer.is_empty(), "what is not handed out is not kept either");
                let Some(piece) = pieces.next() else { return Ok(answer.ended()) };
                buffer.extend_from_slice(piece);
            }
        }
    }
}
