//! Reading a streamed answer. Blocks come one after the other, text and thinking without an event that opens them. A block
//! that is one value and comes in pieces (a call of the server's own tool, its result, a picture) is put together first.

use serde_json::value::RawValue;
use trunkline_domain::chat::{
    Delta, Extras, Minted, Part, PartKind, RawJson, StreamEvent, Thought, ToolCall, ToolCallKind,
};

use super::blocks::{self, Speaker};
use super::response::Tier;
use super::{DIALECT, citations, error, finish, form, usage};
use crate::codec::AnswerProblem;
use crate::frame::Frame;
use crate::framing::eventstream::{self, MessageKind};
use crate::json::{Object, Str, object, wire_object};
use crate::quirks::{DoneMarker, Quirks};
use crate::recast::{Cut, StreamDecoder};

/// The longest block put together, in bytes.
pub(super) const WHOLE_BYTES_MAX: usize = 32 * 1024 * 1024;

wire_object! {
    ignoring struct Event {
        "start" => start: Start,
        "delta" => delta: BlockDelta,
        "contentBlockIndex" => index: u64,
        "stopReason" => stop_reason: Str,
        "usage" => usage: usage::Reported,
        "serviceTier" => tier: Tier,
        "additionalModelResponseFields" => fields: RawJson,
    }
}

wire_object! {
    ignoring struct Start { "toolUse" => call: ToolStart, "toolResult" => result: ToolStart, "image" => image: ImageStart }
}

wire_object! {
    ignoring struct ToolStart { "toolUseId" => id: Str, "name" => name: Str, "type" => kind: Str, "status" => status: Str }
}

wire_object! {
    ignoring struct ImageStart { "format" => format: Str }
}

wire_object! {
    ignoring struct BlockDelta {
        "text" => text: Str,
        "toolUse" => call: Input,
        "toolResult" => result: Vec<RawJson>,
        "reasoningContent" => reasoning: Reasoning,
        "citation" => citation: RawJson,
        "image" => image: ImageDelta,
    }
}

wire_object! {
    ignoring struct Input { "input" => input: Str }
}

wire_object! {
    ignoring struct Reasoning { "text" => text: Str, "signature" => signature: Str, "redactedContent" => redacted: Str }
}

wire_object! {
    ignoring struct ImageDelta { "source" => source: RawJson }
}

/// Reads one stream.
pub(super) struct Decoder {
    done_marker: DoneMarker,
    phase: Phase,
    /// `metadata` has come.
    metadata: bool,
    /// How many parts have been opened.
    parts: u32,
    calls: usize,
    open: Option<Open>,
}

/// How far the answer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// It has not begun.
    Silent,
    /// It goes on.
    Speaking,
    /// All has been said.
    Stopped,
    /// It is complete.
    Ended,
}

/// The open block.
struct Open {
    index: u64,
    kind: OpenKind,
}

enum OpenKind {
    Text,
    Thought,
    Call,
    /// A part that came whole, or of which nothing has come.
    Whole,
    /// A block put together until it ends.
    Held(Held),
}

enum Held {
    /// A call of the server's own tool, and its input so far.
    Call(ToolStart, String),
    /// The result of the server's own tool, so far.
    Result(ToolStart, Vec<RawJson>, usize),
    /// A picture's format, and its source.
    Image(Option<Str>, Option<RawJson>),
}

