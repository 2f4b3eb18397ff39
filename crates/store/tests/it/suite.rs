//! What every store must do, whatever it is made of: functions over the traits, run for each store.

use trunkline_domain::access::KeyHash;
use trunkline_domain::id::AttemptId;
use trunkline_domain::{ModelName, NanoUsd, TenantScope, UnixMs};
use trunkline_ledger::api::{
    AdminTokenStore, KeyStore, LedgerRecord, LedgerStore, StoreError, UsageGroup, UsageQuery,
};

use crate::support::{
    ALL, DAY, Truth, at, attempt_records, correction, entry, full_entry, full_payer, key_id, organisation,
    payer, query, record, request_id, virtual_key,
};

/// Runs functions of this suite against a store made by an expression that yields something with a field `store`:
/// all of them, or the ones named after it beside those every store is held to.
macro_rules! conformance {
    ($name:ident, $open:expr; $($particular:ident)*) => {
        mod $name {
            $crate::suite::conformance!(@tests $open;
                $($particular)*
                rows_read_back_whole
                a_row_delivered_again_changes_nothing
                a_request_counts_once_in_every_group_that_holds_it
                a_request_across_a_months_end_counts_once
                ranges_are_whole_days
                corrections_count_where_their_attempt_does
                sums_beyond_the_largest_amount_stop_there
                a_foreign_scope_sees_nothing_of_the_ledger
                a_foreign_scope_writes_nothing
                keys_read_back_whole
                a_living_name_is_taken_once
                pages_follow_ids
                every_change_of_a_key_moves_the_version
                a_foreign_scope_sees_no_key
            );
        }
    };
    (@tests $open:expr; $($test:ident)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                let opened = $open;
                $crate::suite::$test(&opened.store).await;
            }
        )*
    };
}
pub(crate) use conformance;

conformance!(sqlite, crate::support::open().await;
    a_correction_of_nothing_is_refused_with_its_batch
    the_version_of_others_stays
    an_update_cannot_carry_a_key_into_another_organisation
    tokens_belong_to_their_scope
);

// The store in memory takes corrections ahead of their rows, counts one version for all, lets keys move and knows one
// owner of tokens.
conformance!(memory, crate::support::in_memory(););

const MONTHS_END: &str = "2026-01-31T23:59:59Z";

fn foreign() -> [TenantScope; 3] {
    [
        TenantScope::Organisation(organisation(2)),
        TenantScope::Key(organisation(1), key_id(2)),
        TenantScope::Key(organisation(2), key_id(1)),
    ]
}

pub(crate) async fn rows_read_back_whole(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    let request = request_id(now, 1);
    let entries = [entry(request, 1, now), full_entry(request, 2, now.plus_ms(5))];
    let known = record(request, Some(full_payer()), now);
    let mut refused = record(request_id(now, 2), None, now);
    (refused.client_request_id, refused.final_attempt, refused.error) = (None, None, None);
    refused.losses.clear();
    refused.model_asked = ModelName::from("");

    let mut batch = attempt_records(&[entries[1].clone(), entries[0].clone()]);
    batch.extend([&known, &refused].map(|record| LedgerRecord::Request(Box::new(record.clone()))));
    store.append(ALL, &batch).await.unwrap();

    assert_eq!(store.attempts(ALL, request).await.unwrap(), entries);
    assert_eq!(store.request(ALL, request).await.unwrap(), Some(known));
    assert_eq!(store.request(ALL, refused.id).await.unwrap(), Some(refused));
    let unknown = request_id(now, 3);
    assert_eq!(store.attempts(ALL, unknown).await.unwrap(), []);
    assert_eq!(store.request(ALL, unknown).await.unwrap(), None);
}

