//! Reading an answer, streamed or whole: a line of a stream has the shape of a whole answer, so there is one reader.

use serde::de::IgnoredAny;
use trunkline_domain::Text;
use trunkline_domain::chat::{ChatResponse, Delta, Part, PartKind, RawJson, StreamEvent, Thought, fold};

use super::message::{Index, Message, text_of};
use super::{DIALECT, error, finish};
use crate::codec::AnswerProblem;
use crate::frame::Frame;
use crate::json::{Rest, Str, wire_object};
use crate::recast::{Cut, StreamDecoder};

wire_object! {
    struct Piece {
        "model" => model: Str,
        "created_at" => created_at: Str,
        "message" => message: Message,
        "done" => done: bool,
        "done_reason" => done_reason: Str,
        "prompt_eval_count" => prompt: u64,
        "eval_count" => generated: u64,
        "logprobs" => logprobs: Vec<finish::WireToken>,
        "error" => error: RawJson,
        "total_duration" => total_duration: IgnoredAny,
        "load_duration" => load_duration: IgnoredAny,
        "prompt_eval_duration" => prompt_duration: IgnoredAny,
        "eval_duration" => duration: IgnoredAny,
    }
}

/// Reads a whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, AnswerProblem> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.piece(body, &mut events)?;
    if decoder.ended { Ok(fold(events)) } else { Err(AnswerProblem::Malformed) }
}

/// Reads one answer.
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
    Thinking,
    Text,
    Call,
}

impl Decoder {
    fn piece(&mut self, json: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let problem = || error::read(json).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let piece: Piece = serde_json::from_slice(json).map_err(|_| problem())?;
        if piece.error.is_some() || (piece.message.is_none() && piece.done != Some(true)) {
            return Err(problem());
        }
        let Piece { model, created_at, message, done, done_reason, rest, .. } = piece;
        self.start(model, created_at.as_ref(), rest, events);
        let message = message.unwrap_or_default();
        self.add(Open::Thinking, text_of(message.thinking), events);
        self.add(Open::Text, text_of(message.content), events);
        for image in message.images.into_iter().flatten() {
            self.whole(super::decode_request::image(image.0), events);
        }
        for call in message.tool_calls.into_iter().flatten() {
            self.call(call.part(Index::Implied).ok_or(AnswerProblem::Malformed)?, events);
        }
        if let Some(logprobs) = finish::logprobs(piece.logprobs) {
            events.push(StreamEvent::Logprobs { choice: 0, logprobs });
        }
        if done == Some(true) {
            self.close(events);
            let usage = finish::usage(piece.prompt, piece.generated);
            events.extend(usage.map(StreamEvent::Usage));
            let reason = done_reason.map(|reason| reason.0).filter(|reason| !reason.is_empty());
            events.push(StreamEvent::Finish { choice: 0, finish: finish::decode(reason, self.calls) });
            events.push(StreamEvent::End);
            self.ended = true;
        }
        Ok(())
    }

    fn start(
        &mut self,
        model: Option<Str>,
        created_at: Option<&Str>,
        rest: Rest,
        events: &mut Vec<StreamEvent>,
    ) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let created = created_at.and_then(|at| at.0.parse::<jiff::Timestamp>().ok());
        events.push(StreamEvent::Start {
            id: Text::from(""),
            model: text_of(model),
            created: created.map(jiff::Timestamp::as_second),
            extras: rest.without_nulls().extras(DIALECT, 0),
        });
    }

    /// Adds to the part of a kind, which is opened if it is not open.
    fn add(&mut self, kind: Open, text: Text, events: &mut Vec<StreamEvent>) {
        if text.is_empty() {
            return;
        }
        let thinks = kind == Open::Thinking;
        if self.open != Some(kind) {
            let thought = || PartKind::Reasoning(Thought::default()).into();
            self.open(kind, if thinks { thought() } else { Part::text("") }, events);
        }
        let delta = if thinks { Delta::Thought { index: 0, text } } else { Delta::Text(text) };
        events.push(StreamEvent::PartDelta { choice: 0, index: self.parts.saturating_sub(1), delta });
    }

    fn call(&mut self, mut part: Part, events: &mut Vec<StreamEvent>) {
        let mut arguments = Text::from("");
        if let PartKind::ToolCall(call) = &mut part.kind {
            arguments = std::mem::replace(&mut call.arguments, Text::from(""));
        }
        self.calls += 1;
        self.open(Open::Call, part, events);
        if !arguments.is_empty() {
            let delta = Delta::Arguments(arguments);
            events.push(StreamEvent::PartDelta { choice: 0, index: self.parts.saturating_sub(1), delta });
        }
        self.close(events);
    }

    fn whole(&mut self, part: Part, events: &mut Vec<StreamEvent>) {
        self.open(Open::Call, part, events);
        self.close(events);
    }

    fn open(&mut self, kind: Open, part: Part, events: &mut Vec<StreamEvent>) {
        self.close(events);
        events.push(StreamEvent::PartStart { choice: 0, index: self.parts, part });
        self.parts = self.parts.saturating_add(1);
        self.open = Some(kind);
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        if self.open.take().is_some() {
            events.push(StreamEvent::PartStop { choice: 0, index: self.parts.saturating_sub(1) });
        }
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let data = frame.data();
        if data.is_empty() || self.ended { Ok(()) } else { self.piece(data, events) }
    }

    fn finish(&mut self, _events: &mut Vec<StreamEvent>) -> Result<(), Cut> {
        if self.ended { Ok(()) } else { Err(Cut) }
    }
}
