//! A key as administrators see it: everything but its secret, which is shown once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use trunkline_domain::access::{BudgetWindow, RateLimits, VirtualKey};
use trunkline_domain::id::KeyId;
use trunkline_domain::{NanoUsd, Secret, TenantScope, UnixMs};
use trunkline_ledger::api::{LedgerStore, StoreError};

use super::moment::show;

/// A key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyView {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// The last characters of its secret.
    pub(crate) hint: String,
    /// Whether it works.
    pub(crate) state: KeyState,
    /// Models it may use; empty means all.
    pub(crate) models: Vec<String>,
    /// Its budgets.
    pub(crate) budgets: Vec<BudgetView>,
    /// Its rate limits.
    pub(crate) limits: RateLimits,
    /// When it was made, RFC 3339.
    pub(crate) created_at: String,
    /// When it stops working.
    pub(crate) expires_at: Option<String>,
    /// When it was revoked.
    pub(crate) revoked_at: Option<String>,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    /// It does.
    Active,
    /// Not any more.
    Expired,
    /// It was taken back.
    Revoked,
}

/// A budget and what is gone of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BudgetView {
    /// Dollars.
    pub(crate) limit_usd: String,
    /// `day`, `week`, `month` or `total`.
    pub(crate) window: String,
    /// Dollars charged since the window began.
    pub(crate) spent_usd: String,
}

/// A key that was just made or rotated. Its secret is nowhere else.
#[derive(Serialize, Deserialize)]
pub(crate) struct NewKey {
    /// The secret.
    pub(crate) key: String,
    /// Everything else.
    #[serde(flatten)]
    pub(crate) view: KeyView,
}

/// Keys in the order of their ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyPage {
    /// The keys.
    pub(crate) keys: Vec<KeyView>,
    /// What `after` is for the next page; none on the last.
    pub(crate) next: Option<String>,
}

/// What keys were charged in the windows that run now.
#[derive(Default)]
pub(super) struct Spent(HashMap<(BudgetWindow, KeyId), NanoUsd>);

impl Spent {
    /// One question for each window that a budget of these keys has.
    pub(super) async fn of(
        keys: &[VirtualKey],
        ledger: &dyn LedgerStore,
        now: UnixMs,
    ) -> Result<Self, StoreError> {
        let scope = match keys {
            [one] => TenantScope::Key(one.organisation, one.id),
            _ => TenantScope::Installation,
        };
        let mut spent = HashMap::new();
        for window in [BudgetWindow::Day, BudgetWindow::Week, BudgetWindow::Month, BudgetWindow::Total] {
            if keys.iter().any(|key| key.budgets.iter().any(|budget| budget.window == window)) {
                let rows = ledger.spend_by_key(scope, window.start(now)).await?;
                spent.extend(rows.into_iter().map(|(key, amount)| ((window, key), amount)));
            }
        }
        Ok(Self(spent))
    }
}

impl KeyView {
    pub(super) fn new(key: &VirtualKey, spent: &Spent, now: UnixMs) -> Self {
        let state = match (key.revoked_at, key.expires_at) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(expiry)) if expiry <= now => KeyState::Expired,
            (None, _) => KeyState::Active,
        };
        let budgets = key.budgets.iter().map(|budget| BudgetView {
            limit_usd: budget.limit.to_string(),
            window: budget.window.as_str().to_owned(),
            spent_usd: spent.0.get(&(budget.window, key.id)).copied().unwrap_or_default().to_string(),
        });
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            hint: key.hint.to_string(),
            state,
            models: key.models.iter().map(|pattern| pattern.0.to_string()).collect(),
            budgets: budgets.collect(),
            limits: key.limits,
            created_at: show(key.created_at),
            expires_at: key.expires_at.map(show),
            revoked_at: key.revoked_at.map(show),
        }
    }

    pub(super) fn with_secret(self, secret: &Secret<String>) -> NewKey {
        NewKey { key: secret.expose().clone(), view: self }
    }
}
