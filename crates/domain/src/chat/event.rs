//! A streamed answer, event by event. An error is no event: a decoder returns it instead of more events.

use super::extras::Extras;
use super::part::{Citation, Minted, Part, PartKind};
use super::response::{Finish, Logprobs};
use crate::model::Text;
use crate::usage::Usage;

/// Something a stream says. In order: one [`Start`](Self::Start), then parts, each opened, added to and closed before
/// the next one of its choice opens, then one [`Finish`](Self::Finish) a choice, then [`End`](Self::End). Usage may
/// come at any time after the start and more than once: each report is a running total that replaces the one before.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// The answer begins.
    Start {
        /// As in [`ChatResponse::id`](super::ChatResponse::id).
        id: Text,
        /// As in [`ChatResponse::model`](super::ChatResponse::model).
        model: Text,
        /// Seconds since 1970.
        created: Option<i64>,
        /// What else the dialect said.
        extras: Extras,
    },
    /// A part opens. Text, refusals, thoughts, tool calls and speech open empty (a tool call with its id and name) and
    /// grow by deltas; every other kind comes whole.
    PartStart {
        /// Which choice.
        choice: u32,
        /// Its ordinal within the choice, from 0.
        index: u32,
        /// The part at its opening.
        part: Part,
    },
    /// The open part goes on.
    PartDelta {
        /// Which choice.
        choice: u32,
        /// The ordinal of the part.
        index: u32,
        /// What is added.
        delta: Delta,
    },
    /// The open part is complete.
    PartStop {
        /// Which choice.
        choice: u32,
        /// The ordinal of the part.
        index: u32,
    },
    /// Log probabilities of tokens said.
    Logprobs {
        /// Which choice.
        choice: u32,
        /// Of the tokens since the last such event.
        logprobs: Logprobs,
    },
    /// What was consumed so far: replaces every earlier report.
    Usage(Usage),
    /// The tier of service.
    ServiceTier(Text),
    /// A choice ended.
    Finish {
        /// Which.
        choice: u32,
        /// Why.
        finish: Finish,
    },
    /// The whole answer ended as it should.
    End,
}

/// What is added to an open part.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// To the text of a text part or a refusal.
    Text(Text),
    /// To piece `index` of a thought's text; a new index opens a new piece.
    Thought {
        /// Which piece.
        index: u32,
        /// What is added.
        text: Text,
    },
    /// To piece `index` of a thought's summary; a new index opens a new piece.
    Summary {
        /// Which piece.
        index: u32,
        /// What is added.
        text: Text,
    },
    /// To a tool call's arguments, as written.
    Arguments(Text),
    /// A citation of a text part.
    Citation(Citation),
    /// The part's signature, whole.
    Signature(Minted<Text>),
    /// To speech: base64, or transcript, or both.
    Speech {
        /// Base64; each piece is decoded on its own, so pieces are joined as they are.
        data: Text,
        /// What is said.
        transcript: Text,
        /// As in [`Speech::expires_at`](super::Speech::expires_at), once it is known.
        expires_at: Option<i64>,
    },
}

impl StreamEvent {
    /// Whether a caller would call it content: what commits a stream to its provider.
    pub fn is_content(&self) -> bool {
        match self {
            Self::PartStart { part, .. } => part.text_bytes() > 0,
            Self::PartDelta { .. } | Self::Finish { .. } => true,
            Self::Start { .. }
            | Self::PartStop { .. }
            | Self::Logprobs { .. }
            | Self::Usage(_)
            | Self::ServiceTier(_)
            | Self::End => false,
        }
    }

    /// Bytes of generated text in it: what an estimate is made from when no usage comes.
    pub fn text_bytes(&self) -> u64 {
        match self {
            Self::PartStart { part, .. } => part.text_bytes(),
            Self::PartDelta { delta, .. } => delta.text_bytes(),
            Self::Start { .. }
            | Self::PartStop { .. }
            | Self::Logprobs { .. }
            | Self::Usage(_)
            | Self::ServiceTier(_)
            | Self::Finish { .. }
            | Self::End => 0,
        }
    }
}

impl Delta {
    /// Bytes of generated text in it.
    pub fn text_bytes(&self) -> u64 {
        let bytes = match self {
            Self::Text(text)
            | Self::Thought { text, .. }
            | Self::Summary { text, .. }
            | Self::Arguments(text)
            | Self::Speech { transcript: text, .. } => text.len(),
            Self::Citation(_) | Self::Signature(_) => 0,
        };
        bytes as u64
    }
}

impl Part {
    /// Bytes of generated text in it: a tool call counts with its name.
    pub fn text_bytes(&self) -> u64 {
        let bytes = match &self.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => text.len(),
            PartKind::Reasoning(thought) => {
                thought.text.iter().chain(&thought.summary).map(|text| text.len()).sum()
            }
            PartKind::ToolCall(call) => call.name.len() + call.arguments.len(),
            PartKind::Speech(speech) => speech.transcript.len(),
            PartKind::Opaque(opaque) => opaque.raw.get().len(),
            PartKind::Image(_)
            | PartKind::Audio(_)
            | PartKind::Video(_)
            | PartKind::Document(_)
            | PartKind::ToolResult(_) => 0,
        };
        bytes as u64
    }
}
