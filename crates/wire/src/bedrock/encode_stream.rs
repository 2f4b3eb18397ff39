//! Writing a streamed answer. Usage and tier wait for the end, where the dialect has them; nothing else is held back. A block
//! of text or thinking opens with what comes first of it.

use trunkline_domain::chat::{Delta, Opaque, Part, PartKind, RawJson, StreamEvent};
use trunkline_domain::{Text, Usage};

use super::encode_blocks::{BETWEEN_PIECES, Place, Writer, call_id, lose_of_part};
use super::response::{lose_choice, lose_logprobs, write_tier};
use super::{DIALECT, citations, finish, form, usage};
use crate::codec::Subject;
use crate::framing::eventstream;
use crate::json::{Object, Str, object, wire_object};
use crate::recast::loss::lose_extras;
use crate::recast::{Frames, Losses, StreamEncoder};

/// Writes one stream.
#[derive(Default)]
pub(super) struct Encoder {
    usage: Option<Usage>,
    tier: Option<Text>,
    finished: bool,
    /// How many blocks have been closed.
    blocks: u64,
    open: Open,
    /// Whether anything of the open block has been written.
    said: bool,
}

/// The open part.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    /// None, or one the dialect has no block for.
    #[default]
    None,
    Text,
    /// A thought, and the piece of it written last: whether of its summary, and which.
    Thought(Option<(bool, u32)>),
    /// A withheld thought.
    Redacted,
    Call,
    /// A block that came whole.
    Whole,
}

wire_object! {
    struct Whole { "toolUse" => call: Tool, "toolResult" => result: Tool }
}

wire_object! {
    ignoring struct Tool {
        "toolUseId" => id: Str,
        "name" => name: Str,
        "type" => kind: Str,
        "status" => status: Str,
        "input" => input: RawJson,
        "content" => content: RawJson,
    }
}

