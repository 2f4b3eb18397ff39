//! Failover nobody notices, and the rows that tell about it.

use std::time::Duration;

use trunkline_domain::ErrorKind;
use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::EntryState;
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, End};

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream};

fn impatient(deadline: &str) -> String {
    TWO_ACCOUNTS.replace("priority = 0", &format!("priority = 0\n timeouts = {{ {deadline} = 60 }}"))
}

#[tokio::test]
async fn a_200_followed_by_an_overloaded_error_fails_over() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script::overloaded_event());
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    assert_eq!(seen.headers["x-trunkline-provider"], "custom");
    assert_eq!(seen.headers["x-trunkline-attempts"], "2");
    assert!(seen.body.ends_with("data: [DONE]\n\n"), "{}", seen.body);
    let rows = rig.rows_of(seen.request).await;
    let told: Vec<_> = rows.iter().map(|row| (&*row.opening.account, row.settlement.cause)).collect();
    assert_eq!(told, [("east", Some(Cause::Overloaded)), ("west", None)]);
    assert_eq!(rows[0].settlement.state, EntryState::Void);
    assert_eq!(rows[1].settlement.state, EntryState::Settled);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn a_429_with_retry_after_7_keeps_that_credential_out() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script::rate_limited(7));
    let first = rig.chat(&ask("acme/m")).await.unwrap();
    let rows = rig.rows_of(first.request).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].settlement.cause, Some(Cause::RateLimited));
    let second = rig.chat(&ask("acme/m")).await.unwrap();
    let accounts: Vec<_> =
        rig.rows_of(second.request).await.iter().map(|row| row.opening.account.clone()).collect();
    assert_eq!(accounts, ["west".into()], "east rests for seven seconds");
    let refusal = rig.chat(&ask("east/m-1")).await.unwrap_err();
    let wait = refusal.retry_after.unwrap();
    assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(7), "{wait:?}");
}

#[tokio::test]
async fn traffic_goes_elsewhere_before_a_provider_refuses_it() {
    let rig = Rig::new(&TWO_ACCOUNTS.replace("priority = 1", "priority = 0")).await;
    let last = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let spent = [last("x-ratelimit-remaining-requests", "0"), last("x-ratelimit-reset-requests", "60s")];
    rig.provider("east").push(Script { headers: spent.into(), ..Script::default() });
    assert_eq!(rig.chat(&ask("east/m-1")).await.unwrap().status, 200);
    for _ in 0..10 {
        let seen = rig.chat(&ask("acme/m")).await.unwrap();
        let rows = rig.rows_of(seen.request).await;
        assert_eq!(rows.iter().map(|row| &*row.opening.account).collect::<Vec<_>>(), ["west"]);
    }
    let alone = rig.chat(&ask("east/m-1")).await.unwrap();
    assert_eq!(alone.status, 200, "the last candidate is tried, whatever its provider last said");
}

#[tokio::test]
async fn a_body_that_hangs_after_its_headers_ends_at_the_first_content_deadline() {
    let rig = Rig::new(&impatient("first_content_ms")).await;
    rig.provider("east").push(Script::role_then_silence());
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    let rows = rig.rows_of(seen.request).await;
    assert_eq!(rows[0].settlement.cause, Some(Cause::FirstContentTimeout));
    assert_eq!(rows[0].settlement.status, Some(200));
    assert_eq!(rows[1].settlement.cause, None);
}

#[tokio::test]
async fn pings_do_not_reset_the_first_content_deadline() {
    let rig = Rig::new(&impatient("first_content_ms")).await;
    rig.provider("east").push(Script::pings(5));
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    assert_eq!(rig.rows_of(seen.request).await[0].settlement.cause, Some(Cause::FirstContentTimeout));
}

