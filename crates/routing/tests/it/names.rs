//! From a name to deployments.

use trunkline_domain::Text;
use trunkline_routing::PlanError;
use trunkline_routing::world::{Naming, Route};

use crate::house::{House, deployment, skim};

fn house() -> House {
    let mut house = House::of([
        deployment("east", "m-1", "acme/m", "1"),
        deployment("west", "m-2", "acme/m", "1"),
        deployment("west", "n", "acme/n", "1"),
        deployment("other", "n", "rival/n", "1"),
    ]);
    let targets = vec![Text::from("acme/n"), Text::from("east/m-1")];
    house.routes.insert(Text::from("fast"), Route { targets, attempts_max: Some(2), ..Route::default() });
    house
}

#[test]
fn a_canonical_slug_is_served_by_every_account_that_offers_it() {
    let mut order = house().order(&skim("acme/m"), 1);
    order.sort();
    assert_eq!(order, ["east/m-1", "west/m-2"]);
}

#[test]
fn a_short_alias_works_where_it_is_not_ambiguous() {
    assert_eq!(house().order(&skim("m"), 1).len(), 2);
    assert!(matches!(house().plan(&skim("n"), 1), Err(PlanError::UnknownModel { .. })));
}

#[test]
fn account_and_upstream_id_name_exactly_one_deployment() {
    assert_eq!(house().order(&skim("west/m-2"), 1), ["west/m-2"]);
}

#[test]
fn a_route_tries_its_targets_in_order_and_sets_its_own_attempts() {
    let house = house();
    assert_eq!(house.order(&skim("fast"), 1), ["west/n", "east/m-1"]);
    assert_eq!(house.plan(&skim("fast"), 1).unwrap().limits.attempts_max, 2);
}

#[test]
fn fallback_models_come_after_the_first() {
    let mut asked = skim("acme/n");
    asked.models = vec![Text::from("rival/n"), Text::from("east/m-1")];
    assert_eq!(house().order(&asked, 1), ["west/n", "other/n", "east/m-1"]);
}

#[test]
fn an_unknown_name_is_answered_with_names_like_it() {
    let Err(PlanError::UnknownModel { suggestions, .. }) = house().plan(&skim("acme/mm"), 1) else {
        panic!()
    };
    assert!(suggestions.contains(&Text::from("acme/m")), "{suggestions:?}");
}

#[test]
fn whatever_listens_locally_cannot_claim_a_vendors_model() {
    let mut house = house();
    let impostor = deployment("local", "m", "acme/m", "0");
    house.deployments.push(trunkline_routing::Deployment { naming: Naming::LabelOnly, ..impostor });
    assert!(!house.order(&skim("acme/m"), 1).contains(&"local/m".to_owned()));
    assert_eq!(house.order(&skim("local/m"), 1), ["local/m"]);
}