impl Encoder {
    fn part_start(&mut self, ordinal: u32, part: &Part, out: &mut Frames) {
        self.part_stop(out);
        let path = format!("choices[0].parts[{ordinal}]");
        // The data of a withheld thought come behind its opening.
        let redacted = matches!(&part.kind, PartKind::Reasoning(thought) if thought.redacted);
        let mut writer = Writer { target: None, place: Place::Answer, losses: &mut out.losses };
        if !redacted && !writer.keeps(part, &path) {
            return;
        }
        if !matches!(part.kind, PartKind::Opaque(_)) {
            lose_of_part(part, &path, &mut out.losses);
            if !part.extras.is_of(DIALECT) {
                lose_extras(&part.extras, &|| path.clone(), &mut out.losses);
            }
        }
        self.said = false;
        self.open = match &part.kind {
            PartKind::Text { .. } | PartKind::Refusal(_) => Open::Text,
            PartKind::Reasoning(_) if redacted => {
                if let Some(state) = part.signature.as_ref().filter(|state| state.dialect == DIALECT) {
                    self.redacted(&state.value, out);
                }
                Open::Redacted
            }
            PartKind::Reasoning(_) => Open::Thought(None),
            PartKind::ToolCall(call) => {
                let typed = part.extras.form(DIALECT) & form::TYPED != 0;
                self.block_start(out, "toolUse", |object| {
                    object.member("toolUseId", &call_id(&call.id, &path));
                    object.member("name", &call.name);
                    object.optional("type", typed.then_some("tool_use"));
                });
                Open::Call
            }
            PartKind::Image(_) => {
                self.image(part, out);
                Open::Whole
            }
            PartKind::Opaque(opaque) => self.opaque(opaque, &path, out),
            PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_) => {
                let why = "a stream of the dialect has no such block";
                out.losses.dropped(Subject::Content, path, why);
                Open::None
            }
        };
    }

    fn image(&mut self, part: &Part, out: &mut Frames) {
        let PartKind::Image(media) = &part.kind else { return };
        let format = super::media::format_of(super::media::IMAGES, media);
        self.block_start(out, "image", |object| object.optional("format", format));
        self.delta(out, |delta, _| {
            delta.object("image", |image| super::media::write_source(image, &media.source, &part.extras));
        });
    }

    /// A call of the server's own tool, or its result; nothing else comes whole.
    fn opaque(&mut self, opaque: &Opaque, path: &str, out: &mut Frames) -> Open {
        let whole = serde_json::from_str::<Whole>(opaque.raw.get()).unwrap_or_default();
        let (member, tool) = match (whole.call, whole.result) {
            (Some(tool), None) => ("toolUse", tool),
            (None, Some(tool)) => ("toolResult", tool),
            _ => {
                let why = "a stream of the dialect has no such block";
                out.losses.dropped(Subject::Content, path.to_owned(), why);
                return Open::None;
            }
        };
        self.block_start(out, member, |object| {
            let members = [
                ("toolUseId", &tool.id),
                ("name", &tool.name),
                ("type", &tool.kind),
                ("status", &tool.status),
            ];
            for (key, value) in members {
                object.optional(key, value.as_ref().map(|value| &value.0));
            }
        });
        if let Some(input) = &tool.input {
            self.delta(out, |delta, _| {
                delta.object("toolUse", |object| object.member("input", input.get()));
            });
        }
        if let Some(content) = &tool.content {
            self.delta(out, |delta, _| delta.raw("toolResult", content));
        }
        Open::Whole
    }

    fn part_delta(&mut self, ordinal: u32, delta: &Delta, out: &mut Frames) {
        match (self.open, delta) {
            (Open::Text, Delta::Text(text)) => self.delta(out, |delta, _| delta.member("text", text)),
            (Open::Text, Delta::Citation(citation)) => self.delta(out, |delta, losses| {
                delta.object("citation", |object| citations::encode(object, citation, losses));
            }),
            (Open::Thought(last), Delta::Thought { index, text }) => {
                self.thought(out, last, (false, *index), text);
            }
            (Open::Thought(last), Delta::Summary { index, text }) => {
                self.thought(out, last, (true, *index), text);
            }
            (Open::Thought(_), Delta::Signature(state)) if state.dialect == DIALECT => {
                self.reasoning(out, "signature", &state.value);
            }
            (Open::Redacted, Delta::Signature(state)) if state.dialect == DIALECT => {
                self.redacted(&state.value, out);
            }
            (Open::Call, Delta::Arguments(text)) => self.delta(out, |delta, _| {
                delta.object("toolUse", |call| call.member("input", text));
            }),
            (open, Delta::Signature(_)) if open != Open::None && open != Open::Redacted => {
                let path = format!("choices[0].parts[{ordinal}].signature");
                out.losses.dropped(Subject::State, path, "signed in another dialect");
            }
            // Of a part that has no block, which has been noted.
            _ => {}
        }
    }

    fn redacted(&mut self, data: &str, out: &mut Frames) {
        self.reasoning(out, "redactedContent", data);
    }

    fn reasoning(&mut self, out: &mut Frames, member: &str, text: &str) {
        self.delta(out, |delta, _| delta.object("reasoningContent", |object| object.member(member, text)));
    }

    fn thought(&mut self, out: &mut Frames, last: Option<(bool, u32)>, piece: (bool, u32), text: &str) {
        if last.is_some_and(|last| last != piece) {
            self.reasoning(out, "text", BETWEEN_PIECES);
        }
        self.reasoning(out, "text", text);
        self.open = Open::Thought(Some(piece));
    }

    fn block_start(&mut self, out: &mut Frames, member: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.said = true;
        event(out, "contentBlockStart", |object, _| {
            object.object("start", |start| start.object(member, members));
            object.member("contentBlockIndex", &self.blocks);
        });
    }

    fn delta(&mut self, out: &mut Frames, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        self.said = true;
        event(out, "contentBlockDelta", |object, losses| {
            object.object("delta", |delta| members(delta, losses));
            object.member("contentBlockIndex", &self.blocks);
        });
    }

    fn part_stop(&mut self, out: &mut Frames) {
        // A block of which nothing has come has not been opened.
        match self.open {
            Open::Text if !self.said => self.delta(out, |delta, _| delta.member("text", "")),
            Open::Thought(_) if !self.said => self.reasoning(out, "text", ""),
            Open::Redacted if !self.said => {
                out.losses.dropped(Subject::State, "choices[0].parts", "withheld by another provider");
                self.open = Open::None;
            }
            Open::None | Open::Text | Open::Thought(_) | Open::Redacted | Open::Call | Open::Whole => {}
        }
        if std::mem::take(&mut self.open) != Open::None {
            event(out, "contentBlockStop", |object, _| object.member("contentBlockIndex", &self.blocks));
            self.blocks += 1;
        }
    }

    fn message_stop(&mut self, finish: Option<&trunkline_domain::chat::Finish>, out: &mut Frames) {
        self.part_stop(out);
        self.finished = true;
        event(out, "messageStop", |object, _| {
            object.optional("stopReason", finish.map(finish::word));
            finish::write_fields(object, finish);
        });
    }

    fn end(&mut self, out: &mut Frames) {
        if !self.finished {
            self.message_stop(None, out);
        }
        event(out, "metadata", |object, _| {
            if let Some(reported) = &self.usage {
                usage::write(object, reported);
            }
            write_tier(object, self.tier.as_ref());
        });
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, said: &StreamEvent, out: &mut Frames) {
        match said {
            StreamEvent::Start { extras, .. } => {
                if !extras.is_of(DIALECT) {
                    lose_extras(extras, &String::new, &mut out.losses);
                }
                event(out, "messageStart", |object, _| object.member("role", "assistant"));
            }
            StreamEvent::PartStart { choice: 0, index, part } => self.part_start(*index, part, out),
            StreamEvent::PartDelta { choice: 0, index, delta } => self.part_delta(*index, delta, out),
            StreamEvent::PartStop { choice: 0, .. } => self.part_stop(out),
            StreamEvent::Finish { choice: 0, finish } => self.message_stop(Some(finish), out),
            StreamEvent::Logprobs { choice: 0, .. } => lose_logprobs(&mut out.losses),
            StreamEvent::PartStart { choice, .. }
            | StreamEvent::PartDelta { choice, .. }
            | StreamEvent::PartStop { choice, .. }
            | StreamEvent::Logprobs { choice, .. }
            | StreamEvent::Finish { choice, .. } => lose_choice(*choice, &mut out.losses),
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(tier) => self.tier = Some(tier.clone()),
            StreamEvent::End => self.end(out),
        }
    }
}

/// Writes an event.
fn event(out: &mut Frames, name: &str, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
    let mut payload = Vec::with_capacity(128);
    object(&mut payload, |object| members(object, &mut out.losses));
    out.push(eventstream::event(name, &payload));
}
