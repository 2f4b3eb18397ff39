//! What an answer says about itself: one reader for buffered answers and for the chunks of a stream, so that both
//! cost the same.
//!
//! Shapes: openai-python, `types/chat/chat_completion.py`, `types/chat/chat_completion_chunk.py`, `types/completion.py`
//! and `types/create_embedding_response.py`; `x_groq` from groq-python, `types/chat/chat_completion_chunk.py`.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use trunkline_domain::Text;

use super::{AnswerMember, error};
use crate::codec::{AnswerFacts, AnswerProblem, ErrorWords};
use crate::envelope::unquote;
use crate::quirks::UsageConvention;

/// The longest id, model name or finish reason kept, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// An answer or a chunk of one.
#[derive(Deserialize)]
pub(super) struct Piece<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    pub(super) choices: Option<Choices>,
    data: Option<IgnoredAny>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<XGroq<'a>>,
}

/// Groq's member of a last chunk.
#[derive(Deserialize)]
struct XGroq<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// All choices of a piece in one.
#[derive(Default)]
pub(super) struct Choices {
    /// How many there are.
    pub(super) count: u32,
    /// Whether any of them holds something a caller would call content.
    pub(super) content: bool,
    /// Bytes of generated text in all of them.
    pub(super) bytes: u64,
    /// The choices that finish here, by index, as bits; indices from 127 on share the last bit.
    pub(super) finished: u128,
    /// The finish reason of choice 0.
    finish: Option<Text>,
}

impl<'a> Piece<'a> {
    /// Reads a piece; `None` where it is not a JSON object of these shapes.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The error that stands in place of content, or beside it.
    pub(super) fn error(&self) -> Option<ErrorWords> {
        let groq = self.x_groq.as_ref().and_then(|groq| groq.error);
        self.error.or(groq).and_then(|error| error::words(error.get()))
    }

    /// Whether it reports usage.
    pub(super) fn has_usage(&self) -> bool {
        self.usage.is_some()
    }

    /// Adds what it says to the facts. Usage in a stream is a running total: the last report counts.
    pub(super) fn absorb(&self, facts: &mut AnswerFacts, convention: UsageConvention) {
        facts.id = facts.id.take().or_else(|| self.id.and_then(name));
        facts.model = facts.model.take().or_else(|| self.model.and_then(name));
        facts.service_tier = facts.service_tier.take().or_else(|| self.service_tier.and_then(name));
        let groq = self.x_groq.as_ref().and_then(|groq| groq.usage);
        let usage = self.usage.or(groq).and_then(|usage| super::usage::read(usage.get(), convention));
        facts.usage = usage.or(facts.usage);
        if let Some(choices) = &self.choices {
            facts.output_bytes = facts.output_bytes.saturating_add(choices.bytes);
            facts.finish = facts.finish.take().or_else(|| choices.finish.clone());
        }
    }
}

/// Reads a buffered answer.
pub(super) fn read(
    member: AnswerMember,
    body: &[u8],
    convention: UsageConvention,
) -> Result<AnswerFacts, AnswerProblem> {
    let Some(piece) = Piece::read(body) else {
        return Err(error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error));
    };
    if let Some(words) = piece.error() {
        return Err(AnswerProblem::Error(words));
    }
    let is_answer = match member {
        AnswerMember::Choices => piece.choices.is_some(),
        AnswerMember::Data => piece.data.is_some(),
    };
    if !is_answer {
        return Err(error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error));
    }
    let mut facts = AnswerFacts::default();
    piece.absorb(&mut facts, convention);
    Ok(facts)
}

fn name(raw: &RawValue) -> Option<Text> {
    unquote(raw.get().as_bytes())
        .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX)
        .map(|name| Text::from(&*name))
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    delta: Option<Content>,
    message: Option<Content>,
    text: Option<Content>,
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(choices: D) -> Result<Self, D::Error> {
        choices.deserialize_seq(ChoicesVisitor)
    }
}

struct ChoicesVisitor;

impl<'de> Visitor<'de> for ChoicesVisitor {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of choices")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut array: S) -> Result<Choices, S::Error> {
        let mut all = Choices::default();
        while let Some(choice) = array.next_element::<Choice<'de>>()? {
            let index = choice.index.unwrap_or(all.count);
            all.count = all.count.saturating_add(1);
            for content in [choice.delta, choice.message, choice.text].into_iter().flatten() {
                all.content |= content.any;
                all.bytes = all.bytes.saturating_add(content.bytes);
            }
            if let Some(finish) = choice.finish_reason.and_then(name) {
                all.finished |= 1 << index.min(127);
                if index == 0 {
                    all.finish = Some(finish);
                }
            }
        }
        Ok(all)
    }
}

/// What a delta, a message or a text holds.
#[derive(Clone, Copy, Default)]
struct Content {
    /// Anything that is not empty, apart from labels.
    any: bool,
    /// Bytes of text.
    bytes: u64,
}

/// Members that label what is generated and are not generated themselves.
const LABELS: &[&str] = &["role", "name", "id", "index", "type"];

/// The same inside tool calls, audio and images, where `name` is the model's choice and payloads are no text.
const INNER_LABELS: &[&str] = &["id", "index", "type", "format", "data", "url", "expires_at"];

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        ContentSeed { labels: LABELS }.deserialize(json)
    }
}

#[derive(Clone, Copy)]
struct ContentSeed {
    labels: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for ContentSeed {
    type Value = Content;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Content, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ContentSeed {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("content")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content { any: !text.is_empty(), bytes: text.len() as u64 })
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut array: S) -> Result<Content, S::Error> {
        let mut all = Content::default();
        while let Some(element) = array.next_element_seed(ContentSeed { labels: INNER_LABELS })? {
            all = Content { any: true, bytes: all.bytes.saturating_add(element.bytes) };
        }
        Ok(all)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Content, M::Error> {
        let inner = self.labels != LABELS;
        let mut all = Content::default();
        while let Some(is_label) = map.next_key_seed(LabelSeed(self.labels))? {
            if is_label {
                map.next_value::<IgnoredAny>()?;
                all.any |= inner;
                continue;
            }
            let member = map.next_value_seed(ContentSeed { labels: INNER_LABELS })?;
            all = Content { any: all.any | member.any, bytes: all.bytes.saturating_add(member.bytes) };
        }
        Ok(all)
    }
}

/// Whether a key is a label.
struct LabelSeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for LabelSeed {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for LabelSeed {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(self.0.contains(&key))
    }
}
