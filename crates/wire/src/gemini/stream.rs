//! The tap on a streamed answer: every chunk is read, its text measured and not kept.

use super::answer::Piece;
use crate::codec::{AnswerFacts, AnswerProblem, FrameClass, StreamTap};
use crate::frame::Frame;

pub(super) struct Tap {
    facts: AnswerFacts,
    searches: u32,
    /// How many candidates were asked for.
    choices: u32,
    /// The candidates that have finished, by index, as bits; indices from 127 on share the last bit.
    finished: u128,
    blocked: bool,
}

impl Tap {
    pub(super) fn new(choices: u32) -> Self {
        Self {
            facts: AnswerFacts::default(),
            searches: 0,
            choices: choices.max(1),
            finished: 0,
            blocked: false,
        }
    }
}

impl StreamTap for Tap {
    fn frame(&mut self, frame: &Frame) -> FrameClass {
        let data = frame.data();
        if data.is_empty() {
            return FrameClass::Heartbeat;
        }
        let piece = match Piece::read(data) {
            Ok(piece) => piece,
            Err(AnswerProblem::Error(words)) => return FrameClass::Error(words),
            Err(AnswerProblem::Malformed) => return FrameClass::Malformed,
        };
        let candidates = piece.candidates.as_deref().unwrap_or_default();
        let only_usage = candidates.is_empty() && piece.usage.is_some();
        for (place, candidate) in (0_u32..).zip(candidates).filter(|(_, one)| one.finish.is_some()) {
            self.finished |= 1 << candidate.index.unwrap_or(place).min(127);
        }
        self.blocked |= piece.feedback.as_ref().is_some_and(|feedback| feedback.reason.is_some());
        let content = piece.absorb(&mut self.facts, &mut self.searches);
        match (content, only_usage) {
            (true, _) => FrameClass::Content,
            (false, true) => FrameClass::UsageOnly,
            (false, false) => FrameClass::Preamble,
        }
    }

    fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    fn complete(&self) -> bool {
        self.blocked || self.finished.count_ones() >= self.choices.min(128)
    }
}
