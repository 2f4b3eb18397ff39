//! The simulated provider's offers.

use trunkline_catalogue::{Catalogue, Offer, SANDBOX, Terms};
use trunkline_domain::{ModelName, NanoUsd, Operation, UnixMs, Usage};

fn offers() -> Vec<Offer> {
    Catalogue::embedded().unwrap().offers(SANDBOX).unwrap()
}

#[test]
fn a_fixed_price_is_one_price_whatever_is_asked() {
    let offers = offers();
    let fixed = offers.iter().find(|offer| offer.model == ModelName::from("sandbox/fixed-price")).unwrap();
    let usage = Usage {
        input_tokens: 5_000,
        reasoning_tokens: 7,
        output_tokens: 900,
        cache_read_tokens: 3,
        ..Usage::default()
    };
    let fee: NanoUsd = "0.0001".parse().unwrap();
    assert_eq!(fixed.prices.cost(&usage, &Terms::default()).unwrap().round(), fee);
    assert_eq!(fixed.prices.bound(100_000, 8_000, 4, UnixMs(0)), Ok(fee));
}

#[test]
fn it_says_that_it_is_simulated_and_is_no_real_model() {
    let real = Catalogue::embedded().unwrap().models().unwrap();
    for offer in offers() {
        assert!(offer.display_name.as_ref().unwrap().starts_with("Simulated"), "{offer:?}");
        assert_eq!(offer.model.as_str(), format!("sandbox/{}", offer.upstream_id));
        assert!(real.iter().all(|entry| entry.name != offer.model));
        assert!(offer.prices.bound(1_000, 1_000, 1, UnixMs(0)).is_ok(), "{offer:?}");
        assert_ne!(offer.serves(Operation::Chat), offer.serves(Operation::Embeddings));
    }
}
