//! Reading a streamed answer.
//!
//! A part ends where the next one of its choice begins. Deltas of a tool call that has ended are refused: the dialect
//! would allow calls to interleave, but nobody sends them so, and to merge them by guess is how calls get mixed up. A new
//! call is known by a new index, or by a new id that comes with a name: some servers number all calls 0, others repeat
//! or change the id in every delta.

use trunkline_domain::chat::{
    Delta, Extras, Minted, Part, PartKind, RawJson, Speech, StreamEvent, Thought, ToolCall, ToolCallKind,
};
use trunkline_domain::{Text, Usage};

use super::super::{error, usage};
use super::DIALECT;
use super::content::Content;
use super::finish::{self, WireLogprobs};
use super::messages::{arguments, thought_signature};
use super::reasoning::{dialect_of, is_redacted};
use super::response::{Annotation, Audio, Image};
use crate::codec::AnswerProblem;
use crate::frame::Frame;
use crate::json::{Str, wire_object};
use crate::quirks::{DoneMarker, Quirks};
use crate::recast::{Cut, StreamDecoder};

/// The most choices one stream may have.
const CHOICES_MAX: usize = 128;

wire_object! {
    ignoring struct Chunk {
        "id" => id: Str,
        "created" => created: i64,
        "model" => model: Str,
        "choices" => choices: Vec<ChunkChoice>,
        "usage" => usage: RawJson,
        "service_tier" => service_tier: Str,
        "system_fingerprint" => system_fingerprint: RawJson,
        "error" => error: RawJson,
        "x_groq" => x_groq: XGroq,
    }
}

wire_object! {
    ignoring struct XGroq { "usage" => usage: RawJson, "error" => error: RawJson }
}

wire_object! {
    ignoring struct ChunkChoice {
        "index" => index: u32,
        "delta" => delta: WireDelta,
        "finish_reason" => finish_reason: Str,
        "stop_reason" => stop_reason: RawJson,
        "matched_stop" => matched_stop: RawJson,
        "logprobs" => logprobs: WireLogprobs,
    }
}

wire_object! {
    ignoring struct WireDelta {
        "content" => content: Content,
        "refusal" => refusal: Str,
        "reasoning_content" => reasoning_content: Str,
        "reasoning" => reasoning: Str,
        "reasoning_details" => reasoning_details: Vec<Detail>,
        "tool_calls" => tool_calls: Vec<CallDelta>,
        "annotations" => annotations: Vec<Annotation>,
        "audio" => audio: Audio,
        "images" => images: Vec<Image>,
    }
}

wire_object! {
    ignoring struct Detail {
        "type" => kind: Str,
        "text" => text: Str,
        "summary" => summary: Str,
        "data" => data: Str,
        "signature" => signature: Str,
        "format" => format: Str,
        "id" => id: Str,
        "index" => index: u64,
    }
}

wire_object! {
    ignoring struct CallDelta {
        "index" => index: u64,
        "id" => id: Str,
        "type" => kind: Str,
        "function" => function: FunctionDelta,
        "custom" => custom: CustomDelta,
        "extra_content" => extra_content: RawJson,
    }
}

wire_object! {
    ignoring struct FunctionDelta { "name" => name: Str, "arguments" => arguments: RawJson }
}

wire_object! {
    ignoring struct CustomDelta { "name" => name: Str, "input" => input: Str }
}

/// Reads one stream.
pub(super) struct Decoder {
    quirks: Quirks,
    started: bool,
    ended: bool,
    usage: Option<Usage>,
    tier: Option<Text>,
    choices: Vec<Choice>,
}

/// How far a choice is.
struct Choice {
    index: u32,
    /// How many parts have been opened.
    parts: u32,
    open: Option<Open>,
    /// How many tool calls have been opened.
    calls: usize,
    finished: bool,
}

/// The open part of a choice.
#[derive(PartialEq)]
enum Open {
    Text,
    Refusal,
    Speech,
    /// The thought's id and place in `reasoning_details`, where there are any.
    Thought {
        id: Option<Text>,
        place: Option<u64>,
    },
    Call {
        index: Option<u64>,
        id: Text,
    },
}

