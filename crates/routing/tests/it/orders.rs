//! Who comes first.

use std::time::Duration;

use proptest::prelude::*;
use trunkline_domain::Dialect;
use trunkline_domain::attempt::Cause;
use trunkline_domain::chat::Minter;
use trunkline_domain::plan::Step;
use trunkline_domain::receipt::{AffinityBy, Moved};
use trunkline_providers::registry;
use trunkline_routing::Deployment;
use trunkline_routing::ask::Affinity;
use trunkline_routing::world::{Fallbacks, Live, Quantiles, Route, Standing};
use trunkline_wire::codec::Skim;

use crate::house::{House, deployment, skim};

#[test]
fn half_the_price_comes_first_four_times_as_often() {
    let house = House::of([deployment("cheap", "m", "acme/m", "1"), deployment("dear", "m", "acme/m", "2")]);
    let asked = skim("acme/m");
    let first = (0..4_000).filter(|seed| house.order(&asked, *seed)[0] == "cheap/m").count();
    assert!((3_100..3_300).contains(&first), "4/5 of 4,000 is 3,200, not {first}");
}

#[test]
fn the_healthy_come_before_the_cheap() {
    let mut house =
        House::of([deployment("cheap", "m", "acme/m", "0.01"), deployment("dear", "m", "acme/m", "20")]);
    for ill in [Standing::Degraded, Standing::Open] {
        house.standings = vec![ill, Standing::Healthy];
        assert!((0..100).all(|seed| house.order(&skim("acme/m"), seed) == ["dear/m", "cheap/m"]));
    }
}

#[test]
fn priority_comes_before_health() {
    let mut house = House::of([deployment("a", "m", "acme/m", "1"), deployment("b", "m", "acme/m", "1")]);
    house.deployments[0].priority = 1;
    house.standings = vec![Standing::Healthy, Standing::Degraded];
    assert_eq!(house.order(&skim("acme/m"), 3), ["b/m", "a/m"]);
}

#[test]
fn being_free_does_not_take_a_paid_models_traffic() {
    let house = House::of([deployment("free", "m", "acme/m", "0"), deployment("paid", "m", "acme/m", "1")]);
    assert!((0..100).all(|seed| house.order(&skim("acme/m"), seed) == ["paid/m", "free/m"]));
}

fn pair() -> House {
    House::of([deployment("a", "m", "acme/m", "1"), deployment("b", "m", "acme/m", "1")])
}

fn slow(ms: u32) -> Live {
    let quantiles = Quantiles { p90_ms: Some(ms), p95_ms: Some(ms) };
    Live { first_content: quantiles, whole: quantiles, ..Live::default() }
}

#[test]
fn who_has_no_room_left_or_is_too_slow_for_the_request_comes_last() {
    let mut house = pair();
    house.lives = vec![Live { strained: true, ..Live::default() }, Live::default()];
    assert!((0..50).all(|seed| house.order(&skim("acme/m"), seed)[0] == "b/m"));
    house.lives = vec![slow(900), slow(100)];
    let mut asked = skim("acme/m");
    assert!((0..50).any(|seed| house.order(&asked, seed)[0] == "a/m"));
    asked.wishes.ttft_budget_ms = Some(500);
    assert!((0..50).all(|seed| house.order(&asked, seed)[0] == "b/m"));
    asked.wishes = trunkline_wire::routing::Wishes { latency_budget_ms: Some(500), ..Default::default() };
    assert!((0..50).all(|seed| house.order(&asked, seed)[0] == "b/m"));
}

#[test]
fn requests_that_belong_together_go_to_the_same_deployment() {
    let all =
        |count: usize| House::of((0..count).map(|at| deployment(&format!("a{at}"), "m", "acme/m", "1")));
    let home = |house: &mut House, hash| {
        house.affinity = Some(Affinity { by: AffinityBy::Session, hash });
        let orders: Vec<_> = (0..20).map(|seed| house.order(&skim("acme/m"), seed)).collect();
        assert!(orders.iter().all(|order| *order == orders[0]), "whatever the seed");
        orders[0][0].clone()
    };
    let (mut five, mut six) = (all(5), all(6));
    let moved = (0..600).filter(|hash| home(&mut five, hash * 7919) != home(&mut six, hash * 7919)).count();
    assert!((60..140).contains(&moved), "one more deployment takes its sixth, 100 of 600, not {moved}");
}

#[test]
fn a_request_is_moved_from_where_it_belongs_only_for_a_reason_that_is_told() {
    let mut house = pair();
    house.affinity = Some(Affinity { by: AffinityBy::Prefix, hash: 1 });
    let told = |house: &House| house.plan(&skim("acme/m"), 0).unwrap().affinity.unwrap();
    let at_home = told(&house);
    assert_eq!((at_home.by, at_home.moved), (AffinityBy::Prefix, None));
    let home = usize::from(&*at_home.deployment == "b/m");
    for (live, reason) in [
        (Live { standing: Standing::Degraded, ..Live::default() }, Moved::Unhealthy),
        (Live { strained: true, ..Live::default() }, Moved::Strained),
        (Live { in_flight: 40, ..Live::default() }, Moved::Busy),
    ] {
        house.lives = vec![Live::default(); 2];
        house.lives[home] = live;
        let moved = told(&house);
        assert_eq!((moved.deployment, moved.moved), (at_home.deployment.clone(), Some(reason)));
    }
    house.lives[home] = Live { in_flight: 4, ..Live::default() };
    assert_eq!(told(&house).moved, None, "a few are not too many");
}

