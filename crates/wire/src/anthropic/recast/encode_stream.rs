//! Writing a streamed answer. The stop reason waits for the usage, which the dialect sends with it, and a withheld thought
//! for its data; nothing else is held back.

use trunkline_domain::chat::{Delta, Extras, Finish, Part, PartKind, StreamEvent, ToolCallKind};
use trunkline_domain::{Text, Usage};

use super::super::usage;
use super::response::{has_block, lose_citation, lose_of_part, tier};
use super::thinking::BETWEEN_PIECES;
use super::{DIALECT, citations, encode_messages, finish};
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::{restore, restore_nested};
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// Writes one stream.
pub(super) struct Encoder {
    id: String,
    model: String,
    usage: Option<Usage>,
    tier: Option<Text>,
    finish: Option<Finish>,
    /// How many blocks have been opened.
    blocks: u64,
    open: Open,
}

/// The open part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// None, or one the dialect has no block for.
    None,
    Text,
    /// A thought, and the piece of it written last: whether of its summary, and which.
    Thought(Option<(bool, u32)>),
    /// A withheld thought whose data has not come.
    Redacted,
    Call,
    /// A call whose arguments are no object, wrapped in one as they come; and whether any have.
    Freeform(bool),
    /// A block that came whole.
    Whole,
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            id: identity.id.to_owned(),
            model: identity.model.to_owned(),
            usage: None,
            tier: None,
            finish: None,
            blocks: 0,
            open: Open::None,
        }
    }

    fn start(&self, extras: &Extras, out: &mut Frames) {
        event(out, "message_start", |object, losses| {
            object.object("message", |message| {
                message.member("id", &self.id);
                message.member("type", "message");
                message.member("role", "assistant");
                message.member("model", &self.model);
                message.array("content", |_| {});
                message.member("stop_reason", &());
                message.member("stop_sequence", &());
                message.object("usage", |object| {
                    usage::write(object, &self.usage.unwrap_or_default());
                    restore_nested(object, extras, DIALECT, "usage");
                });
                restore(message, extras, DIALECT, &String::new, losses);
            });
        });
    }

    fn part_start(&mut self, ordinal: u32, part: &Part, out: &mut Frames) {
        self.stop_block(out);
        let path = format!("choices[0].parts[{ordinal}]");
        let redacted = matches!(&part.kind, PartKind::Reasoning(thought) if thought.redacted);
        if redacted && part.signature.is_none() {
            self.open = Open::Redacted;
            return;
        }
        if !has_block(part, &path, &mut out.losses) {
            return;
        }
        lose_of_part(part, &path, &mut out.losses);
        let signature = part.signature.as_ref().map_or("", |state| &*state.value);
        self.open = self.open_block(out, part, |object, losses| {
            let open = match &part.kind {
                PartKind::Reasoning(_) if redacted => {
                    object.member("type", "redacted_thinking");
                    object.member("data", signature);
                    Open::Whole
                }
                PartKind::Reasoning(_) => {
                    object.member("type", "thinking");
                    object.member("thinking", "");
                    object.member("signature", "");
                    Open::Thought(None)
                }
                PartKind::ToolCall(call) => {
                    object.member("type", "tool_use");
                    object.member("id", &encode_messages::call_id(&call.id, &path));
                    object.member("name", &call.name);
                    object.object("input", |_| {});
                    match call.kind {
                        ToolCallKind::Function => Open::Call,
                        ToolCallKind::Freeform => Open::Freeform(false),
                    }
                }
                PartKind::Text { .. } | PartKind::Refusal(_) => {
                    object.member("type", "text");
                    object.member("text", "");
                    Open::Text
                }
                PartKind::Image(_)
                | PartKind::Audio(_)
                | PartKind::Video(_)
                | PartKind::Document(_)
                | PartKind::Speech(_)
                | PartKind::ToolResult(_)
                | PartKind::Opaque(_) => Open::Whole,
            };
            restore(object, &part.extras, DIALECT, &|| path.clone(), losses);
            open
        });
    }

    /// Opens a block and says what it is.
    fn open_block(
        &mut self,
        out: &mut Frames,
        part: &Part,
        members: impl FnOnce(&mut Object<'_>, &mut Losses) -> Open,
    ) -> Open {
        let mut open = Open::Whole;
        event(out, "content_block_start", |object, losses| {
            object.member("index", &self.blocks);
            if let PartKind::Opaque(opaque) = &part.kind {
                object.raw("content_block", &opaque.raw);
            } else {
                object.object("content_block", |block| open = members(block, losses));
            }
        });
        self.blocks += 1;
        open
    }

    fn part_delta(&mut self, ordinal: u32, delta: &Delta, out: &mut Frames) {
        match (self.open, delta) {
            (Open::Text, Delta::Text(text)) => self.delta(out, "text_delta", "text", text),
            (Open::Text, Delta::Citation(citation)) if citations::has_place(citation) => {
                self.block_delta(out, |delta, losses| {
                    delta.member("type", "citations_delta");
                    delta.object("citation", |object| citations::encode(object, citation, losses));
                });
            }
            (Open::Text, Delta::Citation(_)) => lose_citation(&mut out.losses),
            (Open::Thought(last), Delta::Thought { index, text }) => {
                self.thought(out, last, (false, *index), text);
            }
            (Open::Thought(last), Delta::Summary { index, text }) => {
                self.thought(out, last, (true, *index), text);
            }
            (Open::Call, Delta::Arguments(text)) => self.delta(out, "input_json_delta", "partial_json", text),
            (Open::Freeform(begun), Delta::Arguments(text)) => self.freeform(ordinal, out, begun, text),
            (Open::Thought(_), Delta::Signature(state)) => {
                self.delta(out, "signature_delta", "signature", &state.value);
            }
            (Open::Redacted, Delta::Signature(state)) => {
                let part = Part::text("");
                self.open = self.open_block(out, &part, |object, _| {
                    object.member("type", "redacted_thinking");
                    object.member("data", &state.value);
                    Open::Whole
                });
            }
            (_, Delta::Signature(_)) => {
                let path = format!("choices[0].parts[{ordinal}].signature");
                out.losses.dropped(Subject::State, path, "the dialect signs nothing but thinking");
            }
            // Of a part that has no block, which has been noted.
            _ => {}
        }
    }

    fn thought(&mut self, out: &mut Frames, last: Option<(bool, u32)>, piece: (bool, u32), text: &str) {
        if last.is_some_and(|last| last != piece) {
            self.delta(out, "thinking_delta", "thinking", BETWEEN_PIECES);
        }
        self.delta(out, "thinking_delta", "thinking", text);
        self.open = Open::Thought(Some(piece));
    }

    /// Writes a piece of what is no object as a piece of one.
    fn freeform(&mut self, ordinal: u32, out: &mut Frames, begun: bool, text: &str) {
        if !begun {
            encode_messages::lose_form(&format!("choices[0].parts[{ordinal}]"), &mut out.losses);
            self.delta(out, "input_json_delta", "partial_json", "{\"input\":\"");
            self.open = Open::Freeform(true);
        }
        let quoted = serde_json::Value::from(text).to_string();
        let piece = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        self.delta(out, "input_json_delta", "partial_json", piece);
    }

    fn delta(&self, out: &mut Frames, kind: &str, member: &str, text: &str) {
        self.block_delta(out, |delta, _| {
            delta.member("type", kind);
            delta.member(member, text);
        });
    }

    fn block_delta(&self, out: &mut Frames, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        event(out, "content_block_delta", |object, losses| {
            object.member("index", &self.blocks.saturating_sub(1));
            object.object("delta", |delta| members(delta, losses));
        });
    }

    fn stop_block(&mut self, out: &mut Frames) {
        if self.open == Open::Freeform(true) {
            self.delta(out, "input_json_delta", "partial_json", "\"}");
        }
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => {}
            Open::Redacted => {
                out.losses.dropped(Subject::State, "choices[0].parts", "withheld by another provider");
            }
            Open::Text | Open::Thought(_) | Open::Call | Open::Freeform(_) | Open::Whole => {
                event(out, "content_block_stop", |object, _| {
                    object.member("index", &self.blocks.saturating_sub(1));
                });
            }
        }
    }

    fn end(&mut self, out: &mut Frames) {
        self.stop_block(out);
        let ending = self.finish.as_ref();
        event(out, "message_delta", |object, _| {
            object.object("delta", |delta| {
                delta.member("stop_reason", &ending.map(finish::word));
                delta.member("stop_sequence", &ending.and_then(|finish| finish.stop_sequence.as_ref()));
            });
            object.object("usage", |object| {
                usage::write(object, &self.usage.unwrap_or_default());
                object.optional("service_tier", self.tier.as_deref().map(tier));
            });
        });
        event(out, "message_stop", |_, _| {});
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { extras, .. } => self.start(extras, out),
            StreamEvent::PartStart { choice: 0, index, part } => self.part_start(*index, part, out),
            StreamEvent::PartDelta { choice: 0, index, delta } => self.part_delta(*index, delta, out),
            StreamEvent::PartStop { choice: 0, .. } => self.stop_block(out),
            StreamEvent::Finish { choice: 0, finish } => self.finish = Some(finish.clone()),
            StreamEvent::Logprobs { choice: 0, .. } => {
                out.losses.dropped(Subject::Sampling, "logprobs", "the dialect has no log probabilities");
            }
            StreamEvent::PartStart { choice, .. }
            | StreamEvent::PartDelta { choice, .. }
            | StreamEvent::PartStop { choice, .. }
            | StreamEvent::Logprobs { choice, .. }
            | StreamEvent::Finish { choice, .. } => {
                let why = "the dialect has one answer a request";
                out.losses.dropped(Subject::Content, format!("choices[{choice}]"), why);
            }
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(tier) => self.tier = Some(tier.clone()),
            StreamEvent::End => self.end(out),
        }
    }
}

/// Writes an event, which has its name inside too.
fn event(out: &mut Frames, name: &str, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
    out.event(Some(name), |object, losses| {
        object.member("type", name);
        members(object, losses);
    });
}