pub(crate) async fn a_row_delivered_again_changes_nothing(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    let entries: Vec<_> = (0..70).map(|number| entry(request_id(now, number), 1, now)).collect();
    let first = &entries[0];
    let mut changed = record(first.opening.id.request, Some(first.opening.payer.clone()), now);
    let mut batch = attempt_records(&entries);
    batch.push(LedgerRecord::Request(Box::new(changed.clone())));
    batch.push(LedgerRecord::Correction(Box::new(correction(first.opening.id, now, 1, 2))));
    store.append(ALL, &batch).await.unwrap();
    let before = store.usage(ALL, &query(&[UsageGroup::Model])).await.unwrap();
    let record_before = store.request(ALL, changed.id).await.unwrap();

    batch.extend(attempt_records(&entries[..3]));
    changed.status = 500;
    batch.push(LedgerRecord::Request(Box::new(changed.clone())));
    store.append(ALL, &batch).await.unwrap();
    store.append(ALL, &batch[60..]).await.unwrap();

    assert_eq!(store.usage(ALL, &query(&[UsageGroup::Model])).await.unwrap(), before);
    assert_eq!(before[0].attempts, 70);
    assert_eq!(store.request(ALL, changed.id).await.unwrap(), record_before);
    let spend = store.spend_by_key(ALL, now).await.unwrap();
    assert_eq!(spend, [(key_id(1), NanoUsd(70 * 110 + 2))]);
}

pub(crate) async fn a_request_counts_once_in_every_group_that_holds_it(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    let (tried_twice, other) = (request_id(now, 1), request_id(now, 2));
    let mut second = entry(tried_twice, 2, now);
    second.opening.model = ModelName::from("vendor/model-b");
    let third = entry(tried_twice, 3, now);
    let entries = vec![second, third, entry(tried_twice, 1, now), entry(other, 1, now)];
    // Later attempts may be settled, and so delivered, before the first.
    for single in attempt_records(&entries) {
        store.append(ALL, &[single]).await.unwrap();
    }
    let truth = Truth { entries, ..Truth::default() };
    let by_model = store.usage(ALL, &query(&[UsageGroup::Model])).await.unwrap();
    assert_eq!(by_model, truth.usage(ALL, &query(&[UsageGroup::Model])));
    assert_eq!(by_model.iter().map(|row| row.requests).collect::<Vec<_>>(), [2, 1]);
    let totals = store.usage(ALL, &query(&[])).await.unwrap();
    assert_eq!((totals.len(), totals[0].requests, totals[0].attempts), (1, 2, 4));
}

pub(crate) async fn a_request_across_a_months_end_counts_once(store: &impl LedgerStore) {
    let before = at(MONTHS_END);
    let request = request_id(before, 1);
    let entries = vec![entry(request, 1, before), entry(request, 2, before.plus_ms(2_000))];
    store.append(ALL, &attempt_records(&entries[1..])).await.unwrap();
    store.append(ALL, &attempt_records(&entries[..1])).await.unwrap();

    assert_eq!(store.attempts(ALL, request).await.unwrap(), entries);
    let by_model = store.usage(ALL, &query(&[UsageGroup::Model])).await.unwrap();
    assert_eq!((by_model[0].requests, by_model[0].attempts), (1, 2));
    let mut by_day = store.usage(ALL, &query(&[UsageGroup::Day])).await.unwrap();
    by_day.sort_by(|a, b| a.groups.cmp(&b.groups));
    let days: Vec<_> = by_day.iter().map(|row| (&*row.groups[0], row.requests)).collect();
    assert_eq!(days, [("2026-01-31", 1), ("2026-02-01", 1)]);
    let spend = store.spend_by_key(ALL, at("2026-02-01T00:00:00Z")).await.unwrap();
    assert_eq!(spend, [(key_id(1), NanoUsd(110))]);
}

pub(crate) async fn ranges_are_whole_days(store: &impl LedgerStore) {
    let noon = at("2026-03-05T12:00:00Z");
    let entries: Vec<_> = (0..3u64)
        .map(|day| noon.plus_ms(day * DAY.unsigned_abs()))
        .map(|at| entry(request_id(at, 1), 1, at))
        .collect();
    store.append(ALL, &attempt_records(&entries)).await.unwrap();
    for (from, to, attempts) in [
        (Some("2026-03-05T18:00:00Z"), Some("2026-03-05T19:00:00Z"), 1),
        (Some("2026-03-05T00:00:00Z"), Some("2026-03-06T00:00:00Z"), 1),
        (Some("2026-03-05T00:00:00Z"), Some("2026-03-06T00:00:00.001Z"), 2),
        (Some("2026-03-06T00:00:00Z"), None, 2),
        (None, Some("2026-03-05T00:00:00Z"), 0),
    ] {
        let query = UsageQuery { group_by: Vec::new(), from: from.map(at), to: to.map(at) };
        let totals = store.usage(ALL, &query).await.unwrap();
        assert_eq!((totals.len(), totals[0].attempts), (1, attempts), "{from:?} {to:?}");
    }
    let since = store.spend_by_key(ALL, at("2026-03-06T23:00:00Z")).await.unwrap();
    assert_eq!(since, [(key_id(1), NanoUsd(220))]);
    assert_eq!(store.spend_by_key(ALL, at("2026-03-08T00:00:00Z")).await.unwrap(), []);
}

