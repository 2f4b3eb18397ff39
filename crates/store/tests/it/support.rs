//! Builders of ids, rows and keys, and the answers a store must give, computed plainly from all rows.

use std::collections::{BTreeMap, BTreeSet};

use tempfile::TempDir;
use trunkline_domain::access::{Budget, BudgetWindow, KeyHash, ModelPattern, RateLimits, VirtualKey};
use trunkline_domain::attempt::{Cause, Origin};
use trunkline_domain::id::{AttemptId, KeyId, OrganisationId, RequestId, TeamId, UserId};
use trunkline_domain::ledger::{
    AttemptEntry, AttemptOpening, Correction, EntryState, Payer, RequestRecord, Settlement,
};
use trunkline_domain::resume::Seam;
use trunkline_domain::usage::Units;
use trunkline_domain::{
    ModelName, NanoUsd, Operation, TenantScope, Text, UnixMs, UpstreamModel, Usage, UsageSource,
};
use trunkline_ledger::api::{LedgerRecord, UsageGroup, UsageQuery, UsageRow};
use trunkline_ledger::memory::MemoryStore;
use trunkline_store::{Store, StoreOptions};
use uuid::Uuid;

pub(crate) const ALL: TenantScope = TenantScope::Installation;
pub(crate) const DAY: i64 = 86_400_000;

/// An open store and the directory it dies with.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) directory: TempDir,
}

pub(crate) async fn open() -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(directory.path())).await.unwrap();
    Opened { store, directory }
}

/// A store in memory, in the same shape.
pub(crate) struct InMemory {
    pub(crate) store: MemoryStore,
}

pub(crate) fn in_memory() -> InMemory {
    InMemory { store: MemoryStore::new() }
}