impl Decoder {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self {
            done_marker: quirks.done_marker,
            phase: Phase::Silent,
            metadata: false,
            parts: 0,
            calls: 0,
            open: None,
        }
    }

    fn message_start(&mut self, events: &mut Vec<StreamEvent>) {
        if self.phase == Phase::Silent {
            self.phase = Phase::Speaking;
            let (id, model) = ("".into(), "".into());
            events.push(StreamEvent::Start { id, model, created: None, extras: Extras::default() });
        }
    }

    /// Opens a block that says what it is. Any other opens with what comes first of it.
    fn block_start(
        &mut self,
        index: u64,
        start: Start,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        self.block_stop(events)?;
        let kind = match start {
            Start { call: Some(ToolStart { id: Some(id), name: Some(name), kind, .. }), .. }
                if is_callers(kind.as_ref()) =>
            {
                let form = if kind.is_some() { form::TYPED } else { 0 };
                let (kind, arguments) = (ToolCallKind::Function, "".into());
                let call = ToolCall { id: id.0, name: name.0, kind, arguments };
                let extras = Extras::new(DIALECT, form, Vec::new());
                self.calls += 1;
                self.open_part(Part { extras, ..PartKind::ToolCall(call).into() }, events);
                OpenKind::Call
            }
            Start { call: Some(start), .. } => OpenKind::Held(Held::Call(start, String::new())),
            Start { result: Some(start), .. } => OpenKind::Held(Held::Result(start, Vec::new(), 0)),
            Start { image: Some(start), .. } => OpenKind::Held(Held::Image(start.format, None)),
            Start { .. } => return Ok(()),
        };
        self.open = Some(Open { index, kind });
        Ok(())
    }

    fn open_part(&mut self, part: Part, events: &mut Vec<StreamEvent>) {
        events.push(StreamEvent::PartStart { choice: 0, index: self.parts, part });
        self.parts += 1;
    }

    /// Opens a part for what comes first of a block, unless the block is open as that already.
    fn opened(
        &mut self,
        index: u64,
        (is_open, kind): (fn(&OpenKind) -> bool, OpenKind),
        part: PartKind,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        if self.open.as_ref().is_some_and(|open| open.index == index && is_open(&open.kind)) {
            return Ok(());
        }
        self.block_stop(events)?;
        self.open_part(part.into(), events);
        self.open = Some(Open { index, kind });
        Ok(())
    }

    fn add(&self, delta: Delta, events: &mut Vec<StreamEvent>) {
        let index = self.parts.saturating_sub(1);
        events.push(StreamEvent::PartDelta { choice: 0, index, delta });
    }

    fn open_text(&mut self, index: u64, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let part = PartKind::Text { text: "".into(), citations: Vec::new() };
        self.opened(index, (|kind| matches!(kind, OpenKind::Text), OpenKind::Text), part, events)
    }

    fn block_delta(
        &mut self,
        index: u64,
        delta: BlockDelta,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        if let Some(text) = delta.text {
            self.open_text(index, events)?;
            if !text.0.is_empty() {
                self.add(Delta::Text(text.0), events);
            }
        }
        if let Some(citation) = delta.citation.as_ref().and_then(citations::decode) {
            self.open_text(index, events)?;
            self.add(Delta::Citation(citation), events);
        }
        if let Some(reasoning) = delta.reasoning {
            self.reasoning(index, reasoning, events)?;
        }
        if let Some(input) = delta.call.and_then(|call| call.input) {
            match self.held(index)? {
                OpenKind::Call if input.0.is_empty() => {}
                OpenKind::Call => self.add(Delta::Arguments(input.0), events),
                OpenKind::Held(Held::Call(_, held)) => {
                    held.push_str(&input.0);
                    within(held.len())?;
                }
                OpenKind::Text | OpenKind::Thought | OpenKind::Whole | OpenKind::Held(_) => {
                    return Err(AnswerProblem::Malformed);
                }
            }
        }
        if let Some(pieces) = delta.result
            && let OpenKind::Held(Held::Result(_, held, bytes)) = self.held(index)?
        {
            *bytes = pieces.iter().map(|piece| piece.get().len()).fold(*bytes, usize::saturating_add);
            within(*bytes)?;
            held.extend(pieces);
        }
        if let Some(source) = delta.image.and_then(|image| image.source)
            && let OpenKind::Held(Held::Image(_, held)) = self.held(index)?
        {
            // Pieces of base64 cannot be joined as they are: a picture comes in one.
            if held.replace(source).is_some() {
                return Err(AnswerProblem::Malformed);
            }
        }
        Ok(())
    }

    /// The open block, which must be this one.
    fn held(&mut self, index: u64) -> Result<&mut OpenKind, AnswerProblem> {
        let open = self.open.as_mut().filter(|open| open.index == index);
        open.map(|open| &mut open.kind).ok_or(AnswerProblem::Malformed)
    }

    fn reasoning(
        &mut self,
        index: u64,
        reasoning: Reasoning,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        if let Some(data) = reasoning.redacted {
            let thought = PartKind::Reasoning(Thought { redacted: true, ..Thought::default() });
            self.opened(index, (|_| false, OpenKind::Whole), thought, events)?;
            self.add(Delta::Signature(Minted::unknown(DIALECT, data.0)), events);
        }
        let said = [reasoning.text.map(|text| (true, text)), reasoning.signature.map(|text| (false, text))];
        for (is_text, text) in said.into_iter().flatten() {
            let thought = PartKind::Reasoning(Thought::default());
            let kind = (|kind: &OpenKind| matches!(kind, OpenKind::Thought)) as fn(&OpenKind) -> bool;
            self.opened(index, (kind, OpenKind::Thought), thought, events)?;
            match (text.0.is_empty(), is_text) {
                (true, _) => {}
                (false, true) => self.add(Delta::Thought { index: 0, text: text.0 }, events),
                (false, false) => {
                    self.add(Delta::Signature(Minted::unknown(DIALECT, text.0)), events);
                }
            }
        }
        Ok(())
    }

    /// Closes the open block, if there is one.
    fn block_stop(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if let OpenKind::Held(held) = open.kind {
            let part = held.whole().ok_or(AnswerProblem::Malformed)?;
            self.open_part(part, events);
        }
        events.push(StreamEvent::PartStop { choice: 0, index: self.parts.saturating_sub(1) });
        Ok(())
    }

    fn message_stop(
        &mut self,
        reason: Option<Str>,
        fields: Option<RawJson>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        if self.phase > Phase::Speaking {
            return Ok(());
        }
        self.phase = Phase::Stopped;
        self.block_stop(events)?;
        let (stop_sequence, _) = fields.map(finish::fields).unwrap_or_default();
        if let Some(finish) = reason.and_then(|raw| finish::decode(raw.0, self.calls, stop_sequence)) {
            events.push(StreamEvent::Finish { choice: 0, finish });
        }
        self.end(events);
        Ok(())
    }

    fn metadata(&mut self, event: Event, events: &mut Vec<StreamEvent>) {
        self.metadata = true;
        let usage = event.usage.and_then(|reported| reported.usage());
        events.extend(usage.map(StreamEvent::Usage));
        let tier = event.tier.and_then(|tier| tier.kind);
        events.extend(tier.map(|kind| StreamEvent::ServiceTier(kind.0)));
        self.end(events);
    }

    /// Ends the answer, once both of what ends it have come.
    fn end(&mut self, events: &mut Vec<StreamEvent>) {
        if self.phase == Phase::Stopped && self.metadata {
            events.push(StreamEvent::End);
            self.phase = Phase::Ended;
        }
    }

    fn event(
        &mut self,
        name: &[u8],
        event: Event,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        let of_block = name.starts_with(b"contentBlock");
        // Content before the beginning or behind the end belongs to nothing.
        if (of_block && self.phase > Phase::Speaking)
            || (self.phase == Phase::Silent && (of_block || matches!(name, b"messageStop" | b"metadata")))
        {
            return Err(AnswerProblem::Malformed);
        }
        match name {
            b"messageStart" => self.message_start(events),
            b"contentBlockStart" => {
                let (index, start) = event.index.zip(event.start).ok_or(AnswerProblem::Malformed)?;
                self.block_start(index, start, events)?;
            }
            b"contentBlockDelta" => {
                let (index, delta) = event.index.zip(event.delta).ok_or(AnswerProblem::Malformed)?;
                self.block_delta(index, delta, events)?;
            }
            b"contentBlockStop" => self.block_stop(events)?,
            b"messageStop" => self.message_stop(event.stop_reason, event.fields, events)?,
            b"metadata" => self.metadata(event, events),
            _ => {}
        }
        Ok(())
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        match eventstream::kind(frame) {
            Some(MessageKind::Event) => {}
            Some(MessageKind::Exception) => {
                return Err(AnswerProblem::Error(error::exception(frame.event(), frame.data())));
            }
            Some(MessageKind::Error) => {
                let message = eventstream::error_message(frame);
                return Err(AnswerProblem::Error(error::error(frame.event(), message)));
            }
            None => return Err(AnswerProblem::Malformed),
        }
        let event = serde_json::from_slice(frame.data()).map_err(|_| AnswerProblem::Malformed)?;
        self.event(frame.event().unwrap_or_default(), event, events)
    }

    fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Cut> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        if self.done_marker != DoneMarker::Optional || self.phase != Phase::Stopped {
            return Err(Cut);
        }
        self.metadata = true;
        self.end(events);
        Ok(())
    }
}

