//! Messages of botocore's own tests (`tests/unit/test_eventstream.py`, botocore 1.43.67), whole, damaged and cut anywhere.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

const EMPTY: &[u8] = b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff";
const INT16: &[u8] = b"\x00\x00\x00\x19\x00\x00\x00\tq\x0e\x92>\x05short\x03\xff\xff\xb2|\xb6\xcc";
const PAYLOAD: &[u8] = b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96";
const ONE_HEADER: &[u8] = b"\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json{'foo':'bar'}\x8d\x9c\x08\xb1";
const ALL_TYPES: &[u8] = b"\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c\
    \x010\x00\x011\x01\x012\x02\x02\x013\x03\x00\x03\x014\x04\x00\x00\x00\x04\x015\x05\x00\x00\x00\x00\x00\x00\x00\x05\
    \x016\x06\x00\x05bytes\x017\x07\x00\x04utf8\x018\x08\x00\x00\x00\x00\x00\x00\x00\x08\x019\x090123456789abcdef\x63\x35\x36\x71";
const ERROR: &[u8] = b"\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e\
    \x0d:message-type\x07\x00\x05error\x0b:error-code\x07\x00\x04code\x0e:error-message\x07\x00\x07message\x6b\x6c\xea\x3d";

fn frames<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = EventStreamFramer::new(limit);
    let mut read = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next() {
            match frame {
                Ok(frame) => read.push(frame),
                Err(error) => {
                    assert_eq!(framer.next(), None, "nothing behind an error");
                    return (read, Some(error));
                }
            }
        }
    }
    (read, None)
}

#[test]
fn messages_of_the_sdk_are_read() {
    let stream = [EMPTY, INT16, PAYLOAD, ONE_HEADER, ALL_TYPES, ERROR].concat();
    let (read, error) = frames(LIMIT, [stream.as_slice()]);
    assert_eq!(error, None);
    let payloads: Vec<&[u8]> = read.iter().map(Frame::data).collect();
    assert_eq!(payloads, [b"".as_slice(), b"", b"{'foo':'bar'}", b"{'foo':'bar'}", b"", b""]);
    let names: Vec<_> = read.iter().map(Frame::event).collect();
    assert_eq!(names, [None, None, None, None, None, Some(b"code".as_slice())]);
    assert_eq!(
        (kind(&read[5]), error_message(&read[5])),
        (Some(MessageKind::Error), Some(b"message".as_slice()))
    );
    assert_eq!(header(&read[4], b"7"), Some(b"utf8".as_slice()));
    assert_eq!(header(&read[4], b"6"), None, "bytes are no text");
}

#[test]
fn what_is_written_is_read() {
    let raw = event("messageStart", b"{\"role\":\"assistant\"}");
    let (read, error) = frames(LIMIT, [raw.as_ref()]);
    assert_eq!((read.len(), error), (1, None));
    assert_eq!(read[0].event(), Some(b"messageStart".as_slice()));
    assert_eq!(read[0].data(), b"{\"role\":\"assistant\"}");
    assert_eq!((kind(&read[0]), &read[0].raw), (Some(MessageKind::Event), &raw));
    let (read, _) = frames(LIMIT, [exception("throttlingException", b"{}").as_ref()]);
    assert_eq!(
        (kind(&read[0]), read[0].event()),
        (Some(MessageKind::Exception), Some(b"throttlingException".as_slice()))
    );
    assert_eq!(message(&[], b"{'foo':'bar'}"), PAYLOAD);
    assert_eq!(message(&[("content-type", "application/json")], b"{'foo':'bar'}"), ONE_HEADER);
    let (read, error) = frames(LIMIT, [message(&[(&"n".repeat(300), &"v".repeat(70_000))], b"").as_ref()]);
    assert_eq!((read.len(), error), (1, None));
}

