//! `/admin/v1/catalogue`: which catalogue is in force, a newer one, what it changes, and the way back.
//!
//! A bundle is taken only if a key of `catalogue.public_keys` signed it. Look first at [`update`]; [`in_use`] is what
//! a gateway starts with.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use trunkline_catalogue::Catalogue;
use trunkline_catalogue::diff::{CatalogueDiff, LimitChange, OfferKey, PriceChange, diff};
use trunkline_catalogue::update::{BUNDLE_BYTES_MAX, PublicKey, UpdateError, verify};
use trunkline_domain::{TenantScope, UnixMs};
use trunkline_ledger::api::StoreError;
use trunkline_store::Store;

use super::moment::show;
use super::read::body;
use super::refusal::Refusal;
use super::{AdminState, Parts};

/// The catalogue in force, and the stored ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// The version in force: what bills name as their price version.
    pub(crate) version: String,
    /// The version the program was built with.
    pub(crate) built_in: String,
    /// Stored versions, newest first; where none is current, the built-in one is.
    pub(crate) stored: Vec<StoredVersion>,
}

/// A stored version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredVersion {
    /// Its number.
    pub(crate) number: u64,
    /// When it was stored, RFC 3339.
    pub(crate) stored_at: String,
    /// The size of its bundle.
    pub(crate) bytes: u64,
    /// Whether it is in force.
    pub(crate) current: bool,
}

/// What another catalogue changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// The version before.
    pub(crate) from: String,
    /// The version after.
    pub(crate) to: String,
    /// Offers that appear.
    pub(crate) new: Vec<OfferView>,
    /// Offers that go.
    pub(crate) gone: Vec<OfferView>,
    /// Prices that rise.
    pub(crate) dearer: Vec<FigureView>,
    /// Prices that fall.
    pub(crate) cheaper: Vec<FigureView>,
    /// Prices that appear or go.
    pub(crate) repriced: Vec<FigureView>,
    /// Limits that change.
    pub(crate) limits: Vec<FigureView>,
}

/// An offer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OfferView {
    /// The provider's id.
    pub(crate) provider: String,
    /// What the provider calls the model.
    pub(crate) upstream_id: String,
    /// The canonical slug.
    pub(crate) model: String,
}

/// A figure that changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FigureView {
    /// Whose.
    #[serde(flatten)]
    pub(crate) offer: OfferView,
    /// Which.
    pub(crate) figure: String,
    /// What it was: dollars per million for prices, tokens for limits.
    pub(crate) before: Option<String>,
    /// What it is.
    pub(crate) after: Option<String>,
}

/// What came of an update or a way back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Updated {
    /// Its number; none for the built-in catalogue.
    pub(crate) number: Option<u64>,
    /// What changed.
    pub(crate) changes: Changes,
}

/// The catalogue a gateway uses.
pub(crate) struct InUse {
    /// The catalogue.
    pub(crate) catalogue: Catalogue,
    /// Why it is the built-in one although another is stored: no configured key vouches for that any more.
    pub(crate) refused: Option<UpdateError>,
}

/// The catalogue that is current in a store; the built-in one where none is, or none that is accepted.
pub(crate) async fn in_use(store: &Store, keys: &[[u8; 32]]) -> Result<InUse, Refusal> {
    let stored = store.current_catalogue(TenantScope::Installation).await?;
    match stored.map(|(_, bundle)| verify(&bundle, &trusted(keys))) {
        Some(Ok(catalogue)) => Ok(InUse { catalogue, refused: None }),
        Some(Err(refused)) => Ok(InUse { catalogue: built_in()?, refused: Some(refused) }),
        None => Ok(InUse { catalogue: built_in()?, refused: None }),
    }
}

pub(super) async fn versions(State(state): State<AdminState>) -> Result<Json<Versions>, Refusal> {
    let stored = state.store.catalogue_versions(TenantScope::Installation).await?;
    let stored = stored.into_iter().map(|version| StoredVersion {
        number: version.number,
        stored_at: show(version.stored_at),
        bytes: version.size,
        current: version.current,
    });
    Ok(Json(Versions {
        version: state.engine.configurator().catalogue().await.version().to_string(),
        built_in: built_in()?.version().to_string(),
        stored: stored.collect(),
    }))
}

/// What the catalogue in force changes over the built-in one.
pub(super) async fn diff_built_in(State(state): State<AdminState>) -> Result<Json<Changes>, Refusal> {
    let current = state.engine.configurator().catalogue().await;
    changes(&built_in()?, &current, state.now()).map(Json)
}

/// What a bundle would change.
pub(super) async fn diff_bundle(
    State(state): State<AdminState>,
    request: Body,
) -> Result<Json<Changes>, Refusal> {
    let (_, next) = bundle(&state, request).await?;
    let current = state.engine.configurator().catalogue().await;
    changes(&current, &next, state.now()).map(Json)
}

