//! Reading an answer, streamed or whole: a chunk of a stream has the shape of a whole answer, so there is one reader.

use trunkline_domain::chat::{
    ChatResponse, Choice, Delta, Extras, Part, PartKind, RawJson, StreamEvent, Thought, ToolCall, fold,
};
use trunkline_domain::{Text, Usage};

use super::super::answer::{Grounding, billed_searches, with_searches};
use super::super::{error, usage};
use super::parts::{WirePart, opaque};
use super::{DIALECT, citations, finish, form, logprobs};
use crate::codec::AnswerProblem;
use crate::frame::Frame;
use crate::json::{Rest, Str, wire_object};
use crate::recast::{Cut, StreamDecoder};

/// The most candidates of one answer.
const CHOICES_MAX: usize = 128;

wire_object! {
    struct Piece {
        "candidates" => candidates: Vec<Candidate>,
        "promptFeedback" | "prompt_feedback" => feedback: RawJson,
        "usageMetadata" | "usage_metadata" => usage: usage::Reported,
        "modelVersion" | "model_version" => model: Str,
        "responseId" | "response_id" => id: Str,
        "error" => error: RawJson,
    }
}

wire_object! {
    struct Candidate {
        "index" => index: u32,
        "content" => content: Content,
        "finishReason" | "finish_reason" => finish: Str,
        "groundingMetadata" | "grounding_metadata" => grounding: RawJson,
        "citationMetadata" | "citation_metadata" => recited: RawJson,
        "logprobsResult" | "logprobs_result" => logprobs: RawJson,
    }
}

wire_object! {
    ignoring struct Content { "parts" => parts: Vec<RawJson> }
}

wire_object! {
    ignoring struct Feedback { "blockReason" | "block_reason" => reason: Str }
}

/// Reads one answer.
#[derive(Default)]
pub(super) struct Decoder {
    started: bool,
    ended: bool,
    id: Text,
    model: Option<Text>,
    choices: Vec<State>,
    searches: u32,
    usage: Option<Usage>,
    tier: Option<Text>,
}

/// How far a candidate is.
struct State {
    index: u32,
    /// How many parts have been opened.
    parts: u32,
    calls: usize,
    open: Option<Open>,
    finish: Option<Reason>,
}

/// The open part, which more text may be added to.
struct Open {
    thinks: bool,
    /// Text behind a signature is another part.
    signed: bool,
}

enum Reason {
    Finished(Text),
    Blocked(Text),
}

/// What a candidate held that the events of a stream have no place for.
type Beside = Vec<(u32, Extras)>;

/// Reads a whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, AnswerProblem> {
    let mut decoder = Decoder::default();
    let (mut events, mut beside) = (Vec::new(), Beside::new());
    decoder.piece(body, &mut events, &mut beside)?;
    decoder.close(&mut events);
    let mut response = fold(events);
    for (index, extras) in beside {
        match response.choices.iter_mut().find(|choice| choice.index == index) {
            Some(choice) => choice.extras = extras,
            None => response.choices.push(Choice { index, extras, ..Choice::default() }),
        }
    }
    if response.choices.is_empty() {
        response.choices.push(Choice::default());
    }
    Ok(response)
}

impl Decoder {
    fn piece(
        &mut self,
        json: &[u8],
        events: &mut Vec<StreamEvent>,
        beside: &mut Beside,
    ) -> Result<(), AnswerProblem> {
        let problem = || error::read(json).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let piece: Piece = serde_json::from_slice(json).map_err(|_| problem())?;
        let says = piece.candidates.is_some()
            || piece.feedback.is_some()
            || piece.usage.is_some()
            || piece.model.is_some()
            || piece.id.is_some();
        if !says || piece.error.is_some() {
            return Err(problem());
        }
        let Piece { candidates, feedback, usage, model, id, error: _, rest } = piece;
        self.model = model.map(|model| model.0).or(self.model.take());
        self.start(id, feedback.as_ref(), rest, events);
        for (place, candidate) in (0_u32..).zip(candidates.unwrap_or_default()) {
            self.candidate(place, candidate, events, beside)?;
        }
        if let Some(reason) = feedback.as_ref().and_then(blocked) {
            self.state(0)?.finish = Some(Reason::Blocked(reason));
        }
        self.report(usage, events);
        Ok(())
    }