pub(crate) async fn corrections_count_where_their_attempt_does(store: &impl LedgerStore) {
    let now = at("2026-01-10T10:00:00Z");
    let later = at("2026-03-01T10:00:00Z");
    let corrected = entry(request_id(now, 1), 1, now);
    let other = entry(request_id(later, 2), 1, later);
    store.append(ALL, &attempt_records(&[corrected.clone(), other.clone()])).await.unwrap();
    let corrections =
        vec![correction(corrected.opening.id, later, -40, -50), correction(corrected.opening.id, now, 1, 1)];
    let batch: Vec<_> =
        corrections.iter().map(|correction| LedgerRecord::Correction(Box::new(correction.clone()))).collect();
    store.append(ALL, &batch).await.unwrap();
    store.append(ALL, &batch).await.unwrap();

    let truth = Truth { entries: vec![corrected.clone(), other], corrections };
    let by_day = query(&[UsageGroup::Day]);
    assert_eq!(store.usage(ALL, &by_day).await.unwrap(), truth.usage(ALL, &by_day));
    let spend = store.spend_by_key(ALL, UnixMs(0)).await.unwrap();
    assert_eq!(spend, [(key_id(1), NanoUsd(110 - 50 + 1 + 110))]);
    // The row itself is append-only.
    assert_eq!(store.attempts(ALL, corrected.opening.id.request).await.unwrap(), [corrected]);
}

pub(crate) async fn a_correction_of_nothing_is_refused_with_its_batch(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    let beside = entry(request_id(now, 1), 1, now);
    let nowhere = AttemptId { request: request_id(now, 2), ordinal: 1 };
    let mut batch = attempt_records(&[beside]);
    batch.push(LedgerRecord::Correction(Box::new(correction(nowhere, now, 1, 1))));
    assert!(matches!(store.append(ALL, &batch).await, Err(StoreError::NotFound)));
    assert_eq!(store.usage(ALL, &query(&[])).await.unwrap()[0].attempts, 0);
}

pub(crate) async fn sums_beyond_the_largest_amount_stop_there(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    for (number, day) in [(1, 0), (2, 0), (3, DAY)] {
        let opened_at = UnixMs(now.0 + day);
        let mut unbounded = entry(request_id(opened_at, number), 1, opened_at);
        (unbounded.settlement.cost, unbounded.settlement.charge) = (NanoUsd::MAX, NanoUsd::MAX);
        unbounded.settlement.usage.input_tokens = u64::MAX >> 1;
        store.append(ALL, &attempt_records(&[unbounded])).await.unwrap();
    }
    let totals = store.usage(ALL, &query(&[])).await.unwrap();
    assert_eq!((totals[0].cost, totals[0].charge, totals[0].attempts), (NanoUsd::MAX, NanoUsd::MAX, 3));
    assert_eq!(store.spend_by_key(ALL, now).await.unwrap(), [(key_id(1), NanoUsd::MAX)]);
}

