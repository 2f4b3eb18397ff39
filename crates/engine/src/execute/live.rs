//! An attempt under way: what it takes to settle it, whatever happens to it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::ledger::{EntryState, Settlement};
use trunkline_domain::plan::DeploymentIx;
use trunkline_domain::receipt::{Receipt, ReceiptAttempt};
use trunkline_domain::{Dialect, NanoUsd, Operation, Text, UnixMs, UpstreamModel, Usage, UsageSource};
use trunkline_ledger::guard::AttemptGuard;
use trunkline_ledger::window::RatePermit;
use trunkline_providers::adapter::ErrorAnswer;
use trunkline_providers::classify::{Classified, ClassifiedBy, classify};
use trunkline_wire::codec::{AnswerFacts, ErrorWords};

use crate::core::Core;
use crate::health::{Breaker, Headroom, InFlight, Pace, Pass, Stake};
use crate::meter::{Metered, counted, meter};
use crate::minted::Recorder;
use crate::snapshot::Snapshot;

/// Everything an attempt needs to be settled; independent of the request, so it can outlive it.
pub(super) struct Live {
    /// Settles or releases the hold and writes the row.
    pub(super) guard: AttemptGuard,
    /// The engine's shared parts.
    pub(super) core: Arc<Core>,
    /// The configuration the request met.
    pub(super) snapshot: Arc<Snapshot>,
    /// Who is called.
    pub(super) deployment: DeploymentIx,
    /// Remembers how it went.
    pub(super) breaker: Arc<Breaker>,
    /// What the call is to it.
    pub(super) pass: Pass,
    /// Remembers how long it took.
    pub(super) pace: Arc<Pace>,
    /// Counts it among those under way.
    pub(super) in_flight: Option<InFlight>,
    /// What it has taken from the budget of hedges, if it is one.
    pub(super) stake: Option<Stake>,
    /// Remembers what is left of the credential's limits.
    pub(super) headroom: Arc<Headroom>,
    /// Its place in the windows of the account's own limits.
    pub(super) permit: RatePermit,
    /// Weight of the prompt, for estimates.
    pub(super) prompt_estimate: u64,
    /// The credential it was sent with: what must never be read out of an answer.
    pub(super) authorization: Option<HeaderValue>,
    /// When it was dispatched, monotonic.
    pub(super) started_ms: u64,
    /// When it was dispatched.
    pub(super) started_at: UnixMs,
    /// From dispatch to the first content.
    pub(super) first_content_ms: Option<u64>,
    /// The provider's HTTP status.
    pub(super) status: Option<u16>,
}

/// A settled attempt.
#[derive(Debug)]
pub struct Done {
    /// As the receipt shows it.
    pub receipt: ReceiptAttempt,
    /// What it cost.
    pub cost: NanoUsd,
    /// What it consumed.
    pub usage: Usage,
}

impl Live {
    /// What a failed answer means. A provider that repeats the credential in its message does not get it through.
    pub(super) fn classify(&self, headers: &HeaderMap, words: Option<&ErrorWords>) -> UpstreamError {
        let Some(deployment) = self.snapshot.offers.get(self.deployment) else {
            return UpstreamError::of(Cause::Internal);
        };
        let (status, now) = (self.status.unwrap_or(200), self.core.clock.now());
        let answer = ErrorAnswer { status, headers, words, now };
        let Classified { mut error, by } = classify(deployment.provider, &answer);
        if by == ClassifiedBy::Status && self.core.metrics.unknown_error(deployment.provider.id, status) {
            tracing::warn!(
                deployment = %deployment.label,
                status,
                "an error of a form that is not known: only its status was read; further ones are counted"
            );
        }
        if let (Some(message), Some(secret)) = (&error.message, self.secret())
            && message.contains(secret)
        {
            error.message = Some(Text::from(message.replace(secret, "[credential]")));
        }
        error
    }

    /// The head of an answer has come: it may say what is left of the provider's limits.
    pub(super) fn answered(&mut self, status: u16, headers: &HeaderMap) {
        self.status = Some(status);
        if let Some(deployment) = self.snapshot.offers.get(self.deployment) {
            let state = deployment.provider.adapter.rate_limits(headers);
            let now_ms = self.core.clock.monotonic_ms();
            let had_room = self.headroom.takes(now_ms, 1);
            self.headroom.observe(now_ms, &state);
            if self.headroom.takes(now_ms, 1) != had_room {
                self.core.measure.touch_now();
            }
        }
    }

    fn secret(&self) -> Option<&str> {
        let value = self.authorization.as_ref()?.to_str().ok()?;
        Some(value.strip_prefix("Bearer ").unwrap_or(value)).filter(|secret| !secret.is_empty())
    }

