//! Every rule that refuses a figure, on facts made for it.

use serde_json::{Value, json};
use trunkline_catalogue::{Catalogue, ServiceTier, Terms};
use trunkline_domain::{NanoUsd, UnixMs, Usage};

use super::*;

/// A model at provider `p` with some fields replaced.
fn model(id: &str, fields: Value) -> Value {
    let mut model = json!({
        "id": format!("p:{id}"), "provider": "p", "provider_model_id": id, "region": null, "model": format!("vendor/{id}"),
        "name": null, "kind": "chat", "status": "listed", "context_window": 1000, "max_output_tokens": 100,
        "modalities": {"input": null, "output": null}, "capabilities": {"tools": true, "vision": null},
        "prices": null, "release_date": "2026-03", "deprecation_date": null,
    });
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    for (name, value) in fields {
        model[name] = value;
    }
    model
}

fn built(models: Vec<Value>) -> (Vec<Offer>, String) {
    let provider =
        |id: &str, self_hosted| facts::Provider { id: id.to_owned(), name: id.to_owned(), self_hosted };
    let models = models.into_iter().map(|model| serde_json::from_value(model).unwrap()).collect();
    let providers = vec![provider("p", false), provider("q", false), provider("own", true)];
    let facts = Facts { date: jiff::civil::date(2026, 11, 22), models, providers };
    let built = build(&facts).unwrap();
    let catalogue = Catalogue::from_bytes(&built.bytes).unwrap();
    let offers = ["p", "q", "own"].into_iter().flat_map(|provider| catalogue.offers(provider).unwrap());
    (offers.collect(), built.review)
}

fn one(fields: Value) -> (Offer, String) {
    let (mut offers, review) = built(vec![model("m", fields)]);
    (offers.remove(0), review)
}

fn millions(offer: &Offer, usage: Usage, service_tier: ServiceTier) -> NanoUsd {
    offer.prices.cost(&usage, &Terms { service_tier, at: UnixMs(0) }).unwrap().round()
}

const INPUT: Usage = Usage { input_tokens: 1_000_000, ..EMPTY };
const EMPTY: Usage = Usage {
    input_tokens: 0,
    cache_read_tokens: 0,
    cache_write_5m_tokens: 0,
    cache_write_1h_tokens: 0,
    output_tokens: 0,
    reasoning_tokens: 0,
    audio_input_tokens: 0,
    audio_output_tokens: 0,
    image_input_tokens: 0,
    image_output_tokens: 0,
    units: trunkline_domain::usage::Units { searches: 0, images: 0, pages: 0, seconds: 0 },
};

#[test]
fn nonsense_prices_leave_the_offer_unpriced_and_are_listed() {
    for (prices, heading) in [
        (json!({"input": "-1", "output": "2"}), "A price below zero"),
        (json!({"input": "3000", "output": "2"}), "slip of units"),
        (json!({"input": "0.00001", "output": "2"}), "slip of units"),
        (json!({"input": "0", "output": "0"}), "Price zero outside"),
    ] {
        let (offer, review) = one(json!({"prices": prices}));
        assert!(!offer.prices.is_priced(UnixMs(0)), "{prices}");
        assert!(review.contains(heading) && review.contains("`p:m`"), "{review}");
    }
}

#[test]
fn zero_is_believed_of_free_variants_and_own_servers() {
    let zero = json!({"input": "0", "output": "0"});
    for fields in [json!({"prices": zero, "variant": "free"}), json!({"prices": zero, "provider": "own"})] {
        let (offer, _) = one(fields);
        assert_eq!(millions(&offer, INPUT, ServiceTier::Standard), NanoUsd(0));
    }
}

#[test]
fn a_price_far_from_that_of_the_models_own_vendor_is_a_slip() {
    let elsewhere = |provider: &str, input: &str| {
        let prices = json!({"input": input, "output": "2"});
        model(
            "m",
            json!({"provider": provider, "model": "q/m", "id": format!("{provider}:m"), "prices": prices}),
        )
    };
    let (offers, review) = built(vec![elsewhere("p", "150"), elsewhere("q", "1.5")]);
    let priced = |offer: &Offer| offer.prices.is_priced(UnixMs(0));
    assert_eq!(offers.iter().map(priced).collect::<Vec<_>>(), [false, true]);
    assert!(review.contains("`p:m`: input 150 where others list about 1.5"), "{review}");
}