pub(crate) async fn a_foreign_scope_sees_nothing_of_the_ledger(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    let request = request_id(now, 1);
    let anonymous = record(request_id(now, 2), None, now);
    let mut batch = attempt_records(&[entry(request, 1, now), entry(request, 2, now)]);
    batch.push(LedgerRecord::Request(Box::new(record(
        request,
        Some(payer(organisation(1), key_id(1))),
        now,
    ))));
    batch.push(LedgerRecord::Request(Box::new(anonymous.clone())));
    store.append(ALL, &batch).await.unwrap();

    for scope in foreign() {
        assert_eq!(store.attempts(scope, request).await.unwrap(), [], "{scope:?}");
        assert_eq!(store.request(scope, request).await.unwrap(), None, "{scope:?}");
        assert_eq!(store.usage(scope, &query(&[UsageGroup::Key])).await.unwrap(), [], "{scope:?}");
        assert_eq!(store.usage(scope, &query(&[])).await.unwrap()[0].requests, 0, "{scope:?}");
        assert_eq!(store.spend_by_key(scope, UnixMs(0)).await.unwrap(), [], "{scope:?}");
    }
    for scope in [TenantScope::Organisation(organisation(1)), TenantScope::Key(organisation(1), key_id(1))] {
        assert_eq!(store.attempts(scope, request).await.unwrap().len(), 2, "{scope:?}");
        assert!(store.request(scope, request).await.unwrap().is_some(), "{scope:?}");
        assert_eq!(store.request(scope, anonymous.id).await.unwrap(), None, "{scope:?}");
        assert_eq!(store.usage(scope, &query(&[])).await.unwrap()[0].requests, 1, "{scope:?}");
        assert_eq!(store.spend_by_key(scope, UnixMs(0)).await.unwrap(), [(key_id(1), NanoUsd(220))]);
    }
}

pub(crate) async fn a_foreign_scope_writes_nothing(store: &impl LedgerStore) {
    let now = at("2026-03-05T10:00:00Z");
    let ours = entry(request_id(now, 1), 1, now);
    let change = LedgerRecord::Correction(Box::new(correction(ours.opening.id, now, 5, 5)));
    let request = record(request_id(now, 1), Some(ours.opening.payer.clone()), now);
    let row = attempt_records(std::slice::from_ref(&ours)).remove(0);
    for scope in foreign() {
        for refused in [row.clone(), LedgerRecord::Request(Box::new(request.clone()))] {
            assert!(matches!(store.append(scope, &[refused]).await, Err(StoreError::NotFound)), "{scope:?}");
        }
    }
    store.append(ALL, &[row]).await.unwrap();
    for scope in foreign() {
        let refused = store.append(scope, std::slice::from_ref(&change)).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{scope:?}");
    }
    assert_eq!(store.spend_by_key(ALL, now).await.unwrap(), [(key_id(1), NanoUsd(110))]);
    assert_eq!(store.request(ALL, request.id).await.unwrap(), None);
}

pub(crate) async fn keys_read_back_whole(store: &impl KeyStore) {
    let mut key = virtual_key(1, organisation(1), "first");
    store.insert(ALL, &key).await.unwrap();
    assert_eq!(store.by_hash(ALL, key.hash).await.unwrap(), Some(key.clone()));
    assert_eq!(store.by_hash(ALL, KeyHash([9; 32])).await.unwrap(), None);

    (key.team, key.user, key.expires_at, key.revoked_at) = (None, None, None, Some(UnixMs(77)));
    key.models.clear();
    key.budgets.clear();
    store.update(ALL, &key).await.unwrap();
    assert_eq!(store.by_hash(ALL, key.hash).await.unwrap(), Some(key));

    let unknown = virtual_key(2, organisation(1), "second");
    assert!(matches!(store.update(ALL, &unknown).await, Err(StoreError::NotFound)));
    assert_eq!(store.by_hash(ALL, unknown.hash).await.unwrap(), None);
}

