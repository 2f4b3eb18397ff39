//! Writing a streamed answer. What is sent goes out as it comes; it is kept besides, for the events that close a part, an
//! item and the response repeat it.

use trunkline_domain::chat::{
    Citation, Delta, Extras, Finish, Minted, Part, PartKind, RawJson, StreamEvent, Thought, ToolCall,
    ToolCallKind,
};
use trunkline_domain::{Text, Usage};

use super::encode_response::{
    Ended, Frame, Standing, call_item, call_prefix, image_item, lose, message_item, refusal_piece, state,
    text_piece, thought_item, write_citation,
};
use crate::json::Object;
use crate::recast::{AnswerIdentity, Frames, StreamEncoder};

/// The most that is kept of one answer's text; what is beyond it is sent, but not repeated.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Writes one stream.
pub(super) struct Encoder {
    frame: Frame,
    sequence: u64,
    output: Vec<RawJson>,
    open: Option<Open>,
    kept: usize,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

/// The open item.
enum Open {
    /// A message: the pieces that are complete, and the open one.
    Message {
        id: String,
        pieces: Vec<RawJson>,
        piece: Option<Piece>,
    },
    Thought {
        id: String,
        thought: Thought,
        state: Option<Minted<Text>>,
        ordinal: u32,
    },
    Call {
        id: String,
        call: ToolCall,
        extras: Extras,
        arguments: String,
    },
}

/// The open piece of a message.
enum Piece {
    Text { text: String, citations: Vec<Citation> },
    Refusal(String),
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            frame: Frame::of(identity),
            sequence: 0,
            output: Vec::new(),
            open: None,
            kept: 0,
            usage: None,
            finish: None,
        }
    }

    /// Writes an event of the stream.
    fn send(&mut self, out: &mut Frames, kind: &str, members: impl FnOnce(&Self, &mut Object<'_>)) {
        out.event(Some(kind), |object, _| {
            object.member("type", kind);
            object.member("sequence_number", &self.sequence);
            members(self, object);
        });
        self.sequence += 1;
    }

    fn place(&self) -> usize {
        self.output.len()
    }

    /// Text that is to be repeated, as far as there is room.
    fn keep<'a>(&mut self, text: &'a str) -> &'a str {
        let room = KEPT_BYTES_MAX.saturating_sub(self.kept);
        let kept = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.kept += kept.len();
        kept
    }

    fn begin(&mut self, out: &mut Frames) {
        for kind in ["response.created", "response.in_progress"] {
            self.send(out, kind, |encoder, object| {
                let standing = Standing { output: &[], usage: None, ended: None };
                object.object("response", |response| encoder.frame.write(response, &standing));
            });
        }
    }

    fn part_start(&mut self, ordinal: u32, part: &Part, out: &mut Frames) {
        match &part.kind {
            PartKind::Text { text, .. } => {
                self.open_message(out);
                self.open_piece(Piece::Text { text: String::new(), citations: Vec::new() }, out);
                self.text_delta(text, out);
            }
            PartKind::Refusal(text) => {
                self.open_message(out);
                self.open_piece(Piece::Refusal(String::new()), out);
                self.text_delta(text, out);
            }
            PartKind::Reasoning(thought) => {
                self.close(out);
                let id = thought
                    .id
                    .as_deref()
                    .map_or_else(|| self.frame.item_id("rs", self.place()), str::to_owned);
                self.item_added(out, thought_item(&id, &Thought::default(), None).as_ref());
                let state = part.signature.clone();
                self.open = Some(Open::Thought { id, thought: Thought::default(), state, ordinal });
            }
            PartKind::ToolCall(call) => {
                self.close(out);
                let id = self.frame.item_id(call_prefix(call.kind), self.place());
                let empty = ToolCall { arguments: "".into(), ..call.clone() };
                self.item_added(out, call_item(&id, &empty, &part.extras, "in_progress").as_ref());
                self.open = Some(Open::Call {
                    id,
                    call: empty,
                    extras: part.extras.clone(),
                    arguments: String::new(),
                });
                self.arguments_delta(&call.arguments, out);
            }
            PartKind::Image(image) => {
                self.close(out);
                let id = self.frame.item_id("ig", self.place());
                match image_item(&id, image) {
                    Some(item) => self.whole_item(out, item),
                    None => lose(ordinal as usize, &mut out.losses),
                }
            }
            PartKind::Opaque(opaque) if opaque.dialect == super::DIALECT => {
                self.close(out);
                self.whole_item(out, opaque.raw.clone());
            }
            PartKind::Opaque(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_) => {
                self.close(out);
                lose(ordinal as usize, &mut out.losses);
            }
        }
    }

    fn item_added(&mut self, out: &mut Frames, item: Option<&RawJson>) {
        let place = self.place();
        self.send(out, "response.output_item.added", |_, object| {
            object.member("output_index", &place);
            if let Some(item) = item {
                object.raw("item", item);
            }
        });
    }

    fn item_done(&mut self, out: &mut Frames, item: Option<RawJson>) {
        let Some(item) = item else { return };
        let place = self.place();
        self.send(out, "response.output_item.done", |_, object| {
            object.member("output_index", &place);
            object.raw("item", &item);
        });
        self.output.push(item);
    }

    fn whole_item(&mut self, out: &mut Frames, item: RawJson) {
        self.item_added(out, Some(&item));
        self.item_done(out, Some(item));
    }

    fn open_message(&mut self, out: &mut Frames) {
        if matches!(self.open, Some(Open::Message { .. })) {
            return self.close_piece(out);
        }
        self.close(out);
        let id = self.frame.item_id("msg", self.place());
        self.item_added(out, message_item(&id, "in_progress", &[]).as_ref());
        self.open = Some(Open::Message { id, pieces: Vec::new(), piece: None });
    }

    fn open_piece(&mut self, opened: Piece, out: &mut Frames) {
        let empty = match &opened {
            Piece::Text { .. } => text_piece("", &[]),
            Piece::Refusal(_) => refusal_piece(""),
        };
        self.piece_event(out, "response.content_part.added", empty.as_ref());
        if let Some(Open::Message { piece, .. }) = &mut self.open {
            *piece = Some(opened);
        }
    }

    fn piece_event(&mut self, out: &mut Frames, kind: &str, piece: Option<&RawJson>) {
        self.send(out, kind, |encoder, object| {
            encoder.within_message(object);
            if let Some(piece) = piece {
                object.raw("part", piece);
            }
        });
    }

    /// Where in the answer the open piece is.
    fn within_message(&self, object: &mut Object<'_>) {
        if let Some(Open::Message { id, pieces, .. }) = &self.open {
            object.member("item_id", id);
            object.member("output_index", &self.place());
            object.member("content_index", &pieces.len());
        }
    }

    fn text_delta(&mut self, text: &str, out: &mut Frames) {
        if text.is_empty() {
            return;
        }
        let kept = self.keep(text);
        let kind = match &mut self.open {
            Some(Open::Message { piece: Some(Piece::Text { text, .. }), .. }) => {
                text.push_str(kept);
                "response.output_text.delta"
            }
            Some(Open::Message { piece: Some(Piece::Refusal(text)), .. }) => {
                text.push_str(kept);
                "response.refusal.delta"
            }
            Some(Open::Message { piece: None, .. } | Open::Thought { .. } | Open::Call { .. }) | None => {
                return;
            }
        };
        self.send(out, kind, |encoder, object| {
            encoder.within_message(object);
            object.member("delta", text);
            if kind == "response.output_text.delta" {
                object.array("logprobs", |_| {});
            }
        });
    }

    fn citation(&mut self, citation: &Citation, out: &mut Frames) {
        let Some(Open::Message { piece: Some(Piece::Text { text, citations }), .. }) = &mut self.open else {
            return;
        };
        if citation.url.is_none() {
            return;
        }
        let span = citation.span.or(Some((0, text.chars().count() as u64)));
        let place = citations.len();
        citations.push(Citation { span, ..citation.clone() });
        self.send(out, "response.output_text.annotation.added", |encoder, object| {
            encoder.within_message(object);
            object.member("annotation_index", &place);
            let mut annotation = Vec::new();
            crate::json::object(&mut annotation, |object| {
                object.array("v", |array| write_citation(array, citation, ""));
            });
            let raw = std::str::from_utf8(&annotation)
                .ok()
                .and_then(|text| RawJson::parse(text.get(6..text.len().checked_sub(2)?)?));
            if let Some(raw) = raw {
                object.raw("annotation", &raw);
            }
        });
    }

    fn arguments_delta(&mut self, more: &str, out: &mut Frames) {
        if more.is_empty() {
            return;
        }
        let kept = self.keep(more);
        let place = self.place();
        let Some(Open::Call { id, call, arguments, .. }) = &mut self.open else { return };
        arguments.push_str(kept);
        let (id, kind) = (id.clone(), call.kind);
        let kind = match kind {
            ToolCallKind::Function => "response.function_call_arguments.delta",
            ToolCallKind::Freeform => "response.custom_tool_call_input.delta",
        };
        self.send(out, kind, |_, object| {
            object.member("item_id", &id);
            object.member("output_index", &place);
            object.member("delta", more);
        });
    }

    /// A thought goes on: piece `index` of its summary or of its text.
    fn thought_delta(&mut self, form: ThoughtForm, index: u32, more: &str, out: &mut Frames) {
        let kept = self.keep(more);
        let Some(Open::Thought { id, thought, .. }) = &mut self.open else { return };
        let pieces = match form {
            ThoughtForm::Summary => &mut thought.summary,
            ThoughtForm::Text => &mut thought.text,
        };
        let opens = pieces.len() <= index as usize;
        if opens {
            pieces.push(kept.into());
        } else if let Some(last) = pieces.last_mut() {
            *last = format!("{last}{kept}").into();
        }
        let id = id.clone();
        if opens {
            self.thought_event(
                form,
                form.opened(),
                (&id, index),
                |object| {
                    object.object("part", |part| {
                        part.member("type", form.piece());
                        part.member("text", "");
                    });
                },
                out,
            );
        }
        self.thought_event(form, form.delta(), (&id, index), |object| object.member("delta", more), out);
    }

    fn thought_event(
        &mut self,
        form: ThoughtForm,
        kind: &str,
        (id, index): (&str, u32),
        members: impl FnOnce(&mut Object<'_>),
        out: &mut Frames,
    ) {
        let place = self.place();
        self.send(out, kind, |_, object| {
            object.member("item_id", id);
            object.member("output_index", &place);
            object.member(form.index(), &index);
            members(object);
        });
    }

    fn close_piece(&mut self, out: &mut Frames) {
        let Some(Open::Message { piece, .. }) = &mut self.open else { return };
        let Some(closed) = piece.take() else { return };
        let (kind, member, text, raw) = match closed {
            Piece::Text { text, citations } => {
                let raw = text_piece(&text, &citations);
                ("response.output_text.done", "text", text, raw)
            }
            Piece::Refusal(text) => {
                let raw = refusal_piece(&text);
                ("response.refusal.done", "refusal", text, raw)
            }
        };
        self.send(out, kind, |encoder, object| {
            encoder.within_message(object);
            object.member(member, &text);
            if member == "text" {
                object.array("logprobs", |_| {});
            }
        });
        self.piece_event(out, "response.content_part.done", raw.as_ref());
        if let Some(Open::Message { pieces, .. }) = &mut self.open {
            pieces.extend(raw);
        }
    }

    /// The open item is complete.
    fn close(&mut self, out: &mut Frames) {
        self.close_piece(out);
        match self.open.take() {
            None => {}
            Some(Open::Message { id, pieces, .. }) => {
                self.item_done(out, message_item(&id, "completed", &pieces));
            }
            Some(Open::Thought { id, thought, state: signature, ordinal }) => {
                self.thought_done(&id, &thought, out);
                let state = state(signature.as_ref(), ordinal as usize, &mut out.losses);
                self.item_done(out, thought_item(&id, &thought, state));
            }
            Some(Open::Call { id, call, extras, arguments }) => {
                let place = self.place();
                let (kind, member) = match call.kind {
                    ToolCallKind::Function => ("response.function_call_arguments.done", "arguments"),
                    ToolCallKind::Freeform => ("response.custom_tool_call_input.done", "input"),
                };
                self.send(out, kind, |_, object| {
                    object.member("item_id", &id);
                    object.member("output_index", &place);
                    object.member(member, &arguments);
                });
                let call = ToolCall { arguments: arguments.into(), ..call };
                self.item_done(out, call_item(&id, &call, &extras, "completed"));
            }
        }
    }

    fn thought_done(&mut self, id: &str, thought: &Thought, out: &mut Frames) {
        for (form, pieces) in [(ThoughtForm::Summary, &thought.summary), (ThoughtForm::Text, &thought.text)] {
            for (text, index) in pieces.iter().zip(0..) {
                self.thought_event(form, form.done(), (id, index), |object| object.member("text", text), out);
                self.thought_event(
                    form,
                    form.closed(),
                    (id, index),
                    |object| {
                        object.object("part", |part| {
                            part.member("type", form.piece());
                            part.member("text", text);
                        });
                    },
                    out,
                );
            }
        }
    }

    fn end(&mut self, out: &mut Frames) {
        self.close(out);
        let ended = Ended::of(self.finish.as_ref());
        let kind = if ended.status == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.send(out, kind, |encoder, object| {
            let standing =
                Standing { output: &encoder.output, usage: encoder.usage.as_ref(), ended: Some(&ended) };
            object.object("response", |response| encoder.frame.write(response, &standing));
        });
    }
}

