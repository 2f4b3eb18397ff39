//! What every store promises, on the one in memory.

#![cfg(not(loom))]

use std::sync::Arc;
use std::time::Duration;

use trunkline_domain::access::RateLimits;
use trunkline_domain::id::OrganisationId;
use uuid::Uuid;

use super::*;
use crate::samples;

const ALL: TenantScope = TenantScope::Installation;
const OTHER: OrganisationId = OrganisationId(Uuid::from_u128(2));

fn row(request: u128, ordinal: u8, model: &str, charge: i64) -> LedgerRecord {
    let mut opening = samples::opening(request, ordinal);
    opening.model = model.into();
    LedgerRecord::Attempt(Box::new(AttemptEntry { opening, settlement: samples::settlement(charge) }))
}

fn key(id: u128, name: &str) -> VirtualKey {
    VirtualKey {
        id: KeyId(Uuid::from_u128(id)),
        name: Text::from(name),
        organisation: OrganisationId::FIRST,
        team: None,
        user: None,
        hash: KeyHash([u8::try_from(id).unwrap(); 32]),
        hint: Text::from("abcd"),
        models: Vec::new(),
        budgets: Vec::new(),
        limits: RateLimits::default(),
        created_at: UnixMs(0),
        expires_at: None,
        revoked_at: None,
    }
}

#[tokio::test]
async fn appending_twice_changes_nothing() {
    let store = MemoryStore::new();
    let correction = Correction {
        attempt: samples::opening(1, 1).id,
        cost: NanoUsd(-2),
        charge: NanoUsd(-1),
        reason: Text::from("refunded"),
        at: UnixMs(9),
    };
    let batch = [
        row(1, 1, "a/a", 10),
        row(1, 2, "b/b", 30),
        LedgerRecord::Request(Box::new(samples::request(1))),
        LedgerRecord::Correction(Box::new(correction)),
    ];
    for _ in 0..2 {
        store.append(ALL, &batch).await.unwrap();
    }
    let total = store.usage(ALL, &UsageQuery { group_by: Vec::new(), from: None, to: None }).await.unwrap();
    let [total] = &total[..] else { panic!("{total:?}") };
    assert_eq!((total.requests, total.attempts, total.cost, total.charge), (1, 2, NanoUsd(38), NanoUsd(39)));
    assert_eq!(total.usage.total(), 16);
    let query = UsageQuery { group_by: vec![UsageGroup::Model], from: None, to: None };
    let models: Vec<_> = store.usage(ALL, &query).await.unwrap().into_iter().map(|row| row.groups).collect();
    assert_eq!(models, [[Text::from("b/b")], [Text::from("a/a")]], "dearest first");
    assert_eq!(store.spend_by_key(ALL, UnixMs(0)).await.unwrap(), [(samples::payer(7).key, NanoUsd(39))]);
    assert_eq!(store.attempts(ALL, samples::request_id(1)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn days_bound_usage_and_spend() {
    let store = MemoryStore::new();
    store.append(ALL, &[row(1, 1, "a/a", 10)]).await.unwrap();
    let opened = samples::opening(1, 1).opened_at;
    let count = async |from: Option<UnixMs>, to: Option<UnixMs>| {
        store.usage(ALL, &UsageQuery { group_by: Vec::new(), from, to }).await.unwrap()[0].attempts
    };
    assert_eq!(count(Some(opened.plus_ms(1)), None).await, 1, "from is rounded down to midnight");
    assert_eq!(count(Some(opened.plus_ms(86_400_000)), None).await, 0);
    assert_eq!(count(None, Some(opened)).await, 1, "to is rounded up to midnight");
    assert_eq!(store.spend_by_key(ALL, opened.plus_ms(86_400_000)).await.unwrap(), []);
}

#[tokio::test]
async fn a_scope_sees_its_own_only() {
    let store = MemoryStore::new();
    let refused = RequestRecord { payer: None, ..samples::request(2) };
    store.append(ALL, &[row(1, 1, "a/a", 1), LedgerRecord::Request(Box::new(refused))]).await.unwrap();
    let other_key = TenantScope::Key(OrganisationId::FIRST, KeyId(Uuid::from_u128(8)));
    for foreign in [TenantScope::Organisation(OTHER), other_key] {
        assert_eq!(store.attempts(foreign, samples::request_id(1)).await.unwrap(), []);
        assert_eq!(store.spend_by_key(foreign, UnixMs(0)).await.unwrap(), []);
        assert!(matches!(store.append(foreign, &[row(3, 1, "a/a", 1)]).await, Err(StoreError::NotFound)));
    }
    assert_eq!(store.request(TenantScope::Organisation(OTHER), samples::request_id(2)).await.unwrap(), None);
    assert!(store.request(ALL, samples::request_id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn names_of_living_keys_are_unique() {
    let store = MemoryStore::new();
    store.insert(ALL, &key(1, "ci")).await.unwrap();
    assert!(matches!(store.insert(ALL, &key(2, "ci")).await, Err(StoreError::Conflict(_))));
    let revoked = VirtualKey { revoked_at: Some(UnixMs(1)), ..key(1, "ci") };
    store.update(ALL, &revoked).await.unwrap();
    store.insert(ALL, &key(2, "ci")).await.unwrap();
    store.insert(ALL, &key(3, "dev")).await.unwrap();
    assert_eq!(store.version(ALL).await.unwrap(), 4);
    assert_eq!(store.by_hash(ALL, KeyHash([1; 32])).await.unwrap(), Some(revoked.clone()));
    assert!(store.by_hash(TenantScope::Organisation(OTHER), KeyHash([1; 32])).await.unwrap().is_none());
    let page = store.page(ALL, Some(revoked.id), 1).await.unwrap();
    assert_eq!(page, [key(2, "ci")]);
    assert!(matches!(store.update(ALL, &key(9, "new")).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn admin_tokens_are_known_by_hash() {
    let store = MemoryStore::new();
    store.insert_token(ALL, "first", KeyHash([1; 32]), UnixMs(0)).await.unwrap();
    assert!(store.token_exists(ALL, KeyHash([1; 32])).await.unwrap());
    assert!(!store.token_exists(ALL, KeyHash([2; 32])).await.unwrap());
    assert_eq!(store.token_count(ALL).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_fails_and_freezes_when_told_and_thaws() {
    let store = Arc::new(MemoryStore::new());
    store.set_mode(StoreMode::Failing);
    assert!(matches!(store.token_count(ALL).await, Err(StoreError::Unavailable(_))));
    store.set_mode(StoreMode::Frozen);
    let frozen = tokio::time::timeout(Duration::from_hours(1), store.token_count(ALL)).await;
    assert!(frozen.is_err(), "no answer for an hour");
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.token_count(ALL).await }
    });
    store.set_mode(StoreMode::Working);
    assert_eq!(waiting.await.unwrap().unwrap(), 0);
}
