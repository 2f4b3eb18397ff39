//! Writing a streamed answer. The finish reason waits for the usage, which comes with it in the last event; nothing else is
//! held back.

use trunkline_domain::Usage;
use trunkline_domain::chat::{Citation, Delta, Finish, Part, PartKind, StreamEvent, ToolCallKind};

use super::encode_messages::{is_plan, lose_signature, write_call};
use super::response::{self, call_id, has_part, lose_choice, lose_logprobs};
use super::{DIALECT, finish, usage};
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// Writes one stream.
pub(super) struct Encoder {
    id: String,
    open: Open,
    /// How many blocks of content, calls and citations have been written.
    blocks: usize,
    calls: usize,
    citations: usize,
    /// Characters of the open text.
    characters: u64,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

/// The open part.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    /// None, or one that came whole or has no place here.
    #[default]
    None,
    Text,
    /// A thought, and the piece of it written last: whether of its summary, and which.
    Thinking(Option<(bool, u32)>),
    Plan,
    Call,
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            id: identity.id.to_owned(),
            open: Open::None,
            blocks: 0,
            calls: 0,
            citations: 0,
            characters: 0,
            finish: None,
            usage: None,
        }
    }

    fn part_start(&mut self, ordinal: u32, part: &Part, out: &mut Frames) {
        self.part_stop(out);
        let path = format!("choices[0].parts[{ordinal}]");
        if !has_part(part, &path, &mut out.losses) {
            return;
        }
        lose_signature(part, &path, &mut out.losses);
        let block = match &part.kind {
            PartKind::ToolCall(call) => {
                if call.kind == ToolCallKind::Freeform {
                    let why = "the dialect has no freeform tools: their text goes as arguments";
                    out.losses.adapted(Subject::Tools, format!("{path}.arguments"), why);
                }
                let (index, id) = (self.calls, call_id(0, ordinal as usize));
                let mut function = part.clone();
                if let PartKind::ToolCall(call) = &mut function.kind {
                    call.kind = ToolCallKind::Function;
                }
                event(out, "tool-call-start", Some(index), |message, losses| {
                    message.object("tool_calls", |object| write_call(object, &function, &id, &path, losses));
                });
                self.open = Open::Call;
                return;
            }
            PartKind::Reasoning(_) if is_plan(part) => {
                self.open = Open::Plan;
                return;
            }
            PartKind::Reasoning(_) => ("thinking", Open::Thinking(None)),
            PartKind::Text { .. } | PartKind::Refusal(_) => ("text", Open::Text),
            PartKind::Opaque(_)
            | PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_) => {
                let why = "a stream of the dialect has no such part";
                return out.losses.dropped(Subject::Content, path, why);
            }
        };
        let (kind, open) = block;
        event(out, "content-start", Some(self.blocks), |message, losses| {
            message.object("content", |content| {
                content.member("type", kind);
                content.member(kind, "");
                restore(content, &part.extras, DIALECT, &|| path.clone(), losses);
            });
        });
        (self.open, self.characters) = (open, 0);
    }

    fn part_delta(&mut self, ordinal: u32, delta: &Delta, out: &mut Frames) {
        match (self.open, delta) {
            (Open::Text, Delta::Text(text)) => {
                self.characters += text.chars().count() as u64;
                self.content(out, "text", text);
            }
            (Open::Text, Delta::Citation(citation)) => self.cite(citation, out),
            (Open::Thinking(last), Delta::Thought { index, text }) => {
                self.thought(last, (false, *index), text, out);
            }
            (Open::Thinking(last), Delta::Summary { index, text }) => {
                self.thought(last, (true, *index), text, out);
            }
            (Open::Plan, Delta::Thought { text, .. } | Delta::Summary { text, .. }) => {
                event(out, "tool-plan-delta", None, |message, _| message.member("tool_plan", text));
            }
            (Open::Call, Delta::Arguments(text)) => {
                event(out, "tool-call-delta", Some(self.calls), |message, _| {
                    message.object("tool_calls", |call| {
                        call.object("function", |function| function.member("arguments", text));
                    });
                });
            }
            (open, Delta::Signature(_)) if open != Open::None => {
                let path = format!("choices[0].parts[{ordinal}].signature");
                out.losses.dropped(Subject::State, path, "the dialect signs nothing");
            }
            // Of a part that has no place here, which has been noted.
            _ => {}
        }
    }

    fn content(&self, out: &mut Frames, member: &str, text: &str) {
        event(out, "content-delta", Some(self.blocks), |message, _| {
            message.object("content", |content| content.member(member, text));
        });
    }

    fn thought(&mut self, last: Option<(bool, u32)>, piece: (bool, u32), text: &str, out: &mut Frames) {
        if last.is_some_and(|last| last != piece) {
            self.content(out, "thinking", "\n\n");
        }
        self.content(out, "thinking", text);
        self.open = Open::Thinking(Some(piece));
    }

    /// The text itself is not kept: a citation of another dialect says its place alone.
    fn cite(&mut self, citation: &Citation, out: &mut Frames) {
        let (block, characters) = (self.blocks, self.characters);
        event(out, "citation-start", Some(self.citations), |message, losses| {
            message.object("citations", |object| {
                if citation.extras.is_of(DIALECT) {
                    let (start, end) = citation.span.unwrap_or((0, characters));
                    object.member("start", &start);
                    object.member("end", &end);
                    return restore(object, &citation.extras, DIALECT, &String::new, losses);
                }
                let span = Some(citation.span.unwrap_or((0, characters)));
                response::write_foreign(object, &Citation { span, ..citation.clone() }, block, "", losses);
            });
        });
        named(out, "citation-end", Some(self.citations), |_, _| {});
        self.citations += 1;
    }

    fn part_stop(&mut self, out: &mut Frames) {
        match std::mem::take(&mut self.open) {
            Open::None | Open::Plan => {}
            Open::Text | Open::Thinking(_) => {
                named(out, "content-end", Some(self.blocks), |_, _| {});
                self.blocks += 1;
            }
            Open::Call => {
                named(out, "tool-call-end", Some(self.calls), |_, _| {});
                self.calls += 1;
            }
        }
    }

    fn end(&mut self, out: &mut Frames) {
        self.part_stop(out);
        named(out, "message-end", None, |object, losses| {
            object.member("id", &self.id);
            object.object("delta", |delta| {
                if let Some(finish) = &self.finish {
                    finish::lose(finish, 0, losses);
                    delta.member("finish_reason", finish::word(finish));
                }
                if let Some(reported) = &self.usage {
                    delta.object("usage", |object| usage::write(object, reported));
                }
            });
        });
    }

    fn first(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { extras, .. } => {
                if !extras.is_of(DIALECT) {
                    lose_extras(extras, &String::new, &mut out.losses);
                }
                named(out, "message-start", None, |object, _| {
                    object.member("id", &self.id);
                    object.object("delta", |delta| {
                        delta.object("message", |message| {
                            message.member("role", "assistant");
                            message.array("content", |_| {});
                            message.member("tool_plan", "");
                            message.array("tool_calls", |_| {});
                            message.array("citations", |_| {});
                        });
                    });
                });
            }
            StreamEvent::PartStart { index, part, .. } => self.part_start(*index, part, out),
            StreamEvent::PartDelta { index, delta, .. } => self.part_delta(*index, delta, out),
            StreamEvent::PartStop { .. } => self.part_stop(out),
            StreamEvent::Logprobs { logprobs, .. } => {
                lose_logprobs(logprobs, &mut out.losses);
                for token in &logprobs.content {
                    named(out, "content-delta", Some(self.blocks), |object, _| {
                        object.object("logprobs", |object| finish::write_logprob(object, token));
                    });
                }
            }
            StreamEvent::Finish { finish, .. } => self.finish = Some(finish.clone()),
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(_) => {}
            StreamEvent::End => self.end(out),
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Frames) {
        let choice = match event {
            StreamEvent::PartStart { choice, .. }
            | StreamEvent::PartDelta { choice, .. }
            | StreamEvent::PartStop { choice, .. }
            | StreamEvent::Logprobs { choice, .. }
            | StreamEvent::Finish { choice, .. } => *choice,
            StreamEvent::Start { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::ServiceTier(_)
            | StreamEvent::End => 0,
        };
        if choice == 0 {
            self.first(event, out);
        } else {
            lose_choice(choice, &mut out.losses);
        }
    }
}

/// Writes an event by its name.
fn named(
    out: &mut Frames,
    kind: &str,
    index: Option<usize>,
    members: impl FnOnce(&mut Object<'_>, &mut Losses),
) {
    out.event(Some(kind), |object, losses| {
        object.member("type", kind);
        object.optional("index", index);
        members(object, losses);
    });
}

/// Writes an event that adds to the message.
fn event(
    out: &mut Frames,
    kind: &str,
    index: Option<usize>,
    members: impl FnOnce(&mut Object<'_>, &mut Losses),
) {
    named(out, kind, index, |object, losses| {
        object.object("delta", |delta| delta.object("message", |message| members(message, losses)));
    });
}
