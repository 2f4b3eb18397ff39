//! The tap on a streamed answer: every event is read, its text measured and not kept.
//!
//! Events: anthropic-sdk-python, `types/raw_message_stream_event.py`. Unknown ones pass as part of the preamble, as the
//! documentation asks of clients.

use serde::de::IgnoredAny;

use super::answer::{Block, Measured, Message, name};
use super::{error, usage};
use crate::codec::{AnswerFacts, FrameClass, StreamTap};
use crate::frame::Frame;
use crate::json::{Str, wire_object};
use crate::quirks::{DoneMarker, Quirks};

wire_object! {
    ignoring struct Event {
        "type" => kind: Str,
        "message" => message: Message,
        "content_block" => block: Block,
        "delta" => delta: EventDelta,
        "usage" => usage: usage::Reported,
        "error" => error: IgnoredAny,
    }
}

wire_object! {
    ignoring struct EventDelta {
        "text" => text: Measured,
        "thinking" => thinking: Measured,
        "partial_json" => partial_json: Measured,
        "stop_reason" => stop_reason: Str,
    }
}

pub(super) struct Tap {
    done_marker: DoneMarker,
    facts: AnswerFacts,
    usage: usage::Reported,
    ended: bool,
}

impl Tap {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self {
            done_marker: quirks.done_marker,
            facts: AnswerFacts::default(),
            usage: usage::Reported::default(),
            ended: false,
        }
    }

    fn report(&mut self, reported: Option<usage::Reported>) {
        if let Some(reported) = reported {
            self.usage.merge(reported);
            self.facts.usage = self.usage.usage();
            self.facts.service_tier = self.usage.tier().cloned();
        }
    }

    fn start(&mut self, message: Option<Message>) -> FrameClass {
        if let Some(message) = message {
            message.name(&mut self.facts);
            self.report(message.usage);
        }
        FrameClass::Preamble
    }

    /// A block that opens: text and thinking open empty, anything else is content with its first event.
    fn open(&mut self, block: Option<&Block>) -> FrameClass {
        let bytes = block.map_or(0, Block::bytes);
        self.facts.output_bytes = self.facts.output_bytes.saturating_add(bytes);
        let grows = block
            .and_then(|block| block.kind.as_ref())
            .is_some_and(|kind| matches!(&*kind.0, "text" | "thinking"));
        if grows && bytes == 0 { FrameClass::Preamble } else { FrameClass::Content }
    }

    fn grow(&mut self, delta: Option<&EventDelta>) -> FrameClass {
        let measured = delta.into_iter().flat_map(|delta| [delta.text, delta.thinking, delta.partial_json]);
        let bytes = measured.flatten().fold(0, |sum: u64, measured| sum.saturating_add(measured.0));
        self.facts.output_bytes = self.facts.output_bytes.saturating_add(bytes);
        FrameClass::Content
    }

    fn message_delta(&mut self, event: Event) -> FrameClass {
        self.report(event.usage);
        let Some(reason) = event.delta.and_then(|delta| delta.stop_reason).and_then(name) else {
            return FrameClass::UsageOnly;
        };
        self.facts.finish = Some(reason);
        FrameClass::Content
    }
}

impl StreamTap for Tap {
    fn frame(&mut self, frame: &Frame) -> FrameClass {
        let data = frame.data();
        if data.is_empty() {
            return FrameClass::Heartbeat;
        }
        if frame.event() == Some(b"error") {
            return FrameClass::Error(error::read(data).unwrap_or_default());
        }
        let not_an_event = || error::read(data).map_or(FrameClass::Malformed, FrameClass::Error);
        let Ok(event) = serde_json::from_slice::<Event>(data) else { return not_an_event() };
        let Some(kind) = event.kind.as_ref().filter(|_| event.error.is_none()) else { return not_an_event() };
        match &*kind.0 {
            "message_start" => self.start(event.message),
            "content_block_start" => self.open(event.block.as_ref()),
            "content_block_delta" => self.grow(event.delta.as_ref()),
            "message_delta" => self.message_delta(event),
            "message_stop" => {
                self.ended = true;
                FrameClass::Terminal
            }
            "ping" => FrameClass::Heartbeat,
            _ => FrameClass::Preamble,
        }
    }

    fn facts(&self) -> &AnswerFacts {
        &self.facts
    }

    fn complete(&self) -> bool {
        self.ended || (self.done_marker == DoneMarker::Optional && self.facts.finish.is_some())
    }
}