pub(crate) fn at(text: &str) -> UnixMs {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

pub(crate) fn organisation(number: u128) -> OrganisationId {
    OrganisationId(Uuid::from_u128(number))
}

pub(crate) fn key_id(number: u128) -> KeyId {
    KeyId(Uuid::from_u128(0x1000 + number))
}

/// A UUID v7 made at an instant.
pub(crate) fn request_id(minted: UnixMs, number: u64) -> RequestId {
    let ms = u128::from(u64::try_from(minted.0).unwrap());
    RequestId(Uuid::from_u128((ms << 80) | (7 << 76) | (0b10 << 62) | u128::from(number)))
}

pub(crate) fn payer(owner: OrganisationId, key: KeyId) -> Payer {
    Payer {
        organisation: owner,
        team: None,
        user: None,
        key,
        end_user: None,
        session: None,
        tags: Vec::new(),
        experiment: None,
        variant: None,
    }
}

/// A successful first attempt of key 1 of organisation 1; tests change what they are about.
pub(crate) fn entry(request: RequestId, ordinal: u8, opened_at: UnixMs) -> AttemptEntry {
    let opening = AttemptOpening {
        id: AttemptId { request, ordinal },
        origin: Origin::Caller,
        payer: payer(organisation(1), key_id(1)),
        operation: Operation::Chat,
        streamed: false,
        model_asked: ModelName::from("auto"),
        model: ModelName::from("vendor/model-a"),
        provider: Text::from("provider-a"),
        account: Text::from("account-a"),
        credential: Text::from("primary"),
        upstream_model: UpstreamModel::from("model-a-0101"),
        place: None,
        price_version: Text::from("2026-01-01"),
        bound: NanoUsd(900),
        opened_at,
    };
    let settlement = Settlement {
        state: EntryState::Settled,
        usage: Usage { input_tokens: 10, output_tokens: 5, ..Usage::default() },
        usage_source: UsageSource::Reported,
        cost: NanoUsd(100),
        charge: NanoUsd(110),
        status: Some(200),
        ..Settlement::void(None, 40)
    };
    AttemptEntry { opening, settlement }
}

/// A row in which no column has its default.
pub(crate) fn full_entry(request: RequestId, ordinal: u8, opened_at: UnixMs) -> AttemptEntry {
    let mut full = entry(request, ordinal, opened_at);
    full.opening.payer = full_payer();
    full.opening.streamed = true;
    full.opening.operation = Operation::Embeddings;
    full.opening.place = Some(Text::from("eu"));
    full.settlement = Settlement {
        state: EntryState::Partial,
        usage: Usage {
            input_tokens: 1,
            cache_read_tokens: 2,
            cache_write_5m_tokens: 3,
            cache_write_1h_tokens: 4,
            output_tokens: 5,
            reasoning_tokens: 6,
            audio_input_tokens: 7,
            audio_output_tokens: 8,
            image_input_tokens: 9,
            image_output_tokens: 10,
            units: Units { searches: 11, images: 12, pages: 13, seconds: 14 },
        },
        usage_source: UsageSource::Estimated,
        cost: NanoUsd(15),
        charge: NanoUsd(16),
        overrun: NanoUsd(17),
        model_served: Some(UpstreamModel::from("model-a-0202")),
        status: Some(503),
        cause: Some(Cause::Cut),
        upstream_id: Some(Text::from("chatcmpl-1")),
        finish: Some(Text::from("length")),
        first_content_ms: Some(18),
        total_ms: 19,
    };
    full
}

pub(crate) fn full_payer() -> Payer {
    Payer {
        team: Some(TeamId(Uuid::from_u128(21))),
        user: Some(UserId(Uuid::from_u128(22))),
        end_user: Some(Text::from("jo \"quote\" — ü")),
        session: Some(Text::from("session-1")),
        tags: vec![Text::from("a,b"), Text::from("c")],
        experiment: Some(Text::from("experiment-1")),
        variant: Some(Text::from("b")),
        ..payer(organisation(1), key_id(1))
    }
}

pub(crate) fn record(request: RequestId, payer: Option<Payer>, arrived_at: UnixMs) -> RequestRecord {
    RequestRecord {
        id: request,
        payer,
        operation: Operation::TextCompletion,
        streamed: true,
        model_asked: ModelName::from("auto"),
        client_request_id: Some(Text::from("theirs")),
        arrived_at,
        total_ms: 31,
        attempts: 2,
        final_attempt: Some(2),
        status: 200,
        error: Some(Text::from("upstream_cut")),
        losses: vec![Text::from("logit_bias")],
        seams: vec![Seam { attempt: 2, at_bytes: 137, overlap_bytes: 12 }],
    }
}

pub(crate) fn correction(attempt: AttemptId, at: UnixMs, cost: i64, charge: i64) -> Correction {
    let reason = Text::from("re-rated");
    Correction { attempt, cost: NanoUsd(cost), charge: NanoUsd(charge), reason, at }
}

pub(crate) fn virtual_key(number: u8, owner: OrganisationId, name: &str) -> VirtualKey {
    VirtualKey {
        id: key_id(number.into()),
        name: Text::from(name),
        organisation: owner,
        team: Some(TeamId(Uuid::from_u128(21))),
        user: Some(UserId(Uuid::from_u128(22))),
        hash: KeyHash([number; 32]),
        hint: Text::from("wxyz"),
        models: vec![ModelPattern(Text::from("vendor/*"))],
        budgets: vec![Budget { limit: NanoUsd(1_500_000_000), window: BudgetWindow::Month }],
        limits: RateLimits { rpm: Some(60), tpm: Some(1 << 40), concurrency: Some(4) },
        created_at: UnixMs(1),
        expires_at: Some(UnixMs(2)),
        revoked_at: None,
    }
}

pub(crate) fn attempt_records(entries: &[AttemptEntry]) -> Vec<LedgerRecord> {
    entries.iter().map(|entry| LedgerRecord::Attempt(Box::new(entry.clone()))).collect()
}

pub(crate) fn query(group_by: &[UsageGroup]) -> UsageQuery {
    UsageQuery { group_by: group_by.to_vec(), from: None, to: None }
}

fn sees(scope: TenantScope, payer: &Payer) -> bool {
    scope.organisation().is_none_or(|own| own == payer.organisation)
        && scope.key().is_none_or(|own| own == payer.key)
}

fn value(entry: &AttemptEntry, group: UsageGroup) -> Text {
    match group {
        UsageGroup::Model => entry.opening.model.0.clone(),
        UsageGroup::Provider => entry.opening.provider.clone(),
        UsageGroup::Account => entry.opening.account.clone(),
        UsageGroup::Key => Text::from(entry.opening.payer.key.to_string()),
        UsageGroup::Day => Text::from(entry.opening.opened_at.day()),
    }
}

fn plus(a: &Usage, b: &Usage) -> Usage {
    Usage {
        input_tokens: a.input_tokens + b.input_tokens,
        cache_read_tokens: a.cache_read_tokens + b.cache_read_tokens,
        cache_write_5m_tokens: a.cache_write_5m_tokens + b.cache_write_5m_tokens,
        cache_write_1h_tokens: a.cache_write_1h_tokens + b.cache_write_1h_tokens,
        output_tokens: a.output_tokens + b.output_tokens,
        reasoning_tokens: a.reasoning_tokens + b.reasoning_tokens,
        audio_input_tokens: a.audio_input_tokens + b.audio_input_tokens,
        audio_output_tokens: a.audio_output_tokens + b.audio_output_tokens,
        image_input_tokens: a.image_input_tokens + b.image_input_tokens,
        image_output_tokens: a.image_output_tokens + b.image_output_tokens,
        units: Units {
            searches: a.units.searches + b.units.searches,
            images: a.units.images + b.units.images,
            pages: a.units.pages + b.units.pages,
            seconds: a.units.seconds + b.units.seconds,
        },
    }
}

/// Everything that was delivered, each row once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) entries: Vec<AttemptEntry>,
    pub(crate) corrections: Vec<Correction>,
}