impl Decoder {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { quirks: *quirks, started: false, ended: false, usage: None, tier: None, choices: Vec::new() }
    }

    fn start(&mut self, start: StreamEvent, events: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            events.push(start);
        }
    }

    fn chunk(&mut self, chunk: Chunk, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let Chunk { id, model, created, system_fingerprint, .. } = chunk;
        let fields = system_fingerprint.into_iter().map(|raw| ("system_fingerprint".into(), raw));
        let text = |text: Option<Str>| text.map(|text| text.0).unwrap_or_default();
        let extras = Extras::new(DIALECT, 0, fields.collect());
        self.start(StreamEvent::Start { id: text(id), model: text(model), created, extras }, events);
        if let Some(Str(tier)) = chunk.service_tier
            && self.tier.as_ref() != Some(&tier)
        {
            self.tier = Some(tier.clone());
            events.push(StreamEvent::ServiceTier(tier));
        }
        for choice in chunk.choices.into_iter().flatten() {
            self.choice(choice, events)?;
        }
        let groq = chunk.x_groq.and_then(|groq| groq.usage);
        let reported = chunk.usage.or(groq).and_then(|raw| usage::read(raw.get(), self.quirks.usage));
        if reported.is_some() && reported != self.usage {
            self.usage = reported;
            events.extend(reported.map(StreamEvent::Usage));
        }
        Ok(())
    }

    fn choice(&mut self, mut wire: ChunkChoice, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let index = wire.index.unwrap_or(0);
        let at = self.choices.iter().position(|choice| choice.index == index);
        let at = at.unwrap_or(self.choices.len());
        if at == self.choices.len() {
            if at >= CHOICES_MAX {
                return Err(AnswerProblem::Malformed);
            }
            self.choices.push(Choice::new(index));
        }
        let Some(choice) = self.choices.get_mut(at) else { return Err(AnswerProblem::Malformed) };
        let mut writer = Writer { choice, events };
        if let Some(delta) = wire.delta {
            writer.delta(delta)?;
        }
        if let Some(logprobs) = wire.logprobs.and_then(WireLogprobs::logprobs) {
            writer.events.push(StreamEvent::Logprobs { choice: index, logprobs });
        }
        if let Some(reason) = wire.finish_reason {
            let quirks = &self.quirks;
            let sequence = finish::stop_sequence(quirks, &mut wire.stop_reason, &mut wire.matched_stop);
            writer.finish(&reason.0, sequence);
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<StreamEvent>) {
        // An answer of nothing begins, too.
        let (id, model) = (Text::default(), Text::default());
        self.start(StreamEvent::Start { id, model, created: None, extras: Extras::default() }, events);
        for choice in &mut self.choices {
            Writer { choice, events }.close();
        }
        events.push(StreamEvent::End);
        self.ended = true;
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let data = frame.data();
        if data.is_empty() || self.ended {
            return Ok(());
        }
        if data.starts_with(b"[DONE]") {
            self.end(events);
            return Ok(());
        }
        if frame.event() == Some(b"error") {
            return Err(AnswerProblem::Error(error::read(data).unwrap_or_default()));
        }
        let not_a_chunk = || error::read(data).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let chunk: Chunk = serde_json::from_slice(data).map_err(|_| not_a_chunk())?;
        let groq = chunk.x_groq.as_ref().and_then(|groq| groq.error.as_ref());
        if let Some(words) = chunk.error.as_ref().or(groq).and_then(|error| error::words(error.get())) {
            return Err(AnswerProblem::Error(words));
        }
        if chunk.choices.is_none() && chunk.usage.is_none() {
            return Err(not_a_chunk());
        }
        // Azure begins with a chunk that has filter results and nothing else, not even an id.
        let says_nothing = chunk.choices.as_ref().is_none_or(Vec::is_empty) && chunk.usage.is_none();
        if says_nothing { Ok(()) } else { self.chunk(chunk, events) }
    }

    fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Cut> {
        let finished = !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finished);
        if !self.ended {
            if self.quirks.done_marker != DoneMarker::Optional || !finished {
                return Err(Cut);
            }
            self.end(events);
        }
        Ok(())
    }
}

impl Choice {
    fn new(index: u32) -> Self {
        Self { index, parts: 0, open: None, calls: 0, finished: false }
    }
}

