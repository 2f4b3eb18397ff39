//! Reading a streamed answer. Items come one after the other, so an event is a part's and needs no buffer; an item only
//! this dialect knows is read when it ends, for it is repeated then. What a server says in an item's last events only,
//! and not in deltas, is taken from there.

use serde_json::value::RawValue;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatResponse, Choice, Delta, Extras, Logprobs, Part, PartKind, RawJson, StreamEvent, Thought, unfold,
};

use super::super::answer::Response;
use super::super::error;
use super::content::{self, Side};
use super::response::{self, seconds, take_logprobs};
use super::{DIALECT, citations, finish, form};
use crate::codec::AnswerProblem;
use crate::frame::Frame;
use crate::json::{Str, wire_object};
use crate::openai::recast::finish::WireToken;
use crate::quirks::{Quirks, UsageConvention};
use crate::recast::{Cut, StreamDecoder};

wire_object! {
    ignoring struct Event {
        "type" => kind: Str,
        "response" => response: Response,
        "output_index" => output_index: u64,
        "content_index" => content_index: u32,
        "summary_index" => summary_index: u32,
        "item" => item: RawJson,
        "part" => part: RawJson,
        "delta" => delta: Str,
        "text" => text: Str,
        "refusal" => refusal: Str,
        "arguments" => arguments: Str,
        "input" => input: Str,
        "annotation" => annotation: RawJson,
        "logprobs" => logprobs: Vec<WireToken>,
    }
}

wire_object! {
    /// What an event or an item is.
    ignoring struct Head { "type" => kind: Str, "error" => error: serde::de::IgnoredAny }
}

wire_object! {
    /// A thought as it opens.
    ignoring struct OpeningThought { "id" => id: Str }
}

/// Reads one stream.
pub(super) struct Decoder {
    convention: UsageConvention,
    started: bool,
    ended: bool,
    tier: Option<Text>,
    /// How many parts have been opened.
    parts: u32,
    calls: usize,
    open: Option<Open>,
    /// The last item a part was opened for, and whether the part is content of a message.
    last: Option<(u64, bool)>,
}

/// The open part.
struct Open {
    /// Its item.
    item: u64,
    /// Its place in a message.
    content: u32,
    kind: OpenKind,
    /// Whether anything was added to it.
    grown: bool,
    citations: usize,
    logprobs: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenKind {
    Text,
    Refusal,
    Thought,
    Call,
}

type Events = Vec<StreamEvent>;

impl Decoder {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self {
            convention: quirks.usage,
            started: false,
            ended: false,
            tier: None,
            parts: 0,
            calls: 0,
            open: None,
            last: None,
        }
    }

