//! Writing a streamed answer. A call waits for its arguments, which the dialect has as one object, and the finish reason for
//! the usage, which comes with it in the last line; nothing else is held back.

use trunkline_domain::Usage;
use trunkline_domain::chat::{Delta, Finish, MediaSource, Part, PartKind, StreamEvent};

use super::encode_messages::BETWEEN_PIECES;
use super::response::{has_part, head, lose_choice, lose_citations, lose_of_part, write_answered_call};
use super::{DIALECT, finish};
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// The longest arguments put together, in bytes; a call with longer ones is left out.
pub(super) const ARGUMENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes one stream.
pub(super) struct Encoder {
    model: String,
    created: i64,
    open: Open,
    /// How many calls have been written.
    calls: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

/// The open part.
enum Open {
    /// None, or one that came whole or has no place here.
    None,
    Text,
    /// A thought, and the piece of it written last: whether of its summary, and which.
    Thinking(Option<(bool, u32)>),
    /// A call and its arguments so far.
    Call(Box<Part>, String),
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            model: identity.model.to_owned(),
            created: identity.created,
            open: Open::None,
            calls: 0,
            finish: None,
            usage: None,
        }
    }

    /// A line that goes on.
    fn line(&self, out: &mut Frames, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        out.line(|object, losses| {
            head(object, &self.model, self.created);
            members(object, losses);
            object.member("done", &false);
        });
    }

    /// A line whose message holds something.
    fn message(&self, out: &mut Frames, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        self.line(out, |object, losses| {
            object.object("message", |message| {
                message.member("role", "assistant");
                members(message, losses);
            });
        });
    }

    fn part_start(&mut self, ordinal: u32, part: &Part, out: &mut Frames) {
        self.part_stop(ordinal, out);
        let path = format!("choices[0].parts[{ordinal}]");
        if !has_part(part, &path, &mut out.losses) {
            return;
        }
        lose_of_part(part, &path, &mut out.losses);
        match &part.kind {
            PartKind::ToolCall(call) => {
                self.open = Open::Call(Box::new(part.clone()), call.arguments.to_string());
            }
            PartKind::Text { .. } | PartKind::Refusal(_) => self.open = Open::Text,
            PartKind::Reasoning(_) => self.open = Open::Thinking(None),
            PartKind::Image(media) => {
                if let MediaSource::Base64(data) = &media.source {
                    self.message(out, |message, _| {
                        message.member("content", "");
                        message.member("images", &[data]);
                    });
                }
            }
            PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => {}
        }
    }

    fn part_delta(&mut self, ordinal: u32, delta: &Delta, out: &mut Frames) {
        let path = || format!("choices[0].parts[{ordinal}]");
        self.open = match (std::mem::replace(&mut self.open, Open::None), delta) {
            (Open::Text, Delta::Text(text)) => {
                self.message(out, |message, _| message.member("content", text));
                Open::Text
            }
            (Open::Text, Delta::Citation(_)) => {
                lose_citations(&mut out.losses);
                Open::Text
            }
            (Open::Thinking(last), Delta::Thought { index, text }) => {
                self.thought(last, (false, *index), text, out)
            }
            (Open::Thinking(last), Delta::Summary { index, text }) => {
                self.thought(last, (true, *index), text, out)
            }
            (Open::Call(part, mut arguments), Delta::Arguments(text)) => {
                if arguments.len().saturating_add(text.len()) <= ARGUMENTS_BYTES_MAX {
                    arguments.push_str(text);
                    Open::Call(part, arguments)
                } else {
                    let why = "the arguments are longer than what is put together";
                    out.losses.dropped(Subject::Tools, path(), why);
                    Open::None
                }
            }
            (open, Delta::Signature(_)) => {
                if !matches!(open, Open::None) {
                    let why = "the dialect signs nothing";
                    out.losses.dropped(Subject::State, format!("{}.signature", path()), why);
                }
                open
            }
            // Of a part that has no place here, which has been noted.
            (open, _) => open,
        };
    }

    fn thought(&self, last: Option<(bool, u32)>, piece: (bool, u32), text: &str, out: &mut Frames) -> Open {
        let between = if last.is_some_and(|last| last != piece) { BETWEEN_PIECES } else { "" };
        self.message(out, |message, _| {
            message.member("content", "");
            message.member("thinking", &format!("{between}{text}"));
        });
        Open::Thinking(Some(piece))
    }

    /// Closes the open part: a call is written now.
    fn part_stop(&mut self, ordinal: u32, out: &mut Frames) {
        let Open::Call(mut part, arguments) = std::mem::replace(&mut self.open, Open::None) else { return };
        if let PartKind::ToolCall(call) = &mut part.kind {
            call.arguments = arguments.into();
        }
        let (path, index) = (format!("choices[0].parts[{ordinal}]"), self.calls);
        self.message(out, |message, losses| {
            message.member("content", "");
            message.array("tool_calls", |array| write_answered_call(array, &part, index, &path, losses));
        });
        self.calls += 1;
    }

    fn end(&mut self, out: &mut Frames) {
        self.part_stop(0, out);
        out.line(|object, losses| {
            head(object, &self.model, self.created);
            object.object("message", |message| {
                message.member("role", "assistant");
                message.member("content", "");
            });
            if let Some(finish) = &self.finish {
                finish::lose(finish, losses);
                object.member("done_reason", finish::word(finish));
            }
            object.member("done", &true);
            if let Some(reported) = &self.usage {
                finish::write_usage(object, reported);
            }
        });
    }

    fn first(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { extras, .. } => {
                if !extras.is_of(DIALECT) {
                    lose_extras(extras, &String::new, &mut out.losses);
                } else if !extras.fields().is_empty() {
                    self.line(out, |object, losses| {
                        object.object("message", |message| {
                            message.member("role", "assistant");
                            message.member("content", "");
                        });
                        restore(object, extras, DIALECT, &String::new, losses);
                    });
                }
            }
            StreamEvent::PartStart { index, part, .. } => self.part_start(*index, part, out),
            StreamEvent::PartDelta { index, delta, .. } => self.part_delta(*index, delta, out),
            StreamEvent::PartStop { index, .. } => self.part_stop(*index, out),
            StreamEvent::Logprobs { logprobs, .. } => self.line(out, |object, losses| {
                object.object("message", |message| {
                    message.member("role", "assistant");
                    message.member("content", "");
                });
                finish::write_logprobs(object, logprobs, losses);
            }),
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
