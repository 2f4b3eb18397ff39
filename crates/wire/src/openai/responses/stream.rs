//! The tap on a streamed answer: the type of every event is read, its text measured and not kept.

use super::super::error;
use super::answer::{Response, words_of_event};
use crate::codec::{AnswerFacts, FrameClass, StreamTap};
use crate::frame::Frame;
use crate::json::{Str, wire_object};

wire_object! {
    ignoring struct Event {
        "type" => kind: Str,
        "delta" => delta: Str,
        "response" => response: Response,
        "item" => item: Opened,
    }
}

wire_object! {
    ignoring struct Opened { "type" => kind: Str }
}

#[derive(Default)]
pub(super) struct Tap {
    facts: AnswerFacts,
    ended: bool,
}

impl Tap {
    fn event(&mut self, event: &Event, data: &[u8]) -> FrameClass {
        let kind = event.kind.as_ref().map_or("", |kind| &*kind.0);
        match kind {
            "response.completed" | "response.incomplete" => {
                if let Some(response) = &event.response {
                    let said = self.facts.output_bytes;
                    self.facts = response.facts();
                    self.facts.output_bytes = self.facts.output_bytes.max(said);
                }
                self.ended = true;
                FrameClass::Terminal
            }
            "response.failed" => {
                let words = event.response.as_ref().and_then(Response::problem).unwrap_or_default();
                FrameClass::Error(words)
            }
            "error" => FrameClass::Error(words_of_event(data).unwrap_or_default()),
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(response) = &event.response {
                    self.facts = AnswerFacts { output_bytes: self.facts.output_bytes, ..response.facts() };
                }
                FrameClass::Preamble
            }
            // What comes as one piece, and calls, are content at once; messages and thoughts open empty.
            "response.output_item.added" => {
                let opened = event.item.as_ref().and_then(|item| item.kind.as_ref()).map(|kind| &*kind.0);
                let empty = matches!(opened, Some("message" | "reasoning"));
                if empty { FrameClass::Preamble } else { FrameClass::Content }
            }
            // Some servers say an error in chat's form.
            "" => error::read(data).map_or(FrameClass::Preamble, FrameClass::Error),
            _ if kind.rsplit('.').next() == Some("delta") => {
                let bytes = event.delta.as_ref().map_or(0, |delta| delta.0.len() as u64);
                self.facts.output_bytes = self.facts.output_bytes.saturating_add(bytes);
                FrameClass::Content
            }
            _ => FrameClass::Preamble,
        }
    }
}

impl StreamTap for Tap {
    fn frame(&mut self, frame: &Frame) -> FrameClass {
        let data = frame.data();
        if data.is_empty() || self.ended {
            return FrameClass::Heartbeat;
        }
        match serde_json::from_slice::<Event>(data) {
            Ok(event) => self.event(&event, data),
            Err(_) => error::read(data).map_or(FrameClass::Malformed, FrameClass::Error),
        }
    }

    fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    fn complete(&self) -> bool {
        self.ended
    }
}