#[tokio::test]
async fn headers_that_never_come_end_at_their_deadline() {
    let rig = Rig::new(&impatient("headers_ms")).await;
    rig.provider("east").push(Script::hangs());
    let seen = rig.chat(&ask("acme/m")).await.unwrap();
    assert_eq!(rig.rows_of(seen.request).await[0].settlement.cause, Some(Cause::HeadersTimeout));
}

#[tokio::test]
async fn every_way_to_fail_before_content_is_tried_elsewhere() {
    let ways = [
        (Script::server_error(), Cause::ServerError),
        (Script::html(502), Cause::ServerError),
        (Script::garbage(), Cause::Malformed),
        (Script::redirect("http://elsewhere.test/"), Cause::Malformed),
        (Script::closes(), Cause::Cut),
        (Script::error(401, "invalid_request_error", Some("invalid_api_key"), "no"), Cause::Unauthorized),
        (Script::error(404, "invalid_request_error", Some("model_not_found"), "no"), Cause::ModelNotFound),
        (Script::error(503, "server_error", None, "no"), Cause::Overloaded),
    ];
    for (script, cause) in ways {
        for body in [ask("acme/m"), ask_stream("acme/m")] {
            let rig = Rig::new(TWO_ACCOUNTS).await;
            rig.provider("east").push(script.clone());
            let seen = rig.chat(&body).await.unwrap();
            let causes: Vec<_> =
                rig.rows_of(seen.request).await.iter().map(|row| row.settlement.cause).collect();
            assert_eq!(causes, [Some(cause), None], "{script:?} {body}");
            rig.assert_nothing_held();
        }
    }
}

#[tokio::test]
async fn a_callers_own_mistake_is_not_tried_elsewhere_and_keeps_the_providers_words() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script::error(
        400,
        "invalid_request_error",
        Some("bad_temperature"),
        "temperature is too hot",
    ));
    let refusal = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::UpstreamRejected);
    assert_eq!(refusal.status(), 400);
    assert!(refusal.message.contains("temperature is too hot"));
    assert_eq!(rig.rows().await.len(), 1);
    assert!(rig.provider("west").log().is_empty());
}

#[tokio::test]
async fn errors_in_words_nobody_knows_are_counted_and_those_that_are_known_are_not() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let east = rig.provider("east");
    east.push(Script::error(418, "odd_type", Some("odd_code"), "something new"));
    east.push(Script::html(502));
    east.push(Script::error(429, "insufficient_quota", Some("insufficient_quota"), "no money"));
    for _ in 0..3 {
        // What the caller gets is told elsewhere.
        _ = rig.chat(&ask("acme/m")).await;
    }
    let metrics = rig.engine.metrics_text();
    let counted: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("trunkline_unknown_errors_total{")).collect();
    for status in ["418", "502"] {
        let line = format!("trunkline_unknown_errors_total{{provider=\"custom\",status=\"{status}\"}} 1");
        assert!(counted.contains(&line.as_str()), "{line}: {counted:?}");
    }
    assert_eq!(counted.len(), 2, "{counted:?}");
}

#[tokio::test]
async fn an_account_without_money_is_not_asked_again_as_a_limited_one_is() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let quota = || Script::error(429, "insufficient_quota", Some("insufficient_quota"), "no money");
    rig.provider("east").push(quota());
    rig.provider("west").push(quota());
    let refusal = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::UpstreamAuth);
    assert_eq!((rig.provider("east").log().len(), rig.provider("west").log().len()), (1, 1));
}

#[tokio::test]
async fn when_nobody_answers_each_attempts_cause_is_told() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    for provider in ["east", "west"] {
        for _ in 0..4 {
            rig.provider(provider).push(Script::error(
                401,
                "invalid_request_error",
                Some("invalid_api_key"),
                "no",
            ));
        }
    }
    let refusal = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::UpstreamAuth);
    assert!(
        refusal.message.contains("1. east/m-1: unauthorized (status 401); 2. west/m-2: unauthorized"),
        "{refusal}"
    );
    rig.assert_nothing_held();
}