#[test]
fn nonsense_tiers_and_limits_are_left_out_and_the_rest_stays() {
    let prices = json!({
        "input": "2", "output": "8", "cache_read": "3", "batch": {"input": "3", "output": "4"},
        "flex": {"input": "1", "output": "4"}, "priority": {"input": "1", "output": "1"},
        "tiers": [{"above_tokens": 500, "input": "1", "output": "8"}],
    });
    let (offer, review) = one(json!({"prices": prices, "max_output_tokens": 1001}));
    let tiers: Vec<_> =
        offer.prices.periods[0].sheets.iter().map(|sheet| (sheet.tier, sheet.steps.len())).collect();
    assert_eq!(tiers, [(ServiceTier::Standard, 1), (ServiceTier::Flex, 1)]);
    assert_eq!(
        millions(&offer, Usage { cache_read_tokens: 1_000_000, ..EMPTY }, ServiceTier::Standard),
        NanoUsd(2_000_000_000)
    );
    assert_eq!(offer.output_max, None);
    for heading in [
        "Batch or flex dearer",
        "A dearer service tier below",
        "Long prompts cheaper",
        "Cache reads dearer",
        "An output limit above",
    ] {
        assert!(review.contains(heading), "{heading}: {review}");
    }
}

#[test]
fn what_a_tier_does_not_list_keeps_its_proportion() {
    let prices = json!({
        "input": "2", "output": "8", "cache_read": "0.2", "batch": {"input": "1", "output": "4"},
        "tiers": [{"above_tokens": 500_000, "input": "4", "output": "12"}],
    });
    let (offer, _) = one(json!({"prices": prices}));
    let cached = |tokens| Usage { cache_read_tokens: tokens, ..EMPTY };
    assert_eq!(millions(&offer, cached(500_000), ServiceTier::Standard), NanoUsd(100_000_000));
    assert_eq!(millions(&offer, cached(1_000_000), ServiceTier::Standard), NanoUsd(400_000_000));
    assert_eq!(millions(&offer, cached(1_000_000), ServiceTier::Batch), NanoUsd(200_000_000));
    assert_eq!(millions(&offer, INPUT, ServiceTier::Batch), NanoUsd(2_000_000_000));
}

#[test]
fn the_newest_price_wins_and_is_flagged() {
    let newest = json!({"input": {"value": "1.32", "source": "s", "date": "2026-11-12"}});
    let prices = json!({"input": "0.435", "output": "0.87"});
    let (offer, review) = one(json!({"prices": prices, "price_review": true, "price_newest": newest}));
    assert!(offer.review);
    assert_eq!(millions(&offer, INPUT, ServiceTier::Standard), NanoUsd(1_320_000_000));
    assert!(review.contains("`p:m`: input 0.435 → 1.32 (s, 2026-11-12)"), "{review}");
}

#[test]
fn hours_windows_and_fees_are_read() {
    let off_peak = json!([{"windows": [{"hours_utc": ["10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]}], "input": "1", "output": "2"}]);
    let prices = json!({
        "input": "2", "output": "4", "time_of_day": off_peak, "per_request": "0.005", "per_1k_searches": {"low": "5", "high": "14"},
    });
    let (offer, _) = one(json!({"prices": prices}));
    let period = &offer.prices.periods[0];
    let window = period.hours[0].windows[0];
    assert_eq!((window.weekdays, window.from_minute, window.to_minute), (0b1_1111, 600, 1440));
    assert_eq!(
        (period.fees.request, period.fees.search),
        (Some(NanoUsd(5_000_000)), Some(NanoUsd(14_000_000)))
    );
}

#[test]
fn kinds_without_an_operation_and_unknown_providers() {
    let (offers, review) = built(vec![model("m", json!({"kind": "image"}))]);
    assert_eq!(offers, []);
    assert!(review.contains("`image`: 1 offers"), "{review}");
    let stray = serde_json::from_value(model("m", json!({"provider": "nobody"}))).unwrap();
    let facts = Facts { date: jiff::civil::date(2026, 11, 22), models: vec![stray], providers: Vec::new() };
    assert!(build(&facts).is_err());
}
