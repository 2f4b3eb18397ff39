//! Reading a streamed answer. Blocks come one after the other, so an event is a part's and needs no buffer; only a block
//! the canonical form does not know (a server-side tool's call) is put together until it ends, for it is one value.

use bytes::Bytes;
use trunkline_domain::chat::{Delta, Extras, Minted, Opaque, Part, PartKind, RawJson, StreamEvent, Thought};
use trunkline_domain::{Text, Usage};

use super::super::{error, usage};
use super::{DIALECT, blocks, citations, finish, response};
use crate::codec::AnswerProblem;
use crate::envelope::Envelope;
use crate::frame::Frame;
use crate::json::{Str, wire_object};
use crate::quirks::{DoneMarker, Quirks};
use crate::recast::{Cut, StreamDecoder};
use crate::splice::{Edit, EditValue, splice};

/// The longest unknown block put together, in bytes.
pub(super) const OPAQUE_BYTES_MAX: usize = 4 * 1024 * 1024;

wire_object! {
    ignoring struct Event {
        "type" => kind: Str,
        "message" => message: response::Message,
        "index" => index: u64,
        "content_block" => block: RawJson,
        "delta" => delta: EventDelta,
        "usage" => usage: usage::Reported,
        "error" => error: RawJson,
    }
}

wire_object! {
    /// What a block grows by, or how a message ends.
    ignoring struct EventDelta {
        "type" => kind: Str,
        "text" => text: Str,
        "thinking" => thinking: Str,
        "signature" => signature: Str,
        "partial_json" => partial_json: Str,
        "citation" => citation: RawJson,
        "stop_reason" => stop_reason: Str,
        "stop_sequence" => stop_sequence: Str,
    }
}

/// Reads one stream.
pub(super) struct Decoder {
    done_marker: DoneMarker,
    started: bool,
    finished: bool,
    ended: bool,
    /// How many parts have been opened.
    parts: u32,
    calls: usize,
    open: Option<Open>,
    reported: usage::Reported,
    usage: Option<Usage>,
    tier: Option<Text>,
}

/// The open block.
struct Open {
    index: u64,
    kind: OpenKind,
}

enum OpenKind {
    Text,
    Thought,
    /// A tool call, with the input it opened with until another one comes.
    Call(Option<RawJson>),
    /// A part that came whole.
    Whole,
    /// An unknown block, as far as it has come, and its input in pieces.
    Opaque {
        block: Bytes,
        input: String,
    },
}

