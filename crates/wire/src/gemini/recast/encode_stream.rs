//! Writing a streamed answer. A call waits for its arguments, which the dialect has as one object, and the finish reasons
//! for the usage, which comes with them in the last chunk; nothing else is held back.

use trunkline_domain::chat::{Delta, Extras, Finish, Part, PartKind, StreamEvent};
use trunkline_domain::{Text, Usage};

use super::super::usage;
use super::encode_contents::BETWEEN_PIECES;
use super::{DIALECT, citations, finish, form, logprobs, response};
use crate::codec::Subject;
use crate::json::{Array, Object};
use crate::recast::loss::{lose_extras, restore};
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// The longest arguments put together, in bytes; a call with longer ones is left out.
pub(super) const ARGUMENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes one stream.
pub(super) struct Encoder {
    id: String,
    model: String,
    usage: Option<Usage>,
    tier: Option<Text>,
    choices: Vec<State>,
    /// There is no answer: the prompt was blocked.
    blocked: bool,
}

/// How far a choice is.
struct State {
    index: u32,
    open: Open,
    finish: Option<Finish>,
}

/// The open part.
enum Open {
    /// None, or one that came whole or has no place here.
    None,
    Text,
    /// A thought, and the piece of it written last: whether of its summary, and which.
    Thought(Option<(bool, u32)>),
    /// A call and its arguments so far.
    Call(Box<Part>, String),
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        Self {
            id: identity.id.to_owned(),
            model: identity.model.to_owned(),
            usage: None,
            tier: None,
            choices: Vec::new(),
            blocked: false,
        }
    }

    fn chunk(&self, out: &mut Frames, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        out.event(None, |object, losses| {
            members(object, losses);
            object.member("modelVersion", &self.model);
            object.member("responseId", &self.id);
        });
    }

    /// A chunk of one candidate.
    fn candidate(&self, index: u32, out: &mut Frames, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        self.chunk(out, |object, losses| {
            object.array("candidates", |array| {
                array.object(|candidate| {
                    members(candidate, losses);
                    candidate.member("index", &index);
                });
            });
        });
    }

    /// A chunk of one part.
    fn part(&self, index: u32, out: &mut Frames, part: impl FnOnce(&mut Array<'_>, &mut Losses)) {
        self.candidate(index, out, |candidate, losses| {
            candidate.object("content", |content| {
                content.member("role", "model");
                content.array("parts", |array| part(array, losses));
            });
        });
    }

    /// A chunk of text or thinking.
    fn text(&self, index: u32, out: &mut Frames, text: &str, thinks: bool) {
        self.part(index, out, |array, _| {
            array.object(|part| {
                part.member("text", text);
                if thinks {
                    part.member("thought", &true);
                }
            });
        });
    }

    fn start(&mut self, extras: &Extras, out: &mut Frames) {
        self.blocked = extras.form(DIALECT) & form::BLOCKED != 0;
        if !extras.is_of(DIALECT) {
            lose_extras(extras, &String::new, &mut out.losses);
        } else if !extras.fields().is_empty() {
            self.chunk(out, |object, losses| restore(object, extras, DIALECT, &String::new, losses));
        }
    }

    fn state(&mut self, index: u32) -> Option<&mut State> {
        if self.choices.iter().all(|state| state.index != index) {
            self.choices.push(State { index, open: Open::None, finish: None });
        }
        self.choices.iter_mut().find(|state| state.index == index)
    }

    fn set_open(&mut self, index: u32, open: Open) -> Open {
        self.state(index).map_or(Open::None, |state| std::mem::replace(&mut state.open, open))
    }

    fn part_start(&mut self, choice: u32, ordinal: u32, part: &Part, out: &mut Frames) {
        self.part_stop(choice, ordinal, out);
        let path = format!("choices[{choice}].parts[{ordinal}]");
        if !response::has_part(part, &path, &mut out.losses) {
            return;
        }
        let open = match &part.kind {
            PartKind::ToolCall(call) => {
                let arguments = call.arguments.to_string();
                self.set_open(choice, Open::Call(Box::new(part.clone()), arguments));
                return;
            }
            PartKind::Text { .. } => Open::Text,
            PartKind::Refusal(_) => {
                let why = "the dialect has no refusals apart: it becomes text";
                out.losses.adapted(Subject::Content, path.clone(), why);
                Open::Text
            }
            PartKind::Reasoning(_) => Open::Thought(None),
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::Speech(_)
            | PartKind::ToolResult(_)
            | PartKind::Opaque(_) => Open::None,
        };
        let whole = matches!(open, Open::None);
        // What a growing part opens with: nothing, unless it has members of its own.
        if whole || (part.extras.is_of(DIALECT) && !part.extras.fields().is_empty()) {
            self.part(choice, out, |array, losses| response::write_part(array, part, &path, losses));
        } else if !part.extras.is_of(DIALECT) {
            lose_extras(&part.extras, &|| path.clone(), &mut out.losses);
        }
        self.set_open(choice, open);
    }

    fn part_delta(&mut self, choice: u32, ordinal: u32, delta: &Delta, out: &mut Frames) {
        let path = || format!("choices[{choice}].parts[{ordinal}]");
        let open = self.set_open(choice, Open::None);
        let open = match (open, delta) {
            (Open::Text, Delta::Text(text)) => {
                self.text(choice, out, text, false);
                Open::Text
            }
            (Open::Text, Delta::Citation(citation)) => {
                self.candidate(choice, out, |candidate, losses| {
                    citations::encode(candidate, &[citation], losses);
                });
                Open::Text
            }
            (Open::Thought(last), Delta::Thought { index, text }) => {
                self.thought(choice, out, (last, (false, *index)), text)
            }
            (Open::Thought(last), Delta::Summary { index, text }) => {
                self.thought(choice, out, (last, (true, *index)), text)
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
            (open, Delta::Signature(state))
                if state.dialect != DIALECT && !matches!(open, Open::Thought(_)) =>
            {
                let why = "signed in another dialect";
                out.losses.dropped(Subject::State, format!("{}.signature", path()), why);
                open
            }
            (Open::Call(mut part, arguments), Delta::Signature(state)) => {
                part.signature = Some(state.clone());
                Open::Call(part, arguments)
            }
            (open @ (Open::Text | Open::Thought(_)), Delta::Signature(state)) => {
                let thinks = matches!(open, Open::Thought(_));
                self.part(choice, out, |array, _| {
                    array.object(|part| {
                        part.member("text", "");
                        if thinks {
                            part.member("thought", &true);
                        }
                        part.member("thoughtSignature", &state.value);
                    });
                });
                open
            }
            // Of a part that has no place here, which has been noted.
            (open, _) => open,
        };
        self.set_open(choice, open);
    }

    fn thought(
        &self,
        choice: u32,
        out: &mut Frames,
        (last, piece): (Option<(bool, u32)>, (bool, u32)),
        text: &str,
    ) -> Open {
        if last.is_some_and(|last| last != piece) {
            self.text(choice, out, BETWEEN_PIECES, true);
        }
        self.text(choice, out, text, true);
        Open::Thought(Some(piece))
    }

    /// Closes the open part of a choice, if there is one: a call is written now.
    fn part_stop(&mut self, choice: u32, ordinal: u32, out: &mut Frames) {
        let Open::Call(mut part, arguments) = self.set_open(choice, Open::None) else { return };
        if let PartKind::ToolCall(call) = &mut part.kind {
            call.arguments = arguments.into();
        }
        let path = format!("choices[{choice}].parts[{ordinal}]");
        self.part(choice, out, |array, losses| response::write_part(array, &part, &path, losses));
    }

    fn end(&mut self, out: &mut Frames) {
        let indices: Vec<u32> = self.choices.iter().map(|state| state.index).collect();
        for index in indices {
            self.part_stop(index, 0, out);
        }
        self.chunk(out, |object, _| {
            if !self.blocked {
                object.array("candidates", |array| {
                    for state in &self.choices {
                        array.object(|candidate| {
                            candidate.object("content", |content| {
                                content.member("role", "model");
                                content.array("parts", |parts| parts.object(|part| part.member("text", "")));
                            });
                            let word = state.finish.as_ref().map_or("OTHER", finish::word);
                            candidate.member("finishReason", word);
                            candidate.member("index", &state.index);
                        });
                    }
                });
            }
            if self.usage.is_some() || self.tier.is_some() {
                object.object("usageMetadata", |object| {
                    if let Some(usage) = &self.usage {
                        usage::write(object, usage);
                    }
                    object.optional("serviceTier", self.tier.as_ref());
                });
            }
        });
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { extras, .. } => self.start(extras, out),
            StreamEvent::PartStart { choice, index, part } => self.part_start(*choice, *index, part, out),
            StreamEvent::PartDelta { choice, index, delta } => self.part_delta(*choice, *index, delta, out),
            StreamEvent::PartStop { choice, index } => self.part_stop(*choice, *index, out),
            StreamEvent::Finish { choice, finish } => {
                finish::lose(finish, *choice, &mut out.losses);
                if let Some(state) = self.state(*choice) {
                    state.finish = Some(finish.clone());
                }
            }
            StreamEvent::Logprobs { choice, logprobs } => {
                self.candidate(*choice, out, |candidate, losses| {
                    logprobs::encode(candidate, logprobs, losses);
                });
            }
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(tier) => self.tier = Some(tier.clone()),
            StreamEvent::End => self.end(out),
        }
    }
}
