//! Attempts: rows in and out. Columns are named once, in the order both directions use.

use std::sync::LazyLock;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use trunkline_domain::attempt::Cause;
use trunkline_domain::id::{AttemptId, KeyId, OrganisationId, RequestId, TeamId, UserId};
use trunkline_domain::ledger::{AttemptEntry, AttemptOpening, Payer, Settlement};
use trunkline_domain::usage::Units;
use trunkline_domain::{ModelName, NanoUsd, TenantScope, UnixMs, UpstreamModel, Usage};

use super::row::Columns;
use super::scope::{Scoped, Tenant, id};
use super::values::{Insert, Values, signed};
use crate::error::{Result, is_unique_violation, store_error};

/// Columns of the usage classes, in every table that has them.
pub(crate) const USAGE_COLUMNS: [&str; 14] = [
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
    "searches",
    "images",
    "pages",
    "seconds",
];

/// Columns of a payer, in every table that has them.
pub(crate) const PAYER_COLUMNS: [&str; 9] = [
    "organisation_id",
    "team_id",
    "user_id",
    "key_id",
    "end_user",
    "session",
    "tags",
    "experiment",
    "variant",
];

static COLUMNS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut columns = vec!["request_id", "ordinal", "origin"];
    columns.extend(PAYER_COLUMNS);
    columns.extend(["operation", "streamed", "model_asked", "model", "provider", "account", "credential"]);
    columns.extend(["upstream_model", "place", "price_version", "bound", "opened_at", "state"]);
    columns.extend(USAGE_COLUMNS);
    columns.extend(["usage_source", "cost", "charge", "overrun", "model_served", "status", "cause"]);
    columns.extend(["upstream_id", "finish", "first_content_ms", "total_ms"]);
    columns
});

static INSERT: LazyLock<Insert> = LazyLock::new(|| Insert::new("attempts", &COLUMNS, ""));
static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM attempts AS t", COLUMNS.join(", ")));

/// Writes the rows that are not there yet and returns them. Nearly always that is all of them, so a piece is written
/// blindly first; only where the primary key refuses it are its rows looked up.
pub(crate) async fn insert<'a>(
    connection: &mut SqliteConnection,
    entries: &[&'a AttemptEntry],
) -> Result<Vec<&'a AttemptEntry>> {
    let mut inserted = Vec::with_capacity(entries.len());
    for piece in INSERT.pieces(entries) {
        match INSERT.execute(connection, &piece, write).await {
            Ok(_) => inserted.extend_from_slice(piece.rows),
            Err(error) if is_unique_violation(&error) => {
                insert_missing(connection, piece.rows, &mut inserted).await?;
            }
            Err(error) => return Err(store_error(error)),
        }
    }
    Ok(inserted)
}

async fn insert_missing<'a>(
    connection: &mut SqliteConnection,
    entries: &[&'a AttemptEntry],
    inserted: &mut Vec<&'a AttemptEntry>,
) -> Result<()> {
    for entry in entries {
        if !exists(connection, TenantScope::Installation, entry.opening.id).await? {
            INSERT.execute_all(connection, std::slice::from_ref(entry), write).await?;
            inserted.push(*entry);
        }
    }
    Ok(())
}

/// Whether the scope holds the attempt.
pub(crate) async fn exists(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    attempt: AttemptId,
) -> Result<bool> {
    let question = Scoped::select(scope, "SELECT 1 FROM attempts AS t", Tenant::LEDGER)
        .and(" AND t.request_id = ? AND t.ordinal = ?")
        .bind(id(attempt.request.0))
        .bind(i64::from(attempt.ordinal));
    let row = question.query()?.fetch_optional(connection).await.map_err(store_error)?;
    Ok(row.is_some())
}

/// The rows of a request, by ordinal.
pub(crate) async fn of_request(
    connection: &mut SqliteConnection,
    scope: TenantScope,
    request: RequestId,
) -> Result<Vec<AttemptEntry>> {
    let question = Scoped::select(scope, &SELECT, Tenant::LEDGER)
        .and(" AND t.request_id = ? ORDER BY t.ordinal")
        .bind(id(request.0));
    let rows = question.query()?.fetch_all(connection).await.map_err(store_error)?;
    rows.iter().map(read).collect()
}

pub(crate) fn write_payer(values: &mut Values, payer: &Payer) {
    values
        .id(payer.organisation.0)
        .id_or_null(payer.team.map(|team| team.0))
        .id_or_null(payer.user.map(|user| user.0))
        .id(payer.key.0)
        .text_or_null(payer.end_user.as_ref())
        .text_or_null(payer.session.as_ref())
        .list(&payer.tags)
        .text_or_null(payer.experiment.as_ref())
        .text_or_null(payer.variant.as_ref());
}

pub(crate) fn read_payer(columns: &mut Columns<'_>) -> Result<Payer> {
    Ok(Payer {
        organisation: OrganisationId(columns.id()?),
        team: columns.id_or_null()?.map(TeamId),
        user: columns.id_or_null()?.map(UserId),
        key: KeyId(columns.id()?),
        end_user: columns.text_or_null()?,
        session: columns.text_or_null()?,
        tags: columns.list()?,
        experiment: columns.text_or_null()?,
        variant: columns.text_or_null()?,
    })
}

