//! How a stream is read where its answer is validated: the frames are those it would have been anyway, and what they say is
//! put together beside them. Where to look first: [`Checked`].

use trunkline_domain::Text;
use trunkline_domain::validation::Verdict;
use trunkline_wire::codec::{AnswerFacts, FrameClass};
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{ChatCodec, Cut, StreamReading};

use super::{Check, Mismatch, Said};
use crate::minted::Recorder;
use crate::resume::Astray;
use crate::translate::{EventReader, Output, Reading};

/// A stream that is held until it has been found to be what was asked for.
pub(crate) struct Checked {
    /// Says what the caller gets.
    inner: EventReader,
    reading: StreamReading,
    said: Said,
}

impl Checked {
    /// One of a provider of this dialect.
    pub(crate) fn new(inner: EventReader, provider: &dyn ChatCodec, quirks: &Quirks) -> Self {
        Self { inner, reading: StreamReading::new(provider, quirks), said: Said::default() }
    }

    /// What a frame is, and what the caller would get for it. One that cannot be followed is garbage, since what it says
    /// cannot be held against anything.
    pub(crate) fn frame(
        &mut self,
        frame: Frame,
        reading: &Reading,
        recorder: &Recorder<'_>,
    ) -> Result<(FrameClass, Output), Astray> {
        let followed = self.reading.frame(&frame);
        self.absorb();
        let (class, output) = self.inner.frame(frame, reading, recorder)?;
        let lost = followed == FrameClass::Malformed && !matches!(class, FrameClass::Error(_));
        Ok((if lost { FrameClass::Malformed } else { class }, output))
    }

    /// The bytes have ended: what is still owed to the caller, or that the answer was cut.
    pub(crate) fn finish(&mut self) -> Result<Output, Cut> {
        self.reading.finish()?;
        self.absorb();
        self.inner.finish()
    }

    /// Holds what was said against what was asked for.
    pub(crate) fn judge(&self, check: &Check) -> Result<Verdict, Mismatch> {
        check.judge(&self.said)
    }

    /// What could not be carried.
    pub(crate) fn losses(&self) -> Vec<Text> {
        self.inner.losses()
    }

    /// What has been seen so far.
    pub(crate) fn facts(&self) -> &AnswerFacts {
        self.inner.facts()
    }

    fn absorb(&mut self) {
        self.reading.events().iter().for_each(|event| self.said.absorb(event));
    }
}
