//! Corrections: rows of their own, counted in the group and on the day of the attempt they correct.

use std::sync::LazyLock;

use sqlx::SqliteConnection;
use trunkline_domain::id::{AttemptId, KeyId, OrganisationId, TeamId, UserId};
use trunkline_domain::ledger::Correction;
use trunkline_domain::{TenantScope, UnixMs};
use trunkline_ledger::api::StoreError;

use super::rollup::{Group, Rollup, day};
use super::row::Columns;
use super::scope::{Scoped, Tenant, id};
use super::values::{Insert, Values};
use crate::error::{Result, store_error};

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    let columns = ["request_id", "ordinal", "at", "cost", "charge", "reason"];
    Insert::new("corrections", &columns, "ON CONFLICT (request_id, ordinal, at) DO NOTHING")
});

/// Writes the corrections that are not there yet and counts them. Their attempts must be in the same file.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    corrections: &[&Correction],
    rollup: &mut Rollup,
) -> Result<()> {
    for correction in corrections {
        let group = group_of(connection, scope, correction.attempt).await?;
        if INSERT.execute_all(connection, std::slice::from_ref(correction), write).await? > 0 {
            rollup.correction(group, correction.cost, correction.charge);
        }
    }
    Ok(())
}

async fn group_of(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    attempt: AttemptId,
) -> Result<Group> {
    let head = "SELECT t.opened_at, t.organisation_id, t.team_id, t.user_id, t.key_id, t.model, t.provider, t.account \
                FROM attempts AS t";
    let question = Scoped::select(scope, head, Tenant::LEDGER)
        .and(" AND t.request_id = ? AND t.ordinal = ?")
        .bind(id(attempt.request.0))
        .bind(i64::from(attempt.ordinal));
    let row = question.query()?.fetch_optional(connection).await.map_err(store_error)?;
    let row = row.ok_or(StoreError::NotFound)?;
    let mut columns = Columns::new(&row);
    Ok(Group {
        day: day(UnixMs(columns.integer()?)),
        organisation: OrganisationId(columns.id()?),
        team: columns.id_or_null()?.map(TeamId),
        user: columns.id_or_null()?.map(UserId),
        key: KeyId(columns.id()?),
        model: columns.text()?,
        provider: columns.text()?,
        account: columns.text()?,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature `Insert::execute_all` asks for")]
fn write(values: &mut Values, correction: &&Correction) {
    values
        .id(correction.attempt.request.0)
        .integer(i64::from(correction.attempt.ordinal))
        .integer(correction.at.0)
        .integer(correction.cost.0)
        .integer(correction.charge.0)
        .text(&correction.reason);
}
