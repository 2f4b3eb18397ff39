//! One attempt: chooses a credential, takes the hold, makes the request fit, opens the journal record, and sends it. Not
//! the waiting: see [`super::receive`]. Where to look first: [`begin`].

use std::sync::Arc;

use tokio::time::Instant;
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::AttemptOpening;
use trunkline_domain::plan::{Candidate, Deadlines, DeploymentIx};
use trunkline_domain::{Error, ErrorKind, NanoUsd, Text};
use trunkline_ledger::hold::{BudgetRefusal, Hold};
use trunkline_ledger::window::NoPermit;
use trunkline_routing::bound::affordable_output;
use trunkline_routing::world::{Deployment, Standing};
use trunkline_upstream::auth::access::Grant;
use trunkline_upstream::dispatch::{Call, Dispatch, DispatchFuture};

use super::Miss;
use super::exchange::{Exchange, Reader};
use super::live::Live;
use super::receive::Arrived;
use crate::admit::uncounted;
use crate::keys::Keys;
use crate::meter::prompt_estimate;
use crate::request::{Outgoing, Request};
use crate::snapshot::{Credential, DeploymentRuntime};
use crate::succession::NoGrant;
use crate::translate::{Fit, Fitted, fit};

/// An output cap below this is not worth sending: the request is refused instead.
const CLAMP_MIN: u64 = 16;
/// The price version of a row whose price nobody knows: its cost is not zero, it is unknown.
const UNPRICED: &str = "unpriced";

/// An attempt whose bytes are on their way.
pub(super) struct Started {
    /// With its provider.
    pub(super) exchange: Exchange,
    /// Who is called.
    pub(super) deployment: DeploymentIx,
    /// When it was dispatched.
    pub(super) dispatched: Instant,
    /// How long it may take to what.
    pub(super) deadlines: Deadlines,
    /// When it is given up whatever comes.
    pub(super) total: Instant,
    /// Named edits of its request.
    pub(super) edits: Vec<Text>,
    /// Fields that could not be carried.
    pub(super) losses: Vec<Text>,
    /// The output cap its hold asked for.
    pub(super) clamped: Option<u64>,
    /// The usage-only chunk was asked for by us, not by the caller.
    pub(super) withhold_usage: bool,
    /// What has come so far.
    pub(super) arrived: Arrived,
}

/// Sends one candidate the request. The one place from which a caller's body leaves for a provider.
pub(super) async fn begin(
    request: &Request,
    outgoing: &Outgoing,
    candidate: &Candidate,
    deadline: Instant,
) -> Result<Started, Miss> {
    let snapshot = &request.snapshot;
    let (Some(deployment), Some(runtime)) =
        (snapshot.offers.get(candidate.deployment), snapshot.runtime(candidate.deployment))
    else {
        return Err(defect("the plan names a deployment that is not in its snapshot"));
    };
    let now_ms = request.core.clock.monotonic_ms();
    let skim = outgoing.skim(request);
    let expected = prompt_estimate(skim);
    let choice = runtime.account.choose(&runtime.breakers, now_ms, expected);
    let place = choice.map_err(|rest| resting(rest, now_ms))?;
    let Some(credential) = runtime.account.credentials.get(place) else {
        return Err(defect("an account has fewer credentials than breakers"));
    };
    let grant = grant(credential, deadline).await?;
    let permit = runtime.account.rates.admit(now_ms, expected).map_err(|none| at_limit(&none))?;
    let (hold, bound, clamped) = take_hold(request, outgoing, deployment, candidate).await?;
    let fitted = fit(request, outgoing, deployment, runtime, clamped).map_err(|fit| match fit {
        Fit::Not(error) => Miss::Unfit(error),
        Fit::Never(error) => Miss::Refused(error),
    })?;
    let (guard, opened) = request.guard.attempt(hold, opening(request, deployment, credential, bound));
    if opened.await.is_err() {
        guard.release(Some(Cause::Internal));
        let full = "the journal cannot be written: nothing was sent; try again later";
        return Err(Miss::Refused(Error::new(ErrorKind::JournalFull, full)));
    }
    let breaker = runtime.breakers.get(place).cloned().unwrap_or_default();
    let pass = breaker.begin(now_ms, request.payer.key);
    credential.headroom.spend(now_ms, expected);
    let live = Live {
        guard,
        core: request.core.clone(),
        snapshot: snapshot.clone(),
        deployment: candidate.deployment,
        breaker,
        pass,
        in_flight: Some(runtime.pace.begin()),
        pace: runtime.pace.clone(),
        headroom: credential.headroom.clone(),
        stake: None,
        prompt_estimate: expected,
        permit,
        authorization: grant.header().cloned(),
        started_ms: request.core.clock.monotonic_ms(),
        started_at: request.core.clock.now(),
        first_content_ms: None,
        status: None,
    };
    let deadlines = deadlines(request, outgoing, runtime);
    let own = runtime.account.timeouts.total.map(|total| Instant::now() + total);
    let total = own.map_or(deadline, |own| own.min(deadline));
    let started = Dispatched { live, grant, deadlines, total, clamped };
    Ok(started.send(request, runtime, credential, fitted))
}