/// Usage in the order of [`USAGE_COLUMNS`].
pub(crate) fn usage_values(usage: &Usage) -> [i64; 14] {
    [
        signed(usage.input_tokens),
        signed(usage.cache_read_tokens),
        signed(usage.cache_write_5m_tokens),
        signed(usage.cache_write_1h_tokens),
        signed(usage.output_tokens),
        signed(usage.reasoning_tokens),
        signed(usage.audio_input_tokens),
        signed(usage.audio_output_tokens),
        signed(usage.image_input_tokens),
        signed(usage.image_output_tokens),
        i64::from(usage.units.searches),
        i64::from(usage.units.images),
        i64::from(usage.units.pages),
        i64::from(usage.units.seconds),
    ]
}

/// Usage from values in the order of [`USAGE_COLUMNS`]; units beyond their range, the largest.
pub(crate) fn usage_from(values: [i64; 14]) -> Usage {
    let [input, cache_read, short_write, long_write, output, reasoning, rest @ ..] = values;
    let [audio_input, audio_output, image_input, image_output, searches, images, pages, seconds] = rest;
    let tokens = |value: i64| u64::try_from(value).unwrap_or(0);
    let units = |value: i64| u32::try_from(value.max(0)).unwrap_or(u32::MAX);
    Usage {
        input_tokens: tokens(input),
        cache_read_tokens: tokens(cache_read),
        cache_write_5m_tokens: tokens(short_write),
        cache_write_1h_tokens: tokens(long_write),
        output_tokens: tokens(output),
        reasoning_tokens: tokens(reasoning),
        audio_input_tokens: tokens(audio_input),
        audio_output_tokens: tokens(audio_output),
        image_input_tokens: tokens(image_input),
        image_output_tokens: tokens(image_output),
        units: Units {
            searches: units(searches),
            images: units(images),
            pages: units(pages),
            seconds: units(seconds),
        },
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature `Insert::execute` asks for")]
fn write(values: &mut Values, entry: &&AttemptEntry) {
    let (opening, settlement) = (&entry.opening, &entry.settlement);
    values.id(opening.id.request.0).integer(i64::from(opening.id.ordinal)).name(opening.origin.as_str());
    write_payer(values, &opening.payer);
    values
        .name(opening.operation.as_str())
        .integer(i64::from(opening.streamed))
        .text(&opening.model_asked.0)
        .text(&opening.model.0)
        .text(&opening.provider)
        .text(&opening.account)
        .text(&opening.credential)
        .text(&opening.upstream_model.0)
        .text_or_null(opening.place.as_ref())
        .text(&opening.price_version)
        .integer(opening.bound.0)
        .integer(opening.opened_at.0)
        .name(settlement.state.as_str());
    for value in usage_values(&settlement.usage) {
        values.integer(value);
    }
    values
        .name(settlement.usage_source.as_str())
        .integer(settlement.cost.0)
        .integer(settlement.charge.0)
        .integer(settlement.overrun.0)
        .text_or_null(settlement.model_served.as_ref().map(|model| &model.0))
        .integer_or_null(settlement.status.map(i64::from))
        .name_or_null(settlement.cause.map(Cause::as_str))
        .text_or_null(settlement.upstream_id.as_ref())
        .text_or_null(settlement.finish.as_ref())
        .integer_or_null(settlement.first_content_ms.map(signed))
        .integer(signed(settlement.total_ms));
}

fn read(row: &SqliteRow) -> Result<AttemptEntry> {
    let mut columns = Columns::new(row);
    let opening = AttemptOpening {
        id: AttemptId { request: RequestId(columns.id()?), ordinal: columns.number()? },
        origin: columns.named()?,
        payer: read_payer(&mut columns)?,
        operation: columns.named()?,
        streamed: columns.flag()?,
        model_asked: ModelName(columns.text()?),
        model: ModelName(columns.text()?),
        provider: columns.text()?,
        account: columns.text()?,
        credential: columns.text()?,
        upstream_model: UpstreamModel(columns.text()?),
        place: columns.text_or_null()?,
        price_version: columns.text()?,
        bound: NanoUsd(columns.integer()?),
        opened_at: UnixMs(columns.integer()?),
    };
    Ok(AttemptEntry { opening, settlement: read_settlement(&mut columns)? })
}

fn read_settlement(columns: &mut Columns<'_>) -> Result<Settlement> {
    let state = columns.named()?;
    let mut usage = [0; 14];
    for value in &mut usage {
        *value = columns.integer()?;
    }
    Ok(Settlement {
        state,
        usage: usage_from(usage),
        usage_source: columns.named()?,
        cost: NanoUsd(columns.integer()?),
        charge: NanoUsd(columns.integer()?),
        overrun: NanoUsd(columns.integer()?),
        model_served: columns.text_or_null()?.map(UpstreamModel),
        status: columns.number_or_null()?,
        cause: columns.named_or_null()?,
        upstream_id: columns.text_or_null()?,
        finish: columns.text_or_null()?,
        first_content_ms: columns.number_or_null()?,
        total_ms: columns.number()?,
    })
}
