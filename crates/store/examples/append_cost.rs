//! What appending costs: CPU time per attempt row, its index and rollups included, all threads together.
//! `cargo run --release -p trunkline-store --example append_cost [rows] [rows per batch]`. Reads Linux's
//! `/proc/self/task/*/schedstat`.

use std::time::Duration;

use trunkline_domain::attempt::Origin;
use trunkline_domain::id::{AttemptId, KeyId, OrganisationId, RequestId};
use trunkline_domain::ledger::{AttemptEntry, AttemptOpening, EntryState, Payer, Settlement};
use trunkline_domain::{
    ModelName, NanoUsd, Operation, TenantScope, Text, UnixMs, UpstreamModel, Usage, UsageSource,
};
use trunkline_ledger::api::{LedgerRecord, LedgerStore as _, UsageQuery};
use trunkline_store::{Store, StoreOptions};
use uuid::Uuid;

/// 2026-11-02T00:00:00Z.
const START: i64 = 1_793_577_600_000;
const KEYS: u64 = 50;
const MODELS: u64 = 8;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing is its purpose")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(50_000), |rows| rows.parse())?;
    let per_batch: usize = arguments.next().map_or(Ok(256), |rows| rows.parse())?;
    let names: Vec<Text> = (0..MODELS).map(|model| Text::from(format!("vendor/model-{model}"))).collect();
    let records: Vec<_> =
        (0..rows).zip(names.iter().cycle()).map(|(number, name)| record(number, name)).collect();

    let directory = std::env::temp_dir().join(format!("trunkline-append-cost-{}", std::process::id()));
    let store = Store::open(StoreOptions::new(&directory)).await?;
    let before = cpu_time()?;
    for batch in records.chunks(per_batch) {
        store.append(TenantScope::Installation, batch).await?;
    }
    let spent = cpu_time()?.saturating_sub(before);

    let all = UsageQuery { group_by: Vec::new(), from: None, to: None };
    let attempts: u64 =
        store.usage(TenantScope::Installation, &all).await?.iter().map(|row| row.attempts).sum();
    store.close().await;
    let bytes = std::fs::metadata(directory.join("ledger-2026-11.db"))?.len();
    let tenths = spent.as_nanos() / 100 / u128::from(attempts.max(1));
    println!("{attempts} rows in batches of {per_batch}");
    println!("{}.{} µs CPU and {} bytes a row", tenths / 10, tenths % 10, bytes / attempts.max(1));
    Ok(std::fs::remove_dir_all(directory)?)
}

/// CPU time of all threads of this process so far.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let figures = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += figures.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// A row like those of a busy gateway: three milliseconds apart, nine of ten first attempts.
fn record(number: u64, model: &Text) -> LedgerRecord {
    let opened_at = UnixMs(START).plus_ms(number * 3);
    let minted = u128::from(opened_at.0.unsigned_abs()) << 80;
    let noise = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & ((1 << 62) - 1);
    let request = RequestId(Uuid::from_u128(minted | (7 << 76) | (0b10 << 62) | noise));
    let payer = Payer {
        organisation: OrganisationId::FIRST,
        team: None,
        user: None,
        key: KeyId(Uuid::from_u128(u128::from(number % KEYS) + 1)),
        end_user: None,
        session: None,
        tags: Vec::new(),
        experiment: None,
        variant: None,
    };
    let opening = AttemptOpening {
        id: AttemptId { request, ordinal: if number.is_multiple_of(10) { 2 } else { 1 } },
        origin: Origin::Caller,
        payer,
        operation: Operation::Chat,
        streamed: true,
        model_asked: ModelName(model.clone()),
        model: ModelName(model.clone()),
        provider: Text::from("openai"),
        account: Text::from("openai"),
        credential: Text::from("primary"),
        upstream_model: UpstreamModel(model.clone()),
        place: None,
        price_version: Text::from("2026-11-01"),
        bound: NanoUsd(40_000_000),
        opened_at,
    };
    let usage = Usage { input_tokens: 812, output_tokens: 240, ..Usage::default() };
    let settlement = Settlement {
        state: EntryState::Settled,
        usage,
        usage_source: UsageSource::Reported,
        cost: NanoUsd(3_215_000),
        charge: NanoUsd(3_215_000),
        model_served: Some(UpstreamModel(model.clone())),
        status: Some(200),
        upstream_id: Some(Text::from(format!("chatcmpl-{noise:024x}"))),
        finish: Some(Text::from("stop")),
        first_content_ms: Some(380),
        ..Settlement::void(None, 2_140)
    };
    LedgerRecord::Attempt(Box::new(AttemptEntry { opening, settlement }))
}
