//! What an answer says about itself (anthropic-sdk-python, `types/message.py`). Content is measured, never kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use trunkline_domain::Text;

use super::{error, usage};
use crate::codec::{AnswerFacts, AnswerProblem};
use crate::json::{Str, wire_object};

/// The longest id, model name or stop reason kept, in bytes.
const NAME_BYTES_MAX: usize = 512;

wire_object! {
    /// A message, or an error in its place.
    ignoring pub(super) struct Message {
        "id" => id: Str,
        "model" => model: Str,
        "content" => content: Vec<Block>,
        "stop_reason" => stop_reason: Str,
        "usage" => usage: usage::Reported,
        "error" => error: IgnoredAny,
    }
}

wire_object! {
    /// A block, as far as it is measured. Arguments and unknown blocks count with what text they hold.
    ignoring pub(super) struct Block {
        "type" => kind: Str,
        "text" => text: Measured,
        "thinking" => thinking: Measured,
        "name" => name: Measured,
        "input" => input: Measured,
    }
}

impl Block {
    /// Bytes of generated text in it.
    pub(super) fn bytes(&self) -> u64 {
        [&self.text, &self.thinking, &self.name, &self.input]
            .into_iter()
            .flatten()
            .fold(0, |sum, measured| sum.saturating_add(measured.0))
    }
}

/// Reads a buffered answer.
pub(super) fn read(body: &[u8]) -> Result<AnswerFacts, AnswerProblem> {
    let problem = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let message: Message = serde_json::from_slice(body).map_err(|_| problem())?;
    let Some(content) = message.content.as_ref().filter(|_| message.error.is_none()) else {
        return Err(problem());
    };
    let output_bytes = content.iter().map(Block::bytes).fold(0, u64::saturating_add);
    let mut facts = AnswerFacts { output_bytes, ..AnswerFacts::default() };
    message.name(&mut facts);
    facts.finish = message.stop_reason.and_then(name);
    if let Some(reported) = message.usage {
        facts.usage = reported.usage();
        facts.service_tier = reported.tier().cloned();
    }
    Ok(facts)
}

impl Message {
    /// Adds the answer's id and model to the facts.
    pub(super) fn name(&self, facts: &mut AnswerFacts) {
        let kept = |text: &Option<Str>| text.as_ref().map(|text| Str(text.0.clone())).and_then(name);
        facts.id = kept(&self.id);
        facts.model = kept(&self.model);
    }
}

/// A name, if it is one.
pub(super) fn name(text: Str) -> Option<Text> {
    Some(text.0).filter(|text| !text.is_empty() && text.len() <= NAME_BYTES_MAX)
}

/// The length of a value's text, in bytes: of a string its own, of anything else that of the strings and keys in it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured(pub(crate) u64);

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct MeasuredVisitor;
        impl<'de> Visitor<'de> for MeasuredVisitor {
            type Value = Measured;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Measured, E> {
                Ok(Measured(text.len() as u64))
            }

            fn visit_unit<E>(self) -> Result<Measured, E> {
                Ok(Measured(0))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Measured, E> {
                Ok(Measured(1))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Measured, E> {
                Ok(Measured(1))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Measured, E> {
                Ok(Measured(1))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Measured, E> {
                Ok(Measured(1))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut array: S) -> Result<Measured, S::Error> {
                let mut sum = 0_u64;
                while let Some(Measured(bytes)) = array.next_element()? {
                    sum = sum.saturating_add(bytes);
                }
                Ok(Measured(sum))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Measured, M::Error> {
                let mut sum = 0_u64;
                while let Some((Measured(key), Measured(value))) = map.next_entry()? {
                    sum = sum.saturating_add(key).saturating_add(value);
                }
                Ok(Measured(sum))
            }
        }
        json.deserialize_any(MeasuredVisitor)
    }
}