pub(crate) async fn a_living_name_is_taken_once(store: &impl KeyStore) {
    let mut first = virtual_key(1, organisation(1), "name");
    store.insert(ALL, &first).await.unwrap();
    let second = virtual_key(2, organisation(1), "name");
    assert!(matches!(store.insert(ALL, &second).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.by_hash(ALL, second.hash).await.unwrap(), None);
    store.insert(ALL, &virtual_key(3, organisation(2), "name")).await.unwrap();

    first.revoked_at = Some(UnixMs(5));
    store.update(ALL, &first).await.unwrap();
    store.insert(ALL, &second).await.unwrap();
    first.revoked_at = None;
    assert!(matches!(store.update(ALL, &first).await, Err(StoreError::Conflict(_))));
}

pub(crate) async fn pages_follow_ids(store: &impl KeyStore) {
    for number in [4, 1, 3, 2] {
        store.insert(ALL, &virtual_key(number, organisation(1), &format!("key {number}"))).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(ALL, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.push(page.iter().map(|key| key.id).collect::<Vec<_>>());
    }
    assert_eq!(seen, [vec![key_id(1), key_id(2), key_id(3)], vec![key_id(4)]]);
}

pub(crate) async fn every_change_of_a_key_moves_the_version(store: &impl KeyStore) {
    let own = TenantScope::Organisation(organisation(1));
    let mut key = virtual_key(1, organisation(1), "name");
    let before = store.version(own).await.unwrap();
    store.insert(ALL, &key).await.unwrap();
    let inserted = store.version(own).await.unwrap();
    let all_inserted = store.version(ALL).await.unwrap();
    key.limits.rpm = Some(1);
    store.update(ALL, &key).await.unwrap();
    let updated = store.version(own).await.unwrap();

    assert!(before < inserted && inserted < updated, "{before} {inserted} {updated}");
    assert!(all_inserted < store.version(ALL).await.unwrap());
    assert!(matches!(store.insert(ALL, &key).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.version(own).await.unwrap(), updated);
    assert_eq!(store.version(TenantScope::Key(organisation(1), key.id)).await.unwrap(), updated);
}

pub(crate) async fn the_version_of_others_stays(store: &impl KeyStore) {
    let foreign = TenantScope::Organisation(organisation(2));
    let before = store.version(foreign).await.unwrap();
    store.insert(ALL, &virtual_key(1, organisation(1), "name")).await.unwrap();
    assert_eq!(store.version(foreign).await.unwrap(), before);
}

pub(crate) async fn a_foreign_scope_sees_no_key(store: &impl KeyStore) {
    let key = virtual_key(1, organisation(1), "name");
    for scope in foreign() {
        assert!(matches!(store.insert(scope, &key).await, Err(StoreError::NotFound)), "{scope:?}");
    }
    store.insert(TenantScope::Organisation(organisation(1)), &key).await.unwrap();
    for scope in foreign() {
        assert_eq!(store.by_hash(scope, key.hash).await.unwrap(), None, "{scope:?}");
        assert_eq!(store.page(scope, None, 10).await.unwrap(), [], "{scope:?}");
        assert!(matches!(store.update(scope, &key).await, Err(StoreError::NotFound)), "{scope:?}");
    }
    let own = TenantScope::Key(organisation(1), key.id);
    assert_eq!(store.page(own, None, 10).await.unwrap(), [key]);
}

pub(crate) async fn an_update_cannot_carry_a_key_into_another_organisation(store: &impl KeyStore) {
    let key = virtual_key(1, organisation(1), "name");
    store.insert(ALL, &key).await.unwrap();
    let mut moved = key.clone();
    moved.organisation = organisation(2);
    assert!(matches!(store.update(ALL, &moved).await, Err(StoreError::NotFound)));
    assert_eq!(store.by_hash(ALL, key.hash).await.unwrap(), Some(key));
}

pub(crate) async fn tokens_belong_to_their_scope(store: &impl AdminTokenStore) {
    let (own, foreign) =
        (TenantScope::Organisation(organisation(1)), TenantScope::Organisation(organisation(2)));
    let key = TenantScope::Key(organisation(1), key_id(1));
    let (of_all, of_own) = (KeyHash([1; 32]), KeyHash([2; 32]));
    assert_eq!(store.token_count(ALL).await.unwrap(), 0);
    store.insert_token(ALL, "first", of_all, UnixMs(1)).await.unwrap();
    store.insert_token(own, "second", of_own, UnixMs(2)).await.unwrap();
    assert!(matches!(
        store.insert_token(ALL, "again", of_all, UnixMs(3)).await,
        Err(StoreError::Conflict(_))
    ));
    assert!(store.insert_token(key, "key", KeyHash([3; 32]), UnixMs(4)).await.is_err());

    for (scope, count, sees_all, sees_own) in
        [(ALL, 2, true, true), (own, 1, false, true), (foreign, 0, false, false), (key, 0, false, false)]
    {
        assert_eq!(store.token_count(scope).await.unwrap(), count, "{scope:?}");
        assert_eq!(store.token_exists(scope, of_all).await.unwrap(), sees_all, "{scope:?}");
        assert_eq!(store.token_exists(scope, of_own).await.unwrap(), sees_own, "{scope:?}");
    }
}