impl Decoder {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self {
            done_marker: quirks.done_marker,
            started: false,
            finished: false,
            ended: false,
            parts: 0,
            calls: 0,
            open: None,
            reported: usage::Reported::default(),
            usage: None,
            tier: None,
        }
    }

    fn message_start(&mut self, message: response::Message, events: &mut Vec<StreamEvent>) {
        if self.started {
            return;
        }
        self.started = true;
        let text = |text: Option<Str>| text.map_or_else(|| Text::from(""), |text| text.0);
        let reported = message.usage.and_then(|raw| serde_json::from_str(raw.get()).ok());
        events.push(StreamEvent::Start {
            id: text(message.id),
            model: text(message.model),
            created: None,
            extras: message.rest.without_nulls().extras(DIALECT, 0),
        });
        self.report(reported, events);
    }

    fn report(&mut self, reported: Option<usage::Reported>, events: &mut Vec<StreamEvent>) {
        let Some(reported) = reported else { return };
        self.reported.merge(reported);
        let usage = self.reported.usage();
        if usage != self.usage {
            self.usage = usage;
            events.extend(usage.map(StreamEvent::Usage));
        }
        if self.reported.tier() != self.tier.as_ref() {
            self.tier = self.reported.tier().cloned();
            events.extend(self.tier.clone().map(StreamEvent::ServiceTier));
        }
    }

    fn block_start(
        &mut self,
        index: u64,
        raw: &RawJson,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        self.block_stop(events)?;
        let value = serde_json::from_str(raw.get()).map_err(|_| AnswerProblem::Malformed)?;
        let mut part = response::block(value).unwrap_or_else(|| blocks::opaque(value));
        let (kind, deltas) = match &mut part.kind {
            PartKind::Text { text, citations } => {
                let text = std::mem::replace(text, "".into());
                let citations = std::mem::take(citations).into_iter().map(Delta::Citation);
                (
                    OpenKind::Text,
                    Some(text)
                        .filter(|text| !text.is_empty())
                        .map(Delta::Text)
                        .into_iter()
                        .chain(citations)
                        .collect(),
                )
            }
            PartKind::Reasoning(Thought { text, .. }) => {
                let text = std::mem::take(text).into_iter().map(|text| Delta::Thought { index: 0, text });
                let signature = part.signature.take().map(Delta::Signature);
                // Without the spelling of its first event: the signature comes later.
                part.extras = Extras::new(DIALECT, 0, part.extras.fields().to_vec());
                (OpenKind::Thought, text.chain(signature).collect::<Vec<_>>())
            }
            PartKind::ToolCall(call) => {
                let input = std::mem::replace(&mut call.arguments, "".into());
                self.calls += 1;
                (OpenKind::Call(RawJson::parse(&input)), Vec::new())
            }
            PartKind::Opaque(opaque) => {
                let block = Bytes::copy_from_slice(opaque.raw.get().as_bytes());
                self.open = Some(Open { index, kind: OpenKind::Opaque { block, input: String::new() } });
                return Ok(());
            }
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Refusal(_) => (OpenKind::Whole, Vec::new()),
        };
        self.open = Some(Open { index, kind });
        self.open_part(part, events);
        for delta in deltas {
            self.add(delta, events);
        }
        Ok(())
    }

    fn open_part(&mut self, part: Part, events: &mut Vec<StreamEvent>) {
        events.push(StreamEvent::PartStart { choice: 0, index: self.parts, part });
        self.parts += 1;
    }

    fn add(&self, delta: Delta, events: &mut Vec<StreamEvent>) {
        let index = self.parts.saturating_sub(1);
        events.push(StreamEvent::PartDelta { choice: 0, index, delta });
    }

    /// Adds to the open block. What its kind does not grow by is passed over, like any unknown event.
    fn block_delta(
        &mut self,
        index: u64,
        delta: EventDelta,
        frame: &[u8],
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        let open = self.open.as_mut().filter(|open| open.index == index).ok_or(AnswerProblem::Malformed)?;
        let said = |text: Option<Str>| text.map(|text| text.0).filter(|text| !text.is_empty());
        let delta = match &mut open.kind {
            OpenKind::Text => {
                let citation = delta.citation.as_ref().and_then(citations::citation).map(Delta::Citation);
                citation.or_else(|| said(delta.text).map(Delta::Text))
            }
            OpenKind::Thought => {
                let signature =
                    said(delta.signature).map(|state| Delta::Signature(Minted::unknown(DIALECT, state)));
                signature.or_else(|| said(delta.thinking).map(|text| Delta::Thought { index: 0, text }))
            }
            OpenKind::Call(input) => said(delta.partial_json).map(|text| {
                *input = None;
                Delta::Arguments(text)
            }),
            OpenKind::Whole => None,
            OpenKind::Opaque { block, input } => {
                match delta.partial_json {
                    Some(piece) => input.push_str(&piece.0),
                    None => *block = grown(block, frame).ok_or(AnswerProblem::Malformed)?,
                }
                if block.len().saturating_add(input.len()) > OPAQUE_BYTES_MAX {
                    return Err(AnswerProblem::Malformed);
                }
                None
            }
        };
        if let Some(delta) = delta {
            self.add(delta, events);
        }
        Ok(())
    }

    /// Closes the open block, if there is one.
    fn block_stop(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let Some(open) = self.open.take() else { return Ok(()) };
        match open.kind {
            OpenKind::Call(Some(input)) => self.add(Delta::Arguments(input.get().into()), events),
            OpenKind::Opaque { block, input } => {
                let raw = whole(block, input).ok_or(AnswerProblem::Malformed)?;
                let opaque = PartKind::Opaque(Opaque { dialect: DIALECT, raw });
                self.open_part(opaque.into(), events);
            }
            OpenKind::Text | OpenKind::Thought | OpenKind::Call(None) | OpenKind::Whole => {}
        }
        events.push(StreamEvent::PartStop { choice: 0, index: self.parts.saturating_sub(1) });
        Ok(())
    }

    fn message_delta(&mut self, event: Event, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        self.report(event.usage, events);
        let Some(delta) = event.delta.filter(|_| !self.finished) else { return Ok(()) };
        let stop_sequence = delta.stop_sequence.map(|sequence| sequence.0);
        let finish = delta.stop_reason.and_then(|raw| finish::decode(raw.0, stop_sequence, self.calls));
        if let Some(finish) = finish {
            self.block_stop(events)?;
            events.push(StreamEvent::Finish { choice: 0, finish });
            self.finished = true;
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        self.block_stop(events)?;
        events.push(StreamEvent::End);
        self.ended = true;
        Ok(())
    }

    fn event(
        &mut self,
        event: Event,
        frame: &[u8],
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        let kind = event.kind.as_ref().map(|kind| kind.0.clone()).unwrap_or_default();
        let of_block = matches!(&*kind, "content_block_start" | "content_block_delta" | "content_block_stop");
        // Content before the beginning or behind the end belongs to nothing.
        if (of_block && self.finished)
            || (!self.started && (of_block || kind.starts_with("message_")) && &*kind != "message_start")
        {
            return Err(AnswerProblem::Malformed);
        }
        match &*kind {
            "message_start" => {
                self.message_start(event.message.ok_or(AnswerProblem::Malformed)?, events);
                Ok(())
            }
            "content_block_start" => {
                let (index, block) = event.index.zip(event.block).ok_or(AnswerProblem::Malformed)?;
                self.block_start(index, &block, events)
            }
            "content_block_delta" => {
                let (index, delta) = event.index.zip(event.delta).ok_or(AnswerProblem::Malformed)?;
                self.block_delta(index, delta, frame, events)
            }
            "content_block_stop" => self.block_stop(events),
            "message_delta" => self.message_delta(event, events),
            "message_stop" => self.end(events),
            _ => Ok(()),
        }
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), AnswerProblem> {
        let data = frame.data();
        if data.is_empty() || self.ended {
            return Ok(());
        }
        if frame.event() == Some(b"error") {
            return Err(AnswerProblem::Error(error::read(data).unwrap_or_default()));
        }
        let not_an_event = || error::read(data).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
        let event: Event = serde_json::from_slice(data).map_err(|_| not_an_event())?;
        if event.error.is_some() || event.kind.is_none() {
            return Err(not_an_event());
        }
        self.event(event, data, events)
    }

    fn finish(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Cut> {
        if self.ended {
            return Ok(());
        }
        if self.done_marker != DoneMarker::Optional || !self.finished {
            return Err(Cut);
        }
        self.end(events).map_err(|_| Cut)
    }
}

/// An unknown block with what a delta says of its members.
fn grown(block: &Bytes, frame: &[u8]) -> Option<Bytes> {
    let frame = Envelope::parse(Bytes::copy_from_slice(frame)).ok()?;
    let delta = Envelope::parse(frame.value("delta")?).ok()?;
    let members = delta.members().filter(|(key, _)| *key != "type");
    let edits: Vec<Edit> = members
        .map(|(key, value)| Edit::replace(key.to_owned(), EditValue::json(value.to_owned())))
        .collect();
    Some(splice(&Envelope::parse(block.clone()).ok()?, &edits).to_bytes())
}

/// An unknown block with its input, once it is complete.
fn whole(block: Bytes, input: String) -> Option<RawJson> {
    let block = if input.is_empty() {
        block
    } else {
        RawJson::parse(&input)?;
        splice(&Envelope::parse(block).ok()?, &[Edit::replace("input", EditValue::json(input))]).to_bytes()
    };
    RawJson::parse(std::str::from_utf8(&block).ok()?)
}
