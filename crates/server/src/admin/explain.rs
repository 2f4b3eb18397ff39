//! `POST /admin/v1/explain`: what would be done with a request, for an administrator, who needs no key of a caller.
//! With `?key=` it is explained as that key would see it, by id or name.
//!
//! Not `/v1/explain`, which a caller asks with a key of its own; the document is the same. Look first at [`explain`].

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use bytes::Bytes;
use trunkline_domain::access::VirtualKey;
use trunkline_domain::receipt::{Receipt, Versions};
use trunkline_domain::{Dialect, Error, ErrorKind, UnixMs};
use trunkline_engine::snapshot::Snapshot;
use trunkline_ledger::api::KeyStore;
use trunkline_routing::ask::Budgeted;
use trunkline_routing::world::LiveTable;
use trunkline_routing::{Ask, PlanError, World, explain as describe, plan};
use trunkline_wire::codec_for;
use trunkline_wire::envelope::Envelope;

use super::read::{Parameters, body};
use super::refusal::Refusal;
use super::{AdminState, operations};
use crate::ingress::explain::{named, told};

/// The largest body explained.
const BODY_BYTES_MAX: usize = 32 << 20;

/// The circumstances a request is explained in.
pub(crate) struct Circumstances<'a> {
    /// The configuration.
    pub(crate) snapshot: &'a Snapshot,
    /// How deployments are doing.
    pub(crate) live: &'a LiveTable,
    /// The instant prices are read for.
    pub(crate) now: UnixMs,
    /// The scale of the live table's instants, in milliseconds.
    pub(crate) monotonic_ms: u64,
    /// Whose request it would be; none is a key that may do everything.
    pub(crate) key: Option<&'a VirtualKey>,
}

pub(super) async fn explain_request(
    State(state): State<AdminState>,
    Query(pairs): Query<Vec<(String, String)>>,
    request: Body,
) -> Result<Json<Receipt>, Refusal> {
    let mut parameters = Parameters::new(pairs);
    let (key, operation) = (parameters.take("key"), parameters.take("operation"));
    parameters.finish()?;
    let dialect = operation.map(|operation| named(&operation)).transpose()?;
    let key = match key {
        Some(reference) => Some(key_named(&*state.store, &reference).await?),
        None => None,
    };
    let body = body(request, BODY_BYTES_MAX).await?;
    let (core, snapshot) = (state.engine.core(), state.engine.snapshot());
    let monotonic_ms = core.clock.monotonic_ms();
    let circumstances = Circumstances {
        snapshot: &snapshot,
        live: &core.measure.current(&snapshot, monotonic_ms),
        now: state.now(),
        monotonic_ms,
        key: key.as_ref(),
    };
    Ok(Json(explain(&circumstances, dialect, body)?))
}

/// The key whose request is explained.
pub(crate) async fn key_named(store: &dyn KeyStore, reference: &str) -> Result<VirtualKey, Refusal> {
    operations::find(store, reference).await
}

/// Explains what would be done with a body; its dialect is told from its fields where it is not given.
pub(crate) fn explain(
    circumstances: &Circumstances<'_>,
    dialect: Option<Dialect>,
    body: Bytes,
) -> Result<Receipt, Error> {
    let dialect = match dialect {
        Some(dialect) => dialect,
        None => told(&body)?,
    };
    let codec = codec_for(dialect);
    let envelope = Envelope::parse(body).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the request body cannot be read: {error}"))
    })?;
    let skim = codec
        .skim(&envelope)
        .map_err(|error| Error::new(ErrorKind::InvalidRequest, error.message.clone()).about(error.field))?;
    let Circumstances { snapshot, live, now, monotonic_ms, key } = *circumstances;
    let ask = Ask {
        operation: codec.operation(),
        dialect,
        skim: &skim,
        scope: key.map(|key| key.models.as_slice()).unwrap_or_default(),
        budgeted: if key.is_some_and(|key| !key.budgets.is_empty()) { Budgeted::Yes } else { Budgeted::No },
        attempts_max: snapshot.limits.attempts_max,
        total: snapshot.limits.deadlines.total,
        seed: rand::random(),
        keeper: None,
        affinity: None,
        state: None,
    };
    let world = World { offers: &snapshot.offers, live, now, monotonic_ms };
    let plan = plan(&world, &ask);
    let excluded = match &plan {
        Ok(plan) => plan.excluded.clone(),
        Err(PlanError::NothingLeft { excluded, .. }) => excluded.clone(),
        Err(PlanError::UnknownModel { asked, suggestions }) => return Err(unknown(asked, suggestions)),
    };
    let versions =
        Versions { config: snapshot.version, prices: snapshot.price_version.clone(), world: live.version };
    Ok(describe::explain(&world, &ask, plan.as_ref().ok(), excluded, None, versions))
}

fn unknown(asked: &str, suggestions: &[trunkline_domain::Text]) -> Error {
    let hint = if suggestions.is_empty() {
        "`trunkline models` lists what can be used".to_owned()
    } else {
        format!("did you mean {}?", suggestions.join(", "))
    };
    let message = format!("no configured provider offers a model named `{asked}`: {hint}");
    Error::new(ErrorKind::ModelNotFound, message).about("model")
}