#[test]
fn a_hedge_waits_for_the_usual_time_or_the_requests_own() {
    let mut house = pair();
    let mut asked = skim("acme/m");
    asked.wishes.hedge = Some(true);
    let after = |house: &House, asked: &Skim| {
        let Step::InOrder { steps, .. } = house.plan(asked, 0).unwrap().root else { panic!("one model") };
        let [Step::Hedge { after, .. }] = steps[..] else { return None };
        Some(after)
    };
    assert_eq!(after(&house, &asked), None, "nothing is known yet");
    house.lives = vec![slow(300), slow(300)];
    assert_eq!(after(&house, &asked), Some(Duration::from_millis(300)));
    asked.wishes.ttft_budget_ms = Some(200);
    assert_eq!(after(&house, &asked), Some(Duration::from_millis(200)));
    asked.wishes.hedge = None;
    assert_eq!(after(&house, &asked), None, "nobody asked");
    let route = Route { targets: vec!["acme/m".into()], hedge: true, ..Route::default() };
    house.routes.insert("fast".into(), route);
    asked.model = "fast".into();
    assert_eq!(after(&house, &asked), Some(Duration::from_millis(200)));
}

#[test]
fn a_routes_chains_are_for_their_causes() {
    let long = deployment("c", "long", "acme/long", "1");
    let other = deployment("d", "other", "acme/other", "1");
    let mut house = pair();
    house.deployments.extend([long, other]);
    let fallbacks = Fallbacks {
        context_length: vec!["acme/long".into()],
        general: vec!["acme/other".into(), "acme/gone".into()],
        ..Fallbacks::default()
    };
    house
        .routes
        .insert("all".into(), Route { targets: vec!["acme/m".into()], fallbacks, ..Route::default() });
    let Step::Fallback { chains, .. } = house.plan(&skim("all"), 0).unwrap().root else {
        panic!("no chains")
    };
    let labels = |cause: Cause| {
        let chain = chains.iter().find(|chain| chain.on.contains(cause));
        chain.map(|chain| {
            house.deployments[chain.step.candidates()[0].deployment.0 as usize].label.to_string()
        })
    };
    assert_eq!(labels(Cause::ContextTooLong).as_deref(), Some("c/long"));
    assert_eq!(labels(Cause::ServerError).as_deref(), Some("d/other"));
    assert_eq!(labels(Cause::ContentBlocked).as_deref(), Some("d/other"));
    assert_eq!(labels(Cause::InvalidRequest), None);
}

proptest! {
    #[test]
    fn a_plan_is_a_function_of_its_arguments(seed: u64, prices in prop::collection::vec(1_u32..100, 1..12)) {
        let all = prices.iter().enumerate().map(|(at, price)| deployment(&format!("a{at}"), "m", "acme/m", &price.to_string()));
        let house = House::of(all);
        let (one, other) = (house.plan(&skim("acme/m"), seed), house.plan(&skim("acme/m"), seed));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.unwrap().root.candidates().len(), prices.len());
    }
}

#[test]
fn a_conversations_state_comes_before_priority_price_and_session() {
    let mut house = House::of([deployment("a", "m", "acme/m", "9"), deployment("b", "m", "acme/m", "1")]);
    house.deployments[0].priority = 1;
    house.affinity = Some(Affinity { by: AffinityBy::Session, hash: 3 });
    assert_eq!(house.order(&skim("acme/m"), 1), ["b/m", "a/m"]);
    house.state = Some((Minter::Account("a".into()), "a/m".into()));
    assert!((0..50).all(|seed| house.order(&skim("acme/m"), seed) == ["a/m", "b/m"]));
    let tied = house.plan(&skim("acme/m"), 1).unwrap().affinity.unwrap();
    assert_eq!((tied.by, &*tied.deployment, tied.moved), (AffinityBy::State, "a/m", None));
    // It is not left for a failure now and then, for being slow or busy.
    for live in [Live { standing: Standing::Degraded, in_flight: 40, ..Live::default() }, slow(9_000)] {
        house.lives = vec![live, Live::default()];
        assert_eq!(house.order(&skim("acme/m"), 1), ["a/m", "b/m"]);
    }
}

#[test]
fn a_conversation_leaves_its_state_only_where_it_would_be_refused_or_fail() {
    let mut house = pair();
    house.state = Some((Minter::Account("a".into()), "a/m".into()));
    for (live, moved) in [
        (Live { standing: Standing::Open, ..Live::default() }, Moved::Unhealthy),
        (Live { strained: true, ..Live::default() }, Moved::Strained),
    ] {
        house.lives = vec![live, Live::default()];
        assert!((0..50).all(|seed| house.order(&skim("acme/m"), seed)[0] == "b/m"));
        let tied = house.plan(&skim("acme/m"), 1).unwrap().affinity.unwrap();
        assert_eq!((&*tied.deployment, tied.moved), ("a/m", Some(moved)));
    }
    house.lives = Vec::new();
    house.state = Some((Minter::Account("gone".into()), "gone/m".into()));
    let tied = house.plan(&skim("acme/m"), 1).unwrap().affinity.unwrap();
    assert_eq!((&*tied.deployment, tied.moved), ("gone/m", Some(Moved::Absent)));
}

#[test]
fn what_claude_signed_is_at_home_wherever_the_same_model_is() {
    let claude = |account: &str, model: &str| {
        let provider = registry::by_id("anthropic").unwrap();
        Deployment { provider, ..deployment(account, "m", model, "1") }
    };
    let one = claude("a", "acme/m");
    assert_eq!(
        one.minter(Dialect::AnthropicMessages),
        claude("b", "acme/m").minter(Dialect::AnthropicMessages)
    );
    assert_ne!(
        one.minter(Dialect::AnthropicMessages),
        claude("a", "acme/n").minter(Dialect::AnthropicMessages)
    );
    let other = deployment("a", "m", "acme/m", "1");
    assert_eq!(other.minter(Dialect::OpenaiChat), Minter::Account("a".into()));
}