impl Truth {
    /// What [`trunkline_ledger::api::LedgerStore::usage`] must answer.
    pub(crate) fn usage(&self, scope: TenantScope, query: &UsageQuery) -> Vec<UsageRow> {
        let mut rows: BTreeMap<Vec<Text>, (UsageRow, BTreeSet<RequestId>)> = BTreeMap::new();
        if query.group_by.is_empty() {
            rows.insert(Vec::new(), Default::default());
        }
        let from = query.from.map_or(i64::MIN, |from| from.0.div_euclid(DAY) * DAY);
        let to = query.to.map_or(i64::MAX, |to| (to.0 + DAY - 1).div_euclid(DAY) * DAY);
        for entry in &self.entries {
            let (opening, settlement) = (&entry.opening, &entry.settlement);
            if !sees(scope, &opening.payer) || !(from..to).contains(&opening.opened_at.0) {
                continue;
            }
            let groups: Vec<_> = query.group_by.iter().map(|group| value(entry, *group)).collect();
            let (row, requests) = rows.entry(groups).or_default();
            requests.insert(opening.id.request);
            row.attempts += 1;
            row.failed += u64::from(settlement.cause.is_some());
            row.interrupted += u64::from(settlement.state == EntryState::Interrupted);
            row.usage = plus(&row.usage, &settlement.usage);
            let corrections = self.corrections.iter().filter(|correction| correction.attempt == opening.id);
            let (cost, charge) =
                corrections.fold((0, 0), |(c, d), next| (c + next.cost.0, d + next.charge.0));
            row.cost.0 += settlement.cost.0 + cost;
            row.charge.0 += settlement.charge.0 + charge;
        }
        let finish = |(groups, (row, requests)): (Vec<Text>, (UsageRow, BTreeSet<RequestId>))| UsageRow {
            groups,
            requests: requests.len() as u64,
            ..row
        };
        let mut rows: Vec<_> = rows.into_iter().map(finish).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.cost));
        rows
    }

    /// What [`trunkline_ledger::api::LedgerStore::spend_by_key`] must answer, by key.
    pub(crate) fn spend(&self, scope: TenantScope, since: UnixMs) -> BTreeMap<KeyId, NanoUsd> {
        let query = UsageQuery { group_by: vec![UsageGroup::Key], from: Some(since), to: None };
        let spent = |row: UsageRow| (row.groups[0].parse().unwrap(), row.charge);
        self.usage(scope, &query).into_iter().map(spent).filter(|(_, charge)| charge.0 != 0).collect()
    }
}
