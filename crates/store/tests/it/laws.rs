//! Laws over random batches: the rollups are the sums of the rows, however rows are delivered.

use proptest::prelude::*;
use proptest::sample::subsequence;
use trunkline_domain::attempt::Cause;
use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::{AttemptEntry, Correction, EntryState, Settlement};
use trunkline_domain::{ModelName, NanoUsd, TenantScope, Text, UnixMs, Usage};
use trunkline_ledger::api::{LedgerRecord, LedgerStore, UsageGroup, UsageQuery};
use trunkline_ledger::memory::MemoryStore;

use crate::support::{ALL, DAY, Truth, at, correction, entry, key_id, open, organisation, request_id};

const GROUPS: [UsageGroup; 5] =
    [UsageGroup::Model, UsageGroup::Provider, UsageGroup::Account, UsageGroup::Key, UsageGroup::Day];

/// Around the end of a month.
fn start() -> i64 {
    at("2026-01-30T00:00:00Z").0
}

prop_compose! {
    fn attempt()(
        number in 0..6_u64,
        ordinal in 1..4_u8,
        after in 0..DAY / 2,
        provider in 0..2_u8,
        model in 0..2_u8,
        account in 0..2_u8,
        failed in any::<bool>(),
        interrupted in any::<bool>(),
        tokens in 0..1_u64 << 40,
        cost in 0..1_i64 << 40,
    ) -> AttemptEntry {
        // One request: one instant it was made at, one payer.
        let minted = UnixMs(start() + i64::try_from(number).unwrap() * DAY);
        let mut made = entry(request_id(minted, number), ordinal, UnixMs(minted.0 + after));
        made.opening.payer.organisation = organisation(u128::from(number % 2) + 1);
        made.opening.payer.key = key_id(u128::from(number % 4));
        made.opening.model = ModelName(Text::from(format!("model-{model}")));
        made.opening.provider = Text::from(format!("provider-{provider}"));
        made.opening.account = Text::from(format!("account-{account}"));
        made.settlement = Settlement {
            usage: Usage { input_tokens: tokens, cache_read_tokens: tokens / 3, ..Usage::default() },
            cost: NanoUsd(cost),
            charge: NanoUsd(cost / 2),
            cause: failed.then_some(Cause::Cut),
            state: if interrupted { EntryState::Interrupted } else { EntryState::Settled },
            ..made.settlement
        };
        made
    }
}

/// Rows without two of one id, and corrections of some of them.
fn truth() -> impl Strategy<Value = Truth> {
    let corrections = prop::collection::vec((any::<prop::sample::Index>(), 0..3_i64, -99..99_i64), 0..4);
    (prop::collection::vec(attempt(), 1..20), corrections).prop_map(|(mut entries, corrections)| {
        entries.sort_by_key(|entry| entry.opening.id);
        entries.dedup_by_key(|entry| entry.opening.id);
        let corrected = |(row, when, amount): (prop::sample::Index, i64, i64)| {
            correction(row.get(&entries).opening.id, UnixMs(start() + when), amount, amount * 2)
        };
        let mut corrections: Vec<Correction> = corrections.into_iter().map(corrected).collect();
        corrections.sort_by_key(|made: &Correction| (made.attempt, made.at));
        corrections.dedup_by_key(|made| -> (AttemptId, UnixMs) { (made.attempt, made.at) });
        Truth { entries, corrections }
    })
}

/// Every row at least once, corrections after all rows, in batches cut anywhere.
fn deliveries(truth: &Truth) -> impl Strategy<Value = Vec<Vec<LedgerRecord>>> + use<> {
    let rows: Vec<_> = truth.entries.iter().map(|row| LedgerRecord::Attempt(Box::new(row.clone()))).collect();
    let changes: Vec<_> =
        truth.corrections.iter().map(|change| LedgerRecord::Correction(Box::new(change.clone()))).collect();
    let again = subsequence(rows.clone(), 0..=rows.len());
    let changes_again = subsequence(changes.clone(), 0..=changes.len());
    let shuffled = again.prop_flat_map(move |again| Just([rows.clone(), again].concat()).prop_shuffle());
    (shuffled, changes_again, prop::collection::vec(1..9_usize, 1..6)).prop_map(
        move |(rows, again, sizes)| {
            let mut left: &[LedgerRecord] = &[rows, changes.clone(), again].concat();
            let mut batches = Vec::new();
            for size in sizes.into_iter().cycle() {
                let (batch, rest) = left.split_at(size.min(left.len()));
                batches.push(batch.to_vec());
                left = rest;
                if left.is_empty() {
                    break;
                }
            }
            batches
        },
    )
}

fn question() -> impl Strategy<Value = UsageQuery> {
    let instant = || prop::option::of((0..8 * DAY).prop_map(|after| UnixMs(start() + after)));
    (subsequence(GROUPS.to_vec(), 0..=GROUPS.len()), instant(), instant())
        .prop_map(|(group_by, from, to)| UsageQuery { group_by, from, to })
}

fn scope() -> impl Strategy<Value = TenantScope> {
    prop_oneof![
        Just(ALL),
        Just(TenantScope::Organisation(organisation(1))),
        Just(TenantScope::Key(organisation(2), key_id(1))),
    ]
}

async fn holds(
    store: &impl LedgerStore,
    truth: &Truth,
    batches: &[Vec<LedgerRecord>],
    asked: &[(TenantScope, UsageQuery)],
) -> Result<(), TestCaseError> {
    for batch in batches {
        store.append(ALL, batch).await.unwrap();
    }
    for (scope, query) in asked {
        let mut rows = store.usage(*scope, query).await.unwrap();
        prop_assert!(rows.is_sorted_by(|a, b| a.cost >= b.cost), "dearest first");
        let mut expected = truth.usage(*scope, query);
        rows.sort_by(|a, b| a.groups.cmp(&b.groups));
        expected.sort_by(|a, b| a.groups.cmp(&b.groups));
        prop_assert_eq!(rows, expected);
        let since = query.from.unwrap_or(UnixMs(0));
        let spend = store.spend_by_key(*scope, since).await.unwrap();
        prop_assert_eq!(
            spend.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            truth.spend(*scope, since)
        );
    }
    for row in &truth.entries {
        let request = row.opening.id.request;
        let rows = truth.entries.iter().filter(|other| other.opening.id.request == request);
        prop_assert_eq!(store.attempts(ALL, request).await.unwrap(), rows.cloned().collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sums_are_those_of_the_rows_however_delivered(
        (truth, batches) in truth().prop_flat_map(|truth| (Just(truth.clone()), deliveries(&truth))),
        asked in prop::collection::vec((scope(), question()), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let opened = open().await;
            holds(&opened.store, &truth, &batches, &asked).await?;
            opened.store.close().await;
            holds(&MemoryStore::new(), &truth, &batches, &asked).await
        })?;
    }
}
