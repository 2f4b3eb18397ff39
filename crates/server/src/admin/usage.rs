//! `GET /admin/v1/usage`: what was consumed, summed over rows of the ledger.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use trunkline_domain::{TenantScope, Text, UnixMs};
use trunkline_ledger::api::{KeyStore, LedgerStore, UsageGroup, UsageQuery, UsageRow};

use super::keys::FLUSH_DEADLINE;
use super::members::unknown;
use super::read::Parameters;
use super::refusal::Refusal;
use super::{AdminState, moment, operations};

/// Rows by key that get the key's name besides its id: the dearest ones.
const NAMED_MAX: usize = 200;

/// The groups by what they are called.
pub(crate) const GROUPS: [(&str, UsageGroup); 5] = [
    ("model", UsageGroup::Model),
    ("provider", UsageGroup::Provider),
    ("account", UsageGroup::Account),
    ("key", UsageGroup::Key),
    ("day", UsageGroup::Day),
];

/// What was consumed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UsageReport {
    /// One for each group: in the order of days where these come first, else the dearest first.
    pub(crate) rows: Vec<UsageLine>,
    /// Everything together. A request tried at two models counts in two rows and once here.
    pub(crate) total: UsageLine,
}

/// One row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct UsageLine {
    /// The UTC day, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) day: Option<Text>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<Text>,
    /// The provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<Text>,
    /// The configured account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<Text>,
    /// The key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Text>,
    /// The key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_name: Option<Text>,
    /// Distinct requests.
    pub(crate) requests: u64,
    /// Calls to providers.
    pub(crate) attempts: u64,
    /// Calls that failed.
    pub(crate) failed: u64,
    /// Calls that were under way when the gateway died. Whether they failed and what they used is not known: they count
    /// in no figure but these and the costs, where they stand with what was held for them.
    #[serde(default)]
    pub(crate) interrupted: u64,
    /// Prompt tokens at the plain price.
    pub(crate) input_tokens: u64,
    /// Prompt tokens read from providers' caches.
    pub(crate) cache_read_tokens: u64,
    /// Prompt tokens written to providers' caches.
    pub(crate) cache_write_tokens: u64,
    /// Generated tokens that were seen.
    pub(crate) output_tokens: u64,
    /// Generated tokens that nobody saw.
    pub(crate) reasoning_tokens: u64,
    /// What providers charge, in dollars.
    pub(crate) cost_usd: String,
}

pub(super) async fn usage(
    State(state): State<AdminState>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<UsageReport>, Refusal> {
    let query = query(pairs, state.now())?;
    state.engine.core().journal.flush(FLUSH_DEADLINE).await.unwrap_or_default();
    let ledger: &dyn LedgerStore = &*state.store;
    let rows = ledger.usage(TenantScope::Installation, &query).await?;
    let everything = UsageQuery { group_by: Vec::new(), ..query.clone() };
    let total = ledger.usage(TenantScope::Installation, &everything).await?;
    let mut rows: Vec<UsageLine> = rows.iter().map(|row| line(&query.group_by, row)).collect();
    if query.group_by.first() == Some(&UsageGroup::Day) {
        rows.sort_by(|a, b| a.day.cmp(&b.day));
    }
    name_keys(&mut rows, &*state.store).await;
    let total = total.first().map(|row| line(&[], row)).unwrap_or_default();
    Ok(Json(UsageReport { rows, total }))
}

fn query(pairs: Vec<(String, String)>, now: UnixMs) -> Result<UsageQuery, Refusal> {
    let mut parameters = Parameters::new(pairs);
    let group_by = groups(parameters.take("group_by").as_deref().unwrap_or("model"))?;
    let mut instant = |name: &'static str, read: fn(&str, UnixMs) -> Option<UnixMs>| {
        let Some(text) = parameters.take(name) else { return Ok(None) };
        read(&text, now).map(Some).ok_or_else(|| {
            Refusal::invalid(format!(
                "`{name}` is a day such as 2027-01-31, an instant, or a span before now such as 7d"
            ))
        })
    };
    let (from, to) = (instant("from", moment::since)?, instant("to", moment::until)?);
    parameters.finish()?;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Refusal::invalid("`from` must lie before `to`"));
    }
    Ok(UsageQuery { group_by, from, to })
}

fn groups(text: &str) -> Result<Vec<UsageGroup>, Refusal> {
    let names = GROUPS.map(|(name, _)| name);
    let mut groups = Vec::new();
    for word in text.split(',').map(str::trim) {
        let group = GROUPS.iter().find(|(name, _)| *name == word).map(|(_, group)| *group);
        let group = group.ok_or_else(|| Refusal::invalid(unknown("group", word, &names)))?;
        if groups.contains(&group) {
            return Err(Refusal::invalid(format!("the group `{word}` is there twice")));
        }
        groups.push(group);
    }
    Ok(groups)
}

fn line(groups: &[UsageGroup], row: &UsageRow) -> UsageLine {
    let usage = &row.usage;
    let mut line = UsageLine {
        requests: row.requests,
        attempts: row.attempts,
        failed: row.failed,
        interrupted: row.interrupted,
        input_tokens: usage.input_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_write_tokens: usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens),
        output_tokens: usage.output_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        cost_usd: row.cost.to_string(),
        ..UsageLine::default()
    };
    for (group, value) in groups.iter().zip(&row.groups) {
        let place = match group {
            UsageGroup::Model => &mut line.model,
            UsageGroup::Provider => &mut line.provider,
            UsageGroup::Account => &mut line.account,
            UsageGroup::Key => &mut line.key,
            UsageGroup::Day => &mut line.day,
        };
        *place = Some(value.clone());
    }
    line
}

/// Adds the names of keys; a name that cannot be read is left out, the figures stand.
async fn name_keys(rows: &mut [UsageLine], store: &dyn KeyStore) {
    for row in rows.iter_mut().take(NAMED_MAX) {
        let Some(id) = &row.key else { return };
        row.key_name = operations::find(store, id).await.ok().map(|key| key.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<UsageQuery, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        query(pairs, UnixMs(1_780_000_000_000)).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn groups_are_read_in_their_order_and_default_to_models() {
        assert_eq!(asked(&[]).unwrap().group_by, [UsageGroup::Model]);
        let both = asked(&[("group_by", "day,model")]).unwrap();
        assert_eq!(both.group_by, [UsageGroup::Day, UsageGroup::Model]);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_a_suggestion() {
        for (name, value, part) in [
            ("group_by", "modle", "did you mean `model`?"),
            ("group_by", "day,day", "twice"),
            ("groupby", "day", "did you mean `group_by`?"),
            ("from", "yesterday", "`from` is a day"),
        ] {
            let told = asked(&[(name, value)]).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
        assert!(asked(&[("from", "2026-02-02"), ("to", "2026-01-01")]).unwrap_err().contains("before"));
    }
}