    fn start(
        &mut self,
        id: Option<Str>,
        feedback: Option<&RawJson>,
        mut rest: Rest,
        events: &mut Vec<StreamEvent>,
    ) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        if let Some(id) = id {
            self.id = id.0;
        }
        let mut form = 0;
        if let Some(feedback) = feedback {
            form |= if blocked(feedback).is_some() { form::BLOCKED } else { 0 };
            rest.push("promptFeedback", feedback.clone());
        }
        events.push(StreamEvent::Start {
            id: self.id.clone(),
            model: self.model.clone().unwrap_or_default(),
            created: None,
            extras: rest.without_nulls().extras(DIALECT, form),
        });
    }

    /// The state of a candidate.
    fn state(&mut self, index: u32) -> Result<&mut State, AnswerProblem> {
        let at = self.choices.iter().position(|state| state.index == index).unwrap_or(self.choices.len());
        if at == self.choices.len() {
            if at >= CHOICES_MAX {
                return Err(AnswerProblem::Malformed);
            }
            self.choices.push(State { index, parts: 0, calls: 0, open: None, finish: None });
        }
        self.choices.get_mut(at).ok_or(AnswerProblem::Malformed)
    }

    fn candidate(
        &mut self,
        place: u32,
        candidate: Candidate,
        events: &mut Vec<StreamEvent>,
        beside: &mut Beside,
    ) -> Result<(), AnswerProblem> {
        let Candidate { index, content, finish, grounding, recited, logprobs, mut rest } = candidate;
        let index = index.unwrap_or(place);
        if let Some(raw) = &grounding {
            let read = serde_json::from_str::<Grounding>(raw.get());
            self.searches = self.searches.max(read.map_or(0, |grounding| grounding.searches()));
        }
        let id = self.id.clone();
        let state = self.state(index)?;
        for raw in content.and_then(|content| content.parts).unwrap_or_default() {
            let wire = serde_json::from_str::<WirePart>(raw.get()).map_err(|_| AnswerProblem::Malformed)?;
            let part = wire.part().filter(|part| !matches!(part.kind, PartKind::ToolResult(_)));
            state.part(part.unwrap_or_else(|| opaque(raw)), &id, events);
        }
        let found = grounding.as_ref().map(citations::grounded).unwrap_or_default();
        let found = found.into_iter().chain(recited.as_ref().map(citations::recited).unwrap_or_default());
        state.cite(found, events);
        let found = logprobs.as_ref().and_then(logprobs::decode);
        events.extend(found.map(|logprobs| StreamEvent::Logprobs { choice: index, logprobs }));
        if let Some(reason) = finish.filter(|reason| !reason.0.is_empty()) {
            state.finish = Some(Reason::Finished(reason.0));
        }
        for (key, raw) in [("groundingMetadata", grounding), ("citationMetadata", recited)] {
            if let Some(raw) = raw {
                rest.push(key, raw);
            }
        }
        let extras = rest.without_nulls().extras(DIALECT, 0);
        if !extras.is_empty() {
            beside.push((index, extras));
        }
        Ok(())
    }

    fn report(&mut self, reported: Option<usage::Reported>, events: &mut Vec<StreamEvent>) {
        if let Some(reported) = reported {
            let usage = reported.usage().or(self.usage);
            let searches = billed_searches(self.searches, self.model.as_deref());
            let usage = usage.map(|usage| with_searches(usage, searches));
            if usage != self.usage {
                self.usage = usage;
                events.extend(usage.map(StreamEvent::Usage));
            }
            if let Some(tier) = reported.tier().filter(|tier| self.tier.as_ref() != Some(tier)) {
                self.tier = Some(tier.clone());
                events.push(StreamEvent::ServiceTier(tier.clone()));
            }
        }
    }

    /// Ends every candidate, and the answer.
    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        for state in &mut self.choices {
            state.close(events);
            let finish = state.finish.take().map(|reason| match reason {
                Reason::Finished(raw) => finish::decode(raw, state.calls),
                Reason::Blocked(raw) => finish::blocked(raw),
            });
            events.extend(finish.map(|finish| StreamEvent::Finish { choice: state.index, finish }));
        }
        events.push(StreamEvent::End);
        self.ended = true;
    }
}

