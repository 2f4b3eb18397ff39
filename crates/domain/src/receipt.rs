//! The receipt: what was asked, who was considered, who was left out and why, each attempt, the cost, the versions.
//! `explain` gives the same document for a request that is not sent.

use serde::{Deserialize, Serialize};

use crate::attempt::Cause;
use crate::ledger::EntryState;
use crate::model::{ModelName, Text};
use crate::money::NanoUsd;
use crate::plan::{Exclusion, ExclusionReason};
use crate::resume::{NotResumed, Seam};
use crate::usage::{Usage, UsageSource};
use crate::validation::Validation;

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request; none in `explain`.
    pub request_id: Option<Text>,
    /// The model's name as asked.
    pub model_asked: ModelName,
    /// The operation.
    pub operation: crate::Operation,
    /// Upper bound of the prompt, in tokens, where there is one.
    pub prompt_tokens_max: Option<u64>,
    /// Upper bound of the output, in tokens, if the request or a model gives one.
    pub output_tokens_max: Option<u64>,
    /// Who would be tried, in order.
    pub candidates: Vec<ReceiptCandidate>,
    /// Who was left out.
    pub excluded: Vec<Exclusion>,
    /// Whether the request was tied to a deployment; none where nothing ties it.
    pub affinity: Option<ReceiptAffinity>,
    /// What was tried; empty in `explain`.
    pub attempts: Vec<ReceiptAttempt>,
    /// Where other attempts went on with a stream that broke off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seams: Vec<Seam>,
    /// Why nobody went on with a stream that broke off, where that was wished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_resumed: Option<NotResumed>,
    /// How the answer is validated; none where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// Sum over the attempts; none in `explain`.
    pub cost_usd: Option<Text>,
    /// Fields removed or changed on the way to the provider, by name.
    pub edits: Vec<Text>,
    /// Fields that could not be carried.
    pub losses: Vec<Text>,
    /// What the decision rests on.
    pub versions: Versions,
}

/// What tied a request to a deployment, and what became of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptAffinity {
    /// What it was told by.
    pub by: AffinityBy,
    /// The deployment it is tied to: `account/upstream-id`.
    pub deployment: Text,
    /// Why that one does not come first; none where it does.
    pub moved: Option<Moved>,
}

/// What ties requests together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AffinityBy {
    /// `session_id`, or the caller's cache key.
    Session,
    /// The same beginning of a long prompt.
    Prefix,
    /// State of a provider in the conversation: signed or encrypted thinking, a signed tool call. The latest that is
    /// known counts.
    State,
}

/// Why a request does not go where it is tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// It failed lately, or is to be left alone.
    Unhealthy,
    /// The provider's limits leave no room there.
    Strained,
    /// It is too slow for the request's budgets.
    Slow,
    /// It has far more under way than the others.
    Busy,
    /// It is left out, or does not serve the model that comes first.
    Absent,
}

/// A candidate in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptCandidate {
    /// `account/upstream-id`.
    pub deployment: Text,
    /// The provider's registry id.
    pub provider: Text,
    /// The canonical slug.
    pub model: ModelName,
    /// The most it can cost, in dollars; none if that is not bounded.
    pub bound_usd: Option<Text>,
    /// Prices it is ordered by, in dollars per million tokens: input, output.
    pub price_usd_per_million: Option<(Text, Text)>,
    /// Why it could still be left out at dispatch, as seen now.
    pub caution: Option<ExclusionReason>,
}

/// An attempt as it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptAttempt {
    /// 1 for the first.
    pub ordinal: u8,
    /// `account/upstream-id`.
    pub deployment: Text,
    /// The credential's public label.
    pub credential: Text,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// How sure the figures are.
    pub state: EntryState,
    /// What it consumed.
    pub usage: Usage,
    /// Who says so.
    pub usage_source: UsageSource,
    /// What it cost, in dollars.
    pub cost_usd: Text,
    /// From dispatch to the first content, in milliseconds.
    pub first_content_ms: Option<u64>,
    /// From dispatch to the end, in milliseconds.
    pub total_ms: u64,
}

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The configuration snapshot.
    pub config: u64,
    /// The price book.
    pub prices: Text,
    /// The live table.
    pub world: u64,
}

impl Receipt {
    /// An amount as a receipt shows it.
    pub fn dollars(amount: NanoUsd) -> Text {
        Text::from(amount.to_string())
    }
}
