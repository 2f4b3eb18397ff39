//! Writing a streamed answer. Nothing is held back but the usage, which the dialect sends last and only to callers who
//! asked.

use bytes::Bytes;
use trunkline_domain::chat::{Delta, Finish, Logprobs, Minted, Part, PartKind, StreamEvent, ToolCallKind};
use trunkline_domain::{Dialect, Text, Usage};

use super::super::{error, usage};
use super::encode_messages::write_thought_signature;
use super::reasoning::format_of;
use super::response::{call_id, encode_citation, encode_image, lose_of_part, place};
use super::{DIALECT, finish};
use crate::codec::Subject;
use crate::json::Object;
use crate::recast::loss::restore;
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// Writes one stream.
pub(super) struct Encoder {
    id: String,
    model: String,
    created: i64,
    include_usage: bool,
    usage: Option<Usage>,
    tier: Option<Text>,
    choices: Vec<Choice>,
}

/// How far a choice is.
#[derive(Default)]
struct Choice {
    index: u32,
    open: Open,
    /// How many tool calls have been opened.
    calls: u64,
    /// How many thoughts have been opened.
    thoughts: u64,
    /// Characters of text written, and those before the open part.
    characters: u64,
    part_from: u64,
}

/// The open part.
#[derive(Default)]
enum Open {
    #[default]
    Other,
    Refusal,
    Thought {
        id: Option<Text>,
        redacted: bool,
    },
    Call(ToolCallKind),
}

impl Encoder {
    pub(super) fn new(identity: &AnswerIdentity<'_>) -> Self {
        let options = identity.request.stream_options.as_ref();
        Self {
            id: identity.id.to_owned(),
            model: identity.model.to_owned(),
            created: identity.created,
            include_usage: options.and_then(|options| options.include_usage).unwrap_or(false),
            usage: None,
            tier: None,
            choices: Vec::new(),
        }
    }

    /// Writes a chunk of one choice.
    fn delta(&self, out: &mut Frames, choice: u32, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        self.chunk(out, choice, |object, losses| {
            object.object("delta", |delta| members(delta, losses));
            object.member("finish_reason", &());
        });
    }