    fn start(&mut self, response: &Response, events: &mut Events) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let text = |text: &Option<Str>| text.as_ref().map_or_else(|| Text::from(""), |text| text.0.clone());
        events.push(StreamEvent::Start {
            id: text(&response.id),
            model: text(&response.model),
            created: response.created.as_ref().and_then(seconds),
            extras: Extras::default(),
        });
    }

    fn end(&mut self, response: &Response, events: &mut Events) {
        self.start(response, events);
        self.close(events);
        let tier = response.service_tier.as_ref().map(|tier| tier.0.clone());
        if tier.is_some() && tier != self.tier {
            events.extend(tier.map(StreamEvent::ServiceTier));
        }
        let mut facts = crate::codec::AnswerFacts::default();
        response.facts(&mut facts, self.convention);
        events.extend(facts.usage.map(StreamEvent::Usage));
        let reason = response.incomplete.as_ref().and_then(|incomplete| incomplete.reason.as_ref());
        let status = response.status.as_ref().map(|status| &status.0);
        if let Some(finish) = finish::decode(status, reason.map(|reason| &reason.0), self.calls) {
            events.push(StreamEvent::Finish { choice: 0, finish });
        }
        events.push(StreamEvent::End);
        self.ended = true;
    }

    fn open(&mut self, (item, content): (u64, u32), kind: OpenKind, part: PartKind, events: &mut Events) {
        self.close(events);
        let is_content = matches!(kind, OpenKind::Text | OpenKind::Refusal);
        let extras = self.begin(item, is_content);
        self.calls += usize::from(kind == OpenKind::Call);
        let part = Part { extras, ..Part::new(part) };
        events.push(StreamEvent::PartStart { choice: 0, index: self.parts, part });
        self.parts += 1;
        self.open = Some(Open { item, content, kind, grown: false, citations: 0, logprobs: false });
    }

    /// Notes that a part of an item begins; a message behind another one is said to be apart.
    fn begin(&mut self, item: u64, is_content: bool) -> Extras {
        let apart = is_content && matches!(self.last, Some((last, true)) if last != item);
        self.last = Some((item, is_content));
        Extras::new(DIALECT, if apart { form::APART } else { 0 }, Vec::new())
    }

    fn close(&mut self, events: &mut Events) {
        if self.open.take().is_some() {
            events.push(StreamEvent::PartStop { choice: 0, index: self.parts.saturating_sub(1) });
        }
    }

    fn add(&mut self, delta: Delta, events: &mut Events) {
        if let Some(open) = &mut self.open {
            open.grown = true;
        }
        events.push(StreamEvent::PartDelta { choice: 0, index: self.parts.saturating_sub(1), delta });
    }

    /// The open part, if it is that of the item and of the kind.
    fn is_open(&self, item: u64, kind: OpenKind) -> Option<&Open> {
        self.open.as_ref().filter(|open| open.item == item && open.kind == kind)
    }

    /// Parts that come whole.
    fn whole(&mut self, item: u64, parts: Vec<Part>, events: &mut Events) {
        self.close(events);
        for mut part in parts {
            let is_content = !super::items::is_item(&part);
            let extras = self.begin(item, is_content);
            if !matches!(part.kind, PartKind::Opaque(_)) {
                part.extras = extras;
            }
            self.calls += usize::from(part.tool_call().is_some());
            let choice = Choice { parts: vec![part], ..Choice::default() };
            let answer = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
            for event in unfold(answer) {
                let index = self.parts;
                match event {
                    StreamEvent::PartStart { part, .. } => {
                        events.push(StreamEvent::PartStart { choice: 0, index, part });
                    }
                    StreamEvent::PartDelta { delta, .. } => {
                        events.push(StreamEvent::PartDelta { choice: 0, index, delta });
                    }
                    StreamEvent::PartStop { .. } => events.push(StreamEvent::PartStop { choice: 0, index }),
                    StreamEvent::Start { .. }
                    | StreamEvent::Logprobs { .. }
                    | StreamEvent::Usage(_)
                    | StreamEvent::ServiceTier(_)
                    | StreamEvent::Finish { .. }
                    | StreamEvent::End => {}
                }
            }
            self.parts += 1;
        }
    }

    fn item_added(&mut self, item: u64, raw: &RawJson, events: &mut Events) -> Result<(), AnswerProblem> {
        let malformed = AnswerProblem::Malformed;
        match kind_of(raw).as_deref() {
            Some("function_call" | "custom_tool_call") => {
                let parts = response::parts(raw, &mut Vec::new()).ok_or(malformed)?;
                let part = parts.into_iter().next().ok_or(AnswerProblem::Malformed)?;
                if let PartKind::ToolCall(mut call) = part.kind {
                    call.arguments = "".into();
                    self.open((item, 0), OpenKind::Call, PartKind::ToolCall(call), events);
                }
            }
            Some("reasoning") => {
                let thought: OpeningThought = serde_json::from_str(raw.get()).map_err(|_| malformed)?;
                let thought = Thought { id: thought.id.map(|id| id.0), ..Thought::default() };
                self.open((item, 0), OpenKind::Thought, PartKind::Reasoning(thought), events);
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    fn item_done(&mut self, item: u64, raw: &RawJson, events: &mut Events) -> Result<(), AnswerProblem> {
        let mut logprobs = Vec::new();
        let parts = response::parts(raw, &mut logprobs).ok_or(AnswerProblem::Malformed)?;
        let begun = self.last.is_some_and(|(last, _)| last == item);
        if !begun {
            self.whole(item, parts, events);
            push_logprobs(logprobs, events);
            return Ok(());
        }
        if let Some(open) = self.open.as_ref().filter(|open| open.item == item) {
            let (kind, grown) = (open.kind, open.grown);
            match (kind, parts.into_iter().next()) {
                (OpenKind::Call, Some(Part { kind: PartKind::ToolCall(call), .. })) => {
                    self.rest_of_call(item, call.arguments, events);
                }
                (OpenKind::Thought, Some(part)) => self.rest_of_thought(part, grown, events),
                (OpenKind::Text | OpenKind::Refusal | OpenKind::Call, _) | (OpenKind::Thought, None) => {}
            }
            self.close(events);
        }
        Ok(())
    }

    /// Arguments that did not come in deltas.
    fn rest_of_call(&mut self, item: u64, arguments: Text, events: &mut Events) {
        let owed = self.is_open(item, OpenKind::Call).is_some_and(|open| !open.grown);
        if owed && !arguments.is_empty() {
            self.add(Delta::Arguments(arguments), events);
        }
    }

    /// The seal of a thought, and what did not come in deltas.
    fn rest_of_thought(&mut self, part: Part, grown: bool, events: &mut Events) {
        if let PartKind::Reasoning(thought) = part.kind
            && !grown
        {
            for (index, text) in (0_u32..).zip(thought.text) {
                self.add(Delta::Thought { index, text }, events);
            }
            for (index, text) in (0_u32..).zip(thought.summary) {
                self.add(Delta::Summary { index, text }, events);
            }
        }
        if let Some(signature) = part.signature {
            self.add(Delta::Signature(signature), events);
        }
    }

    fn part_added(&mut self, place: (u64, u32), raw: &RawJson, events: &mut Events) {
        match kind_of(raw).as_deref() {
            Some("output_text") => self.open(place, OpenKind::Text, text_part(), events),
            Some("refusal") => self.open(place, OpenKind::Refusal, PartKind::Refusal("".into()), events),
            Some(_) | None => {}
        }
    }

    fn part_done(
        &mut self,
        (item, content): (u64, u32),
        raw: &RawJson,
        events: &mut Events,
    ) -> Result<(), AnswerProblem> {
        if kind_of(raw).as_deref() == Some("reasoning_text") {
            return Ok(());
        }
        let value: &RawValue = serde_json::from_str(raw.get()).map_err(|_| AnswerProblem::Malformed)?;
        let mut part = content::decode(value, Side::Output);
        let logprobs = take_logprobs(&mut part);
        let open = self.open.as_ref().filter(|open| open.item == item && open.content == content);
        let Some(open) = open else {
            if matches!(part.kind, PartKind::Opaque(_)) {
                self.whole(item, vec![part], events);
            }
            return Ok(());
        };
        let (kind, seen, heard) = (open.kind, open.citations, open.logprobs);
        if let PartKind::Text { text, citations } = part.kind {
            self.rest_of_text(item, kind, text, events);
            for citation in citations.into_iter().skip(seen) {
                self.add(Delta::Citation(citation), events);
            }
        } else if let PartKind::Refusal(text) = part.kind {
            self.rest_of_text(item, kind, text, events);
        }
        if !heard {
            push_logprobs(logprobs, events);
        }
        self.close(events);
        Ok(())
    }

    /// Text that did not come in deltas.
    fn rest_of_text(&mut self, item: u64, kind: OpenKind, text: Text, events: &mut Events) {
        let owed = self.is_open(item, kind).is_some_and(|open| !open.grown);
        if owed && !text.is_empty() {
            self.add(Delta::Text(text), events);
        }
    }

    fn text(&mut self, (item, content): (u64, u32), kind: OpenKind, event: Event, events: &mut Events) {
        if self.is_open(item, kind).is_none_or(|open| open.content != content) {
            let part = if kind == OpenKind::Text { text_part() } else { PartKind::Refusal("".into()) };
            self.open((item, content), kind, part, events);
        }
        if let Some(Str(text)) = event.delta.filter(|text| !text.0.is_empty()) {
            self.add(Delta::Text(text), events);
        }
        let logprobs: Vec<_> = event.logprobs.into_iter().flatten().filter_map(WireToken::token).collect();
        if !logprobs.is_empty() {
            if let Some(open) = &mut self.open {
                open.logprobs = true;
            }
            push_logprobs(logprobs, events);
        }
    }

    fn thought(&mut self, item: u64, delta: Delta, events: &mut Events) {
        if self.is_open(item, OpenKind::Thought).is_none() {
            self.open((item, 0), OpenKind::Thought, PartKind::Reasoning(Thought::default()), events);
        }
        self.add(delta, events);
    }

    fn event(&mut self, kind: &str, event: Event, events: &mut Events) -> Result<(), AnswerProblem> {
        if let Some(response) = &event.response {
            match kind {
                "response.completed" | "response.incomplete" => self.end(response, events),
                "response.failed" => {
                    return Err(AnswerProblem::Error(response.failure().unwrap_or_default()));
                }
                _ => self.start(response, events),
            }
            return Ok(());
        }
        let Some(item) = event.output_index else { return Ok(()) };
        // Content before the beginning belongs to nothing.
        if !self.started {
            return Err(AnswerProblem::Malformed);
        }
        let content = event.content_index.unwrap_or(0);
        let said =
            |text: &Option<Str>| text.as_ref().map(|text| text.0.clone()).filter(|text| !text.is_empty());
        match kind {
            "response.output_item.added" => {
                return event.item.map_or(Ok(()), |raw| self.item_added(item, &raw, events));
            }
            "response.output_item.done" => {
                return event.item.map_or(Ok(()), |raw| self.item_done(item, &raw, events));
            }
            "response.content_part.added" => {
                if let Some(raw) = event.part {
                    self.part_added((item, content), &raw, events);
                }
            }
            "response.content_part.done" => {
                return event.part.map_or(Ok(()), |raw| self.part_done((item, content), &raw, events));
            }
            "response.output_text.delta" => self.text((item, content), OpenKind::Text, event, events),
            "response.refusal.delta" => self.text((item, content), OpenKind::Refusal, event, events),
            "response.output_text.annotation.added" => self.annotation(item, event.annotation, events),
            "response.reasoning_text.delta" => {
                if let Some(text) = said(&event.delta) {
                    self.thought(item, Delta::Thought { index: content, text }, events);
                }
            }
            "response.reasoning_summary_text.delta" => {
                if let Some(text) = said(&event.delta) {
                    let index = event.summary_index.unwrap_or(0);
                    self.thought(item, Delta::Summary { index, text }, events);
                }
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                // Nobody could say which call it belongs to.
                self.is_open(item, OpenKind::Call).ok_or(AnswerProblem::Malformed)?;
                if let Some(text) = said(&event.delta) {
                    self.add(Delta::Arguments(text), events);
                }
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                if let Some(text) = said(&event.arguments).or_else(|| said(&event.input)) {
                    self.rest_of_call(item, text, events);
                }
            }
            "response.output_text.done" => {
                if let Some(text) = said(&event.text) {
                    self.rest_of_text(item, OpenKind::Text, text, events);
                }
            }
            "response.refusal.done" => {
                if let Some(text) = said(&event.refusal) {
                    self.rest_of_text(item, OpenKind::Refusal, text, events);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn annotation(&mut self, item: u64, raw: Option<RawJson>, events: &mut Events) {
        if let Some(raw) = raw
            && self.is_open(item, OpenKind::Text).is_some()
            && let Some(citation) = citations::annotation(&raw)
        {
            // Text may still be owed: a citation is no growth of it.
            events.push(StreamEvent::PartDelta {
                choice: 0,
                index: self.parts.saturating_sub(1),
                delta: Delta::Citation(citation),
            });
            if let Some(open) = &mut self.open {
                open.citations += 1;
            }
        }
    }
}

fn text_part() -> PartKind {
    PartKind::Text { text: "".into(), citations: Vec::new() }
}

fn kind_of(raw: &RawJson) -> Option<Text> {
    serde_json::from_str::<Head>(raw.get()).ok()?.kind.map(|kind| kind.0)
}

fn push_logprobs(content: Vec<trunkline_domain::chat::TokenLogprob>, events: &mut Events) {
    if !content.is_empty() {
        let logprobs = Logprobs { content, refusal: Vec::new() };
        events.push(StreamEvent::Logprobs { choice: 0, logprobs });
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Events) -> Result<(), AnswerProblem> {
        let data = frame.data();
        if data.is_empty() || self.ended || data.starts_with(b"[DONE]") {
            return Ok(());
        }
        if frame.event() == Some(b"error") {
            return Err(AnswerProblem::Error(error::read(data).unwrap_or_default()));
        }
        let not_an_event = || error::read(data).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let head: Head = serde_json::from_slice(data).map_err(|_| not_an_event())?;
        let Some(Str(kind)) = head.kind.filter(|_| head.error.is_none()) else { return Err(not_an_event()) };
        if &*kind == "error" {
            return Err(not_an_event());
        }
        match serde_json::from_slice::<Event>(data) {
            Ok(event) => self.event(&kind, event, events),
            // An event of a tool of the provider's may have other members of the same names.
            Err(_) if !is_known(&kind) => Ok(()),
            Err(_) => Err(AnswerProblem::Malformed),
        }
    }

    fn finish(&mut self, _events: &mut Events) -> Result<(), Cut> {
        if self.ended { Ok(()) } else { Err(Cut) }
    }
}

/// Whether an event is one whose members are read.
fn is_known(kind: &str) -> bool {
    const KNOWN: &[&str] = &[
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ];
    const FAMILIES: &[&str] = &[
        "response.output_item.",
        "response.content_part.",
        "response.output_text.",
        "response.refusal.",
        "response.reasoning_",
        "response.function_call_arguments.",
        "response.custom_tool_call_input.",
    ];
    KNOWN.contains(&kind) || FAMILIES.iter().any(|family| kind.starts_with(family))
}
