//! Slow providers, models to fall back to, and requests that belong together.

use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::EntryState;
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{Body, Piece};

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream};

/// East first and priced; west second and free, so that a hedge costs nothing.
fn free_west() -> String {
    TWO_ACCOUNTS.replace(
        "input_usd_per_million = 2, output_usd_per_million = 20",
        "input_usd_per_million = 0, output_usd_per_million = 0",
    )
}

fn wishing(body: &str, wishes: &str) -> String {
    body.replacen('{', &format!("{{\"routing\":{{{wishes}}},"), 1)
}

#[tokio::test]
async fn a_slow_provider_is_hedged_and_the_loser_keeps_its_row() {
    for body in [ask("acme/m"), ask_stream("acme/m")] {
        let rig = Rig::new(&free_west()).await;
        let asked = wishing(&body, "\"hedge\":true");
        for _ in 0..25 {
            let seen = rig.chat(&asked).await.unwrap();
            assert_eq!(seen.headers["x-trunkline-attempts"], "1");
        }
        // What was learned is published at most every 200 ms.
        rig.engine.core().measure.touch_now();
        rig.provider("east").push(Script::slow_first_content(400));
        let seen = rig.chat(&asked).await.unwrap();
        assert_eq!((seen.status, &seen.headers["x-trunkline-attempts"]), (200, &"2".parse().unwrap()));
        rig.rows().await;
        let rows = rig.rows_of(seen.request).await;
        let told: Vec<_> = rows
            .iter()
            .map(|row| (&*row.opening.account, row.settlement.state, row.settlement.cause))
            .collect();
        let expected =
            [("east", EntryState::Partial, Some(Cause::Cancelled)), ("west", EntryState::Settled, None)];
        assert_eq!(told, expected);
        assert!(rows[0].settlement.cost.0 > 0, "what the loser cost is written down");
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn an_answer_that_had_half_come_when_it_was_hedged_is_whole() {
    let rig = Rig::new(&free_west()).await;
    let asked = wishing(&ask("acme/m"), "\"hedge\":true");
    for _ in 0..25 {
        rig.chat(&asked).await.unwrap();
    }
    rig.engine.core().measure.touch_now();
    let whole = r#"{"id":"c","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"two halves"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4}}"#;
    let (first, second) = whole.split_at(whole.len() / 2);
    let pieces = [(0, first), (400, second)];
    let pieces = pieces.map(|(wait_ms, text)| Piece { wait_ms, text: text.to_owned() });
    let halves = Script { body: Body::Pieces(pieces.into()), ..Script::default() };
    rig.provider("east").push(halves.with_header("content-type", "application/json"));
    rig.provider("west").push(Script::slow_first_content(3_000));
    let seen = rig.chat(&asked).await.unwrap();
    assert!(seen.body.contains("two halves"), "{}", seen.body);
    rig.rows().await;
    let rows = rig.rows_of(seen.request).await;
    let told: Vec<_> = rows.iter().map(|row| (&*row.opening.account, row.settlement.cause)).collect();
    assert_eq!(told, [("east", None), ("west", Some(Cause::Cancelled))]);
}

#[tokio::test]
async fn nobody_is_hedged_who_did_not_ask_nor_beyond_the_budget() {
    let rig = Rig::new(&free_west()).await;
    for _ in 0..25 {
        rig.chat(&ask("acme/m")).await.unwrap();
    }
    rig.engine.core().measure.touch_now();
    let asked = wishing(&ask("acme/m"), "\"hedge\":true");
    let mut attempts = Vec::new();
    for body in [&ask("acme/m"), &asked, &asked] {
        rig.provider("east").push(Script::slow_first_content(100));
        attempts.push(rig.chat(body).await.unwrap().headers["x-trunkline-attempts"].clone());
    }
    assert_eq!(attempts, ["1", "2", "1"], "one hedge for twenty requests");
}

#[tokio::test]
async fn past_its_budget_a_request_goes_on_to_somebody_else() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    for body in [ask("acme/m"), ask_stream("acme/m")] {
        rig.provider("east").push(Script::slow_first_content(400));
        let seen = rig.chat(&wishing(&body, "\"ttft_budget_ms\":40")).await.unwrap();
        assert_eq!(seen.status, 200);
        rig.rows().await;
        let rows = rig.rows_of(seen.request).await;
        let told: Vec<_> = rows.iter().map(|row| (&*row.opening.account, row.settlement.cause)).collect();
        assert_eq!(told, [("east", Some(Cause::Cancelled)), ("west", None)]);
    }
    let again = rig.chat(&ask("acme/m")).await.unwrap();
    let rows = rig.rows_of(again.request).await;
    assert_eq!(&*rows[0].opening.account, "east", "a callers' impatience is no failure of a provider");
}

#[tokio::test]
async fn past_its_budget_a_request_goes_on_where_no_hedge_may_be_made() {
    let rig = Rig::new(&free_west()).await;
    let asked = wishing(&ask("acme/m"), "\"hedge\":true,\"ttft_budget_ms\":40");
    rig.provider("east").push(Script::slow_first_content(60_000));
    let seen = rig.chat(&asked).await.unwrap();
    assert_eq!(seen.headers["x-trunkline-attempts"], "2");
    rig.rows().await;
    let rows = rig.rows_of(seen.request).await;
    let told: Vec<_> = rows.iter().map(|row| (&*row.opening.account, row.settlement.cause)).collect();
    assert_eq!(told, [("east", Some(Cause::Cancelled)), ("west", None)]);
}

#[tokio::test]
async fn the_last_attempt_is_waited_for_whatever_the_budget() {
    let once = format!("{TWO_ACCOUNTS}[server.limits]\nattempts_max = 1\n");
    let rig = Rig::new(&once).await;
    rig.provider("east").push(Script::slow_first_content(80));
    let seen = rig.chat(&wishing(&ask("acme/m"), "\"ttft_budget_ms\":10")).await.unwrap();
    assert_eq!((seen.status, &seen.headers["x-trunkline-attempts"]), (200, &"1".parse().unwrap()));
}

#[tokio::test]
async fn the_last_one_is_waited_for_whatever_the_budget() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("west").push(Script::slow_first_content(80));
    let seen = rig.chat(&wishing(&ask("west/m-2"), "\"latency_budget_ms\":10")).await.unwrap();
    assert_eq!((seen.status, &seen.headers["x-trunkline-attempts"]), (200, &"1".parse().unwrap()));
}

