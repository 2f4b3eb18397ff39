//! Reading a streamed answer. A part ends where the next one begins and not with its own end: the citations of a text may
//! follow it.

use trunkline_domain::Text;
use trunkline_domain::chat::{Delta, Extras, Logprobs, Part, PartKind, RawJson, StreamEvent, Thought};

use super::finish::{self, Logprob};
use super::message::{self, text_of};
use super::{error, usage};
use crate::codec::AnswerProblem;
use crate::frame::Frame;
use crate::json::{Str, wire_object};
use crate::recast::{Cut, StreamDecoder};

wire_object! {
    ignoring struct Event {
        "type" => kind: Str,
        "id" => id: Str,
        "delta" => delta: WireDelta,
        "logprobs" => logprobs: Logprob,
    }
}

wire_object! {
    ignoring struct WireDelta {
        "message" => message: Message,
        "finish_reason" => finish: Str,
        "usage" => usage: usage::Reported,
        "error" => error: Str,
    }
}

wire_object! {
    ignoring struct Message {
        "content" => content: RawJson,
        "tool_plan" => tool_plan: Str,
        "tool_calls" => tool_calls: RawJson,
        "citations" => citations: RawJson,
    }
}

wire_object! {
    ignoring struct Content { "type" => kind: Str, "text" => text: Str, "thinking" => thinking: Str }
}

wire_object! {
    ignoring struct CallDelta { "function" => function: FunctionDelta }
}

wire_object! {
    ignoring struct FunctionDelta { "arguments" => arguments: Str }
}

/// Reads one stream.
#[derive(Default)]
pub(super) struct Decoder {
    started: bool,
    ended: bool,
    /// How many parts have been opened.
    parts: u32,
    calls: usize,
    open: Option<Open>,
}

/// The open part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Plan,
    Call,
}

impl Decoder {
    fn event(&mut self, event: Event, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let kind = text_of(event.kind);
        if !self.started {
            self.started = true;
            events.push(StreamEvent::Start {
                id: if &*kind == "message-start" { text_of(event.id) } else { Text::from("") },
                model: Text::from(""),
                created: None,
                extras: Extras::default(),
            });
        }
        let delta = event.delta.unwrap_or_default();
        let message = delta.message.unwrap_or_default();
        match &*kind {
            "content-start" => self.content_start(message.content.as_ref(), events)?,
            "content-delta" => {
                let content = message.content.as_ref().map(content).transpose()?;
                self.content(content.unwrap_or_default(), events);
                if let Some(token) = event.logprobs.and_then(Logprob::token) {
                    let logprobs = Logprobs { content: vec![token], ..Logprobs::default() };
                    events.push(StreamEvent::Logprobs { choice: 0, logprobs });
                }
            }
            "tool-plan-delta" => {
                let plan = text_of(message.tool_plan);
                if !plan.is_empty() {
                    self.open(Open::Plan, || message::plan("".into()), events);
                    self.add(Delta::Thought { index: 0, text: plan }, events);
                }
            }
            "tool-call-start" => self.call(message.tool_calls.as_ref(), events)?,
            "tool-call-delta" => {
                let raw = message.tool_calls.as_ref().filter(|_| self.open == Some(Open::Call));
                let raw = raw.ok_or(AnswerProblem::Malformed)?;
                let call: CallDelta =
                    serde_json::from_str(raw.get()).map_err(|_| AnswerProblem::Malformed)?;
                let arguments = text_of(call.function.and_then(|function| function.arguments));
                if !arguments.is_empty() {
                    self.add(Delta::Arguments(arguments), events);
                }
            }
            "citation-start" => self.citation(message.citations.as_ref(), events),
            "message-end" => {
                if let Some(words) = delta.error.filter(|words| !words.0.is_empty()) {
                    return Err(AnswerProblem::Error(error::of_message(&words.0)));
                }
                self.close(events);
                let usage = delta.usage.and_then(|reported| reported.usage());
                events.extend(usage.map(StreamEvent::Usage));
                let finish = delta.finish.map(|reason| finish::decode(reason.0, self.calls));
                events.extend(finish.map(|finish| StreamEvent::Finish { choice: 0, finish }));
                events.push(StreamEvent::End);
                self.ended = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn content_start(
        &mut self,
        raw: Option<&RawJson>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        let content = raw.map(content).transpose()?.unwrap_or_default();
        self.close(events);
        match content.kind.as_ref().map(|kind| &*kind.0) {
            Some("thinking") => self.open(Open::Thinking, thinking, events),
            Some("text") => self.open(Open::Text, || Part::text(""), events),
            Some(_) | None => {}
        }
        self.content(content, events);
        Ok(())
    }

    fn content(&mut self, content: Content, events: &mut Vec<StreamEvent>) {
        if let Some(Str(text)) = content.thinking.filter(|text| !text.0.is_empty()) {
            self.open(Open::Thinking, thinking, events);
            self.add(Delta::Thought { index: 0, text }, events);
        }
        if let Some(Str(text)) = content.text.filter(|text| !text.0.is_empty()) {
            self.open(Open::Text, || Part::text(""), events);
            self.add(Delta::Text(text), events);
        }
    }

    fn call(&mut self, raw: Option<&RawJson>, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let mut part = raw.and_then(message::call).ok_or(AnswerProblem::Malformed)?;
        let mut begun = Text::from("");
        if let PartKind::ToolCall(call) = &mut part.kind {
            begun = std::mem::replace(&mut call.arguments, Text::from(""));
        }
        self.close(events);
        self.open(Open::Call, || part, events);
        self.calls += 1;
        if !begun.is_empty() {
            self.add(Delta::Arguments(begun), events);
        }
        Ok(())
    }

    fn citation(&mut self, raw: Option<&RawJson>, events: &mut Vec<StreamEvent>) {
        if self.open != Some(Open::Text) {
            return;
        }
        if let Some((citation, _)) = raw.and_then(message::citation) {
            self.add(Delta::Citation(citation), events);
        }
    }

    /// Opens a part, unless one of its kind is open already.
    fn open(&mut self, open: Open, part: impl FnOnce() -> Part, events: &mut Vec<StreamEvent>) {
        if self.open == Some(open) {
            return;
        }
        self.close(events);
        events.push(StreamEvent::PartStart { choice: 0, index: self.parts, part: part() });
        self.parts = self.parts.saturating_add(1);
        self.open = Some(open);
    }

    fn add(&mut self, delta: Delta, events: &mut Vec<StreamEvent>) {
        events.push(StreamEvent::PartDelta { choice: 0, index: self.parts.saturating_sub(1), delta });
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        if self.open.take().is_some() {
            events.push(StreamEvent::PartStop { choice: 0, index: self.parts.saturating_sub(1) });
        }
    }
}

fn thinking() -> Part {
    PartKind::Reasoning(Thought::default()).into()
}

/// The content of a delta: an empty list where the answer begins.
fn content(raw: &RawJson) -> Result<Content, AnswerProblem> {
    serde_json::from_str(raw.get()).map_err(|_| AnswerProblem::Malformed)
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let data = frame.data();
        if data.is_empty() || self.ended {
            return Ok(());
        }
        let problem = || error::read(data).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let event: Event = serde_json::from_slice(data).map_err(|_| problem())?;
        if event.kind.is_none() {
            return Err(problem());
        }
        self.event(event, events)
    }

    fn finish(&mut self, _events: &mut Vec<StreamEvent>) -> Result<(), Cut> {
        if self.ended { Ok(()) } else { Err(Cut) }
    }
}