    /// Remembers what of an answer in a dialect is its provider's state.
    pub(super) fn recorder(&self, dialect: Dialect) -> Recorder<'_> {
        let tenant = self.guard.opening().payer.organisation;
        Recorder::new(&self.core.minted, &self.snapshot, (self.deployment, dialect), tenant)
    }

    /// Its number within the request.
    pub(super) fn ordinal(&self) -> u8 {
        self.guard.opening().id.ordinal
    }

    /// Milliseconds since dispatch.
    pub(super) fn elapsed_ms(&self) -> u64 {
        self.core.clock.monotonic_ms().saturating_sub(self.started_ms)
    }

    /// The first content arrived.
    pub(super) fn content(&mut self) {
        if self.first_content_ms.is_none() {
            self.first_content_ms = Some(self.elapsed_ms());
        }
    }

    /// It ended with a complete answer. `cause` says why it is not handed on: that is the model's, and its provider has
    /// done what it should.
    pub(super) fn whole(self, facts: &AnswerFacts, cause: Option<Cause>) -> Done {
        let metered = self.meter(facts);
        let state =
            if metered.source == UsageSource::Reported { EntryState::Settled } else { EntryState::Estimated };
        let (now_ms, first_content_ms) = (self.core.clock.monotonic_ms(), self.first_content_ms.unwrap_or(0));
        if self.breaker.succeeded(now_ms, self.pass, first_content_ms) {
            tracing::info!(deployment = %self.label(), credential = %self.guard.opening().credential, "breaker closed");
        }
        if self.guard.opening().streamed {
            self.pace.first_content(now_ms, first_content_ms);
        }
        self.pace.whole(now_ms, self.elapsed_ms());
        self.core.measure.touch();
        self.settle(state, metered, facts, cause)
    }

    /// It failed. What was seen of an answer is counted; a provider that cannot have begun is not charged for.
    pub(super) fn fail(self, error: &UpstreamError, facts: Option<&AnswerFacts>) -> Done {
        let now_ms = self.core.clock.monotonic_ms();
        let before = self.breaker.standing(now_ms);
        if self.breaker.failed(now_ms, self.pass, error) {
            tracing::warn!(
                deployment = %self.label(),
                credential = %self.guard.opening().credential,
                cause = error.cause.as_str(),
                "breaker opened"
            );
        }
        // What decides who is asked next does not wait.
        if self.breaker.standing(now_ms) == before {
            self.core.measure.touch();
        } else {
            self.core.measure.touch_now();
        }
        self.end(error.cause, facts)
    }

    /// The caller left, or the gateway stopped it: nobody's failure.
    pub(super) fn abandon(mut self, cause: Cause, facts: Option<&AnswerFacts>) -> Done {
        self.release();
        self.end(cause, facts)
    }

    /// It says nothing about the provider any more: another call may be a half-open breaker's probe.
    pub(super) fn release(&mut self) {
        self.breaker.released(&mut self.pass);
    }

    fn label(&self) -> Text {
        let deployment = self.snapshot.offers.get(self.deployment);
        deployment.map_or_else(|| Text::from("?"), |deployment| deployment.label.clone())
    }

    fn end(self, cause: Cause, facts: Option<&AnswerFacts>) -> Done {
        let nothing = AnswerFacts::default();
        let facts = facts.unwrap_or(&nothing);
        let seen = facts.usage.is_some() || facts.output_bytes > 0;
        if !seen && !cause.may_be_billed() {
            return self.settle(EntryState::Void, Metered::default(), facts, Some(cause));
        }
        let metered = self.meter(facts);
        self.settle(EntryState::Partial, metered, facts, Some(cause))
    }

    pub(super) fn meter(&self, facts: &AnswerFacts) -> Metered {
        if self.guard.opening().operation == Operation::CountTokens {
            return counted();
        }
        let deployment = self.snapshot.offers.get(self.deployment);
        deployment.map(|it| meter(it, facts, self.prompt_estimate, self.started_at)).unwrap_or_default()
    }

    fn settle(
        mut self,
        state: EntryState,
        metered: Metered,
        facts: &AnswerFacts,
        cause: Option<Cause>,
    ) -> Done {
        let total_ms = self.elapsed_ms();
        drop(self.in_flight.take());
        if let Some(stake) = self.stake.take() {
            stake.settle(metered.cost);
        }
        self.permit.correct_tokens(metered.usage.total());
        let settlement = Settlement {
            state,
            usage: metered.usage,
            usage_source: metered.source,
            cost: metered.cost,
            charge: metered.cost,
            overrun: NanoUsd::ZERO,
            model_served: facts.model.as_ref().map(|model| UpstreamModel(model.clone())),
            status: self.status,
            cause,
            upstream_id: facts.id.clone(),
            finish: facts.finish.clone(),
            first_content_ms: self.first_content_ms,
            total_ms,
        };
        let opening = self.guard.opening();
        self.core.metrics.attempt_ended(opening, &settlement);
        let receipt = ReceiptAttempt {
            ordinal: opening.id.ordinal,
            deployment: self.label(),
            credential: opening.credential.clone(),
            status: self.status,
            cause,
            state,
            usage: metered.usage,
            usage_source: metered.source,
            cost_usd: Receipt::dollars(metered.cost),
            first_content_ms: self.first_content_ms,
            total_ms,
        };
        self.guard.settle(settlement);
        Done { receipt, cost: metered.cost, usage: metered.usage }
    }
}