    fn chunk(&self, out: &mut Frames, choice: u32, members: impl FnOnce(&mut Object<'_>, &mut Losses)) {
        out.event(None, |object, losses| {
            self.head(object);
            object.array("choices", |choices| {
                choices.object(|object| {
                    object.member("index", &choice);
                    members(object, losses);
                });
            });
        });
    }

    fn head(&self, object: &mut Object<'_>) {
        object.member("id", &self.id);
        object.member("object", "chat.completion.chunk");
        object.member("created", &self.created);
        object.member("model", &self.model);
        object.optional("service_tier", self.tier.as_ref());
    }

    fn choice(&mut self, index: u32) -> usize {
        let at = self.choices.iter().position(|choice| choice.index == index);
        at.unwrap_or_else(|| {
            self.choices.push(Choice { index, ..Choice::default() });
            self.choices.len() - 1
        })
    }

    fn part_start(&mut self, index: u32, ordinal: u32, part: &Part, out: &mut Frames) {
        let at = self.choice(index);
        let Some(mut choice) = self.choices.get_mut(at).map(std::mem::take) else { return };
        choice.part_from = choice.characters;
        let level = || format!("choices[{index}].parts[{ordinal}]");
        lose_of_part(part, &level, &mut out.losses);
        choice.open = match &part.kind {
            PartKind::Refusal(_) => Open::Refusal,
            PartKind::Reasoning(thought) => {
                choice.thoughts += 1;
                Open::Thought { id: thought.id.clone(), redacted: thought.redacted }
            }
            PartKind::ToolCall(call) => {
                self.delta(out, index, |delta, losses| {
                    call_delta(delta, choice.calls, |object| {
                        object.member("id", &*call_id(&call.id, index, ordinal as usize));
                        write_call(object, call.kind, Some(&call.name), &call.arguments);
                        restore(object, &part.extras, DIALECT, &level, losses);
                    });
                });
                choice.calls += 1;
                Open::Call(call.kind)
            }
            PartKind::Image(media) => {
                self.delta(out, index, |delta, losses| {
                    delta.array("images", |images| encode_image(images, media, losses));
                });
                Open::Other
            }
            PartKind::Speech(speech) => {
                if let Some(id) = &speech.id {
                    self.delta(out, index, |delta, _| delta.object("audio", |audio| audio.member("id", id)));
                }
                Open::Other
            }
            PartKind::Text { .. } => Open::Other,
            PartKind::Opaque(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::ToolResult(_) => {
                let why = "the dialect's answers have no such part";
                out.losses.dropped(Subject::Content, format!("choices[{index}].parts"), why);
                Open::Other
            }
        };
        if let Some(slot) = self.choices.get_mut(at) {
            *slot = choice;
        }
    }

    fn part_delta(&mut self, (index, ordinal): (u32, u32), delta: &Delta, out: &mut Frames) {
        let at = self.choice(index);
        if let (Delta::Text(text), Some(choice)) = (delta, self.choices.get_mut(at))
            && !matches!(choice.open, Open::Refusal)
        {
            choice.characters += text.chars().count() as u64;
        }
        let Some(choice) = self.choices.get(at) else { return };
        match delta {
            Delta::Text(text) => {
                let member = if matches!(choice.open, Open::Refusal) { "refusal" } else { "content" };
                self.delta(out, index, |delta, _| delta.member(member, text));
            }
            Delta::Thought { text, .. } => self.thought(out, choice, ("reasoning.text", "text"), text),
            Delta::Summary { text, .. } => self.thought(out, choice, ("reasoning.summary", "summary"), text),
            Delta::Arguments(text) => {
                let kind = if let Open::Call(kind) = choice.open { kind } else { ToolCallKind::Function };
                let call = choice.calls.saturating_sub(1);
                self.delta(out, index, |delta, _| {
                    call_delta(delta, call, |object| write_call(object, kind, None, text));
                });
            }
            Delta::Citation(citation) => {
                let place = place(citation, choice.part_from, choice.characters);
                self.delta(out, index, |delta, losses| {
                    delta.array("annotations", |array| encode_citation(array, citation, place, losses));
                });
            }
            Delta::Signature(state) => self.signature(out, choice, ordinal, state),
            Delta::Speech { data, transcript, expires_at } => {
                self.delta(out, index, |delta, _| {
                    delta.object("audio", |audio| {
                        audio.optional("data", (!data.is_empty()).then_some(data));
                        audio.optional("transcript", (!transcript.is_empty()).then_some(transcript));
                        audio.optional("expires_at", *expires_at);
                    });
                });
            }
        }
    }

    fn thought(&self, out: &mut Frames, choice: &Choice, (kind, member): (&str, &str), text: &Text) {
        self.delta(out, choice.index, |delta, _| {
            delta.member("reasoning_content", text);
            delta.array("reasoning_details", |details| {
                details.object(|detail| {
                    detail.member("type", kind);
                    detail.member(member, text);
                    choice.thought_place(detail);
                });
            });
        });
    }

    fn signature(&self, out: &mut Frames, choice: &Choice, ordinal: u32, state: &Minted<Text>) {
        match &choice.open {
            Open::Thought { redacted, .. } => {
                let apart = *redacted || state.dialect == Dialect::OpenaiResponses;
                let (kind, member) =
                    if apart { ("reasoning.encrypted", "data") } else { ("reasoning.text", "signature") };
                self.delta(out, choice.index, |delta, _| {
                    delta.array("reasoning_details", |details| {
                        details.object(|detail| {
                            detail.member("type", kind);
                            detail.member(member, &state.value);
                            detail.optional("format", format_of(state.dialect));
                            choice.thought_place(detail);
                        });
                    });
                });
            }
            &Open::Call(kind) if state.dialect == Dialect::GeminiGenerate => {
                self.delta(out, choice.index, |delta, _| {
                    call_delta(delta, choice.calls.saturating_sub(1), |object| {
                        // The official Python client asserts that every piece of a call has its function.
                        write_call(object, kind, None, "");
                        write_thought_signature(object, &state.value);
                    });
                });
            }
            Open::Call(_) | Open::Refusal | Open::Other => {
                let why = "the dialect signs nothing but thinking";
                let part = format!("choices[{}].parts[{ordinal}]", choice.index);
                out.losses.dropped(Subject::State, format!("{part}.signature"), why);
            }
        }
    }

    fn finish(&self, out: &mut Frames, choice: u32, finish: &Finish) {
        finish::lose(finish, choice, &mut out.losses);
        self.chunk(out, choice, |object, _| {
            object.object("delta", |_| {});
            object.member("finish_reason", finish::word(finish));
        });
    }

    fn logprobs(&self, out: &mut Frames, choice: u32, logprobs: &Logprobs) {
        self.chunk(out, choice, |object, _| {
            object.object("delta", |_| {});
            finish::write_logprobs(object, logprobs);
            object.member("finish_reason", &());
        });
    }

    fn end(&self, out: &mut Frames) {
        if let Some(reported) = self.usage.filter(|_| self.include_usage) {
            out.event(None, |object, _| {
                self.head(object);
                object.array("choices", |_| {});
                object.object("usage", |object| usage::write(object, &reported));
            });
        }
        out.push(Bytes::from_static(error::TERMINAL));
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Frames) {
        match event {
            StreamEvent::Start { extras, .. } => out.event(None, |object, losses| {
                self.head(object);
                object.array("choices", |choices| {
                    choices.object(|object| {
                        object.member("index", &0);
                        object.object("delta", |delta| {
                            delta.member("role", "assistant");
                            delta.member("content", "");
                        });
                        object.member("finish_reason", &());
                    });
                });
                restore(object, extras, DIALECT, &String::new, losses);
            }),
            StreamEvent::PartStart { choice, index, part } => self.part_start(*choice, *index, part, out),
            StreamEvent::PartDelta { choice, index, delta } => self.part_delta((*choice, *index), delta, out),
            StreamEvent::PartStop { .. } => {}
            StreamEvent::Logprobs { choice, logprobs } => self.logprobs(out, *choice, logprobs),
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::ServiceTier(tier) => self.tier = Some(tier.clone()),
            StreamEvent::Finish { choice, finish } => self.finish(out, *choice, finish),
            StreamEvent::End => self.end(out),
        }
    }
}

impl Choice {
    /// Which element of `reasoning_details` a piece belongs to, once they are put together.
    fn thought_place(&self, detail: &mut Object<'_>) {
        if let Open::Thought { id, .. } = &self.open {
            detail.optional("id", id.as_ref());
        }
        detail.member("index", &self.thoughts.saturating_sub(1));
    }
}

fn call_delta(delta: &mut Object<'_>, index: u64, members: impl FnOnce(&mut Object<'_>)) {
    delta.array("tool_calls", |calls| {
        calls.object(|object| {
            object.member("index", &index);
            members(object);
        });
    });
}

fn write_call(object: &mut Object<'_>, kind: ToolCallKind, name: Option<&Text>, text: &str) {
    let (kind, payload) = match kind {
        ToolCallKind::Function => ("function", "arguments"),
        ToolCallKind::Freeform => ("custom", "input"),
    };
    if name.is_some() {
        object.member("type", kind);
    }
    object.object(kind, |inner| {
        inner.optional("name", name);
        inner.member(payload, text);
    });
}