#[test]
fn a_damaged_byte_is_never_overlooked() {
    let stream = [EMPTY, ONE_HEADER].concat();
    for at in 0..stream.len() {
        for bit in 0..8 {
            let mut damaged = stream.clone();
            damaged[at] ^= 1 << bit;
            let (read, error) = frames(LIMIT, [damaged.as_slice()]);
            assert_eq!(error, Some(FrameError::Checksum), "byte {at}, bit {bit}");
            assert_eq!(read.len(), usize::from(at >= EMPTY.len()));
        }
    }
}

/// A message whose checksums are right and whose lengths are as said.
fn sealed(length: u32, headers: u32, body: &[u8]) -> Vec<u8> {
    let mut out = [length.to_be_bytes(), headers.to_be_bytes()].concat();
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend(body);
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    for (length, headers, body) in [
        (15, 0, b"".as_slice()),
        (0, 0, b""),
        (16, 1, b""),
        (16, u32::MAX, b""),
        // A name, a value and a list of bytes that go on behind the headers; a type nobody knows.
        (19, 3, b"\x09ab"),
        (21, 5, b"\x01a\x07\x00\x05"),
        (21, 5, b"\x01a\x06\x00\x05"),
        (20, 4, b"\x01a\x05\x00"),
        (19, 3, b"\x01a\x0a"),
        (18, 2, b"\x01a"),
        (17, 1, b"\x00"),
    ] {
        let raw = sealed(length, headers, body);
        assert_eq!(frames(LIMIT, [raw.as_slice()]), (vec![], Some(FrameError::Malformed)), "{raw:?}");
    }
    let long = u32::try_from(HEADERS_BYTES_MAX).unwrap();
    let header = sealed(long + 117, long + 1, &vec![0; HEADERS_BYTES_MAX + 101]);
    assert_eq!(frames(LIMIT, [header.as_slice()]).1, Some(FrameError::Malformed));
}

#[test]
fn a_message_longer_than_the_cap_is_refused_by_its_prelude() {
    let limit = PAYLOAD.len();
    assert_eq!(frames(limit, [PAYLOAD]).0.len(), 1);
    let error = Some(FrameError::TooLong { limit: limit - 1 });
    assert_eq!(frames(limit - 1, PAYLOAD.chunks(1)).1, error);
    assert_eq!(frames(limit - 1, [&PAYLOAD[..PRELUDE]]).1, error);
    assert_eq!(frames(limit - 1, [&PAYLOAD[..PRELUDE - 1]]).1, None);
}

#[test]
fn what_is_no_message_says_nothing() {
    let frame = Frame::of_event(Bytes::from_static(b"data: {}\n\n"));
    assert_eq!((kind(&frame), error_message(&frame)), (None, None));
}

proptest! {
    #[test]
    fn how_a_stream_is_cut_makes_no_difference(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
        cuts in prop::collection::vec(1..30_usize, 1..40),
        end in any::<prop::sample::Index>(),
    ) {
        let messages: Vec<Bytes> = payloads.iter().map(|payload| event("e", payload)).collect();
        let stream = messages.concat();
        let stream = &stream[..end.index(stream.len() + 1)];
        let (whole, error) = frames(LIMIT, [stream]);
        prop_assert_eq!(error, None);
        let raws: Vec<u8> = whole.iter().flat_map(|frame| frame.raw.to_vec()).collect();
        prop_assert!(stream.starts_with(&raws));
        prop_assert_eq!(whole.len(), messages.iter().scan(0, |at, raw| { *at += raw.len(); Some(*at) }).filter(|at| *at <= stream.len()).count());
        let mut rest = stream;
        let chunks = cuts.iter().cycle().map_while(|cut| {
            let (chunk, more) = rest.split_at(rest.len().min(*cut));
            rest = more;
            (!chunk.is_empty()).then_some(chunk)
        });
        prop_assert_eq!(frames(LIMIT, chunks), (whole, None));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1..20_usize) {
        let headers = u32::try_from(bytes.len()).unwrap();
        let message = sealed(headers + 16, headers / 2, &bytes);
        frames(LIMIT, bytes.chunks(size));
        frames(LIMIT, message.chunks(size));
    }
}
