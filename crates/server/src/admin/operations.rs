//! What can be done to keys, each stored first and then in force at once. One place for REST and the command line.

use trunkline_domain::access::VirtualKey;
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_domain::{Secret, TenantScope, Text};
use trunkline_engine::mint::{self, KeySpec};
use trunkline_ledger::api::KeyStore;

use super::AdminState;
use super::key_edit::edit;
use super::refusal::Refusal;

/// The organisation whose keys are administered.
const ORGANISATION: OrganisationId = OrganisationId::FIRST;
/// Keys read at once while a name is looked for.
const PAGE: u32 = 1_000;

/// Makes a key as a body asks.
pub(super) async fn create(state: &AdminState, body: &[u8]) -> Result<(VirtualKey, Secret<String>), Refusal> {
    let mut spec = KeySpec::default();
    edit(&mut spec, body, state.now())?;
    if spec.name.is_empty() {
        return Err(Refusal::invalid("`name` is missing: a key is known by a name of 1 to 64 characters"));
    }
    let (key, secret) = mint::key(spec, ORGANISATION, state.now());
    let _turn = state.key_changes.lock().await;
    state.engine.keys().create(key.clone()).await?;
    Ok((key, secret))
}

/// Finds a key by its id, or a living one by its name.
pub(crate) async fn find(store: &dyn KeyStore, reference: &str) -> Result<VirtualKey, Refusal> {
    let unknown = || {
        let shown: String = reference.chars().take(80).collect();
        Refusal::not_found(format!("there is no key `{shown}`: `trunkline keys list` shows all"))
    };
    if let Ok(id) = reference.parse::<KeyId>() {
        let page = store.page(TenantScope::Key(ORGANISATION, id), None, 1).await?;
        return page.into_iter().next().ok_or_else(unknown);
    }
    let mut after = None;
    loop {
        let page = store.page(TenantScope::Organisation(ORGANISATION), after, PAGE).await?;
        after = page.last().map(|last| last.id);
        if after.is_none() {
            return Err(unknown());
        }
        let named = page.into_iter().find(|key| *key.name == *reference && key.revoked_at.is_none());
        if let Some(key) = named {
            return Ok(key);
        }
    }
}

/// Keys after an id.
pub(super) async fn page(
    state: &AdminState,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<VirtualKey>, Refusal> {
    let store: &dyn KeyStore = &*state.store;
    Ok(store.page(TenantScope::Organisation(ORGANISATION), after, limit).await?)
}

/// Changes what a body names.
pub(super) async fn change(state: &AdminState, reference: &str, body: &[u8]) -> Result<VirtualKey, Refusal> {
    let _turn = state.key_changes.lock().await;
    let old = living(state, reference).await?;
    let mut spec = KeySpec {
        name: old.name.to_string(),
        models: old.models.clone(),
        budgets: old.budgets.clone(),
        limits: old.limits,
        expires_at: old.expires_at,
    };
    edit(&mut spec, body, state.now())?;
    let KeySpec { name, models, budgets, limits, expires_at } = spec;
    let new = VirtualKey { name: Text::from(name), models, budgets, limits, expires_at, ..old.clone() };
    state.engine.keys().update(old.hash, new.clone()).await?;
    Ok(new)
}

/// Gives a key another secret; the old one ends now.
pub(super) async fn rotate(
    state: &AdminState,
    reference: &str,
) -> Result<(VirtualKey, Secret<String>), Refusal> {
    let _turn = state.key_changes.lock().await;
    let old = living(state, reference).await?;
    let (new, secret) = mint::rotate(&old);
    state.engine.keys().update(old.hash, new.clone()).await?;
    Ok((new, secret))
}

/// Ends a key now and for good. One that was revoked before stays as it is.
pub(super) async fn revoke(state: &AdminState, reference: &str) -> Result<VirtualKey, Refusal> {
    let _turn = state.key_changes.lock().await;
    let old = find(&*state.store, reference).await?;
    if old.revoked_at.is_some() {
        return Ok(old);
    }
    let new = VirtualKey { revoked_at: Some(state.now()), ..old.clone() };
    state.engine.keys().update(old.hash, new.clone()).await?;
    Ok(new)
}

async fn living(state: &AdminState, reference: &str) -> Result<VirtualKey, Refusal> {
    let key = find(&*state.store, reference).await?;
    match key.revoked_at {
        None => Ok(key),
        Some(_) => Err(Refusal::conflict(format!("the key {} was revoked for good: make another", key.id))),
    }
}
