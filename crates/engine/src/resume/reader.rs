//! How a stream is read where it may be gone on with: the first attempt's is watched while it passes, a continuation's
//! goes through the seam. Where to look first: [`Watched`], [`Continued`].

use std::sync::Arc;

use trunkline_domain::chat::{ChatRequest, StreamEvent};
use trunkline_wire::codec::{AnswerFacts, FrameClass, StreamTap};
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{CallerCodec, ChatCodec, Cut, Losses, StreamReading};

use super::seam::{Astray, Seam};
use super::transcript::Transcript;
use crate::translate::{Introduction, Output};

/// Whose answers may be gone on with: how the caller is told.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(super) caller: &'static dyn CallerCodec,
    pub(super) request: Arc<ChatRequest>,
    pub(super) introduction: Introduction,
}

impl Watch {
    fn transcript(&self) -> Transcript {
        Transcript::new(self.caller, Arc::clone(&self.request), self.introduction.clone())
    }
}

/// A stream that passes, or is translated, and is remembered.
pub(crate) struct Watched {
    /// Says what passes, where the bytes are the provider's.
    tap: Option<Box<dyn StreamTap>>,
    reading: StreamReading,
    transcript: Transcript,
}

impl Watched {
    /// One whose bytes pass as they are.
    pub(crate) fn relay(
        watch: &Watch,
        tap: Box<dyn StreamTap>,
        provider: &dyn ChatCodec,
        quirks: &Quirks,
    ) -> Self {
        Self { tap: Some(tap), reading: StreamReading::new(provider, quirks), transcript: watch.transcript() }
    }

    /// One that is translated, as its caller is told.
    pub(crate) fn recast(transcript: Transcript, provider: &dyn ChatCodec, quirks: &Quirks) -> Self {
        Self { tap: None, reading: StreamReading::new(provider, quirks), transcript }
    }

    /// What a frame is, and what the caller gets for it.
    pub(crate) fn frame(&mut self, frame: Frame) -> (FrameClass, Output) {
        let Some(tap) = &mut self.tap else {
            let class = self.reading.frame(&frame);
            // What a frame says beside its error is not handed on.
            if passes(&class) {
                self.reading.events().iter().for_each(|event| self.transcript.tell(event));
            }
            return (class, self.transcript.take());
        };
        let class = tap.frame(&frame);
        if passes(&class) {
            if passes(&self.reading.frame(&frame)) {
                self.reading.events().iter().for_each(|event| self.transcript.heard(event));
            } else {
                self.transcript.spoil();
            }
        }
        (class, Output::from_iter([frame.raw]))
    }

    /// The bytes have ended: what is still owed to the caller, or that the answer was cut.
    pub(crate) fn finish(&mut self) -> Result<Output, Cut> {
        if let Some(tap) = &self.tap {
            return if tap.complete() { Ok(Output::new()) } else { Err(Cut) };
        }
        self.reading.finish()?;
        self.reading.events().iter().for_each(|event| self.transcript.tell(event));
        Ok(self.transcript.take())
    }

    /// What has been seen so far.
    pub(crate) fn facts(&self) -> &AnswerFacts {
        self.tap.as_ref().map_or_else(|| self.reading.facts(), |tap| tap.facts())
    }

    /// What could not be told; nothing where the bytes pass as they are.
    pub(crate) fn losses(&self) -> Option<&Losses> {
        self.tap.is_none().then(|| self.transcript.losses())
    }

    /// What the caller was told.
    pub(crate) fn into_transcript(self) -> Transcript {
        self.transcript
    }
}

/// A stream that goes on where another broke off. Until it has been found to do so, nothing of it is told.
pub(crate) struct Continued {
    reading: StreamReading,
    seam: Seam,
    /// What is to be told, where nobody tells yet.
    ready: Vec<StreamEvent>,
    transcript: Option<Transcript>,
}

impl Continued {
    /// One of a provider of this dialect.
    pub(crate) fn new(provider: &dyn ChatCodec, quirks: &Quirks, seam: Seam) -> Self {
        Self { reading: StreamReading::new(provider, quirks), seam, ready: Vec::new(), transcript: None }
    }

    /// What a frame is, and what the caller gets for it. It is content once it is known to be the continuation.
    pub(crate) fn frame(&mut self, frame: &Frame) -> Result<(FrameClass, Output), Astray> {
        let class = self.reading.frame(frame);
        if !passes(&class) {
            return Ok((class, Output::new()));
        }
        let held = self.seam.overlap().is_none();
        self.sew()?;
        let class = match (class, held, self.seam.overlap()) {
            (FrameClass::Terminal, _, _) => FrameClass::Terminal,
            (_, true, Some(_)) => FrameClass::Content,
            (FrameClass::Content, true, None) => FrameClass::Preamble,
            (class, _, _) => class,
        };
        Ok((class, self.tell()))
    }

    /// The bytes have ended: what is still owed to the caller, or that the answer was cut.
    pub(crate) fn finish(&mut self) -> Result<Output, Cut> {
        self.reading.finish()?;
        self.sew().map_err(|Astray| Cut)?;
        Ok(self.tell())
    }

    fn sew(&mut self) -> Result<(), Astray> {
        let (seam, ready) = (&mut self.seam, &mut self.ready);
        self.reading.take_events().try_for_each(|event| seam.event(event, ready))
    }

    fn tell(&mut self) -> Output {
        let Some(transcript) = &mut self.transcript else { return Output::new() };
        self.ready.drain(..).for_each(|event| transcript.tell(&event));
        transcript.take()
    }

    /// It is the continuation: the caller is told from now on, and this is what it is told at once.
    pub(crate) fn attach(&mut self, transcript: Transcript) -> Output {
        self.transcript = Some(transcript);
        self.tell()
    }

    /// Bytes it repeated, once that is known.
    pub(crate) fn overlap(&self) -> Option<u64> {
        self.seam.overlap()
    }

    /// What has been seen so far.
    pub(crate) fn facts(&self) -> &AnswerFacts {
        self.reading.facts()
    }

    /// What could not be told.
    pub(crate) fn losses(&self) -> Option<&Losses> {
        self.transcript.as_ref().map(Transcript::losses)
    }

    /// What the caller was told.
    pub(crate) fn into_transcript(self) -> Option<Transcript> {
        self.transcript
    }
}

/// Whether a frame's content is handed on.
fn passes(class: &FrameClass) -> bool {
    !matches!(class, FrameClass::Error(_) | FrameClass::Malformed)
}
