//! What is written down. One row per attempt that was dispatched carries the money; one record per request, refused
//! ones too, carries none; corrections are new rows.

use serde::{Deserialize, Serialize};

use crate::attempt::{Cause, Origin};
use crate::dialect::Operation;
use crate::id::{AttemptId, KeyId, OrganisationId, RequestId, TeamId, UserId};
use crate::model::{ModelName, Text, UpstreamModel};
use crate::money::NanoUsd;
use crate::resume::Seam;
use crate::time::UnixMs;
use crate::usage::{Usage, UsageSource};

/// Who pays and on whose behalf: the tenancy, session and experiment columns every row has, from the first
/// migration on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The team, if the key has one.
    pub team: Option<TeamId>,
    /// The user the key belongs to, if any.
    pub user: Option<UserId>,
    /// The virtual key.
    pub key: KeyId,
    /// The caller's own name for its end user (`user` in the body).
    pub end_user: Option<Text>,
    /// The caller's session (`session_id`).
    pub session: Option<Text>,
    /// Free labels.
    pub tags: Vec<Text>,
    /// The experiment the request took part in.
    pub experiment: Option<Text>,
    /// The variant it was assigned.
    pub variant: Option<Text>,
}

/// All that is known before an attempt's bytes leave: the journal's `opened` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptOpening {
    /// Request and ordinal.
    pub id: AttemptId,
    /// On whose behalf.
    pub origin: Origin,
    /// Who pays.
    pub payer: Payer,
    /// What is asked.
    pub operation: Operation,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The name the caller used.
    pub model_asked: ModelName,
    /// The canonical slug tried.
    pub model: ModelName,
    /// The provider's registry id.
    pub provider: Text,
    /// The configured account.
    pub account: Text,
    /// Which credential of the account's pool, by its public label.
    pub credential: Text,
    /// The id sent upstream.
    pub upstream_model: UpstreamModel,
    /// Where the deployment is declared to be, if declared.
    pub place: Option<Text>,
    /// Version of the price book that will price it.
    pub price_version: Text,
    /// The hold.
    pub bound: NanoUsd,
    /// When it was opened.
    pub opened_at: UnixMs,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// How sure the figures are.
    pub state: EntryState,
    /// What it consumed.
    pub usage: Usage,
    /// Who says so.
    pub usage_source: UsageSource,
    /// What the provider charges for it.
    pub cost: NanoUsd,
    /// What the payer is charged.
    pub charge: NanoUsd,
    /// What was billed beyond the hold.
    pub overrun: NanoUsd,
    /// The model the provider says it used.
    pub model_served: Option<UpstreamModel>,
    /// The provider's HTTP status, if it answered.
    pub status: Option<u16>,
    /// Why it failed; none on success.
    pub cause: Option<Cause>,
    /// The provider's own id of the answer or request.
    pub upstream_id: Option<Text>,
    /// The provider's finish reason.
    pub finish: Option<Text>,
    /// From dispatch to the first content, in milliseconds.
    pub first_content_ms: Option<u64>,
    /// From dispatch to the end, in milliseconds.
    pub total_ms: u64,
}

impl Settlement {
    /// Nothing consumed, nothing charged.
    pub fn void(cause: Option<Cause>, total_ms: u64) -> Self {
        Self {
            state: EntryState::Void,
            usage: Usage::default(),
            usage_source: UsageSource::Absent,
            cost: NanoUsd::ZERO,
            charge: NanoUsd::ZERO,
            overrun: NanoUsd::ZERO,
            model_served: None,
            status: None,
            cause,
            upstream_id: None,
            finish: None,
            first_content_ms: None,
            total_ms,
        }
    }

    /// The process died before the attempt ended: the whole hold is charged, as the dearest thing that can have
    /// happened.
    pub fn interrupted(bound: NanoUsd) -> Self {
        Self { state: EntryState::Interrupted, cost: bound, charge: bound, ..Self::void(None, 0) }
    }
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEntry {
    /// What was known before.
    pub opening: AttemptOpening,
    /// What is known after.
    pub settlement: Settlement,
}

/// How sure a row's figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// The provider reported the usage.
    Settled,
    /// Cut short; what was seen is counted.
    Partial,
    /// It ended, but the provider reported nothing.
    Estimated,
    /// The gateway died while it was under way; found again at the next start.
    Interrupted,
    /// Nothing was consumed.
    Void,
}

impl EntryState {
    /// What the store holds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Partial => "partial",
            Self::Estimated => "estimated",
            Self::Interrupted => "interrupted",
            Self::Void => "void",
        }
    }
}

/// One request, as its caller saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The request.
    pub id: RequestId,
    /// Who asked; none if the key was not known.
    pub payer: Option<Payer>,
    /// What was asked.
    pub operation: Operation,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The model's name as asked; empty if there was none.
    pub model_asked: ModelName,
    /// The `x-request-id` the caller sent: recorded, never used as identity.
    pub client_request_id: Option<Text>,
    /// When it arrived.
    pub arrived_at: UnixMs,
    /// From arrival to the last byte, in milliseconds.
    pub total_ms: u64,
    /// How many attempts were dispatched.
    pub attempts: u8,
    /// The attempt whose answer was delivered.
    pub final_attempt: Option<u8>,
    /// The HTTP status the caller saw.
    pub status: u16,
    /// The code of the error the caller saw.
    pub error: Option<Text>,
    /// Fields that could not be carried.
    pub losses: Vec<Text>,
    /// Where other attempts went on with a stream that broke off. Records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seams: Vec<Seam>,
}

/// A change to a row, as a row of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The row that is corrected.
    pub attempt: AttemptId,
    /// Added to the row's cost.
    pub cost: NanoUsd,
    /// Added to the row's charge.
    pub charge: NanoUsd,
    /// Why, for a person.
    pub reason: Text,
    /// When.
    pub at: UnixMs,
}
