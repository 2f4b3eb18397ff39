//! Truthful ends: a stream ends with its terminal event or with a typed error.

use http_body_util::BodyExt;
use trunkline_domain::Dialect;
use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::EntryState;
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, End};

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream};

#[tokio::test]
async fn a_cut_upstream_ends_in_a_typed_error_never_in_a_clean_half_answer() {
    for end in [End::Cut(After::Pieces(4)), End::Reset(After::Pieces(4)), End::Truncate(After::Pieces(4))] {
        let rig = Rig::new(TWO_ACCOUNTS).await;
        rig.provider("east").push(Script::says("one two three four five six").ending(end));
        let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
        assert_eq!(seen.body.matches("\"code\":\"upstream_cut\"").count(), 1, "{end:?}: {}", seen.body);
        let row = rig.rows_of(seen.request).await.remove(0);
        assert_eq!((row.settlement.state, row.settlement.cause), (EntryState::Partial, Some(Cause::Cut)));
        assert!(row.settlement.cost.0 > 0, "what was seen is charged");
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn every_cut_gives_the_full_answer_or_one_error() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let whole = rig.chat(&ask_stream("east/m-1")).await.unwrap().body;
    let pieces = whole.matches("data: ").count();
    for cut in 0..pieces as u64 {
        let rig = Rig::new(TWO_ACCOUNTS).await;
        rig.provider("east").push(Script::default().ending(End::Cut(After::Pieces(cut))));
        let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
        let (done, errors) = (seen.body.matches("[DONE]").count(), seen.body.matches("\"error\":").count());
        assert_eq!(done, 1, "cut after {cut}: {}", seen.body);
        assert!(errors <= 1, "cut after {cut}: {}", seen.body);
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn silence_after_the_first_content_ends_at_the_idle_deadline() {
    let toml = TWO_ACCOUNTS.replace("priority = 0", "priority = 0\n timeouts = { idle_ms = 60 }");
    let rig = Rig::new(&toml).await;
    rig.provider("east").push(Script::says("one two three").ending(End::Stall(After::Pieces(3))));
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    assert!(seen.body.contains("\"code\":\"upstream_timeout\""), "{}", seen.body);
    assert_eq!(rig.rows_of(seen.request).await[0].settlement.cause, Some(Cause::IdleTimeout));
}

#[tokio::test]
async fn silence_is_noticed_at_its_deadline_and_not_only_when_a_heartbeat_is_due() {
    let toml = TWO_ACCOUNTS.replace("priority = 0", "priority = 0\n timeouts = { idle_ms = 60 }");
    let rig = Rig::new(&toml).await;
    rig.provider("east").push(Script::says("one two three").ending(End::Stall(After::Pieces(3))));
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    let row = rig.rows_of(seen.request).await.remove(0);
    assert_eq!((row.settlement.cause, row.settlement.total_ms / 1000), (Some(Cause::IdleTimeout), 0));
}

#[tokio::test]
async fn a_heartbeat_before_the_commit_leaves_failover_possible() {
    let toml = TWO_ACCOUNTS.replace("priority = 0", "priority = 0\n timeouts = { first_content_ms = 1500 }");
    let rig = Rig::new(&format!("[server.limits]\nheartbeat_ms = 1000\n{toml}")).await;
    rig.provider("east").push(Script::role_then_silence());
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    assert!(seen.body.starts_with(": trunkline"), "{}", seen.body);
    assert!(seen.body.contains("x-trunkline-attempts=2"), "{}", seen.body);
    assert!(seen.body.ends_with("data: [DONE]\n\n"), "{}", seen.body);
}

#[tokio::test]
async fn a_caller_who_leaves_mid_stream_is_charged_what_the_provider_bills() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    // More than is handed on at once.
    rig.provider("east").push(Script::says(&"one two three four ".repeat(100)));
    let answer = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"))).await.unwrap();
    let mut body = answer.body;
    body.frame().await.unwrap().unwrap();
    drop(body);
    let row = rig.rows().await.remove(0);
    let billed = rig.provider("east").ended(1).await[0].billed.unwrap();
    assert_eq!(row.settlement.state, EntryState::Partial);
    assert_eq!(row.settlement.cause, Some(Cause::ClientClosed));
    assert_eq!(row.settlement.usage.completion_total(), billed.completion_tokens);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_head_leaves_a_row() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script { head_after_ms: 200, ..Script::says("late") });
    let serve = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask("acme/m")));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), serve).await.is_err());
    let row = rig.rows().await.remove(0);
    assert_eq!(row.settlement.cause, Some(Cause::ClientClosed));
    assert!(row.settlement.usage.completion_total() > 0, "the answer was read on for its usage");
    rig.assert_nothing_held();
}