/// Whether a call is for the caller to run.
fn is_callers(kind: Option<&Str>) -> bool {
    kind.is_none_or(|kind| &*kind.0 == "tool_use")
}

fn within(bytes: usize) -> Result<(), AnswerProblem> {
    if bytes > WHOLE_BYTES_MAX { Err(AnswerProblem::Malformed) } else { Ok(()) }
}

impl Held {
    /// The part that was put together.
    fn whole(self) -> Option<Part> {
        let mut out = Vec::with_capacity(256);
        let mut malformed = false;
        object(&mut out, |block| match &self {
            Self::Call(start, held) => block.object("toolUse", |object| {
                start.write(object);
                match RawJson::parse(held) {
                    Some(raw) => object.raw("input", &raw),
                    None if held.is_empty() => object.object("input", |_| {}),
                    None => malformed = true,
                }
            }),
            Self::Result(start, pieces, _) => block.object("toolResult", |object| {
                start.write(object);
                object.array("content", |array| pieces.iter().for_each(|piece| array.raw(piece)));
            }),
            Self::Image(format, source) => block.object("image", |image| {
                image.optional("format", format.as_ref().map(|format| &format.0));
                if let Some(source) = source {
                    image.raw("source", source);
                }
            }),
        });
        if malformed {
            return None;
        }
        let raw: &RawValue = serde_json::from_slice(&out).ok()?;
        let parts = blocks::parts(&RawJson::parse(&format!("[{}]", raw.get()))?, Speaker::Answer).ok()?;
        parts.into_iter().next()
    }
}

impl ToolStart {
    fn write(&self, object: &mut Object<'_>) {
        let members =
            [("toolUseId", &self.id), ("name", &self.name), ("type", &self.kind), ("status", &self.status)];
        for (key, value) in members {
            object.optional(key, value.as_ref().map(|value| &value.0));
        }
    }
}
