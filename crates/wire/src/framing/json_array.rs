//! The other framing of a stream of Google's: one JSON array whose elements come one by one
//! (`:streamGenerateContent` without `alt=sse`; googleapis' transcoding of server streaming, "a stream of JSON objects in
//! an array"). Written for callers who ask for it; providers are always asked for events. Not a parser: it puts what
//! events hold between brackets. Where to look first: [`JsonArrayWriter`].

use bytes::Bytes;

use crate::frame::Frame;

/// Puts frames into an array, one element each.
#[derive(Debug, Default)]
pub struct JsonArrayWriter {
    begun: bool,
}

impl JsonArrayWriter {
    /// The bytes by which the payload of a frame becomes the next element; `None` for one without.
    pub fn element(&mut self, frame: &Frame) -> Option<Bytes> {
        let data = frame.data();
        if data.is_empty() {
            return None;
        }
        let before: &[u8] = if std::mem::replace(&mut self.begun, true) { b"\r\n,\r\n" } else { b"[" };
        Some([before, data].concat().into())
    }

    /// The bytes that end the array, begun or not.
    pub fn end(&mut self) -> Bytes {
        Bytes::from_static(if std::mem::replace(&mut self.begun, true) { b"\r\n]\r\n" } else { b"[]\r\n" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(frames: &[&str]) -> String {
        let mut writer = JsonArrayWriter::default();
        let frames = frames.iter().map(|frame| Frame::of_event(Bytes::from((*frame).to_owned())));
        let mut bytes: Vec<u8> = frames.filter_map(|frame| writer.element(&frame)).flatten().collect();
        bytes.extend(writer.end());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn events_are_elements_of_one_array() {
        let array = written(&["data: {\"a\":1}\n\n", ": ping\n\n", "data: {\"b\":\ndata: 2}\r\n\r\n"]);
        let values: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
        assert_eq!(values.len(), 2);
        assert_eq!((&values[0]["a"], &values[1]["b"]), (&1.into(), &2.into()));
    }

    #[test]
    fn a_stream_of_nothing_is_an_empty_array() {
        assert_eq!(written(&[": ping\n\n"]), "[]\r\n");
    }
}