/// The two forms in which a thought is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ThoughtForm {
    Summary,
    Text,
}

impl ThoughtForm {
    const fn piece(self) -> &'static str {
        match self {
            Self::Summary => "summary_text",
            Self::Text => "reasoning_text",
        }
    }

    const fn index(self) -> &'static str {
        match self {
            Self::Summary => "summary_index",
            Self::Text => "content_index",
        }
    }

    const fn opened(self) -> &'static str {
        match self {
            Self::Summary => "response.reasoning_summary_part.added",
            Self::Text => "response.content_part.added",
        }
    }

    const fn delta(self) -> &'static str {
        match self {
            Self::Summary => "response.reasoning_summary_text.delta",
            Self::Text => "response.reasoning_text.delta",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Summary => "response.reasoning_summary_text.done",
            Self::Text => "response.reasoning_text.done",
        }
    }

    const fn closed(self) -> &'static str {
        match self {
            Self::Summary => "response.reasoning_summary_part.done",
            Self::Text => "response.content_part.done",
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { .. } => self.begin(out),
            StreamEvent::PartStart { choice: 0, index, part } => self.part_start(*index, part, out),
            StreamEvent::PartDelta { choice: 0, delta, .. } => match delta {
                Delta::Text(text) => self.text_delta(text, out),
                Delta::Thought { index, text } => self.thought_delta(ThoughtForm::Text, *index, text, out),
                Delta::Summary { index, text } => self.thought_delta(ThoughtForm::Summary, *index, text, out),
                Delta::Arguments(text) => self.arguments_delta(text, out),
                Delta::Citation(citation) => self.citation(citation, out),
                Delta::Signature(minted) => {
                    if let Some(Open::Thought { state, .. }) = &mut self.open {
                        *state = Some(minted.clone());
                    }
                }
                Delta::Speech { .. } => {}
            },
            StreamEvent::PartStop { choice: 0, .. } => self.close_piece(out),
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(tier) => self.frame.served_by(Some(tier.clone())),
            StreamEvent::Finish { choice: 0, finish } => self.finish = Some(finish.clone()),
            StreamEvent::End => self.end(out),
            StreamEvent::PartStart { choice, .. } => {
                let why = "the dialect has one answer";
                out.losses.dropped(crate::codec::Subject::Content, format!("choices[{choice}]"), why);
            }
            StreamEvent::PartDelta { .. }
            | StreamEvent::PartStop { .. }
            | StreamEvent::Finish { .. }
            | StreamEvent::Logprobs { .. } => {}
        }
    }
}
