//! Server-sent events, as the WHATWG standard has them.

use bytes::Bytes;
use proptest::prelude::*;
use trunkline_wire::frame::{Frame, FrameError};
use trunkline_wire::framing::sse::SseFramer;

const LIMIT: usize = 1024;

/// Every event of a stream that comes in these chunks.
fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut framer = SseFramer::new(LIMIT);
    let mut events = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next() {
            events.push(frame.unwrap());
        }
    }
    events.extend(framer.finish());
    events
}

fn payloads(stream: &str) -> Vec<String> {
    frames([stream.as_bytes()])
        .iter()
        .map(|frame| String::from_utf8_lossy(frame.data()).into_owned())
        .collect()
}

#[test]
fn payloads_are_what_the_standard_says() {
    for (stream, expected) in [
        ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
        ("data:a\r\n\r\ndata:  b\r\rdata\ndata\n\n", vec!["a", " b", "\n"]),
        ("data: YHOO\ndata: +2\ndata: 10\n\n", vec!["YHOO\n+2\n10"]),
        (": comment\n\nid: 1\n\nretry: 5\n\n", vec!["", "", ""]),
        ("data\n\n", vec![""]),
        ("data:\n\n", vec![""]),
        ("data: a\n: between\nnonsense: x\ndata: b\n\n", vec!["a\nb"]),
        ("\u{feff}data: a\n\n", vec!["a"]),
        ("data: a\n\n\u{feff}data: b\n\n", vec!["a", "b"]),
        ("data: a\n\n\ndata: b\n\n", vec!["a", "", "b"]),
        ("datas: a\n\ndat: b\n\n", vec!["", ""]),
        ("data: a:b: c\n\n", vec!["a:b: c"]),
    ] {
        assert_eq!(payloads(stream), expected, "{stream:?}");
    }
}

#[test]
fn events_have_names() {
    let frames = frames([b"event: error\ndata: x\n\nevent:y\n\ndata: z\n\n".as_slice()]);
    assert_eq!(frames.iter().map(Frame::event).collect::<Vec<_>>(), [Some(&b"error"[..]), Some(b"y"), None]);
}

#[test]
fn the_end_of_a_stream_ends_its_last_event() {
    assert_eq!(payloads("data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(payloads("data: a\n\ndata: b\n"), ["a", "b"]);
    assert_eq!(payloads("data: a\n\n"), ["a"]);
    assert_eq!(payloads("data: a\r\r"), ["a"]);
    assert!(payloads("").is_empty());
}

#[test]
fn an_event_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"data: one\n\ndata: two\n\n");
    let mut framer = SseFramer::new(LIMIT);
    framer.push(chunk.clone());
    while let Some(frame) = framer.next() {
        assert!(chunk.as_ptr_range().contains(&frame.unwrap().raw.as_ptr()));
    }
}

#[test]
fn an_event_beyond_the_cap_breaks_the_stream() {
    for chunks in [vec![vec![b'a'; LIMIT + 1]], vec![vec![b'a'; LIMIT], b"a".to_vec()]] {
        let mut framer = SseFramer::new(LIMIT);
        let mut errors = Vec::new();
        for chunk in chunks {
            framer.push(chunk.into());
            while let Some(frame) = framer.next() {
                errors.push(frame.unwrap_err());
            }
        }
        framer.push(Bytes::from_static(b"\n\ndata: x\n\n"));
        assert_eq!(errors, [FrameError::TooLong { limit: LIMIT }]);
        assert_eq!((framer.next(), framer.finish()), (None, None));
    }
    let exactly = [vec![b':'; LIMIT - 2], b"\n\n".to_vec()].concat();
    assert_eq!(frames([exactly.as_slice()]).len(), 1);
}

#[test]
fn chunks_pushed_ahead_are_not_lost() {
    let mut framer = SseFramer::new(LIMIT);
    framer.push(Bytes::from_static(b"data: a\n"));
    framer.push(Bytes::from_static(b"\ndata: b\n\n"));
    let mut raw = Vec::new();
    while let Some(frame) = framer.next() {
        raw.push(frame.unwrap().raw);
    }
    assert_eq!(raw, ["data: a\n\n", "data: b\n\n"]);
}

/// Text made of what framing turns on.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\n\r\n",
        "data: ",
        "data",
        "event: e",
        ": c",
        ":",
        " ",
        "x",
        "{\"a\":1}",
        "\u{feff}",
        "é",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let whole = frames([stream.as_slice()]);
        prop_assert_eq!(&frames(cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]])), &whole);
        prop_assert_eq!(&frames(stream.chunks(1)), &whole);
    }

    #[test]
    fn frames_put_together_are_the_stream(stream in prop_oneof![stream(), prop::collection::vec(any::<u8>(), 0..200)]) {
        let together: Vec<u8> = frames([stream.as_slice()]).iter().flat_map(|frame| frame.raw.to_vec()).collect();
        prop_assert_eq!(together, stream);
    }
}
