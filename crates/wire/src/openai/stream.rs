//! The tap on a streamed answer. Until the first content every frame is read as a whole; from then on only frames that
//! bear usage, an error or a finish reason are, and the others cost three substring searches.
//!
//! So, from the first content on: what is not read counts as content if from outside it looks like the first content
//! frame (an object, with `choices` at the same place), and [`AnswerFacts::output_bytes`] grows by the frame's length
//! less that frame's skeleton, which is exact as long as chunks differ in their text alone, and good enough for an
//! estimate where they do not.
//!
//! Errors inside a stream: `error` at top level (OpenAI's SDK, `openai/_streaming.py`; OpenRouter,
//! <https://openrouter.ai/docs/api-reference/errors>), `event: error`, vLLM's bare `{"object":"error"}`, Groq's
//! `x_groq.error`.

use memchr::memmem::{self, Finder};

use super::answer::Piece;
use super::error;
use crate::codec::{AnswerFacts, FrameClass, StreamTap};
use crate::frame::Frame;
use crate::quirks::{DoneMarker, Quirks, UsageConvention};

const DONE: &[u8] = b"[DONE]";
const CHOICES: &[u8] = b"\"choices\"";

pub(super) struct Tap {
    done_marker: DoneMarker,
    convention: UsageConvention,
    /// How many choices must finish.
    choices: u32,
    facts: AnswerFacts,
    /// Known from the first content frame on.
    skeleton: Option<Skeleton>,
    /// Choices that have finished, by index.
    finished: u128,
    ended: bool,
    markers: [Finder<'static>; 3],
}

/// What content frames of one stream have in common.
#[derive(Clone, Copy)]
struct Skeleton {
    /// Where the key `choices` is.
    choices_at: usize,
    /// Length without the content.
    bytes: u64,
}

impl Skeleton {
    fn fits(self, data: &[u8]) -> bool {
        data.ends_with(b"}") && data.get(self.choices_at..).is_some_and(|rest| rest.starts_with(CHOICES))
    }
}

impl Tap {
    pub(super) fn new(choices: u32, quirks: &Quirks) -> Self {
        Self {
            done_marker: quirks.done_marker,
            convention: quirks.usage,
            choices: choices.max(1),
            facts: AnswerFacts::default(),
            skeleton: None,
            finished: 0,
            ended: false,
            markers: [Finder::new("\"usage\""), Finder::new("\"error\""), Finder::new("\"finish_reason\"")],
        }
    }

    /// Whether a frame must be read although content has begun.
    fn is_marked(&self, data: &[u8]) -> bool {
        self.markers.iter().any(|marker| {
            let mut rest = data;
            while let Some(at) = marker.find(rest) {
                rest = rest.get(at + marker.needle().len()..).unwrap_or_default();
                let value = rest.trim_ascii_start().strip_prefix(b":");
                if value.is_none_or(|value| !value.trim_ascii_start().starts_with(b"null")) {
                    return true;
                }
            }
            false
        })
    }

    fn read(&mut self, frame: &Frame, data: &[u8]) -> FrameClass {
        if frame.event() == Some(b"error") {
            return FrameClass::Error(error::read(data).unwrap_or_default());
        }
        let Some(piece) = Piece::read(data) else { return not_a_chunk(data) };
        if let Some(words) = piece.error() {
            return FrameClass::Error(words);
        }
        piece.absorb(&mut self.facts, self.convention);
        let Some(choices) = piece.choices.as_ref().filter(|choices| choices.count > 0) else {
            return match (piece.has_usage(), &piece.choices) {
                (true, _) => FrameClass::UsageOnly,
                (false, Some(_)) => FrameClass::Preamble,
                (false, None) => not_a_chunk(data),
            };
        };
        self.finished |= choices.finished;
        if choices.content && self.skeleton.is_none() {
            self.skeleton = memmem::find(data, CHOICES).map(|choices_at| Skeleton {
                choices_at,
                bytes: (data.len() as u64).saturating_sub(choices.bytes),
            });
        }
        if choices.content || choices.finished != 0 { FrameClass::Content } else { FrameClass::Preamble }
    }
}

impl StreamTap for Tap {
    fn frame(&mut self, frame: &Frame) -> FrameClass {
        let data = frame.data();
        if data.is_empty() {
            return FrameClass::Heartbeat;
        }
        if data.starts_with(DONE) {
            self.ended = true;
            return FrameClass::Terminal;
        }
        if let Some(skeleton) = self.skeleton
            && skeleton.fits(data)
            && frame.event().is_none()
            && !self.is_marked(data)
        {
            let content = (data.len() as u64).saturating_sub(skeleton.bytes);
            self.facts.output_bytes = self.facts.output_bytes.saturating_add(content);
            return FrameClass::Content;
        }
        self.read(frame, data)
    }

    fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    fn complete(&self) -> bool {
        self.ended
            || (self.done_marker == DoneMarker::Optional
                && self.finished.count_ones() >= self.choices.min(128))
    }
}

/// A bare error, or nothing that belongs here.
fn not_a_chunk(data: &[u8]) -> FrameClass {
    error::read(data).map_or(FrameClass::Malformed, FrameClass::Error)
}
