//! Sums over the ledger. Everything but distinct requests comes from the rollups.
//!
//! Distinct requests, exactly and without reading every row: a request has one row of ordinal 1, so the groups' sums
//! of `first_attempts` count each request once. A request also counts in a group that holds only later attempts of it;
//! those are few (failovers), have an index of their own, and are counted from the rows: later attempts whose
//! request's first attempt is not in the same group.

use std::collections::HashMap;

use sqlx::SqliteConnection;
use trunkline_domain::id::KeyId;
use trunkline_domain::{NanoUsd, TenantScope, Text, UnixMs};
use trunkline_ledger::api::{UsageGroup, UsageQuery, UsageRow};

use super::attempts::usage_from;
use super::rollup::{SUM_COLUMNS, SUMS, day};
use super::row::Columns;
use super::scope::{Scoped, Tenant};
use crate::error::{Result, store_error};
use crate::months::DAY_MS;
use crate::open::Store;

/// Sums of one group; wide, so that no number of months overflows them.
type Totals = [i128; SUMS];
type Table = HashMap<Vec<Text>, Totals>;

impl Store {
    pub(crate) async fn sum_usage(&self, scope: TenantScope, query: &UsageQuery) -> Result<Vec<UsageRow>> {
        let days = Days::of(query.from, query.to);
        let mut table = Table::new();
        if query.group_by.is_empty() {
            table.insert(Vec::new(), [0; SUMS]);
        }
        for month in self.months.present().await? {
            if month.may_hold(days.first(), days.end()) {
                let mut connection = self.months.database(month).await?.read().await?;
                add_rollups(&mut connection, scope, &query.group_by, days, &mut table).await?;
                add_later_requests(&mut connection, scope, &query.group_by, days, &mut table).await?;
            }
        }
        let mut rows: Vec<_> = table.into_iter().map(|(groups, totals)| usage_row(groups, &totals)).collect();
        rows.sort_unstable_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.groups.cmp(&b.groups)));
        Ok(rows)
    }

    pub(crate) async fn sum_spend(&self, scope: TenantScope, since: UnixMs) -> Result<Vec<(KeyId, NanoUsd)>> {
        let days = Days::of(Some(since), None);
        let mut spend: HashMap<KeyId, i128> = HashMap::new();
        for month in self.months.present().await? {
            if month.may_hold(days.first(), None) {
                let mut connection = self.months.database(month).await?.read().await?;
                let head = format!("SELECT t.key_id, {} FROM spend_daily AS t", exact_sum("charge"));
                let question = Scoped::select(scope, &head, Tenant::LEDGER)
                    .and(&days.condition("t.day"))
                    .and(" GROUP BY t.key_id");
                for row in question.query()?.fetch_all(&mut *connection).await.map_err(store_error)? {
                    let mut columns = Columns::new(&row);
                    let sum = spend.entry(KeyId(columns.id()?)).or_default();
                    *sum += read_sum(&mut columns)?;
                }
            }
        }
        let mut spend: Vec<_> = spend
            .into_iter()
            .filter(|(_, sum)| *sum != 0)
            .map(|(key, sum)| (key, NanoUsd(narrow(sum))))
            .collect();
        spend.sort_unstable_by_key(|(key, _)| *key);
        Ok(spend)
    }
}

/// Days asked for: `[from, to)`, counted from 1970-01-01.
#[derive(Clone, Copy)]
struct Days {
    from: Option<i64>,
    to: Option<i64>,
}

impl Days {
    /// Rounded outwards to whole days.
    fn of(from: Option<UnixMs>, to: Option<UnixMs>) -> Self {
        let after = |to: UnixMs| day(UnixMs(to.0.saturating_add(DAY_MS - 1)));
        Self { from: from.map(day), to: to.map(after) }
    }

    fn first(self) -> Option<UnixMs> {
        self.from.map(|day| UnixMs(day.saturating_mul(DAY_MS)))
    }

    fn end(self) -> Option<UnixMs> {
        self.to.map(|day| UnixMs(day.saturating_mul(DAY_MS)))
    }

    fn condition(self, column: &str) -> String {
        let from = self.from.map_or_else(String::new, |from| format!(" AND {column} >= {from}"));
        let to = self.to.map_or_else(String::new, |to| format!(" AND {column} < {to}"));
        from + &to
    }
}

/// The column of a group in the rollups, `table` being an alias.
fn rollup_column(group: UsageGroup, table: &str) -> String {
    match group {
        UsageGroup::Model => format!("{table}.model"),
        UsageGroup::Provider => format!("{table}.provider"),
        UsageGroup::Account => format!("{table}.account"),
        UsageGroup::Key => format!("{table}.key_id"),
        UsageGroup::Day => format!("{table}.day"),
    }
}

