//! Who is left out, and why.

use trunkline_catalogue::{Capability, PriceList, Support};
use trunkline_domain::Text;
use trunkline_domain::plan::ExclusionReason;
use trunkline_routing::PlanError;
use trunkline_routing::ask::Budgeted;
use trunkline_routing::world::{Standing, Unpriced};

use crate::house::{House, deployment, skim};

#[test]
fn only_a_known_no_excludes() {
    let mut house = House::of([deployment("a", "m", "acme/m", "1"), deployment("b", "m", "acme/m", "1")]);
    let offer = &mut house.deployments[0].offer;
    offer.capabilities = offer.capabilities.with(Capability::Tools, Support::No);
    let mut asked = skim("acme/m");
    asked.needs.tools = true;
    assert_eq!(house.order(&asked, 1), ["b/m"], "b says nothing about tools");
    house.deployments.pop();
    assert_eq!(house.reasons(&asked), [ExclusionReason::Capability { missing: "tools".into() }]);
}

#[test]
fn a_prompt_that_cannot_fit_is_not_sent() {
    let house = House::of([deployment("a", "m", "acme/m", "1")]);
    let mut asked = skim("acme/m");
    asked.text_bytes = 80_000;
    let reasons = house.reasons(&asked);
    assert_eq!(reasons, [ExclusionReason::ContextWindow { window: 8_000, needed: 10_000 }]);
    asked.text_bytes = 40_000;
    assert!(house.plan(&asked, 0).is_ok(), "five bytes a token are possible");
}

#[test]
fn provider_preferences_are_for_those_who_understand_them() {
    let house = House::of([deployment("a", "m", "acme/m", "1")]);
    let mut asked = skim("acme/m");
    asked.provider_preferences = true;
    assert_eq!(house.reasons(&asked), [ExclusionReason::Capability { missing: "provider".into() }]);
}

#[test]
fn a_model_without_a_price_is_refused_under_a_budget() {
    let mut house = House::of([deployment("a", "m", "acme/m", "1")]);
    house.deployments[0].offer.prices = PriceList::default();
    assert!(house.plan(&skim("acme/m"), 0).is_ok());
    house.budgeted = Some(Budgeted::Yes);
    assert_eq!(house.reasons(&skim("acme/m")), [ExclusionReason::Unpriced]);
    house.budgeted = None;
    house.deployments[0].unpriced = Unpriced::Refuse;
    assert_eq!(house.reasons(&skim("acme/m")), [ExclusionReason::Unpriced]);
}

#[test]
fn a_field_without_a_limit_is_named_under_a_budget() {
    let mut house = House::of([deployment("a", "m", "acme/m", "1")]);
    house.budgeted = Some(Budgeted::Yes);
    let mut asked = skim("acme/m");
    asked.needs.unbounded_fees = true;
    assert_eq!(
        house.reasons(&asked),
        [ExclusionReason::Unbounded { field: Text::from("web_search_options") }]
    );
}

#[test]
fn who_asked_to_be_left_alone_is_left_alone_until_then() {
    let mut house = House::of([deployment("a", "m", "acme/m", "1")]);
    house.standings = vec![Standing::Barred { until_ms: 8_000, rate_limited: true }];
    let Err(PlanError::NothingLeft { retry_after_ms, .. }) = house.plan(&skim("acme/m"), 0) else { panic!() };
    assert_eq!(retry_after_ms, Some(7_000));
    house.standings = vec![Standing::Barred { until_ms: 1_000, rate_limited: true }];
    assert!(house.plan(&skim("acme/m"), 0).is_ok());
}

#[test]
fn the_last_candidate_is_tried_although_its_breaker_is_open() {
    let mut house = House::of([deployment("a", "m", "acme/m", "1")]);
    house.standings = vec![Standing::Open];
    assert_eq!(house.order(&skim("acme/m"), 0), ["a/m"]);
}
