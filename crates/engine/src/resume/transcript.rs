//! What a caller has been told of an answer so far, and how it is told what comes next: the text another provider is given
//! as a beginning, and the encoder that goes on in the caller's dialect where the broken stream left off.
//!
//! Where to look first: [`Transcript`].

use std::sync::Arc;

use trunkline_domain::Usage;
use trunkline_domain::chat::{ChatRequest, Delta, PartKind, StreamEvent};
use trunkline_wire::recast::{AnswerIdentity, CallerCodec, Frames, Losses, StreamEncoder};

use crate::translate::{Introduction, Output};

/// Bytes of an answer's text that are kept to go on with; a longer answer cannot be gone on with.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// An answer as its caller knows it.
pub(crate) struct Transcript {
    caller: &'static dyn CallerCodec,
    request: Arc<ChatRequest>,
    introduction: Introduction,
    /// Made when the answer has introduced itself.
    encoder: Option<Box<dyn StreamEncoder>>,
    frames: Frames,
    said: Said,
    /// What the attempts that broke off consumed.
    before: Usage,
}

impl Transcript {
    /// Of an answer that has not begun. `introduction` is what it is called where it does not say so itself.
    pub(crate) fn new(
        caller: &'static dyn CallerCodec,
        request: Arc<ChatRequest>,
        introduction: Introduction,
    ) -> Self {
        Self {
            caller,
            request,
            introduction,
            encoder: None,
            frames: Frames::default(),
            said: Said::default(),
            before: Usage::default(),
        }
    }

    /// What was said.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    /// An attempt broke off, and this is what it consumed.
    pub(crate) fn broke_off(&mut self, usage: &Usage) {
        self.before = self.before.plus(usage);
    }

    /// Tokens the attempts that broke off generated, as far as anybody counted.
    pub(crate) fn generated(&self) -> u64 {
        self.before.completion_total()
    }

    /// The caller was told this in the provider's own bytes: remembers it, and the names the provider gave the answer.
    pub(crate) fn heard(&mut self, event: &StreamEvent) {
        if let (StreamEvent::Start { id, model, created, .. }, None) = (event, &self.encoder) {
            let own = &mut self.introduction;
            own.created = created.unwrap_or(own.created);
            if !id.is_empty() {
                own.id = id.to_string();
            }
            if !model.is_empty() {
                own.model = model.clone();
            }
        }
        self.encode(event);
        self.frames.take().for_each(drop);
    }

    /// Tells the caller.
    pub(crate) fn tell(&mut self, event: &StreamEvent) {
        if let StreamEvent::Usage(usage) = event {
            self.encode(&StreamEvent::Usage(self.before.plus(usage)));
        } else {
            self.encode(event);
        }
    }

    fn encode(&mut self, event: &StreamEvent) {
        self.said.absorb(event);
        let encoder = self.encoder.get_or_insert_with(|| {
            let Introduction { id, model, created } = &self.introduction;
            self.caller.stream_encoder(&AnswerIdentity {
                id,
                model,
                created: *created,
                request: &self.request,
            })
        });
        encoder.event(event, &mut self.frames);
    }

    /// What could not be told.
    pub(crate) fn losses(&self) -> &Losses {
        &self.frames.losses
    }

    /// The bytes of what it was told since they were last taken.
    pub(crate) fn take(&mut self) -> Output {
        self.frames.take().collect()
    }

    /// What the provider says cannot be followed: it cannot be gone on with.
    pub(crate) fn spoil(&mut self) {
        self.said.plain = false;
    }
}

/// The text of an answer, as far as it is nothing but text.
#[derive(Debug)]
pub(crate) struct Said {
    text: String,
    /// Whether all of it is text that was kept.
    plain: bool,
    finished: bool,
    open: Option<u32>,
    parts: u32,
}

impl Default for Said {
    fn default() -> Self {
        Self { text: String::new(), plain: true, finished: false, open: None, parts: 0 }
    }
}

impl Said {
    /// The text, where another provider can go on with it.
    pub(crate) fn continuable(&self) -> Option<&str> {
        let fit = self.plain && !self.finished && !self.text.trim().is_empty();
        fit.then_some(&*self.text)
    }

    /// How many bytes of text there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// The ordinal of the part that is open.
    pub(crate) fn open(&self) -> Option<u32> {
        self.open
    }

    /// How many parts there are.
    pub(crate) fn parts(&self) -> u32 {
        self.parts
    }

    pub(super) fn absorb(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { choice: 0, index, part } => {
                self.open = Some(*index);
                self.parts = index.saturating_add(1);
                match &part.kind {
                    PartKind::Text { text, .. } => self.add(text),
                    PartKind::Refusal(_)
                    | PartKind::Reasoning(_)
                    | PartKind::ToolCall(_)
                    | PartKind::ToolResult(_)
                    | PartKind::Image(_)
                    | PartKind::Audio(_)
                    | PartKind::Video(_)
                    | PartKind::Document(_)
                    | PartKind::Speech(_)
                    | PartKind::Opaque(_) => self.plain = false,
                }
            }
            StreamEvent::PartDelta { choice: 0, delta: Delta::Text(text), .. } => self.add(text),
            StreamEvent::PartStop { choice: 0, .. } => self.open = None,
            StreamEvent::Finish { .. } | StreamEvent::End => self.finished = true,
            StreamEvent::PartStart { .. }
            | StreamEvent::PartDelta { .. }
            | StreamEvent::PartStop { .. }
            | StreamEvent::Logprobs { .. } => self.plain = false,
            StreamEvent::Start { .. } | StreamEvent::Usage(_) | StreamEvent::ServiceTier(_) => {}
        }
    }

    fn add(&mut self, text: &str) {
        if self.text.len().saturating_add(text.len()) > TEXT_BYTES_MAX {
            self.plain = false;
            self.text = String::new();
        }
        if self.plain {
            self.text.push_str(text);
        }
    }
}