#[tokio::test]
async fn a_single_deployment_that_hiccups_is_tried_again() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script::server_error());
    let seen = rig.chat(&ask("east/m-1")).await.unwrap();
    let causes: Vec<_> = rig.rows_of(seen.request).await.iter().map(|row| row.settlement.cause).collect();
    assert_eq!(causes, [Some(Cause::ServerError), None]);
}

#[tokio::test]
async fn fallback_models_are_tried_when_the_first_has_too_small_a_window() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script::error(
        400,
        "invalid_request_error",
        Some("context_length_exceeded"),
        "too long",
    ));
    let body = r#"{"model":"east/m-1","models":["west/m-2"],"messages":[{"role":"user","content":"x"}]}"#;
    let seen = rig.chat(body).await.unwrap();
    assert_eq!(seen.headers["x-trunkline-model"], "acme/m");
    let causes: Vec<_> = rig.rows_of(seen.request).await.iter().map(|row| row.settlement.cause).collect();
    assert_eq!(causes, [Some(Cause::ContextTooLong), None]);
}

#[tokio::test]
async fn a_request_too_large_for_one_accounts_minute_was_waited_for_and_the_account_rested() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let words =
        "Request too large for m-1 in organization o on tokens per min (TPM): Limit 10, Requested 20.";
    let refusal = || Script::error(429, "tokens", Some("rate_limit_exceeded"), words);
    rig.provider("east").push(refusal());
    let causes = async |body: &str| -> Vec<_> {
        let seen = rig.chat(body).await.unwrap();
        rig.rows_of(seen.request).await.iter().map(|row| row.settlement.cause).collect()
    };
    // Elsewhere there may be room for it, and there is for smaller ones.
    let body = r#"{"model":"east/m-1","models":["west/m-2"],"messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(causes(body).await, [Some(Cause::RequestOverLimit), None]);
    assert_eq!(causes(&ask("east/m-1")).await, [None]);
    // With nowhere to go it is refused, not tried again.
    rig.provider("east").push(refusal());
    let error = rig.chat(&ask("east/m-1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UpstreamRejected);
    assert_eq!(rig.provider("east").log().len(), 3);
}

#[tokio::test]
async fn a_credential_repeated_by_its_provider_does_not_get_through() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let words = "Bad request near provider-key-canary in field";
    rig.provider("east").push(Script::error(400, "invalid_request_error", Some("bad"), words));
    let refusal = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert!(!format!("{refusal} {refusal:?}").contains("canary"), "{refusal:?}");
}

#[tokio::test]
async fn a_routes_deadline_goes_before_its_accounts_and_an_accounts_before_the_default() {
    let toml = format!(
        "{}\n[routes.hasty]\ntargets = [\"acme/m\"]\ntimeouts = {{ first_content_ms = 60 }}\n",
        TWO_ACCOUNTS.replace("priority = 0", "priority = 0\n timeouts = { first_content_ms = 600000 }")
    );
    let rig = Rig::new(&toml).await;
    rig.provider("east").push(Script::role_then_silence());
    let seen = rig.chat(&ask_stream("hasty")).await.unwrap();
    assert_eq!(rig.rows_of(seen.request).await[0].settlement.cause, Some(Cause::FirstContentTimeout));
}

#[tokio::test]
async fn the_total_deadline_holds_after_the_commit_too() {
    let toml =
        format!("{TWO_ACCOUNTS}\n[routes.brief]\ntargets = [\"acme/m\"]\ntimeouts = {{ total_ms = 300 }}\n");
    let rig = Rig::new(&toml).await;
    rig.provider("east").push(Script::says("one two").ending(End::Stall(After::Pieces(3))));
    let seen = rig.chat(&ask_stream("brief")).await.unwrap();
    assert!(seen.body.contains("\"code\":\"deadline_exceeded\""), "{}", seen.body);
    assert_eq!(rig.rows_of(seen.request).await[0].settlement.cause, Some(Cause::TotalTimeout));
}
