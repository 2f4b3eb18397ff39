//! `/admin/v1/keys`: HTTP around [`super::operations`]. A key is named by its id, or by its name while it lives.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use trunkline_domain::Secret;
use trunkline_domain::access::VirtualKey;
use trunkline_domain::id::KeyId;

use super::key_view::{KeyPage, KeyView, NewKey, Spent};
use super::read::{BODY_BYTES_MAX, Parameters, body};
use super::refusal::Refusal;
use super::{AdminState, operations};

/// Keys of a page where the request does not say.
const PAGE: u32 = 100;
/// The most keys of a page.
const PAGE_MAX: u32 = 1_000;
/// How long a figure may wait for the journal to reach the store.
pub(super) const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

pub(super) async fn create(
    State(state): State<AdminState>,
    request: Body,
) -> Result<(StatusCode, Json<NewKey>), Refusal> {
    let body = body(request, BODY_BYTES_MAX).await?;
    let (key, secret) = operations::create(&state, &body).await?;
    Ok((StatusCode::CREATED, Json(with_secret(&state, &key, &secret))))
}

pub(super) async fn list(
    State(state): State<AdminState>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<KeyPage>, Refusal> {
    let mut parameters = Parameters::new(pairs);
    let after = parameters.take("after").map(|text| {
        text.parse::<KeyId>().map_err(|_| Refusal::invalid("`after` is the id of a key, as `next` gives it"))
    });
    let limit = match parameters.take("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| Refusal::invalid(format!("`limit` is a number from 1 to {PAGE_MAX}")))?,
    };
    parameters.finish()?;
    let keys = operations::page(&state, after.transpose()?, limit).await?;
    let full = u32::try_from(keys.len()).is_ok_and(|count| count == limit);
    let next = keys.last().filter(|_| full).map(|last| last.id.to_string());
    Ok(Json(KeyPage { keys: views(&state, &keys).await?, next }))
}

pub(super) async fn one(
    State(state): State<AdminState>,
    Path(reference): Path<String>,
) -> Result<Json<KeyView>, Refusal> {
    let key = operations::find(&*state.store, &reference).await?;
    view(&state, key).await
}

pub(super) async fn change(
    State(state): State<AdminState>,
    Path(reference): Path<String>,
    request: Body,
) -> Result<Json<KeyView>, Refusal> {
    let body = body(request, BODY_BYTES_MAX).await?;
    let key = operations::change(&state, &reference, &body).await?;
    view(&state, key).await
}

pub(super) async fn rotate(
    State(state): State<AdminState>,
    Path(reference): Path<String>,
) -> Result<Json<NewKey>, Refusal> {
    let (key, secret) = operations::rotate(&state, &reference).await?;
    Ok(Json(with_secret(&state, &key, &secret)))
}

pub(super) async fn revoke(
    State(state): State<AdminState>,
    Path(reference): Path<String>,
) -> Result<Json<KeyView>, Refusal> {
    let key = operations::revoke(&state, &reference).await?;
    view(&state, key).await
}

/// What was spent is left out: a secret that was made must be shown, whatever else fails.
fn with_secret(state: &AdminState, key: &VirtualKey, secret: &Secret<String>) -> NewKey {
    KeyView::new(key, &Spent::default(), state.now()).with_secret(secret)
}

async fn view(state: &AdminState, key: VirtualKey) -> Result<Json<KeyView>, Refusal> {
    let view = views(state, &[key]).await?.pop();
    view.map(Json).ok_or_else(|| Refusal::internal("a key without a view"))
}

async fn views(state: &AdminState, keys: &[VirtualKey]) -> Result<Vec<KeyView>, Refusal> {
    // Where the journal does not get through in time, the figures are a little old.
    state.engine.core().journal.flush(FLUSH_DEADLINE).await.unwrap_or_default();
    let now = state.now();
    let spent = Spent::of(keys, &*state.store, now).await?;
    Ok(keys.iter().map(|key| KeyView::new(key, &spent, now)).collect())
}
