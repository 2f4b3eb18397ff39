//! Request records: rows in and out.

use std::sync::LazyLock;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use trunkline_domain::id::RequestId;
use trunkline_domain::ledger::RequestRecord;
use trunkline_domain::{ModelName, TenantScope, UnixMs};

use super::attempts::{PAYER_COLUMNS, read_payer, write_payer};
use super::row::Columns;
use super::scope::{Scoped, Tenant, id};
use super::values::{Insert, Values, signed};
use crate::error::{Result, store_error};

/// The payer comes last, so that a record without one is known before it is read.
static COLUMNS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut columns = vec!["request_id", "operation", "streamed", "model_asked", "client_request_id"];
    columns.extend([
        "arrived_at",
        "total_ms",
        "attempts",
        "final_attempt",
        "status",
        "error",
        "losses",
        "seams",
    ]);
    columns.extend(PAYER_COLUMNS);
    columns
});

static INSERT: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("requests", &COLUMNS, "ON CONFLICT (request_id) DO NOTHING"));
static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT t.key_id IS NOT NULL, {} FROM requests AS t", COLUMNS.join(", ")));

/// Writes the records that are not there yet.
pub(crate) async fn insert(connection: &mut SqliteConnection, records: &[&RequestRecord]) -> Result<()> {
    INSERT.execute_all(connection, records, write).await?;
    Ok(())
}

/// The record of a request.
pub(crate) async fn by_id(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    request: RequestId,
) -> Result<Option<RequestRecord>> {
    let question =
        Scoped::select(scope, &SELECT, Tenant::LEDGER).and(" AND t.request_id = ?").bind(id(request.0));
    let row = question.query()?.fetch_optional(connection).await.map_err(store_error)?;
    row.as_ref().map(read).transpose()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature `Insert::execute_all` asks for")]
fn write(values: &mut Values, record: &&RequestRecord) {
    values
        .id(record.id.0)
        .name(record.operation.as_str())
        .integer(i64::from(record.streamed))
        .text(&record.model_asked.0)
        .text_or_null(record.client_request_id.as_ref())
        .integer(record.arrived_at.0)
        .integer(signed(record.total_ms))
        .integer(i64::from(record.attempts))
        .integer_or_null(record.final_attempt.map(i64::from))
        .integer(i64::from(record.status))
        .text_or_null(record.error.as_ref())
        .list(&record.losses)
        .list(&record.seams);
    match &record.payer {
        Some(payer) => write_payer(values, payer),
        None => PAYER_COLUMNS.iter().for_each(|_| {
            values.integer_or_null(None);
        }),
    }
}

fn read(row: &SqliteRow) -> Result<RequestRecord> {
    let mut columns = Columns::new(row);
    let has_payer = columns.flag()?;
    let mut record = RequestRecord {
        id: RequestId(columns.id()?),
        payer: None,
        operation: columns.named()?,
        streamed: columns.flag()?,
        model_asked: ModelName(columns.text()?),
        client_request_id: columns.text_or_null()?,
        arrived_at: UnixMs(columns.integer()?),
        total_ms: columns.number()?,
        attempts: columns.number()?,
        final_attempt: columns.number_or_null()?,
        status: columns.number()?,
        error: columns.text_or_null()?,
        losses: columns.list()?,
        seams: columns.list()?,
    };
    if has_payer {
        record.payer = Some(read_payer(&mut columns)?);
    }
    Ok(record)
}