/// Takes a bundle: stored first, so that the next start knows it, then in force.
pub(super) async fn update(State(state): State<AdminState>, request: Body) -> Result<Json<Updated>, Refusal> {
    let (bundle, next) = bundle(&state, request).await?;
    let _turn = state.catalogue_changes.lock().await;
    let current = state.engine.configurator().catalogue().await;
    let changes = changes(&current, &next, state.now())?;
    if current.version() == next.version() {
        return Err(Refusal::conflict(format!("the catalogue {} is in force already", next.version())));
    }
    let number = state.store.put_catalogue(TenantScope::Installation, &bundle, state.now()).await?;
    if let Err(refusal) = put_in_force(&state, next).await {
        state.store.roll_back_catalogue(TenantScope::Installation).await?;
        return Err(refusal);
    }
    Ok(Json(Updated { number: Some(number), changes }))
}

/// Returns to what was in force before the current catalogue.
pub(super) async fn roll_back(State(state): State<AdminState>) -> Result<Json<Updated>, Refusal> {
    let _turn = state.catalogue_changes.lock().await;
    let current = state.engine.configurator().catalogue().await;
    let back = state.store.roll_back_catalogue(TenantScope::Installation).await;
    let number = back.map_err(|error| match error {
        StoreError::NotFound => {
            Refusal::conflict("the built-in catalogue is in force already: there is nothing before it")
        }
        other @ (StoreError::Unavailable(_)
        | StoreError::DiskFull
        | StoreError::Conflict(_)
        | StoreError::Damaged(_)) => other.into(),
    })?;
    let keys = state.engine.configurator().config().await.catalogue.public_keys;
    let InUse { catalogue: next, refused } = in_use(&state.store, &keys).await?;
    let changes = changes(&current, &next, state.now())?;
    put_in_force(&state, next).await?;
    if let Some(refused) = refused {
        let message =
            format!("the catalogue before is not accepted ({refused}): the built-in one is in force");
        return Err(Refusal::conflict(message));
    }
    Ok(Json(Updated { number: number.map(|version| version.number), changes }))
}

async fn put_in_force(state: &Parts, next: Catalogue) -> Result<(), Refusal> {
    let taken = state.engine.configurator().use_catalogue(&state.engine, Arc::new(next)).await;
    taken.map_err(|error| {
        Refusal::conflict(format!("the configuration does not run with this catalogue: {error}"))
    })
}

async fn bundle(state: &Parts, request: Body) -> Result<(bytes::Bytes, Catalogue), Refusal> {
    let bundle = body(request, BUNDLE_BYTES_MAX).await?;
    let keys = state.engine.configurator().config().await.catalogue.public_keys;
    if keys.is_empty() {
        return Err(Refusal::conflict(
            "no key is trusted to sign catalogues: set `public_keys` under [catalogue] in the configuration",
        ));
    }
    let catalogue = verify(&bundle, &trusted(&keys)).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok((bundle, catalogue))
}

fn trusted(keys: &[[u8; 32]]) -> Vec<PublicKey> {
    keys.iter().map(|key| PublicKey::new(*key)).collect()
}

fn built_in() -> Result<Catalogue, Refusal> {
    Catalogue::embedded().map_err(|error| Refusal::internal(error.to_string()))
}

fn changes(old: &Catalogue, new: &Catalogue, at: UnixMs) -> Result<Changes, Refusal> {
    let changed = diff(old, new, at).map_err(|error| Refusal::internal(error.to_string()))?;
    let CatalogueDiff { new: appear, gone, dearer, cheaper, repriced, limits_changed } = changed;
    Ok(Changes {
        from: old.version().to_string(),
        to: new.version().to_string(),
        new: appear.iter().map(OfferView::from).collect(),
        gone: gone.iter().map(OfferView::from).collect(),
        dearer: dearer.iter().map(FigureView::from).collect(),
        cheaper: cheaper.iter().map(FigureView::from).collect(),
        repriced: repriced.iter().map(FigureView::from).collect(),
        limits: limits_changed.iter().map(FigureView::from).collect(),
    })
}

impl From<&OfferKey> for OfferView {
    fn from(offer: &OfferKey) -> Self {
        Self {
            provider: offer.provider.to_string(),
            upstream_id: offer.upstream_id.to_string(),
            model: offer.model.to_string(),
        }
    }
}

impl From<&PriceChange> for FigureView {
    fn from(change: &PriceChange) -> Self {
        Self {
            offer: OfferView::from(&change.offer),
            figure: change.figure.clone(),
            before: change.before.map(|price| price.to_string()),
            after: change.after.map(|price| price.to_string()),
        }
    }
}

impl From<&LimitChange> for FigureView {
    fn from(change: &LimitChange) -> Self {
        Self {
            offer: OfferView::from(&change.offer),
            figure: change.limit.to_owned(),
            before: change.before.map(|tokens| tokens.to_string()),
            after: change.after.map(|tokens| tokens.to_string()),
        }
    }
}
