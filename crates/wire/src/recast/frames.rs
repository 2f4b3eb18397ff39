//! Where encoders write: whole frames of a stream, and the losses met on the way.

use bytes::Bytes;

use super::loss::Losses;
use crate::json::{Object, object};

/// Frames written and not yet taken.
#[derive(Debug, Default)]
pub struct Frames {
    ready: Vec<Bytes>,
    /// What could not be said.
    pub losses: Losses,
    /// The frame being written; kept for its memory.
    scratch: Vec<u8>,
}

impl Frames {
    /// The frames written since they were last taken, each complete with its framing.
    pub fn take(&mut self) -> impl Iterator<Item = Bytes> {
        self.ready.drain(..)
    }

    /// Adds a frame that is ready.
    pub fn push(&mut self, frame: Bytes) {
        self.ready.push(frame);
    }

    /// A server-sent event of one JSON object, named or not.
    pub(crate) fn event(&mut self, name: Option<&str>, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        if let Some(name) = name {
            self.scratch.extend_from_slice(b"event: ");
            self.scratch.extend_from_slice(name.as_bytes());
            self.scratch.push(b'\n');
        }
        self.scratch.extend_from_slice(b"data: ");
        self.one_line(members);
        self.scratch.extend_from_slice(b"\n\n");
        self.seal();
    }

    /// A line of one JSON object.
    pub(crate) fn line(&mut self, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        self.one_line(members);
        self.scratch.push(b'\n');
        self.seal();
    }

    fn one_line(&mut self, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        let from = self.scratch.len();
        object(&mut self.scratch, |object| members(object, &mut self.losses));
        // A value kept as it was written may have line ends between its tokens, which would end the line.
        for byte in self.scratch.iter_mut().skip(from).filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }

    fn seal(&mut self) {
        self.ready.push(Bytes::copy_from_slice(&self.scratch));
        self.scratch.clear();
    }
}
