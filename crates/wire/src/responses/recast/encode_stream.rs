//! Writing a streamed answer. Deltas are written as they come. An item ends with the next one or with the answer, not with
//! its last part: a message may have several, and only the end of the answer says whether the last item is whole.

use bytes::Bytes;
use trunkline_domain::chat::{
    Delta, Extras, Finish, Logprobs, Media, MediaSource, Part, PartKind, StreamEvent, Thought, ToolCall,
    ToolCallKind,
};
use trunkline_domain::{Text, Usage};

use super::citations;
use super::content::lose_signature;
use super::events::{Moment, Wire, append, write_piece};
use super::finish::Ending;
use super::output::{Calling, Item, Message, Said, Thinking, item_id, lose_foreign, made_id, write_logprobs};
use super::response_object::Head;
use super::{DIALECT, form};
use crate::codec::Subject;
use crate::json::object;
use crate::openai::recast::finish::lose as lose_of_finish;
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// The most text kept for the events that repeat it, in bytes. What goes beyond is streamed and not repeated.
pub(super) const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Writes one stream.
pub(super) struct Encoder {
    head: Head,
    wire: Wire,
    /// The items that have ended, as JSON, with commas between them.
    output: Vec<u8>,
    /// How many items have been opened.
    items: u64,
    open: Option<Item>,
    finish: Option<Finish>,
    /// How much is kept.
    kept: usize,
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            head: Head::new(identity),
            wire: Wire::default(),
            output: Vec::new(),
            items: 0,
            open: None,
            finish: None,
            kept: 0,
        }
    }

    /// One that writes no events, for the answer they amount to.
    pub(super) fn silent(identity: &AnswerIdentity<'_>) -> Self {
        Self { wire: Wire::silent(), ..Self::new(identity) }
    }

    /// The whole answer.
    pub(super) fn into_answer(self) -> Bytes {
        let mut out = Vec::with_capacity(self.output.len() + 1024);
        let ending = Ending::of(self.finish.as_ref());
        object(&mut out, |object| self.head.write(object, &self.output, Some(ending)));
        out.into()
    }

    fn start(&mut self, extras: &Extras, out: &mut Frames) {
        lose_foreign(extras, &String::new, &mut out.losses);
        self.head.extras = extras.clone();
        for name in ["response.created", "response.in_progress"] {
            self.wire.event(out, name, |object, _| {
                object.object("response", |response| self.head.write(response, &[], None));
            });
        }
    }

    fn part_start(&mut self, ordinal: u32, part: &Part, out: &mut Frames) {
        let path = format!("choices[0].parts[{ordinal}]");
        lose_foreign(&part.extras, &|| path.clone(), &mut out.losses);
        match &part.kind {
            PartKind::Text { .. } => self.say(part, false, out),
            PartKind::Refusal(_) => self.say(part, true, out),
            PartKind::Reasoning(thought) => self.think(part, thought, out),
            PartKind::ToolCall(call) => self.call(part, call, out),
            PartKind::Opaque(opaque) if opaque.dialect == DIALECT => {
                if part.extras.form(DIALECT) & form::IN_CONTENT != 0 {
                    return self.opaque_content(part, opaque.raw.get(), out);
                }
                self.whole(opaque.raw.get().as_bytes(), out);
            }
            PartKind::Image(media) => self.image(media, &path, out),
            PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => {
                self.close(None, out);
                out.losses.dropped(Subject::Content, path, "the dialect's answers have no such part");
                return;
            }
        }
        if !matches!(part.kind, PartKind::Reasoning(_)) {
            lose_signature(part, &format!("choices[0].parts[{ordinal}]"), &mut out.losses);
        }
    }

    /// Sees to it that a message is open that a part belongs to, with no open part.
    fn message(&mut self, part: &Part, out: &mut Frames) {
        let apart = part.extras.form(DIALECT) & form::APART != 0;
        if !apart && matches!(self.open, Some(Item::Message(_))) {
            return self.end_said(out);
        }
        self.close(None, out);
        let id = item_id(&part.extras, "message.id", ("msg", self.head.stem(), self.items)).into_owned();
        let message = Message { id, extras: part.extras.clone(), ended: Vec::new(), count: 0, open: None };
        self.open_item(Item::Message(message), out);
    }

    fn say(&mut self, part: &Part, refusal: bool, out: &mut Frames) {
        self.message(part, out);
        let index = self.index();
        let Some(Item::Message(message)) = &mut self.open else { return };
        let said = Said::new(refusal, part.extras.clone());
        self.wire.of_item(out, "response.content_part.added", (&message.id, index), |object| {
            object.member("content_index", &message.count);
            object.object("part", |part| said.write(part));
        });
        message.open = Some(said);
    }

    /// A part of a message that only this dialect knows.
    fn opaque_content(&mut self, part: &Part, raw: &str, out: &mut Frames) {
        self.message(part, out);
        let index = self.index();
        let Some(Item::Message(message)) = &mut self.open else { return };
        for name in ["response.content_part.added", "response.content_part.done"] {
            self.wire.of_item(out, name, (&message.id, index), |object| {
                object.member("content_index", &message.count);
                object.written_member("part", raw.as_bytes());
            });
        }
        append(&mut message.ended, raw.as_bytes());
        message.count += 1;
    }

    fn think(&mut self, part: &Part, thought: &Thought, out: &mut Frames) {
        self.close(None, out);
        let id = match &thought.id {
            Some(id) => id.to_string(),
            None => made_id("rs", self.head.stem(), self.items),
        };
        let thinking = Thinking {
            id,
            extras: part.extras.clone(),
            summary: Vec::new(),
            text: Vec::new(),
            open: None,
            state: part.signature.clone(),
        };
        self.open_item(Item::Thought(thinking), out);
    }

    fn call(&mut self, part: &Part, call: &ToolCall, out: &mut Frames) {
        self.close(None, out);
        let prefix = match call.kind {
            ToolCallKind::Function => "fc",
            ToolCallKind::Freeform => "ctc",
        };
        let id = item_id(&part.extras, "id", (prefix, self.head.stem(), self.items)).into_owned();
        let call_id = match &*call.id {
            "" => made_id("call", self.head.stem(), self.items),
            id => id.to_owned(),
        };
        let (name, kind) = (call.name.clone(), call.kind);
        let open = Calling { id, call_id, name, kind, arguments: String::new(), extras: part.extras.clone() };
        self.open_item(Item::Call(open), out);
        self.arguments(&call.arguments, out);
    }

    fn image(&mut self, media: &Media, path: &str, out: &mut Frames) {
        let MediaSource::Base64(data) = &media.source else {
            self.close(None, out);
            return out.losses.dropped(
                Subject::Content,
                path.to_owned(),
                "the dialect's pictures are inline",
            );
        };
        let mut item = Vec::with_capacity(data.len() + 128);
        object(&mut item, |object| {
            object.member("id", &made_id("ig", self.head.stem(), self.items));
            object.member("type", "image_generation_call");
            object.member("status", "completed");
            object.member("result", data);
        });
        self.whole(&item, out);
    }

    /// An item that comes whole.
    fn whole(&mut self, item: &[u8], out: &mut Frames) {
        self.close(None, out);
        for name in ["response.output_item.added", "response.output_item.done"] {
            self.wire.event(out, name, |object, _| {
                object.member("output_index", &self.items);
                object.written_member("item", item);
            });
        }
        self.items += 1;
        if self.may_keep(item.len(), &mut out.losses) {
            append(&mut self.output, item);
        }
    }

    fn open_item(&mut self, item: Item, out: &mut Frames) {
        self.wire.event(out, "response.output_item.added", |object, _| {
            object.member("output_index", &self.items);
            object.object("item", |object| item.write(object, "in_progress"));
        });
        self.items += 1;
        self.open = Some(item);
    }

    /// The place of the open item.
    fn index(&self) -> u64 {
        self.items.saturating_sub(1)
    }

    /// Whether so much more may be kept; notes that it may not.
    fn may_keep(&mut self, bytes: usize, losses: &mut Losses) -> bool {
        self.kept = self.kept.saturating_add(bytes);
        let fits = self.kept <= OUTPUT_BYTES_MAX;
        if !fits {
            let why = "the answer is too long for the events that repeat it: only its deltas are whole";
            losses.dropped(Subject::Content, "output", why);
        }
        fits
    }

    fn part_delta(&mut self, ordinal: u32, delta: &Delta, out: &mut Frames) {
        match delta {
            Delta::Text(text) => self.text(text, out),
            Delta::Citation(citation) => self.citation(citation, out),
            Delta::Thought { index, text } => self.thought((false, *index), text, out),
            Delta::Summary { index, text } => self.thought((true, *index), text, out),
            Delta::Arguments(text) => self.arguments(text, out),
            Delta::Signature(state) => {
                if let Some(Item::Thought(thinking)) = &mut self.open {
                    thinking.state = Some(state.clone());
                } else {
                    let path = format!("choices[0].parts[{ordinal}].signature");
                    out.losses.dropped(Subject::State, path, "the dialect signs nothing but thinking");
                }
            }
            // Of a part that has no item, which has been noted.
            Delta::Speech { .. } => {}
        }
    }

    fn text(&mut self, text: &Text, out: &mut Frames) {
        let index = self.index();
        let fits = self.may_keep(text.len(), &mut out.losses);
        let Some(Item::Message(message)) = &mut self.open else { return };
        let Some(said) = &mut message.open else { return };
        let name = if said.refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        self.wire.of_item(out, name, (&message.id, index), |object| {
            object.member("content_index", &message.count);
            object.member("delta", text);
            if !said.refusal {
                write_logprobs(object, &[]);
            }
        });
        said.characters += text.chars().count() as u64;
        if fits {
            said.text.push_str(text);
        }
    }

    fn citation(&mut self, citation: &trunkline_domain::chat::Citation, out: &mut Frames) {
        let index = self.index();
        let Some(Item::Message(message)) = &mut self.open else { return };
        let Some(said) = &mut message.open else { return };
        if !citations::has_place(citation, &mut out.losses) {
            return;
        }
        let mut annotation = Vec::new();
        object(&mut annotation, |object| {
            citations::encode(object, citation, said.characters, &mut out.losses);
        });
        self.wire.of_item(out, "response.output_text.annotation.added", (&message.id, index), |object| {
            object.member("content_index", &message.count);
            object.member("annotation_index", &said.annotated);
            object.written_member("annotation", &annotation);
        });
        append(&mut said.annotations, &annotation);
        said.annotated += 1;
        self.may_keep(annotation.len(), &mut out.losses);
    }

    fn logprobs(&mut self, logprobs: &Logprobs, out: &mut Frames) {
        if !logprobs.refusal.is_empty() {
            let why = "the dialect has no log probabilities of refusals";
            out.losses.dropped(Subject::Sampling, "logprobs.refusal", why);
        }
        let index = self.index();
        let said = match &mut self.open {
            Some(Item::Message(message)) => message
                .open
                .as_mut()
                .filter(|said| !said.refusal)
                .map(|said| (&message.id, message.count, said)),
            Some(Item::Thought(_) | Item::Call(_)) | None => None,
        };
        let Some((id, count, said)) = said else {
            if !logprobs.content.is_empty() {
                let why = "the dialect has log probabilities of text only";
                out.losses.dropped(Subject::Sampling, "logprobs", why);
            }
            return;
        };
        if logprobs.content.is_empty() {
            return;
        }
        self.wire.of_item(out, "response.output_text.delta", (id, index), |object| {
            object.member("content_index", &count);
            object.member("delta", "");
            write_logprobs(object, &logprobs.content);
        });
        said.logprobs.extend_from_slice(&logprobs.content);
    }

    fn thought(&mut self, piece: (bool, u32), text: &Text, out: &mut Frames) {
        let index = self.index();
        let fits = self.may_keep(text.len(), &mut out.losses);
        if !matches!(&self.open, Some(Item::Thought(thinking)) if thinking.open == Some(piece)) {
            self.end_piece(out);
            self.open_piece(piece, out);
        }
        let Some(Item::Thought(thinking)) = &mut self.open else { return };
        let (of_summary, _) = piece;
        let (name, member) = if of_summary {
            ("response.reasoning_summary_text.delta", "summary_index")
        } else {
            ("response.reasoning_text.delta", "content_index")
        };
        let pieces = thinking.pieces(of_summary);
        let place = pieces.len().saturating_sub(1);
        if let Some(kept) = pieces.last_mut().filter(|_| fits) {
            kept.push_str(text);
        }
        self.wire.of_item(out, name, (&thinking.id, index), |object| {
            object.member(member, &place);
            object.member("delta", text);
        });
    }

    fn open_piece(&mut self, piece: (bool, u32), out: &mut Frames) {
        let index = self.index();
        let Some(Item::Thought(thinking)) = &mut self.open else { return };
        thinking.open = Some(piece);
        let (of_summary, _) = piece;
        let pieces = thinking.pieces(of_summary);
        pieces.push(String::new());
        let place = pieces.len().saturating_sub(1);
        write_piece(&mut self.wire, out, (thinking, index), (of_summary, place), Moment::Opens);
    }

    fn end_piece(&mut self, out: &mut Frames) {
        let index = self.index();
        let Some(Item::Thought(thinking)) = &mut self.open else { return };
        let Some((of_summary, _)) = thinking.open.take() else { return };
        let place = thinking.pieces(of_summary).len().saturating_sub(1);
        write_piece(&mut self.wire, out, (thinking, index), (of_summary, place), Moment::Ends);
    }

    fn arguments(&mut self, text: &Text, out: &mut Frames) {
        if text.is_empty() {
            return;
        }
        let index = self.index();
        let fits = self.may_keep(text.len(), &mut out.losses);
        let Some(Item::Call(call)) = &mut self.open else { return };
        let name = match call.kind {
            ToolCallKind::Function => "response.function_call_arguments.delta",
            ToolCallKind::Freeform => "response.custom_tool_call_input.delta",
        };
        self.wire.of_item(out, name, (&call.id, index), |object| object.member("delta", text));
        if fits {
            call.arguments.push_str(text);
        }
    }

    /// Ends the open part of the open message.
    fn end_said(&mut self, out: &mut Frames) {
        let index = self.index();
        let Some(Item::Message(message)) = &mut self.open else { return };
        let Some(said) = message.open.take() else { return };
        let (name, member) = if said.refusal {
            ("response.refusal.done", "refusal")
        } else {
            ("response.output_text.done", "text")
        };
        self.wire.of_item(out, name, (&message.id, index), |object| {
            object.member("content_index", &message.count);
            object.member(member, &said.text);
            if !said.refusal {
                write_logprobs(object, &said.logprobs);
            }
        });
        let mut part = Vec::with_capacity(said.text.len() + 128);
        object(&mut part, |object| said.write(object));
        self.wire.of_item(out, "response.content_part.done", (&message.id, index), |object| {
            object.member("content_index", &message.count);
            object.written_member("part", &part);
        });
        append(&mut message.ended, &part);
        message.count += 1;
    }

    /// Ends the open item, because another one follows or the answer ends.
    fn close(&mut self, ending: Option<Ending<'_>>, out: &mut Frames) {
        self.end_said(out);
        self.end_piece(out);
        let index = self.index();
        let Some(item) = self.open.take() else { return };
        if let Item::Call(call) = &item {
            let (name, member) = match call.kind {
                ToolCallKind::Function => ("response.function_call_arguments.done", "arguments"),
                ToolCallKind::Freeform => ("response.custom_tool_call_input.done", "input"),
            };
            self.wire.of_item(out, name, (item.id(), index), |object| {
                if call.kind == ToolCallKind::Function {
                    object.member("name", &call.name);
                }
                object.member(member, &call.arguments);
            });
        }
        let status = ending.map_or("completed", Ending::item_status);
        let mut whole = Vec::new();
        object(&mut whole, |object| item.write(object, status));
        self.wire.event(out, "response.output_item.done", |object, _| {
            object.member("output_index", &index);
            object.written_member("item", &whole);
        });
        append(&mut self.output, &whole);
    }

    fn end(&mut self, out: &mut Frames) {
        let finish = self.finish.take();
        let ending = Ending::of(finish.as_ref());
        self.close(Some(ending), out);
        self.wire.event(out, ending.event(), |object, _| {
            object.object("response", |response| self.head.write(response, &self.output, Some(ending)));
        });
        self.finish = finish;
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { extras, .. } => self.start(extras, out),
            StreamEvent::PartStart { choice: 0, index, part } => self.part_start(*index, part, out),
            StreamEvent::PartDelta { choice: 0, index, delta } => self.part_delta(*index, delta, out),
            StreamEvent::PartStop { choice: 0, .. } => {}
            StreamEvent::Logprobs { choice: 0, logprobs } => self.logprobs(logprobs, out),
            StreamEvent::Finish { choice: 0, finish } => {
                lose_of_finish(finish, 0, &mut out.losses);
                self.finish = Some(finish.clone());
            }
            StreamEvent::PartStart { choice, .. }
            | StreamEvent::PartDelta { choice, .. }
            | StreamEvent::PartStop { choice, .. }
            | StreamEvent::Logprobs { choice, .. }
            | StreamEvent::Finish { choice, .. } => {
                let why = "the dialect has one answer a request";
                out.losses.dropped(Subject::Content, format!("choices[{choice}]"), why);
            }
            StreamEvent::Usage(usage) => self.usage(*usage),
            StreamEvent::ServiceTier(tier) => self.head.tier = Some(tier.clone()),
            StreamEvent::End => self.end(out),
        }
    }
}

impl Encoder {
    fn usage(&mut self, usage: Usage) {
        self.head.usage = Some(usage);
    }
}
