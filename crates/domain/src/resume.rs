//! Mid-stream continuation as it is told afterwards: where an answer was gone on with by another attempt, and why it
//! was not where it was to be.

use serde::{Deserialize, Serialize};

/// A place in an answer's text at which another attempt went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seam {
    /// The attempt that went on.
    pub attempt: u8,
    /// Bytes of text the caller had been given.
    pub at_bytes: u64,
    /// Bytes of that text which the attempt repeated, and which were cut.
    pub overlap_bytes: u64,
}

/// Why an answer that broke off was not gone on with, although that was wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotResumed {
    /// The request is one whose answer cannot be gone on with: tools, thinking, a format, log probabilities, several
    /// answers, a turn of the assistant's at its end.
    Request,
    /// What had come is not plain text that could be gone on with: nothing but white space, more than is kept, other
    /// parts, or an answer that had said that it is finished.
    Answer,
    /// Why it broke off is no reason to ask somebody else: a deadline, the caller's own fault, a refusal.
    Cause,
    /// No other deployment of the plan is known to go on with an answer.
    NobodyContinues,
    /// The attempts of the request were used up.
    Attempts,
    /// The gateway's budget of retries was.
    Retries,
    /// The request's time was.
    Deadline,
    /// What it could have cost did not fit into the key's budget.
    Budget,
    /// Whoever was asked failed before it went on.
    Failed,
    /// Whoever was asked began the answer again, or did something else than write.
    NotContinued,
}

impl NotResumed {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Cause => "cause",
            Self::NobodyContinues => "nobody_continues",
            Self::Attempts => "attempts",
            Self::Retries => "retries",
            Self::Deadline => "deadline",
            Self::Budget => "budget",
            Self::Failed => "failed",
            Self::NotContinued => "not_continued",
        }
    }
}
