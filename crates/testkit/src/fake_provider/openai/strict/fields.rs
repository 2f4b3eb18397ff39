//! The top-level fields of each operation, and their types. `null` is taken wherever a field may be absent.

use serde_json::Value;

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    kind: Kind,
    pub(super) presence: Presence,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    /// A text of at most 64 characters.
    Name,
    Flag,
    /// A whole number in these bounds.
    Whole(i64, i64),
    Decimal,
    List,
    Map,
    TextOrList,
    TextOrMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
}

use Kind::{Decimal, Flag, List, Map, Name, Text, TextOrList, TextOrMap, Whole};

const MANY: i64 = i32::MAX as i64;

/// The longest name of a user.
const NAME_MAX: usize = 64;

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Required }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Optional }
}

pub(super) const CHAT: &[Field] = &[
    required("model", Text),
    required("messages", List),
    optional("audio", Map),
    optional("frequency_penalty", Decimal),
    optional("function_call", TextOrMap),
    optional("functions", List),
    optional("logit_bias", Map),
    optional("logprobs", Flag),
    optional("max_completion_tokens", Whole(1, MANY)),
    optional("max_tokens", Whole(1, MANY)),
    optional("metadata", Map),
    optional("modalities", List),
    optional("moderation", Map),
    optional("n", Whole(1, 128)),
    optional("parallel_tool_calls", Flag),
    optional("prediction", Map),
    optional("presence_penalty", Decimal),
    optional("prompt_cache_key", Text),
    optional("prompt_cache_options", Map),
    optional("prompt_cache_retention", Text),
    optional("reasoning_effort", Text),
    optional("response_format", Map),
    optional("safety_identifier", Text),
    optional("seed", Whole(i64::MIN, i64::MAX)),
    optional("service_tier", Text),
    optional("stop", TextOrList),
    optional("store", Flag),
    optional("stream", Flag),
    optional("stream_options", Map),
    optional("temperature", Decimal),
    optional("tool_choice", TextOrMap),
    optional("tools", List),
    optional("top_logprobs", Whole(0, 20)),
    optional("top_p", Decimal),
    optional("user", Name),
    optional("verbosity", Text),
    optional("web_search_options", Map),
];

pub(super) const COMPLETION: &[Field] = &[
    required("model", Text),
    required("prompt", TextOrList),
    optional("best_of", Whole(1, 20)),
    optional("echo", Flag),
    optional("frequency_penalty", Decimal),
    optional("logit_bias", Map),
    optional("logprobs", Whole(0, 5)),
    optional("max_tokens", Whole(1, MANY)),
    optional("n", Whole(1, 128)),
    optional("presence_penalty", Decimal),
    optional("seed", Whole(i64::MIN, i64::MAX)),
    optional("stop", TextOrList),
    optional("stream", Flag),
    optional("stream_options", Map),
    optional("suffix", Text),
    optional("temperature", Decimal),
    optional("top_p", Decimal),
    optional("user", Text),
];

pub(super) const RESPONSE: &[Field] = &[
    optional("background", Flag),
    optional("client_metadata", Map),
    optional("context_management", List),
    optional("conversation", TextOrMap),
    optional("include", List),
    required("input", TextOrList),
    optional("instructions", Text),
    optional("max_output_tokens", Whole(16, MANY)),
    optional("max_tool_calls", Whole(1, MANY)),
    optional("metadata", Map),
    required("model", Text),
    optional("parallel_tool_calls", Flag),
    optional("previous_response_id", Text),
    optional("prompt", Map),
    optional("prompt_cache_key", Text),
    optional("prompt_cache_options", Map),
    optional("prompt_cache_retention", Text),
    optional("reasoning", Map),
    optional("safety_identifier", Text),
    optional("service_tier", Text),
    optional("store", Flag),
    optional("stream", Flag),
    optional("stream_options", Map),
    optional("temperature", Decimal),
    optional("text", Map),
    optional("tool_choice", TextOrMap),
    optional("tools", List),
    optional("top_logprobs", Whole(0, 20)),
    optional("top_p", Decimal),
    optional("truncation", Text),
    optional("user", Name),
];

pub(super) const EMBEDDING: &[Field] = &[
    required("model", Text),
    required("input", TextOrList),
    optional("dimensions", Whole(1, 4_096)),
    optional("encoding_format", Text),
    optional("user", Text),
];

impl Field {
    /// What is wrong with a value, in words.
    pub(super) fn problem(&self, value: &Value) -> Option<String> {
        let fits = match (self.kind, value) {
            (_, Value::Null) => self.presence == Presence::Optional,
            (Text | TextOrList | TextOrMap, Value::String(_))
            | (Flag, Value::Bool(_))
            | (Decimal, Value::Number(_))
            | (List | TextOrList, Value::Array(_))
            | (Map | TextOrMap, Value::Object(_)) => true,
            (Whole(least, most), Value::Number(number)) => {
                number.as_i64().is_some_and(|number| (least..=most).contains(&number))
            }
            (Name, Value::String(text)) => text.chars().count() <= NAME_MAX,
            (Text | Name | Flag | Whole(..) | Decimal | List | Map | TextOrList | TextOrMap, _) => false,
        };
        (!fits).then(|| {
            format!("Invalid type for '{}': expected {:?}, but got {value} instead.", self.name, self.kind)
        })
    }
}
