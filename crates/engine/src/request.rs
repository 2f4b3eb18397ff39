//! One admitted request on its way through the rooms: what it owns to its end, and what it needs only until an
//! answer is committed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use trunkline_domain::attempt::Origin;
use trunkline_domain::chat::ChatRequest;
use trunkline_domain::id::RequestId;
use trunkline_domain::ledger::Payer;
use trunkline_domain::plan::RoutePlan;
use trunkline_domain::receipt::{Receipt, ReceiptAttempt};
use trunkline_domain::resume::{NotResumed, Seam};
use trunkline_domain::validation::Validation;
use trunkline_domain::{Error, NanoUsd, Operation, Text, UnixMs};
use trunkline_ledger::guard::RequestGuard;
use trunkline_ledger::window::RatePermit;
use trunkline_wire::codec::{Codec, FieldError, Skim};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::gemini::path::Framing;

use crate::core::Core;
use crate::door::{Permit, Tenant};
use crate::execute::Head;
use crate::kept::ids::Kept;
use crate::keys::KeyRecord;
use crate::minted::Survey;
use crate::resume::{Rest, Watch};
use crate::snapshot::{Delivery, Snapshot};
use crate::validate::Check;

/// What a request owns until its last byte is delivered.
pub struct Request {
    /// The engine's shared parts.
    pub core: Arc<Core>,
    /// The configuration it met.
    pub snapshot: Arc<Snapshot>,
    /// Its identity.
    pub id: RequestId,
    /// On whose behalf.
    pub origin: Origin,
    /// Its language.
    pub codec: &'static dyn Codec,
    /// What is asked.
    pub operation: Operation,
    /// The key that asked.
    pub key: Arc<KeyRecord>,
    /// Who pays.
    pub payer: Payer,
    /// Its facts.
    pub skim: Skim,
    /// The answer it goes on from.
    pub previous: Option<Kept>,
    /// Writes the request record.
    pub guard: RequestGuard,
    /// Its place in the windows of the key's limits.
    pub permit: RatePermit,
    /// Its leave to be under way.
    pub door: Permit,
    /// When it arrived.
    pub arrived_at: UnixMs,
    /// When it arrived, on the clock deadlines are measured by.
    pub arrived: Instant,
    /// How its answer is delivered.
    pub delivery: Delivery,
    /// Whether the caller asked for the receipt in the answer.
    pub receipt: ReceiptWish,
    /// How a streamed answer is framed for the caller.
    pub framing: Framing,
    /// What has happened so far.
    pub trail: Trail,
    /// What is sent, kept beyond the commit where a stream that breaks off may be gone on with.
    pub(crate) kept: Option<Box<Outgoing>>,
}

/// What a request needs until an answer is committed, and gives back then.
pub struct Outgoing {
    /// The caller's body.
    pub envelope: Envelope,
    /// The same as a canonical chat, or why it is none: read when an attempt first needs it.
    pub decoded: OnceLock<Result<Arc<ChatRequest>, FieldError>>,
    /// Headers of the caller that may cross to a provider.
    pub headers: HeaderMap,
    /// The decision.
    pub plan: RoutePlan,
    /// Whose state the conversation carries, if anybody's is known.
    pub(crate) survey: Option<Survey>,
    /// The body's share of the memory budget.
    pub memory: Option<OwnedSemaphorePermit>,
    /// Set where a stream that breaks off may be gone on with.
    pub(crate) watch: Option<Arc<Watch>>,
    /// Set where it did: what is left to ask for.
    pub(crate) rest: Option<Box<Rest>>,
    /// Set where the answer is validated before anything of it is handed on.
    pub(crate) check: Option<Arc<Check>>,
}

impl Outgoing {
    /// The facts of what is sent: the request's, or those of the rest of its answer.
    pub(crate) fn skim<'a>(&'a self, request: &'a Request) -> &'a Skim {
        self.rest.as_ref().map_or(&request.skim, |rest| &rest.skim)
    }
}

/// Whether the caller asked for the receipt in the answer (`x-trunkline-receipt: full`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptWish {
    /// Asked for.
    Full,
    /// Not asked for.
    None,
}

/// What has happened to a request so far.
#[derive(Debug, Default)]
pub struct Trail {
    /// The attempts that ended.
    pub attempts: Vec<ReceiptAttempt>,
    /// Named edits of the attempt that is delivered.
    pub edits: Vec<Text>,
    /// Fields that could not be carried by it.
    pub losses: Vec<Text>,
    /// The output cap a budget asked for.
    pub clamped: Option<u64>,
    /// The candidates, for the receipt.
    pub explained: Option<Receipt>,
    /// Sum over the attempts.
    pub cost: NanoUsd,
    /// Time spent waiting for providers.
    pub upstream: Duration,
    /// Where other attempts went on with the stream.
    pub seams: Vec<Seam>,
    /// Why nobody goes on with it, where that was wished.
    pub not_resumed: Option<NotResumed>,
    /// How the answer is validated, where it is.
    pub validation: Option<Validation>,
}

impl Trail {
    /// An attempt ended.
    pub fn push(&mut self, attempt: ReceiptAttempt, cost: NanoUsd) {
        self.cost = self.cost.saturating_add(cost);
        self.attempts.push(attempt);
    }
}

impl Request {
    /// The receipt as far as it goes.
    pub fn receipt(&self) -> Option<Receipt> {
        let mut receipt = self.trail.explained.clone()?;
        receipt.attempts.clone_from(&self.trail.attempts);
        receipt.cost_usd = Some(Receipt::dollars(self.trail.cost));
        receipt.edits.clone_from(&self.trail.edits);
        receipt.losses.clone_from(&self.trail.losses);
        receipt.seams.clone_from(&self.trail.seams);
        receipt.not_resumed = self.trail.not_resumed;
        receipt.validation = self.trail.validation;
        Some(receipt)
    }

    /// An answer, or an event of one, with the ids under which its provider keeps it as the caller is to know them.
    pub fn with_own_ids(&self, head: &Head, body: Bytes) -> Bytes {
        let Some(account) = &head.keeper else { return body };
        let tenant = Tenant::of(&self.key.facts);
        let rename = |id: &str| self.core.kept.wrap(tenant, account, id);
        self.codec.rename_kept(&body, &rename).unwrap_or(body)
    }

    /// The request ended with an answer whose last byte was delivered.
    pub fn finish(self, status: u16, final_attempt: u8) {
        self.close(status, None, Some(final_attempt));
    }

    /// The request ended with an answer nobody but the gateway gave.
    pub fn finish_alone(self, status: u16) {
        self.close(status, None, None);
    }

    /// The request ended with an error, before or after its head was sent.
    pub fn fail(self, status: u16, error: &Error) {
        self.close(status, Some(error), None);
    }

    fn close(mut self, status: u16, error: Option<&Error>, final_attempt: Option<u8>) {
        let tokens = self.trail.attempts.iter().map(|attempt| attempt.usage.total()).sum();
        self.permit.correct_tokens(tokens);
        self.core.hedges.earn_from(self.trail.cost);
        if let Some(record) = self.guard.record_mut() {
            record.losses = std::mem::take(&mut self.trail.losses);
            record.seams = std::mem::take(&mut self.trail.seams);
        }
        let code = error.map(|error| error.kind.facts().code);
        self.core.metrics.request_ended(self.operation, status, error.map(|error| error.kind));
        self.guard.finish(status, code.map(Text::from), final_attempt);
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("id", &self.id).finish_non_exhaustive()
    }
}
