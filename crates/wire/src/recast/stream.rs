//! A stream in translation: a frame of the provider's in, frames of the caller's out, seen from outside like the relay's
//! tap.

use trunkline_domain::chat::StreamEvent;

use super::{
    AnswerIdentity, CallerCodec, ChatCodec, Cut, Frames, FunctionTools, StreamDecoder, StreamEncoder,
};
use crate::codec::{AnswerFacts, AnswerProblem, FrameClass};
use crate::frame::Frame;
use crate::quirks::Quirks;

/// A decoder and what it has said so far: what a frame amounts to, whoever it is told to. The memory it needs does not
/// grow with the answer, unless a codec says so.
pub struct StreamReading {
    decoder: Box<dyn StreamDecoder>,
    facts: AnswerFacts,
    /// The events of the last frame; kept for its memory.
    events: Vec<StreamEvent>,
    ended: bool,
}

impl StreamReading {
    /// Of one answer in the provider's dialect.
    pub fn new(from: &dyn ChatCodec, quirks: &Quirks) -> Self {
        Self {
            decoder: from.stream_decoder(quirks),
            facts: AnswerFacts::default(),
            events: Vec::new(),
            ended: false,
        }
    }

    /// Reads one complete frame and says what it is; [`events`](Self::events) has what it amounts to. After an error,
    /// garbage or the terminal event nothing more is read.
    pub fn frame(&mut self, frame: &Frame) -> FrameClass {
        self.events.clear();
        if self.ended {
            return FrameClass::Heartbeat;
        }
        let problem = self.decoder.frame(frame, &mut self.events).err();
        self.absorb();
        match problem {
            Some(AnswerProblem::Error(words)) => {
                self.ended = true;
                FrameClass::Error(words)
            }
            Some(AnswerProblem::Malformed) => {
                self.ended = true;
                FrameClass::Malformed
            }
            None => classify(&self.events),
        }
    }

    /// The byte stream ended: reads what is still owed, or says that the answer was cut.
    pub fn finish(&mut self) -> Result<(), Cut> {
        self.events.clear();
        if self.ended {
            return Ok(());
        }
        let finished = self.decoder.finish(&mut self.events);
        self.absorb();
        finished
    }

    /// What has been seen so far.
    pub fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    /// What the last frame amounted to.
    pub fn events(&self) -> &[StreamEvent] {
        &self.events
    }

    /// The same, to be taken away.
    pub fn take_events(&mut self) -> impl Iterator<Item = StreamEvent> {
        self.events.drain(..)
    }

    fn absorb(&mut self) {
        for event in &self.events {
            self.facts.absorb(event);
            self.ended |= matches!(event, StreamEvent::End);
        }
    }
}

/// A decoder and an encoder in a row.
pub struct StreamRecast {
    reading: StreamReading,
    encoder: Box<dyn StreamEncoder>,
    tools: FunctionTools,
}

impl StreamRecast {
    /// For one answer, from the provider's dialect to the caller's.
    pub fn new(
        from: &dyn ChatCodec,
        quirks: &Quirks,
        to: &dyn CallerCodec,
        identity: &AnswerIdentity<'_>,
    ) -> Self {
        Self {
            reading: StreamReading::new(from, quirks),
            encoder: to.stream_encoder(identity),
            tools: FunctionTools::default(),
        }
    }

    /// The same, with tools that were made functions of.
    #[must_use]
    pub fn with_tools(self, tools: FunctionTools) -> Self {
        Self { tools, ..self }
    }

    /// Translates one complete frame and says what it is. After an error, garbage or the terminal event nothing more is
    /// written.
    pub fn frame(&mut self, frame: &Frame, out: &mut Frames) -> FrameClass {
        let class = self.reading.frame(frame);
        self.pass_on(out);
        class
    }

    /// The byte stream ended: writes what is still owed, or says that the answer was cut.
    pub fn finish(&mut self, out: &mut Frames) -> Result<(), Cut> {
        let finished = self.reading.finish();
        self.pass_on(out);
        finished
    }

    /// What has been seen so far.
    pub fn facts(&self) -> &AnswerFacts {
        self.reading.facts()
    }

    /// What the last frame amounted to: for whoever watches content or provider state pass.
    pub fn events(&self) -> &[StreamEvent] {
        self.reading.events()
    }

    fn pass_on(&mut self, out: &mut Frames) {
        self.tools.restore_events(&mut self.reading.events);
        for event in self.reading.events() {
            self.encoder.event(event, out);
        }
    }
}

/// What a frame is, by its events.
fn classify(events: &[StreamEvent]) -> FrameClass {
    let usage = |event: &StreamEvent| matches!(event, StreamEvent::Usage(_));
    if events.iter().any(|event| matches!(event, StreamEvent::End)) {
        FrameClass::Terminal
    } else if events.iter().any(StreamEvent::is_content) {
        FrameClass::Content
    } else if events.is_empty() {
        FrameClass::Heartbeat
    } else if events.iter().all(usage) {
        FrameClass::UsageOnly
    } else {
        FrameClass::Preamble
    }
}
