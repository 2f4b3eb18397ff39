//! `GET /admin/v1/health/deployments`: how each deployment is doing: breakers, cooldowns, what is left of the provider's
//! own limits, pace. Those nobody has called yet are left out unless `?all=true`. Look first at [`deployments`].

use axum::Json;
use axum::extract::{Query, State};
use serde::Serialize;
use trunkline_domain::plan::DeploymentIx;
use trunkline_engine::health::{BreakerFigures, HeadroomFigures};
use trunkline_engine::snapshot::{DeploymentRuntime, Snapshot};
use trunkline_routing::world::{Deployment, Standing};

use super::AdminState;
use super::read::Parameters;
use super::refusal::Refusal;

/// Deployments and their health.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    deployments: Vec<DeploymentHealth>,
}

#[derive(Debug, Serialize)]
struct DeploymentHealth {
    /// `account/upstream-id`.
    deployment: String,
    provider: &'static str,
    model: String,
    /// Of its best credential.
    standing: &'static str,
    /// No credential has room left in the provider's own limits.
    strained: bool,
    /// Streams of the last minutes; none while too few were seen.
    first_content_p95_ms: Option<u32>,
    /// Whole answers of the last minutes; none while too few were seen.
    whole_p95_ms: Option<u32>,
    credentials: Vec<CredentialHealth>,
}

#[derive(Debug, Serialize)]
struct CredentialHealth {
    credential: String,
    standing: &'static str,
    /// Milliseconds until it may be tried again.
    rests_ms: Option<u64>,
    /// Calls of the last ten to twenty seconds.
    calls: u32,
    failures: u32,
    /// Moving average of the time to the first content; none while nothing was measured.
    first_content_average_ms: Option<u32>,
    /// Left in the provider's own window.
    requests_left: Option<u64>,
    /// Left in the provider's own window.
    tokens_left: Option<u64>,
}

pub(super) async fn deployments(
    State(state): State<AdminState>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Health>, Refusal> {
    let mut parameters = Parameters::new(pairs);
    let all = parameters.take("all").is_some_and(|all| all == "true");
    parameters.finish()?;
    let now_ms = state.engine.core().clock.monotonic_ms();
    Ok(Json(describe(&state.engine.snapshot(), now_ms, if all { Which::All } else { Which::Called })))
}

/// Which deployments are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Called,
}

fn describe(snapshot: &Snapshot, now_ms: u64, which: Which) -> Health {
    let row = |(deployment, ix): (&Deployment, u32)| {
        let runtime = snapshot.runtime(DeploymentIx(ix))?;
        let shown = which == Which::All || runtime.breakers.iter().any(|breaker| breaker.was_called());
        shown.then(|| one(deployment, runtime, now_ms))
    };
    Health { deployments: snapshot.offers.deployments().iter().zip(0..).filter_map(row).collect() }
}

fn one(deployment: &Deployment, runtime: &DeploymentRuntime, now_ms: u64) -> DeploymentHealth {
    let live = runtime.live(now_ms);
    let credentials =
        runtime.account.credentials.iter().zip(&runtime.breakers).map(|(credential, breaker)| {
            let standing = breaker.standing(now_ms);
            let BreakerFigures { calls, failures, open_until_ms } = breaker.figures(now_ms);
            let HeadroomFigures { requests, tokens } = credential.headroom.figures(now_ms);
            let until_ms = match standing {
                Standing::Barred { until_ms, .. } => until_ms,
                Standing::Healthy | Standing::Degraded | Standing::Open => open_until_ms,
            };
            CredentialHealth {
                credential: credential.label.to_string(),
                standing: name(standing),
                rests_ms: until_ms.checked_sub(now_ms).filter(|rests| *rests > 0),
                calls,
                failures,
                first_content_average_ms: Some(breaker.first_content_ms()).filter(|ms| *ms > 0),
                requests_left: requests,
                tokens_left: tokens,
            }
        });
    DeploymentHealth {
        deployment: deployment.label.to_string(),
        provider: deployment.provider.id,
        model: deployment.model().to_string(),
        standing: name(live.standing),
        strained: live.strained,
        first_content_p95_ms: live.first_content.p95_ms,
        whole_p95_ms: live.whole.p95_ms,
        credentials: credentials.collect(),
    }
}

fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Healthy => "healthy",
        Standing::Degraded => "degraded",
        Standing::Open => "open",
        Standing::Barred { rate_limited: true, .. } => "rate_limited",
        Standing::Barred { rate_limited: false, .. } => "barred",
    }
}
