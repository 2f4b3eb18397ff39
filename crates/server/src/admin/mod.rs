//! The admin API: keys, usage, configuration, catalogue, and what monitors ask for.
//!
//! What it is not: a way to send an inference request. Look first at [`router`] (every path on one page), then at
//! [`keys`] (HTTP) and [`operations`] (what happens to a key). The same routes serve the command line: over a socket
//! only the data directory's owner can open ([`control_router`]), or in its own process when no gateway runs.

pub(crate) mod catalogue;
mod config;
mod config_view;
pub(crate) mod explain;
mod health;
mod key_edit;
pub(crate) mod key_view;
mod keys;
mod members;
pub(crate) mod models;
mod moment;
mod operations;
mod ops;
pub(crate) mod providers;
mod read;
pub(crate) mod refusal;
mod token;
pub(crate) mod usage;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::Mutex;
use trunkline_domain::UnixMs;
use trunkline_engine::Engine;
use trunkline_store::Store;

use self::refusal::Refusal;
use crate::reload::Reloader;

/// The name of the owner's socket in the data directory.
pub(crate) const CONTROL_SOCKET: &str = "control.sock";

/// What the admin API works on. Cloning shares it.
#[derive(Clone)]
pub(crate) struct AdminState(Arc<Parts>);

pub(crate) struct Parts {
    engine: Engine,
    store: Arc<Store>,
    reloader: Arc<Reloader>,
    /// A change reads, edits and writes a key: one after the other, so that none undoes another.
    key_changes: Mutex<()>,
    catalogue_changes: Mutex<()>,
}

impl AdminState {
    /// The admin API of an engine and of the store beneath it.
    pub(crate) fn new(engine: Engine, store: Arc<Store>, reloader: Arc<Reloader>) -> Self {
        let (key_changes, catalogue_changes) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Parts { engine, store, reloader, key_changes, catalogue_changes }))
    }
}

impl std::ops::Deref for AdminState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    fn now(&self) -> UnixMs {
        self.engine.core().clock.now()
    }
}

/// The admin listener's routes: every one under `/admin/v1` wants an admin token.
pub(crate) fn router(state: AdminState) -> Router {
    let guarded = api().layer(middleware::from_fn_with_state(state.clone(), token::require));
    assemble(guarded, state)
}

/// The same routes without a token, for the owner-only socket [`CONTROL_SOCKET`].
pub(crate) fn control_router(state: AdminState) -> Router {
    assemble(api(), state)
}

fn assemble(api: Router<AdminState>, state: AdminState) -> Router {
    Router::new()
        .nest("/admin/v1", api)
        .route("/metrics", get(ops::metrics))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(state)
}

fn api() -> Router<AdminState> {
    let key = get(keys::one).patch(keys::change).delete(keys::revoke);
    Router::new()
        .route("/keys", post(keys::create).get(keys::list))
        .route("/keys/{key}", key)
        .route("/keys/{key}/rotate", post(keys::rotate))
        .route("/usage", get(usage::usage))
        .route("/config", get(config::in_force))
        .route("/config/reload", post(config::reload))
        .route("/config/check", post(config::check))
        .route("/catalogue", get(catalogue::versions))
        .route("/catalogue/update", post(catalogue::update))
        .route("/catalogue/diff", get(catalogue::diff_built_in).post(catalogue::diff_bundle))
        .route("/catalogue/rollback", post(catalogue::roll_back))
        .route("/models", get(models::models))
        .route("/providers", get(providers::providers))
        .route("/health/deployments", get(health::deployments))
        .route("/explain", post(explain::explain_request))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(never_stored))
}

/// Answers hold keys and figures: no cache keeps them.
async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn no_such_path() -> Refusal {
    Refusal::not_found(
        "there is no such path: /admin/v1 has keys, usage, config, catalogue, models, providers, explain",
    )
}

async fn wrong_method() -> Refusal {
    Refusal::method_not_allowed()
}