/// An attempt that is recorded, before its bytes leave.
struct Dispatched {
    live: Live,
    grant: Grant,
    deadlines: Deadlines,
    total: Instant,
    clamped: Option<u64>,
}

impl Dispatched {
    fn send(
        self,
        request: &Request,
        runtime: &DeploymentRuntime,
        credential: &Credential,
        fitted: Fitted,
    ) -> Started {
        let Self { live, grant, deadlines, total, clamped } = self;
        let Fitted { path, headers, body, edits, losses, withhold_usage, reading } = fitted;
        let mut call = Call {
            origin: credential.origin.clone(),
            method: http::Method::POST,
            path,
            headers,
            authorization: None,
            body,
            connect_timeout: deadlines.connect,
            headers_timeout: deadlines.headers,
        };
        let reader = Reader::of(&reading, &request.skim, request.snapshot.limits.event_bytes_max);
        let dispatch: Arc<dyn Dispatch> = runtime.account.dispatch.clone();
        let authorised = grant.authorise(&mut call, request.core.clock.now());
        let call: DispatchFuture<'static> = Box::pin(async move {
            authorised?;
            dispatch.dispatch(call).await
        });
        let deployment = live.deployment;
        let exchange = Exchange::new(call, reader, reading, live);
        let dispatched = Instant::now();
        let arrived = Arrived::default();
        Started {
            exchange,
            deployment,
            dispatched,
            deadlines,
            total,
            edits,
            losses,
            clamped,
            withhold_usage,
            arrived,
        }
    }
}

fn defect(what: &'static str) -> Miss {
    Miss::Refused(
        Error::new(ErrorKind::Internal, "a defect of the gateway: the request was not sent").because(what),
    )
}

/// What authorises the call. Waits only where a cloud's very first token is on its way; nothing is held or recorded yet.
async fn grant(credential: &Credential, deadline: Instant) -> Result<Grant, Miss> {
    let late = || UpstreamError::of(Cause::TotalTimeout);
    let granted = tokio::time::timeout_at(deadline, credential.access.grant()).await;
    granted.map_err(|_| Miss::NotTried(late()))?.map_err(|error| {
        let message = Some(Text::from(error.to_string()));
        Miss::NotTried(UpstreamError { message, ..UpstreamError::of(error.cause()) })
    })
}

/// No credential is free: why, and for how long.
fn resting(standing: Standing, now_ms: u64) -> Miss {
    let Standing::Barred { until_ms, rate_limited } = standing else {
        return Miss::NotTried(UpstreamError::of(Cause::Overloaded));
    };
    let cause = if rate_limited { Cause::RateLimited } else { Cause::Unauthorized };
    let wait = std::time::Duration::from_millis(until_ms.saturating_sub(now_ms));
    Miss::NotTried(UpstreamError { retry_after: Some(wait), ..UpstreamError::of(cause) })
}

