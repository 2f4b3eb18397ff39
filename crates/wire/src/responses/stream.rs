//! The tap on a streamed answer: every event is read, its text measured and not kept.
//!
//! Events: openai-python, `types/responses/response_stream_event.py`. Unknown ones pass as part of the preamble.

use serde::de::IgnoredAny;

use super::answer::{Item, Response};
use super::error;
use crate::anthropic::answer::Measured;
use crate::codec::{AnswerFacts, FrameClass, StreamTap};
use crate::frame::Frame;
use crate::json::{Str, wire_object};
use crate::quirks::{Quirks, UsageConvention};

wire_object! {
    ignoring struct Event {
        "type" => kind: Str,
        "response" => response: Response,
        "item" => item: Item,
        "delta" => delta: Measured,
        "error" => error: IgnoredAny,
    }
}

pub(super) struct Tap {
    usage: UsageConvention,
    facts: AnswerFacts,
    ended: bool,
}

impl Tap {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { usage: quirks.usage, facts: AnswerFacts::default(), ended: false }
    }

    fn response(&mut self, response: Option<&Response>) {
        if let Some(response) = response {
            response.facts(&mut self.facts, self.usage);
        }
    }

    fn measure(&mut self, bytes: u64) {
        self.facts.output_bytes = self.facts.output_bytes.saturating_add(bytes);
    }

    fn end(&mut self, response: Option<&Response>) -> FrameClass {
        self.response(response);
        self.facts.finish = response.and_then(Response::finish);
        self.ended = true;
        FrameClass::Terminal
    }

    /// An item that opens: a call comes with its name, anything else is empty.
    fn open(&mut self, item: Option<&Item>) -> FrameClass {
        let bytes = item.and_then(|item| item.name).map_or(0, |name| name.0);
        self.measure(bytes);
        if bytes > 0 { FrameClass::Content } else { FrameClass::Preamble }
    }
}

impl StreamTap for Tap {
    fn frame(&mut self, frame: &Frame) -> FrameClass {
        let data = frame.data();
        if data.is_empty() || data.starts_with(b"[DONE]") {
            return FrameClass::Heartbeat;
        }
        if frame.event() == Some(b"error") {
            return FrameClass::Error(error::read(data).unwrap_or_default());
        }
        let not_an_event = || error::read(data).map_or(FrameClass::Malformed, FrameClass::Error);
        let Ok(event) = serde_json::from_slice::<Event>(data) else { return not_an_event() };
        let Some(kind) = event.kind.as_ref().filter(|_| event.error.is_none()) else { return not_an_event() };
        let response = event.response.as_ref();
        match &*kind.0 {
            "error" => FrameClass::Error(error::read(data).unwrap_or_default()),
            "response.failed" => {
                self.response(response);
                FrameClass::Error(response.and_then(Response::failure).unwrap_or_default())
            }
            "response.completed" | "response.incomplete" => self.end(response),
            "response.output_item.added" => self.open(event.item.as_ref()),
            // An item of the provider's own tools comes whole.
            "response.output_item.done" => FrameClass::Content,
            kind if kind.rsplit('.').next() == Some("delta") => {
                self.measure(event.delta.map_or(0, |delta| delta.0));
                FrameClass::Content
            }
            _ => {
                self.response(response);
                FrameClass::Preamble
            }
        }
    }

    fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    fn complete(&self) -> bool {
        self.ended
    }
}
