//! Framing: frames put together are the stream, however it was cut; and events put into a JSON array are its elements.

use bytes::Bytes;
use serde_json::value::RawValue;
use trunkline_domain::Dialect;
use trunkline_wire::frame::{Frame, FrameError};
use trunkline_wire::framing::Framer;
use trunkline_wire::framing::json_array::JsonArrayWriter;

use crate::dice::Dice;

/// A dialect whose streams are server-sent events.
pub(crate) const EVENTS: Dialect = Dialect::OpenaiChat;

pub(crate) fn check(data: &[u8]) {
    let (whole, ending) = frames(EVENTS, usize::MAX, [data]);
    assert_eq!(ending, Ok(()), "no limit, no error");
    let together: Vec<u8> = whole.iter().flat_map(|frame| frame.raw.to_vec()).collect();
    assert_eq!(together, data, "frames put together are the stream");
    let pieces = Dice::of(data).pieces(data);
    assert_eq!(frames(EVENTS, usize::MAX, pieces.iter().copied()).0, whole, "cut into {pieces:?}");
    // A limit that no event exceeds changes nothing; one below the longest is an error.
    let longest = whole.iter().map(|frame| frame.raw.len()).max().unwrap_or_default();
    assert_eq!(frames(EVENTS, longest, pieces.iter().copied()).0, whole);
    if longest > 0 {
        assert!(frames(EVENTS, longest - 1, pieces).1.is_err(), "an event of {longest} bytes passed");
    }
    check_array(&whole);
}

/// The frames of a stream of a dialect that comes in these chunks, up to the first that is none.
pub(crate) fn frames<'a>(
    dialect: Dialect,
    limit: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut framer = Framer::of(dialect, limit);
    let mut found = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next() {
            match frame {
                Ok(frame) => found.push(frame),
                Err(error) => return (found, Err(error)),
            }
        }
    }
    found.extend(framer.finish());
    (found, Ok(()))
}

fn check_array(frames: &[Frame]) {
    let said: Vec<&[u8]> = frames.iter().map(Frame::data).filter(|data| !data.is_empty()).collect();
    if !said.iter().all(|data| serde_json::from_slice::<&RawValue>(data).is_ok()) {
        return;
    }
    let mut writer = JsonArrayWriter::default();
    let mut array: Vec<u8> = frames.iter().filter_map(|frame| writer.element(frame)).flatten().collect();
    array.extend(writer.end());
    let elements: Vec<&RawValue> = serde_json::from_slice(&array).expect("an array of what was JSON");
    let elements: Vec<&[u8]> = elements.iter().map(|element| element.get().as_bytes()).collect();
    let said: Vec<&[u8]> = said.into_iter().map(<[u8]>::trim_ascii).collect();
    assert_eq!(elements, said);
}
