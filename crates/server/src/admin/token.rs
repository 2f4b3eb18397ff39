//! Who may administer: the bearer of an admin token, found by its SHA-256.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use trunkline_domain::TenantScope;
use trunkline_engine::authenticate::hash;
use trunkline_engine::mint::ADMIN_PREFIX;
use trunkline_ledger::api::AdminTokenStore;

use super::AdminState;
use super::refusal::Refusal;

/// How long the lookup of a token may take.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);
/// The longest token looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// Lets a request pass that bears a valid admin token.
pub(super) async fn require(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    match check(&state, request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn check(state: &AdminState, headers: &HeaderMap) -> Result<(), Refusal> {
    let token = presented(headers).ok_or_else(|| {
        Refusal::token("an admin token is needed: send it as `authorization: Bearer tl-admin-…`")
    })?;
    let store: &dyn AdminTokenStore = &*state.store;
    let lookup = store.token_exists(TenantScope::Installation, hash(token));
    match tokio::time::timeout(LOOKUP_DEADLINE, lookup).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(Refusal::token("this admin token is not known here, or was revoked")),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Refusal::store_away()),
    }
}

/// The token presented, if it could be one: anything else is not worth a lookup.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let plausible = token.starts_with(ADMIN_PREFIX) && token.len() <= TOKEN_BYTES_MAX;
    (scheme.eq_ignore_ascii_case("bearer") && plausible).then_some(token)
}