/// The same for rows of attempts, which hold instants and not days.
fn attempt_column(group: UsageGroup, table: &str) -> String {
    match group {
        UsageGroup::Day => attempt_day(table),
        UsageGroup::Model | UsageGroup::Provider | UsageGroup::Account | UsageGroup::Key => {
            rollup_column(group, table)
        }
    }
}

/// SQLite's division rounds towards zero, days are rounded down.
fn attempt_day(table: &str) -> String {
    let at = format!("{table}.opened_at");
    format!("(({at} - (({at} % {DAY_MS}) + {DAY_MS}) % {DAY_MS}) / {DAY_MS})")
}

/// `SUM` fails beyond 64 bits; the sums of the two halves of each value cannot get there.
fn exact_sum(column: &str) -> String {
    format!("SUM(t.{column} >> 32), SUM(t.{column} & 4294967295)")
}

fn read_sum(columns: &mut Columns<'_>) -> Result<i128> {
    let high = columns.integer_or_null()?.unwrap_or_default();
    let low = columns.integer_or_null()?.unwrap_or_default();
    Ok((i128::from(high) << 32) + i128::from(low))
}

fn grouped(columns: &[String]) -> String {
    if columns.is_empty() { String::new() } else { format!(" GROUP BY {}", columns.join(", ")) }
}

fn selected(columns: &[String]) -> String {
    columns.iter().fold(String::new(), |list, column| list + column + ", ")
}

async fn add_rollups(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    groups: &[UsageGroup],
    days: Days,
    table: &mut Table,
) -> Result<()> {
    let columns: Vec<_> = groups.iter().map(|group| rollup_column(*group, "t")).collect();
    let sums = SUM_COLUMNS.map(exact_sum).join(", ");
    let head = format!("SELECT {}{sums} FROM usage_daily AS t", selected(&columns));
    let question =
        Scoped::select(scope, &head, Tenant::LEDGER).and(&days.condition("t.day")).and(&grouped(&columns));
    let rows = question.query()?.persistent(false).fetch_all(connection).await.map_err(store_error)?;
    for row in &rows {
        let mut columns = Columns::new(row);
        let totals = table.entry(read_groups(&mut columns, groups)?).or_insert([0; SUMS]);
        for total in totals {
            *total += read_sum(&mut columns)?;
        }
    }
    Ok(())
}

/// Adds the requests of which a group holds later attempts but not the first.
async fn add_later_requests(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    groups: &[UsageGroup],
    days: Days,
    table: &mut Table,
) -> Result<()> {
    let columns: Vec<_> = groups.iter().map(|group| attempt_column(*group, "t")).collect();
    let same_group = groups.iter().fold(String::new(), |conditions, group| {
        conditions + &format!(" AND {} = {}", attempt_column(*group, "f"), attempt_column(*group, "t"))
    });
    let head = format!(
        "SELECT {}COUNT(DISTINCT t.request_id) FROM attempts AS t INDEXED BY attempts_later \
         LEFT JOIN attempts AS f ON f.request_id = t.request_id AND f.ordinal = 1 \
         AND f.organisation_id = t.organisation_id AND f.key_id = t.key_id{}{same_group}",
        selected(&columns),
        days.condition(&attempt_day("f")),
    );
    let question = Scoped::select(scope, &head, Tenant::LEDGER)
        .and(" AND t.ordinal > 1 AND f.request_id IS NULL")
        .and(&days.condition(&attempt_day("t")))
        .and(&grouped(&columns));
    let rows = question.query()?.persistent(false).fetch_all(connection).await.map_err(store_error)?;
    for row in &rows {
        let mut columns = Columns::new(row);
        let [requests, ..] = table.entry(read_groups(&mut columns, groups)?).or_insert([0; SUMS]);
        *requests += i128::from(columns.integer()?);
    }
    Ok(())
}

fn read_groups(columns: &mut Columns<'_>, groups: &[UsageGroup]) -> Result<Vec<Text>> {
    let read = |group: &UsageGroup| {
        Ok(match group {
            UsageGroup::Model | UsageGroup::Provider | UsageGroup::Account => columns.text()?,
            UsageGroup::Key => Text::from(KeyId(columns.id()?).to_string()),
            UsageGroup::Day => Text::from(UnixMs(columns.integer()?.saturating_mul(DAY_MS)).day()),
        })
    };
    groups.iter().map(read).collect()
}

fn narrow(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

fn usage_row(groups: Vec<Text>, totals: &Totals) -> UsageRow {
    let [requests, attempts, failed, interrupted, usage @ .., cost, charge] = totals.map(narrow);
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    UsageRow {
        groups,
        requests: count(requests),
        attempts: count(attempts),
        failed: count(failed),
        interrupted: count(interrupted),
        usage: usage_from(usage),
        cost: NanoUsd(cost),
        charge: NanoUsd(charge),
    }
}