/// A route to east, with west's model for prompts that are too long and another of west's for the rest.
fn chains() -> String {
    let models = TWO_ACCOUNTS.replace(
        "{ id = \"m-2\", name = \"acme/m\"",
        "{ id = \"other\", name = \"acme/other\", context_window = 8000, output_max = 1000, input_usd_per_million = 2, output_usd_per_million = 20 }, { id = \"long\", name = \"acme/long\"",
    );
    format!(
        "{models}[routes.all]\ntargets = [\"acme/m\"]\nfallbacks.context_length = [\"acme/long\"]\nfallbacks.general = [\"acme/other\"]\n"
    )
}

#[tokio::test]
async fn a_route_falls_back_by_cause() {
    let too_long = Script::error(400, "invalid_request_error", Some("context_length_exceeded"), "too long");
    let filtered = Script::error(400, "invalid_request_error", Some("content_filter"), "no");
    for (script, expected) in [(too_long, "long"), (Script::server_error(), "other"), (filtered, "other")] {
        let rig = Rig::new(&chains()).await;
        rig.provider("east").push(script);
        let seen = rig.chat(&ask("all")).await.unwrap();
        let rows = rig.rows_of(seen.request).await;
        let models: Vec<&str> = rows.iter().map(|row| row.opening.upstream_model.as_str()).collect();
        assert_eq!(models, ["m-1", expected]);
    }
    let rig = Rig::new(&chains()).await;
    rig.provider("east").push(Script::error(400, "invalid_request_error", None, "no such field"));
    assert_eq!(
        rig.chat(&ask("all")).await.unwrap_err().status(),
        400,
        "a caller's mistake is not tried elsewhere"
    );
    assert_eq!(rig.provider("west").log().len(), 0);
}

#[tokio::test]
async fn a_session_stays_where_it_is_until_that_fails_and_the_receipt_says_why() {
    let equal =
        TWO_ACCOUNTS.replace("priority = 1", "priority = 0").replace("_million = 20", "_million = 10");
    let equal = equal.replace("input_usd_per_million = 2", "input_usd_per_million = 1");
    let rig = Rig::new(&equal).await;
    let asked = ask("acme/m").replacen('{', "{\"session_id\":\"s-1\",", 1);
    let mut homes = Vec::new();
    for _ in 0..12 {
        let seen = rig.chat(&asked).await.unwrap();
        homes.push(rig.rows_of(seen.request).await[0].opening.account.clone());
    }
    assert!(homes.iter().all(|home| *home == homes[0]), "{homes:?}");
    rig.provider(&homes[0]).push(Script::server_error());
    rig.chat(&asked).await.unwrap();
    let mut inbound = rig.inbound(trunkline_domain::Dialect::OpenaiChat, &asked);
    inbound.headers.insert("x-trunkline-receipt", "full".parse().unwrap());
    let seen = rig.send(inbound).await.unwrap();
    let told = format!("\"affinity\":{{\"by\":\"session\",\"deployment\":\"{}/", homes[0]);
    assert!(seen.body.contains(&told) && seen.body.contains("\"moved\":\"unhealthy\""), "{}", seen.body);
}