/// Adds events to a choice.
struct Writer<'a> {
    choice: &'a mut Choice,
    events: &'a mut Vec<StreamEvent>,
}

impl Writer<'_> {
    fn delta(&mut self, delta: WireDelta) -> Result<(), AnswerProblem> {
        let details = delta.reasoning_details.unwrap_or_default();
        let plain = delta.reasoning_content.or(delta.reasoning);
        if details.is_empty()
            && let Some(Str(text)) = plain
        {
            self.thought(text)?;
        }
        for detail in details {
            self.detail(detail)?;
        }
        match delta.content {
            Some(Content::Text(text)) => self.text(text)?,
            Some(Content::Parts(parts)) => {
                for part in parts {
                    self.content_part(part.part().ok_or(AnswerProblem::Malformed)?)?;
                }
            }
            None => {}
        }
        for citation in delta.annotations.into_iter().flatten().filter_map(Annotation::citation) {
            if self.choice.open == Some(Open::Text) {
                self.add(Delta::Citation(citation))?;
            }
        }
        if let Some(Str(text)) = delta.refusal
            && !text.is_empty()
        {
            self.open(Open::Refusal, || PartKind::Refusal("".into()).into())?;
            self.add(Delta::Text(text))?;
        }
        for image in delta.images.into_iter().flatten() {
            self.whole(image.part().ok_or(AnswerProblem::Malformed)?)?;
        }
        if let Some(audio) = delta.audio {
            self.speech(audio)?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call)?;
        }
        Ok(())
    }

    fn text(&mut self, text: Text) -> Result<(), AnswerProblem> {
        if text.is_empty() {
            return Ok(());
        }
        self.open(Open::Text, || Part::text(""))?;
        self.add(Delta::Text(text))
    }

    /// Content in parts, as Mistral sends it: text and thinking.
    fn content_part(&mut self, part: Part) -> Result<(), AnswerProblem> {
        if let PartKind::Text { text, .. } = part.kind {
            self.text(text)
        } else if let PartKind::Reasoning(thought) = part.kind {
            thought.text.into_iter().try_for_each(|text| self.thought(text))
        } else {
            self.whole(part)
        }
    }

    fn thought(&mut self, text: Text) -> Result<(), AnswerProblem> {
        if text.is_empty() {
            return Ok(());
        }
        if !matches!(self.choice.open, Some(Open::Thought { .. })) {
            let thought = || PartKind::Reasoning(Thought::default()).into();
            self.open(Open::Thought { id: None, place: None }, thought)?;
        }
        self.add(Delta::Thought { index: 0, text })
    }

    fn detail(&mut self, detail: Detail) -> Result<(), AnswerProblem> {
        let id = detail.id.map(|id| id.0);
        let place = detail.index;
        let goes_on = match &self.choice.open {
            Some(Open::Thought { id: open_id, place: open_place }) => {
                (id.is_none() || open_id.is_none() || id == *open_id)
                    && (place.is_none() || open_place.is_none() || place == *open_place)
            }
            _ => false,
        };
        let dialect = dialect_of(detail.format.as_ref().map(|format| &*format.0));
        if !goes_on {
            let encrypted = detail.data.is_some();
            let redacted = encrypted && is_redacted(dialect);
            let thought = Thought { id: id.clone(), redacted, ..Thought::default() };
            self.open(Open::Thought { id, place }, || PartKind::Reasoning(thought).into())?;
        }
        if let Some(Str(text)) = detail.text.filter(|text| !text.0.is_empty()) {
            self.add(Delta::Thought { index: 0, text })?;
        }
        if let Some(Str(text)) = detail.summary.filter(|text| !text.0.is_empty()) {
            self.add(Delta::Summary { index: 0, text })?;
        }
        if let Some(Str(value)) = detail.signature.or(detail.data) {
            self.add(Delta::Signature(Minted::unknown(dialect, value)))?;
        }
        Ok(())
    }

    fn speech(&mut self, audio: Audio) -> Result<(), AnswerProblem> {
        let Audio { id, data, transcript, expires_at, .. } = audio;
        let text = |text: Option<Str>| text.map_or_else(|| Text::from(""), |text| text.0);
        let speech = Speech { id: id.map(|id| id.0), ..Speech::default() };
        self.open(Open::Speech, || PartKind::Speech(speech).into())?;
        self.add(Delta::Speech { data: text(data), transcript: text(transcript), expires_at })
    }

    fn call(&mut self, call: CallDelta) -> Result<(), AnswerProblem> {
        let CallDelta { index, id, kind, function, custom, extra_content, .. } = call;
        let id = id.map(|id| id.0).filter(|id| !id.is_empty());
        let is_custom = custom.is_some() || kind.is_some_and(|kind| &*kind.0 == "custom");
        let (name, text) = match (function, custom) {
            (Some(function), _) => (function.name, arguments(function.arguments)),
            (None, Some(custom)) => {
                (custom.name, custom.input.map_or_else(|| Text::from(""), |input| input.0))
            }
            (None, None) => (None, Text::from("")),
        };
        let name = name.map(|name| name.0).filter(|name| !name.is_empty());
        if self.is_new_call(index, id.as_ref(), name.is_some()) {
            let Some(name) = name else {
                return if text.is_empty() { Ok(()) } else { Err(AnswerProblem::Malformed) };
            };
            let id = id.unwrap_or_else(|| Text::from(""));
            let kind = if is_custom { ToolCallKind::Freeform } else { ToolCallKind::Function };
            let call = ToolCall { id: id.clone(), name, kind, arguments: "".into() };
            self.close();
            self.open(Open::Call { index, id }, || PartKind::ToolCall(call).into())?;
            self.choice.calls += 1;
        }
        if !text.is_empty() {
            self.add(Delta::Arguments(text))?;
        }
        match extra_content.as_ref().and_then(thought_signature) {
            Some(signature) => self.add(Delta::Signature(signature)),
            None => Ok(()),
        }
    }

    /// Whether a delta begins a call rather than going on with the open one.
    fn is_new_call(&self, index: Option<u64>, id: Option<&Text>, named: bool) -> bool {
        let Some(Open::Call { index: open_index, id: open_id }) = &self.choice.open else { return true };
        let other_index = index.is_some() && open_index.is_some() && index != *open_index;
        let other_id = id.is_some_and(|id| id != open_id);
        other_index || (other_id && named)
    }

    /// A part that comes as a whole.
    fn whole(&mut self, part: Part) -> Result<(), AnswerProblem> {
        self.check_unfinished()?;
        self.close();
        let (choice, index) = (self.choice.index, self.choice.parts);
        self.events.push(StreamEvent::PartStart { choice, index, part });
        self.events.push(StreamEvent::PartStop { choice, index });
        self.choice.parts += 1;
        Ok(())
    }

    /// Opens a part, unless it is open already.
    fn open(&mut self, open: Open, part: impl FnOnce() -> Part) -> Result<(), AnswerProblem> {
        if self.choice.open.as_ref() == Some(&open) {
            return Ok(());
        }
        self.check_unfinished()?;
        self.close();
        let (choice, index) = (self.choice.index, self.choice.parts);
        self.events.push(StreamEvent::PartStart { choice, index, part: part() });
        self.choice.open = Some(open);
        self.choice.parts += 1;
        Ok(())
    }

    fn add(&mut self, delta: Delta) -> Result<(), AnswerProblem> {
        self.check_unfinished()?;
        let (choice, index) = (self.choice.index, self.choice.parts.saturating_sub(1));
        self.events.push(StreamEvent::PartDelta { choice, index, delta });
        Ok(())
    }

    /// Content behind the end of a choice belongs to nothing.
    fn check_unfinished(&self) -> Result<(), AnswerProblem> {
        if self.choice.finished { Err(AnswerProblem::Malformed) } else { Ok(()) }
    }

    fn close(&mut self) {
        if self.choice.open.take().is_none() {
            return;
        }
        let (choice, index) = (self.choice.index, self.choice.parts.saturating_sub(1));
        self.events.push(StreamEvent::PartStop { choice, index });
    }

    fn finish(&mut self, reason: &Text, stop_sequence: Option<Text>) {
        if self.choice.finished {
            return;
        }
        if let Some(finish) = finish::decode(reason, self.choice.calls, stop_sequence) {
            self.close();
            self.events.push(StreamEvent::Finish { choice: self.choice.index, finish });
            self.choice.finished = true;
        }
    }
}
