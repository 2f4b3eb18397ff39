//! Money: settled and held never pass a budget, and what is refused says both figures.

use trunkline_domain::access::ModelPattern;
use trunkline_domain::access::RateLimits;
use trunkline_domain::{ErrorKind, NanoUsd};
use trunkline_engine::mint::KeySpec;

use crate::rig::{Rig, TWO_ACCOUNTS, ask, budget, limits};

#[tokio::test]
async fn a_request_beyond_the_budget_is_refused_with_both_figures() {
    let rig = Rig::with_key(TWO_ACCOUNTS, budget("0.000001")).await;
    let refusal = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::BudgetExceeded);
    assert_eq!(refusal.status(), 402);
    assert!(refusal.message.contains("$0.000001"), "{refusal}");
    assert!(rig.provider("east").log().is_empty(), "nothing was sent");
    rig.assert_nothing_held();
}

#[tokio::test]
async fn the_output_is_clamped_to_what_the_budget_has_room_for() {
    let rig = Rig::with_key(TWO_ACCOUNTS, budget("0.002")).await;
    let seen = rig.chat(&ask("acme/m")).await.unwrap();
    let clamped = seen.headers["x-trunkline-clamped"].to_str().unwrap().to_owned();
    let sent = rig.provider("east").log()[0].body.clone();
    let cap = clamped.strip_prefix("max_tokens=").unwrap();
    assert!(sent.contains(&format!(":{cap}")), "{sent} {clamped}");
}

#[tokio::test]
async fn sixty_four_callers_at_once_never_pass_a_budget_for_three() {
    let fixed = "[providers.east]\nkind = \"custom\"\nbase_url = \"http://east.test/v1\"\napi_key = { env = \"KEY\" }\n\
                 models = [{ id = \"m-1\", name = \"acme/m\", input_usd_per_million = 0, output_usd_per_million = 0, per_request_usd = 0.0001 }]\n";
    let rig = Rig::with_key(fixed, budget("0.0003")).await;
    let rig = std::sync::Arc::new(rig);
    let callers = (0..64).map(|_| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.chat(&ask("acme/m")).await.map(|_| ()).map_err(|error| error.kind) })
    });
    let mut served = 0;
    for caller in callers.collect::<Vec<_>>() {
        match caller.await.unwrap() {
            Ok(()) => served += 1,
            Err(kind) => assert_eq!(kind, ErrorKind::BudgetExceeded),
        }
    }
    assert_eq!(served, 3);
    let spent: i64 = rig.rows().await.iter().map(|row| row.settlement.cost.0).sum();
    assert_eq!(NanoUsd(spent), "0.0003".parse().unwrap());
}

#[tokio::test]
async fn a_model_without_a_price_is_refused_under_a_budget_and_never_recorded_as_free() {
    let unpriced = "[providers.east]\nkind = \"custom\"\nbase_url = \"http://east.test/v1\"\napi_key = { env = \"KEY\" }\n\
                    models = [{ id = \"m-1\", name = \"acme/m\" }]\n";
    let budgeted = Rig::with_key(unpriced, budget("1")).await;
    assert_eq!(budgeted.chat(&ask("acme/m")).await.unwrap_err().kind, ErrorKind::CostUnbounded);
    let free = Rig::new(unpriced).await;
    free.chat(&ask("acme/m")).await.unwrap();
    assert_eq!(&*free.rows().await[0].opening.price_version, "unpriced");
}

#[tokio::test]
async fn limits_are_enforced_and_told() {
    let rig = Rig::with_key(TWO_ACCOUNTS, limits(RateLimits { rpm: Some(2), ..RateLimits::default() })).await;
    let first = rig.chat(&ask("acme/m")).await.unwrap();
    assert_eq!(first.headers["x-ratelimit-limit-requests"], "2");
    assert_eq!(first.headers["x-ratelimit-remaining-requests"], "1");
    rig.chat(&ask("acme/m")).await.unwrap();
    let refusal = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.status()), (ErrorKind::RateLimited, 429));
    assert!(refusal.retry_after.is_some());
}

#[tokio::test]
async fn a_key_may_use_only_the_models_in_its_scope() {
    let spec = KeySpec { models: vec![ModelPattern("west/*".into())], ..KeySpec::default() };
    let rig = Rig::with_key(TWO_ACCOUNTS, spec).await;
    assert_eq!(rig.chat(&ask("east/m-1")).await.unwrap_err().kind, ErrorKind::Forbidden);
    let seen = rig.chat(&ask("acme/m")).await.unwrap();
    assert_eq!(&*rig.rows_of(seen.request).await[0].opening.account, "west");
}

#[tokio::test]
async fn the_fixed_price_of_the_sandbox_is_its_bound_and_its_cost() {
    let rig = Rig::with_key("", budget("0.0001")).await;
    rig.chat(&ask("sandbox/fixed-price")).await.unwrap();
    assert_eq!(rig.rows().await[0].settlement.cost, NanoUsd(100_000));
    assert_eq!(rig.chat(&ask("sandbox/fixed-price")).await.unwrap_err().kind, ErrorKind::BudgetExceeded);
}

#[tokio::test]
async fn an_accounts_own_limit_sends_traffic_to_the_next() {
    let toml = TWO_ACCOUNTS.replace("priority = 0", "priority = 0\n rpm = 1");
    let rig = Rig::new(&toml).await;
    rig.chat(&ask("acme/m")).await.unwrap();
    rig.chat(&ask("acme/m")).await.unwrap();
    let accounts: Vec<_> = rig.rows().await.into_iter().map(|row| row.opening.account).collect();
    assert_eq!(accounts, ["east".into(), "west".into()]);
}