fn blocked(feedback: &RawJson) -> Option<Text> {
    let reason = serde_json::from_str::<Feedback>(feedback.get()).ok()?.reason?;
    Some(reason.0).filter(|reason| !reason.is_empty())
}

impl State {
    fn part(&mut self, mut part: Part, id: &str, events: &mut Vec<StreamEvent>) {
        let grows = match &mut part.kind {
            PartKind::Text { text, .. } => Some((false, std::mem::take(text))),
            PartKind::Reasoning(Thought { text, .. }) => {
                Some((true, std::mem::take(text).into_iter().next().unwrap_or_default()))
            }
            PartKind::ToolCall(call) => {
                self.calls += 1;
                let arguments = self.name(call, id);
                let signature = part.signature.take();
                self.open(part, events);
                self.add(Delta::Arguments(arguments), events);
                if let Some(signature) = signature {
                    self.add(Delta::Signature(signature), events);
                }
                return self.close_last(events);
            }
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Refusal(_)
            | PartKind::Opaque(_) => None,
        };
        if let Some((thinks, text)) = grows {
            self.text(part, thinks, text, events);
        } else {
            self.open(part, events);
            self.close_last(events);
        }
    }

    /// Takes the arguments of a call, and gives it an id if it has none: one made from its place.
    fn name(&self, call: &mut ToolCall, id: &str) -> Text {
        if call.id.is_empty() {
            let (index, ordinal) = (self.index, self.parts);
            let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            call.id = if id.is_empty() {
                format!("call_{index}_{ordinal}").into()
            } else {
                format!("call_{id}_{index}_{ordinal}").into()
            };
        }
        std::mem::take(&mut call.arguments)
    }

    /// Text or thinking: more of the open part, or a part of its own.
    fn text(&mut self, mut part: Part, thinks: bool, text: Text, events: &mut Vec<StreamEvent>) {
        let signature = part.signature.take();
        let fields = part.extras.fields();
        if text.is_empty() && signature.is_none() && fields.is_empty() {
            return;
        }
        let goes_on = self.open.as_ref().is_some_and(|open| open.thinks == thinks && !open.signed);
        if !goes_on || !fields.is_empty() {
            part.extras = Extras::new(DIALECT, 0, fields.to_vec());
            self.open(part, events);
            self.open = Some(Open { thinks, signed: false });
        }
        if !text.is_empty() {
            let delta = if thinks { Delta::Thought { index: 0, text } } else { Delta::Text(text) };
            self.add(delta, events);
        }
        if let Some(signature) = signature {
            self.add(Delta::Signature(signature), events);
            self.open = Some(Open { thinks, signed: true });
        }
    }

    /// Adds citations to the open text.
    fn cite(
        &mut self,
        citations: impl Iterator<Item = trunkline_domain::chat::Citation>,
        events: &mut Vec<StreamEvent>,
    ) {
        if self.open.as_ref().is_some_and(|open| !open.thinks) {
            citations.for_each(|citation| self.add(Delta::Citation(citation), events));
        }
    }

    fn open(&mut self, part: Part, events: &mut Vec<StreamEvent>) {
        self.close(events);
        events.push(StreamEvent::PartStart { choice: self.index, index: self.parts, part });
        self.parts += 1;
    }

    fn add(&self, delta: Delta, events: &mut Vec<StreamEvent>) {
        let index = self.parts.saturating_sub(1);
        events.push(StreamEvent::PartDelta { choice: self.index, index, delta });
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        if self.open.take().is_some() {
            self.close_last(events);
        }
    }

    fn close_last(&self, events: &mut Vec<StreamEvent>) {
        events.push(StreamEvent::PartStop { choice: self.index, index: self.parts.saturating_sub(1) });
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let data = frame.data();
        if data.is_empty() || self.ended {
            return Ok(());
        }
        self.piece(data, events, &mut Beside::new())
    }

    fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Cut> {
        if self.ended {
            return Ok(());
        }
        if self.choices.is_empty() || self.choices.iter().any(|state| state.finish.is_none()) {
            return Err(Cut);
        }
        self.close(events);
        Ok(())
    }
}
