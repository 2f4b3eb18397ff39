//! What a model answers.

use serde_json::Number;

use super::extras::Extras;
use super::part::Part;
use crate::model::Text;
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatResponse {
    /// The provider's id of it; empty where it gives none.
    pub id: Text,
    /// The model the provider says it used; empty where it does not say.
    pub model: Text,
    /// When it was made, in seconds since 1970, where the dialect says it.
    pub created: Option<i64>,
    /// The answers; one, unless several were asked for.
    pub choices: Vec<Choice>,
    /// What it consumed.
    pub usage: Option<Usage>,
    /// The tier of service that served it.
    pub service_tier: Option<Text>,
    /// What else the dialect said.
    pub extras: Extras,
}

/// One of the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Its place; 0 for the first.
    pub index: u32,
    /// What is said.
    pub parts: Vec<Part>,
    /// Why it ended; none where it was cut.
    pub finish: Option<Finish>,
    /// Log probabilities of its tokens.
    pub logprobs: Option<Logprobs>,
    /// What else the dialect said.
    pub extras: Extras,
}

impl Choice {
    /// Whether it calls a tool.
    pub fn has_tool_calls(&self) -> bool {
        self.parts.iter().any(|part| part.tool_call().is_some())
    }
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The class every dialect's own words fall into.
    pub reason: FinishReason,
    /// The provider's own word.
    pub raw: Text,
    /// The stop sequence that ended it, where the dialect says which.
    pub stop_sequence: Option<Text>,
}

/// The classes of reasons to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model had said all.
    Stop,
    /// A stop sequence came up.
    StopSequence,
    /// The output cap was reached.
    Length,
    /// The context window was full.
    ContextWindow,
    /// The caller is to run tools.
    ToolCalls,
    /// The model declined.
    Refusal,
    /// The provider's filter intervened.
    ContentFilter,
    /// The provider paused a long turn: send it back to go on.
    Pause,
    /// The provider failed in mid-answer.
    Error,
    /// Something this table does not know.
    Other,
}

impl FinishReason {
    /// The reason, given what was said: an answer that calls tools ended for them, though some servers say `stop`.
    #[must_use]
    pub fn given_tool_calls(self, tool_calls: usize) -> Self {
        if tool_calls > 0 && matches!(self, Self::Stop | Self::Other) { Self::ToolCalls } else { self }
    }
}

/// Log probabilities of the tokens of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logprobs {
    /// Of the text.
    pub content: Vec<TokenLogprob>,
    /// Of the refusal.
    pub refusal: Vec<TokenLogprob>,
}

impl Logprobs {
    /// Adds what a stream says next.
    pub fn extend(&mut self, more: Logprobs) {
        self.content.extend(more.content);
        self.refusal.extend(more.refusal);
    }
}

/// The log probability of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: Text,
    /// Its bytes, where the dialect gives them: a token need not be whole characters.
    pub bytes: Option<Vec<u8>>,
    /// Its logarithm, as written.
    pub logprob: Number,
    /// The alternatives at its place.
    pub top: Vec<TokenLogprob>,
}