/// The operator's own limit for the account is reached: another account may serve.
fn at_limit(none: &NoPermit) -> Miss {
    let wait = none.refusal().map(|refusal| std::time::Duration::from_millis(refusal.retry_after_ms));
    Miss::NotTried(UpstreamError { retry_after: wait, ..UpstreamError::of(Cause::RateLimited) })
}

/// Takes the hold; where the whole bound does not fit, asks for as much output as the budget has room for.
async fn take_hold(
    request: &Request,
    outgoing: &Outgoing,
    deployment: &Deployment,
    candidate: &Candidate,
) -> Result<(Hold, NanoUsd, Option<u64>), Miss> {
    let now = request.core.clock.now();
    request.key.check_alive(now).map_err(Miss::Refused)?;
    let refusal = match Keys::hold(&request.key, candidate.bound, now).await {
        Ok(hold) => return Ok((hold, candidate.bound, None)),
        Err(NoGrant::Refused(refusal)) => refusal,
        Err(NoGrant::Away) => return Err(Miss::Refused(uncounted())),
    };
    // Half of a rest is no answer either.
    if outgoing.rest.is_some() {
        return Err(Miss::Refused(over_budget(&refusal)));
    }
    let room = refusal.limit.saturating_sub(refusal.settled).saturating_sub(refusal.held);
    let cap = affordable_output(deployment, &request.skim, room, now).filter(|cap| *cap >= CLAMP_MIN);
    let clamped = cap.and_then(|cap| {
        let bound = trunkline_routing::bound::bound(deployment, &request.skim, Some(cap), now).ok()?;
        Some((cap, bound))
    });
    if let Some((cap, bound)) = clamped
        && let Ok(hold) = Keys::hold(&request.key, bound, now).await
    {
        return Ok((hold, bound, Some(cap)));
    }
    Err(Miss::Refused(over_budget(&refusal)))
}

fn over_budget(refusal: &BudgetRefusal) -> Error {
    let BudgetRefusal { limit, settled, held, asked, .. } = refusal;
    let message = format!(
        "the key's budget has no room: this request can cost up to ${asked}, of ${limit} there is ${settled} spent \
         and ${held} held by requests under way; ask for less output (max_tokens), a cheaper model, or a larger budget"
    );
    Error::new(ErrorKind::BudgetExceeded, message)
}

fn opening(
    request: &Request,
    deployment: &Deployment,
    credential: &Credential,
    bound: NanoUsd,
) -> AttemptOpening {
    let now = request.core.clock.now();
    let priced = deployment.offer.prices.is_priced(now);
    AttemptOpening {
        id: AttemptId { request: request.id, ordinal: request.guard.attempts().saturating_add(1) },
        origin: request.origin,
        payer: request.payer.clone(),
        operation: request.operation,
        streamed: request.skim.stream,
        model_asked: trunkline_domain::ModelName(request.skim.model.clone()),
        model: trunkline_domain::ModelName(deployment.model().clone()),
        provider: Text::from(deployment.provider.id),
        account: deployment.account.clone(),
        credential: credential.label.clone(),
        upstream_model: deployment.offer.upstream_id.clone(),
        place: deployment.place.clone(),
        price_version: if priced { request.snapshot.price_version.clone() } else { Text::from(UNPRICED) },
        bound,
        opened_at: now,
    }
}

/// The default's deadlines, under the account's, under the route's.
fn deadlines(request: &Request, outgoing: &Outgoing, runtime: &DeploymentRuntime) -> Deadlines {
    let account = runtime.account.timeouts.over(request.snapshot.limits.deadlines);
    outgoing.plan.limits.timeouts.over(account)
}
