//! `GET /v1/key`: what a key may do and what it has spent, in the shape of
//! <https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key>.
//!
//! Of several budgets `limit` is the one with the least left; all of them are in `budgets`.

use axum::response::Response;
use http::request::Parts;
use serde::Serialize;
use trunkline_domain::access::{BudgetWindow, ModelPattern, RateLimits};
use trunkline_domain::{Error, ErrorKind, NanoUsd, TenantScope, Text, UnixMs};
use trunkline_engine::keys::KeyRecord;
use trunkline_ledger::hold::CellFigures;

use super::{Data, catch_up};
use crate::app::App;
use crate::render;

/// The caller's own key.
pub(crate) async fn own(app: App, parts: Parts) -> Result<Response, Error> {
    let key = app.engine.caller(&parts.headers).await?;
    catch_up(&app).await;
    let now = app.engine.core().clock.now();
    let budgets: Vec<CellFigures> =
        key.cells.iter().filter_map(|cell| key.account.figures(*cell, now)).collect();
    let tightest = budgets.iter().min_by_key(|figures| left(figures));
    let facts = &key.facts;
    let data = Key {
        label: format!("sk-tl-…{}", facts.hint),
        usage: spent(&app, &key, BudgetWindow::Total, now).await?,
        usage_daily: spent(&app, &key, BudgetWindow::Day, now).await?,
        usage_weekly: spent(&app, &key, BudgetWindow::Week, now).await?,
        usage_monthly: spent(&app, &key, BudgetWindow::Month, now).await?,
        limit: tightest.map(|figures| figures.limit.as_dollars_f64()),
        limit_remaining: tightest.map(|figures| left(figures).as_dollars_f64()),
        limit_reset: tightest.and_then(|figures| reset(figures.window)),
        byok_usage: 0.0,
        include_byok_in_limit: false,
        is_free_tier: false,
        is_management_key: false,
        is_provisioning_key: false,
        expires_at: facts.expires_at.and_then(UnixMs::timestamp).map(|at| at.to_string()),
        creator_user_id: facts.user.map(|user| user.to_string()),
        rate_limit: RateLimit {
            requests: facts.limits.rpm.map_or(-1, i64::from),
            interval: "60s",
            note: "-1 is no limit",
        },
        id: facts.id.to_string(),
        name: &facts.name,
        models: &facts.models,
        budgets: budgets.iter().map(Budget::of).collect(),
        limits: facts.limits,
    };
    Ok(render::json(&Data { data }))
}

/// Dollars charged in the window that is running.
async fn spent(app: &App, key: &KeyRecord, window: BudgetWindow, now: UnixMs) -> Result<f64, Error> {
    let scope = TenantScope::Key(key.facts.organisation, key.facts.id);
    let rows = app.ledger.spend_by_key(scope, window.start(now)).await.map_err(away)?;
    let sum = rows.iter().fold(NanoUsd::ZERO, |sum, (_, amount)| sum.saturating_add(*amount));
    Ok(sum.as_dollars_f64())
}

pub(super) fn away(error: trunkline_ledger::api::StoreError) -> Error {
    let message = "the ledger does not answer at the moment: try again";
    Error::new(ErrorKind::StoreUnavailable, message)
        .retry_after(std::time::Duration::from_secs(1))
        .because(error)
}

fn left(figures: &CellFigures) -> NanoUsd {
    figures.limit.saturating_sub(figures.settled).saturating_sub(figures.held).max(NanoUsd::ZERO)
}

const fn reset(window: BudgetWindow) -> Option<&'static str> {
    match window {
        BudgetWindow::Day => Some("daily"),
        BudgetWindow::Week => Some("weekly"),
        BudgetWindow::Month => Some("monthly"),
        BudgetWindow::Total => None,
    }
}

#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "the fields of the API it follows"
)]
struct Key<'a> {
    label: String,
    usage: f64,
    usage_daily: f64,
    usage_weekly: f64,
    usage_monthly: f64,
    limit: Option<f64>,
    limit_remaining: Option<f64>,
    limit_reset: Option<&'static str>,
    byok_usage: f64,
    include_byok_in_limit: bool,
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    expires_at: Option<String>,
    creator_user_id: Option<String>,
    rate_limit: RateLimit,
    /// Ours, from here on.
    id: String,
    name: &'a Text,
    models: &'a [ModelPattern],
    budgets: Vec<Budget>,
    limits: RateLimits,
}

#[derive(Serialize)]
struct RateLimit {
    requests: i64,
    interval: &'static str,
    note: &'static str,
}

/// One budget, exactly: amounts as decimal strings.
#[derive(Serialize)]
struct Budget {
    window: &'static str,
    limit_usd: String,
    spent_usd: String,
    held_usd: String,
    remaining_usd: String,
    resets_at: Option<String>,
}

impl Budget {
    fn of(figures: &CellFigures) -> Self {
        Self {
            window: figures.window.as_str(),
            limit_usd: figures.limit.to_string(),
            spent_usd: figures.settled.to_string(),
            held_usd: figures.held.to_string(),
            remaining_usd: left(figures).to_string(),
            resets_at: figures.resets_at.and_then(UnixMs::timestamp).map(|at| at.to_string()),
        }
    }
}
