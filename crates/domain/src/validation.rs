//! Validation of structured output as it is told: what an answer is held against before it is handed on, and what came of
//! it. The checking itself is the engine's.

use serde::{Deserialize, Serialize};

/// That an answer is validated, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Validation {
    /// What is asked for.
    pub format: StructuredFormat,
    /// How often a deployment whose answer does not hold is asked again at most.
    pub retries_max: u8,
    /// What the answer that was handed on is; none in `explain`, and where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// A form of answer that can be validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructuredFormat {
    /// Any JSON document.
    JsonObject,
    /// A JSON document of the caller's schema.
    JsonSchema,
}

/// What an answer that may be handed on is. All but the first say so themselves: nobody can take them for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What was asked for.
    Valid,
    /// It calls tools.
    ToolCalls,
    /// The model declined, or the provider's filter did.
    Refusal,
    /// The output cap or the context window ended it.
    Truncated,
    /// The provider paused it, or says that it failed.
    Unfinished,
}
