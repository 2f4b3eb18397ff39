//! Who comes first.

use proptest::prelude::*;
use trunkline_routing::world::Standing;

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
