//! The table: who is told what, and how much of it is kept.

use super::*;

const SECRET: [u8; 32] = [7; 32];

fn tenant(number: u128) -> OrganisationId {
    OrganisationId(uuid::Uuid::from_u128(number))
}

fn origin(account: &str) -> Arc<Origin> {
    Arc::new(Origin {
        dialect: Dialect::GeminiGenerate,
        minter: Minter::Account(account.into()),
        deployment: format!("{account}/m").into(),
    })
}

#[test]
fn a_signature_is_known_by_its_tenant_alone() {
    let table = MintedTable::new(SECRET);
    assert!(!table.is_in_use());
    table.remember(tenant(1), "c2ln", &origin("a"));
    assert_eq!(table.origin(tenant(1), "c2ln"), Some(origin("a")));
    assert_eq!(table.origin(tenant(2), "c2ln"), None);
    assert_eq!(table.origin(tenant(1), "c2lo"), None);
    assert!(table.call(tenant(1), "c2ln", "").is_none(), "a signature is no call");
}

#[test]
fn a_signature_is_known_however_its_client_spells_base64() {
    let table = MintedTable::new(SECRET);
    table.remember(tenant(1), "a+b/c==", &origin("a"));
    assert!(table.origin(tenant(1), "a-b_c").is_some());
    assert!(table.origin(tenant(1), "a+b/d").is_none());
}

#[test]
fn a_long_signature_is_told_from_one_that_differs_at_its_end() {
    let table = MintedTable::new(SECRET);
    let long = "x".repeat(1_000);
    table.remember(tenant(1), &format!("{long}a"), &origin("a"));
    assert!(table.origin(tenant(1), &format!("{long}a")).is_some());
    assert!(table.origin(tenant(1), &format!("{long}b")).is_none());
}

#[test]
fn a_call_is_known_by_its_id_as_every_dialect_spells_it() {
    let table = MintedTable::new(SECRET);
    table.remember_call(tenant(1), ("fc:1.x", "look"), "c2ln".into(), &origin("a"));
    assert_eq!(&*table.call(tenant(1), "fc_1_x", "look").unwrap().value, "c2ln");
    assert!(table.call(tenant(1), "fc_1_x", "other").is_none());
    assert!(table.call(tenant(2), "fc:1.x", "look").is_none());
}

#[test]
fn an_id_that_every_conversation_has_tells_nothing() {
    let table = MintedTable::new(SECRET);
    for id in ["", "call_0_1", "call_12"] {
        table.remember_call(tenant(1), (id, "look"), "c2ln".into(), &origin("a"));
        assert!(table.call(tenant(1), id, "look").is_none(), "{id}");
    }
}

#[test]
fn the_table_keeps_no_more_than_its_caps() {
    let table = MintedTable::bounded(SECRET, 100, 50 * (1_000 + 256));
    let long = Text::from("x".repeat(1_000));
    for number in 0..5_000 {
        table.remember(tenant(1), &number.to_string(), &origin("a"));
        table.remember_call(tenant(1), (&format!("id{number}"), "look"), long.clone(), &origin("a"));
    }
    table.signatures.run_pending_tasks();
    table.calls.run_pending_tasks();
    assert_eq!(table.signatures.entry_count(), 100);
    assert_eq!(table.calls.entry_count(), 50);
    assert!(table.origin(tenant(1), "4999").is_some(), "the latest are kept");
    assert!(table.origin(tenant(1), "0").is_none());
    let huge = Text::from("x".repeat(CALL_BYTES_MAX + 1));
    table.remember_call(tenant(1), ("huge", "look"), huge, &origin("a"));
    assert!(table.call(tenant(1), "huge", "look").is_none());
}
