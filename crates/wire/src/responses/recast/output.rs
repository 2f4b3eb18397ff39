//! Items of an answer as they are put together, and written: empty when they open, whole when they end.

use std::borrow::Cow;
use std::collections::HashSet;

use trunkline_domain::Text;
use trunkline_domain::chat::{Extras, Minted, TokenLogprob, ToolCallKind};

use super::encode_items::{call_members, write_pieces};
use super::{DIALECT, form};
use crate::cursor::Cursor;
use crate::json::{Object, Str};
use crate::recast::Losses;
use crate::recast::loss::lose_extras;

/// An item that is open.
pub(super) enum Item {
    Message(Message),
    Thought(Thinking),
    Call(Calling),
}

/// A message.
pub(super) struct Message {
    pub(super) id: String,
    /// What its first part, and therefore the message, holds besides.
    pub(super) extras: Extras,
    /// The parts that have ended, as JSON, with commas between them.
    pub(super) ended: Vec<u8>,
    pub(super) count: u64,
    pub(super) open: Option<Said>,
}

/// A part of a message: text or a refusal.
pub(super) struct Said {
    pub(super) refusal: bool,
    pub(super) text: String,
    pub(super) characters: u64,
    /// As JSON, with commas between them.
    pub(super) annotations: Vec<u8>,
    pub(super) annotated: u64,
    pub(super) logprobs: Vec<TokenLogprob>,
    pub(super) extras: Extras,
}

/// A thought.
pub(super) struct Thinking {
    pub(super) id: String,
    pub(super) extras: Extras,
    pub(super) summary: Vec<String>,
    pub(super) text: Vec<String>,
    /// The piece that is open: whether of the summary, and the number the stream gives it.
    pub(super) open: Option<(bool, u32)>,
    pub(super) state: Option<Minted<Text>>,
}

/// A tool call.
pub(super) struct Calling {
    pub(super) id: String,
    pub(super) call_id: String,
    pub(super) name: Text,
    pub(super) kind: ToolCallKind,
    pub(super) arguments: String,
    pub(super) extras: Extras,
}

impl Item {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Message(Message { id, .. })
            | Self::Thought(Thinking { id, .. })
            | Self::Call(Calling { id, .. }) => id,
        }
    }

    /// Writes the members of the item as far as it has come.
    pub(super) fn write(&self, object: &mut Object<'_>, status: &str) {
        match self {
            Self::Message(message) => message.write(object, status),
            Self::Thought(thought) => thought.write(object),
            Self::Call(call) => call.write(object, status),
        }
    }
}

impl Message {
    fn write(&self, object: &mut Object<'_>, status: &str) {
        object.member("id", &self.id);
        object.member("type", "message");
        object.member("status", form::status(self.extras.form(DIALECT)).unwrap_or(status));
        object.member("role", "assistant");
        object.elements("content", &self.ended);
        restore_unwritten(object, &self.extras, |key| key.strip_prefix("message."));
    }
}

impl Said {
    pub(super) fn new(refusal: bool, extras: Extras) -> Self {
        Self {
            refusal,
            text: String::new(),
            characters: 0,
            annotations: Vec::new(),
            annotated: 0,
            logprobs: Vec::new(),
            extras,
        }
    }

    /// Writes the members of the part.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        if self.refusal {
            object.member("type", "refusal");
            object.member("refusal", &self.text);
        } else {
            object.member("type", "output_text");
            object.member("text", &self.text);
            object.elements("annotations", &self.annotations);
            write_logprobs(object, &self.logprobs);
        }
        restore_but_id(object, &self.extras);
    }
}

impl Thinking {
    fn write(&self, object: &mut Object<'_>) {
        object.member("id", &self.id);
        object.member("type", "reasoning");
        write_pieces(object, "summary", "summary_text", &self.summary);
        if !self.text.is_empty() {
            write_pieces(object, "content", "reasoning_text", &self.text);
        }
        object.optional("encrypted_content", self.state.as_ref().map(|state| &state.value));
        object.optional("status", form::status(self.extras.form(DIALECT)));
        restore_but_id(object, &self.extras);
    }

    /// The pieces of which one is open.
    pub(super) fn pieces(&mut self, of_summary: bool) -> &mut Vec<String> {
        if of_summary { &mut self.summary } else { &mut self.text }
    }
}

impl Calling {
    fn write(&self, object: &mut Object<'_>, status: &str) {
        let (kind, payload) = call_members(self.kind);
        object.member("id", &self.id);
        object.member("type", kind);
        let said = form::status(self.extras.form(DIALECT));
        // Only functions' calls have one by the reference.
        let status = (self.kind == ToolCallKind::Function).then_some(status);
        object.optional("status", said.or(status));
        object.member("call_id", &self.call_id);
        object.member("name", &self.name);
        object.member(payload, &self.arguments);
        restore_but_id(object, &self.extras);
    }
}

/// Writes log probabilities of a text.
pub(super) fn write_logprobs(object: &mut Object<'_>, logprobs: &[TokenLogprob]) {
    object.array("logprobs", |array| {
        for token in logprobs {
            array.object(|object| {
                write_token(object, token);
                object.array("top_logprobs", |top| {
                    token.top.iter().for_each(|token| top.object(|object| write_token(object, token)));
                });
            });
        }
    });
}

/// Writes a token. The dialect demands its bytes; who does not give them has whole characters.
fn write_token(object: &mut Object<'_>, token: &TokenLogprob) {
    object.member("token", &token.token);
    object.member("bytes", token.bytes.as_deref().unwrap_or(token.token.as_bytes()));
    object.member("logprob", &token.logprob);
}

/// Writes unknown members of this dialect back, but for the id, which has its place.
fn restore_but_id(object: &mut Object<'_>, extras: &Extras) {
    restore_unwritten(object, extras, |key| (!key.contains('.')).then_some(key));
}

/// Writes those members of this dialect back that have not been written since: a status that was `null` is known now.
fn restore_unwritten(object: &mut Object<'_>, extras: &Extras, name: fn(&str) -> Option<&str>) {
    if !extras.is_of(DIALECT) {
        return;
    }
    let mut written = HashSet::from([b"id".to_vec()]);
    Cursor::new(object.written()).object(|key, _| {
        written.insert(key.to_vec());
    });
    for (key, value) in extras.fields() {
        if let Some(key) = name(key).filter(|key| !written.contains(key.as_bytes())) {
            object.raw(key, value);
        }
    }
}

/// Notes unknown members of another dialect.
pub(super) fn lose_foreign(extras: &Extras, level: &dyn Fn() -> String, losses: &mut Losses) {
    if !extras.is_of(DIALECT) {
        lose_extras(extras, level, losses);
    }
}

/// The id an item has in this dialect; one made from the answer's id and the item's place otherwise.
pub(super) fn item_id<'a>(
    extras: &'a Extras,
    key: &str,
    (prefix, stem, index): (&str, &str, u64),
) -> Cow<'a, str> {
    let fields = if extras.is_of(DIALECT) { extras.fields() } else { &[] };
    fields
        .iter()
        .find(|(known, _)| &**known == key)
        .and_then(|(_, raw)| serde_json::from_str::<Str>(raw.get()).ok())
        .map_or_else(|| made_id(prefix, stem, index).into(), |id| id.0.to_string().into())
}

/// An id made from the answer's and the item's place.
pub(super) fn made_id(prefix: &str, stem: &str, index: u64) -> String {
    format!("{prefix}_{stem}_{index}")
}
