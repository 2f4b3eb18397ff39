//! Rollups: what a batch adds to the daily sums, added up here first, so that a batch writes one row per group and not
//! one per attempt. Only rows that were really inserted come here; that makes redelivery harmless.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::SqliteConnection;
use trunkline_domain::id::{KeyId, OrganisationId, TeamId, UserId};
use trunkline_domain::ledger::{AttemptEntry, EntryState};
use trunkline_domain::{NanoUsd, Text, UnixMs};

use super::attempts::{USAGE_COLUMNS, usage_values};
use super::values::{Insert, Values};
use crate::error::Result;
use crate::months::DAY_MS;

const GROUP_COLUMNS: [&str; 8] =
    ["day", "organisation_id", "team_id", "user_id", "key_id", "model", "provider", "account"];

/// What is summed besides the usage classes.
const COUNT_COLUMNS: [&str; 4] = ["first_attempts", "attempts", "failed", "interrupted"];
const MONEY_COLUMNS: [&str; 2] = ["cost", "charge"];

/// The summed columns of `usage_daily`, in the order of [`Sums`].
pub(crate) static SUM_COLUMNS: LazyLock<[&'static str; SUMS]> = LazyLock::new(|| {
    let mut columns = COUNT_COLUMNS.into_iter().chain(USAGE_COLUMNS).chain(MONEY_COLUMNS);
    std::array::from_fn(|_| columns.next().unwrap_or_default())
});

/// How many there are.
pub(crate) const SUMS: usize = COUNT_COLUMNS.len() + USAGE_COLUMNS.len() + MONEY_COLUMNS.len();

type Sums = [i64; SUMS];

static USAGE: LazyLock<Insert> = LazyLock::new(|| {
    let columns: Vec<_> = GROUP_COLUMNS.into_iter().chain(*SUM_COLUMNS).collect();
    let sums = SUM_COLUMNS.map(saturating_sum).join(", ");
    let conflict = format!("ON CONFLICT ({}) DO UPDATE SET {sums}", GROUP_COLUMNS.join(", "));
    Insert::new("usage_daily", &columns, &conflict)
});

static SPEND: LazyLock<Insert> = LazyLock::new(|| {
    let conflict =
        format!("ON CONFLICT (day, organisation_id, key_id) DO UPDATE SET {}", saturating_sum("charge"));
    Insert::new("spend_daily", &["day", "organisation_id", "key_id", "charge"], &conflict)
});

/// A sum beyond 64 bits becomes floating point in SQLite, which a strict integer column refuses: it stops at the ends
/// instead. One unbounded hold that was interrupted is the largest amount by itself.
fn saturating_sum(column: &str) -> String {
    let (least, most) = (i64::MIN, i64::MAX);
    format!("{column} = max({least}, min({most}, {column} + excluded.{column}))")
}

/// A row of `usage_daily`: all that an answer about usage can be grouped by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) day: i64,
    pub(crate) organisation: OrganisationId,
    pub(crate) team: Option<TeamId>,
    pub(crate) user: Option<UserId>,
    pub(crate) key: KeyId,
    pub(crate) model: Text,
    pub(crate) provider: Text,
    pub(crate) account: Text,
}

impl Group {
    fn of(entry: &AttemptEntry) -> Self {
        let opening = &entry.opening;
        Self {
            day: day(opening.opened_at),
            organisation: opening.payer.organisation,
            team: opening.payer.team,
            user: opening.payer.user,
            key: opening.payer.key,
            model: opening.model.0.clone(),
            provider: opening.provider.clone(),
            account: opening.account.clone(),
        }
    }
}

/// The UTC day of an instant, counted from 1970-01-01.
pub(crate) fn day(at: UnixMs) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// What is to be added.
#[derive(Default)]
pub(crate) struct Rollup {
    usage: HashMap<Group, Sums>,
}

impl Rollup {
    /// Counts an attempt.
    pub(crate) fn attempt(&mut self, entry: &AttemptEntry) {
        let settlement = &entry.settlement;
        let counts = [
            entry.opening.id.ordinal == 1,
            true,
            settlement.cause.is_some(),
            settlement.state == EntryState::Interrupted,
        ];
        self.add(
            Group::of(entry),
            counts.map(i64::from),
            usage_values(&settlement.usage),
            [settlement.cost, settlement.charge],
        );
    }

    /// Counts a correction of a row of the group.
    pub(crate) fn correction(&mut self, group: Group, cost: NanoUsd, charge: NanoUsd) {
        self.add(group, [0; 4], [0; 14], [cost, charge]);
    }

    fn add(&mut self, group: Group, counts: [i64; 4], usage: [i64; 14], money: [NanoUsd; 2]) {
        let added = counts.into_iter().chain(usage).chain(money.map(|amount| amount.0));
        let sums = self.usage.entry(group).or_insert([0; SUMS]);
        for (sum, value) in sums.iter_mut().zip(added) {
            *sum = sum.saturating_add(value);
        }
    }

    /// Adds it all to the tables.
    pub(crate) async fn write(self, connection: &mut SqliteConnection) -> Result<()> {
        let mut spend: HashMap<(i64, OrganisationId, KeyId), i64> = HashMap::new();
        for (group, sums) in &self.usage {
            let charge = sums.last().copied().unwrap_or_default();
            let sum = spend.entry((group.day, group.organisation, group.key)).or_default();
            *sum = sum.saturating_add(charge);
        }
        let usage: Vec<_> = self.usage.into_iter().collect();
        USAGE.execute_all(connection, &usage, write_usage).await?;
        let spend: Vec<_> = spend.into_iter().filter(|(_, charge)| *charge != 0).collect();
        SPEND.execute_all(connection, &spend, write_spend).await?;
        Ok(())
    }
}

fn write_usage(values: &mut Values, (group, sums): &(Group, Sums)) {
    values
        .integer(group.day)
        .id(group.organisation.0)
        .id_or_empty(group.team.map(|team| team.0))
        .id_or_empty(group.user.map(|user| user.0))
        .id(group.key.0)
        .text(&group.model)
        .text(&group.provider)
        .text(&group.account);
    for sum in sums {
        values.integer(*sum);
    }
}

fn write_spend(
    values: &mut Values,
    ((day, organisation, key), charge): &((i64, OrganisationId, KeyId), i64),
) {
    values.integer(*day).id(organisation.0).id(key.0).integer(*charge);
}
