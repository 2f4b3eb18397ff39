//! A stream in translation: a frame of the provider's in, frames of the caller's out, seen from outside like the relay's
//! tap.

use trunkline_domain::chat::StreamEvent;

use super::{
    AnswerIdentity, CallerCodec, ChatCodec, Cut, Frames, FunctionTools, StreamDecoder, StreamEncoder,
};
use crate::codec::{AnswerFacts, AnswerProblem, FrameClass};
use crate::frame::Frame;
use crate::quirks::Quirks;

/// A decoder and an encoder in a row. The memory it needs does not grow with the answer, unless a codec says so.
pub struct StreamRecast {
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    tools: FunctionTools,
    facts: AnswerFacts,
    /// The events of the last frame; kept for its memory.
    events: Vec<StreamEvent>,
    ended: bool,
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
            decoder: from.stream_decoder(quirks),
            encoder: to.stream_encoder(identity),
            tools: FunctionTools::default(),
            facts: AnswerFacts::default(),
            events: Vec::new(),
            ended: false,
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
        self.events.clear();
        if self.ended {
            return FrameClass::Heartbeat;
        }
        let problem = self.decoder.frame(frame, &mut self.events).err();
        self.pass_on(out);
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

    /// The byte stream ended: writes what is still owed, or says that the answer was cut.
    pub fn finish(&mut self, out: &mut Frames) -> Result<(), Cut> {
        self.events.clear();
        if self.ended {
            return Ok(());
        }
        let finished = self.decoder.finish(&mut self.events);
        self.pass_on(out);
        finished
    }

    /// What has been seen so far.
    pub fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    /// What the last frame amounted to: for whoever watches content or provider state pass.
    pub fn events(&self) -> &[StreamEvent] {
        &self.events
    }

    fn pass_on(&mut self, out: &mut Frames) {
        self.tools.restore_events(&mut self.events);
        for event in &self.events {
            self.facts.absorb(event);
            self.ended |= matches!(event, StreamEvent::End);
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
