//! The embedded catalogue, whole.

use std::collections::BTreeSet;

use trunkline_catalogue::{
    Catalogue, Kind, Names, Offer, PriceList, Rates, Resolution, SANDBOX, ServiceTier, TokenClass,
};
use trunkline_domain::{ModelName, Operation, PricePerMillion, UnixMs};

/// Two thousand dollars a million: no listed model costs as much.
const RATE_MAX: i64 = 2_000_000_000_000;
const NOW: UnixMs = UnixMs(1_795_564_800_000);

fn all_offers() -> Vec<Offer> {
    let catalogue = Catalogue::embedded().unwrap();
    let providers = catalogue.providers();
    providers.iter().flat_map(|provider| catalogue.offers(&provider.id).unwrap()).collect()
}

#[test]
fn it_is_small_and_decodes_whole() {
    let catalogue = Catalogue::embedded().unwrap();
    assert!(catalogue.bytes().len() < 1_000_000);
    assert_eq!(Catalogue::from_bytes(catalogue.bytes()).unwrap().version(), catalogue.version());
    assert!(catalogue.version().starts_with(&catalogue.date().to_string()));
    assert!(catalogue.models().unwrap().len() > 1_000);
    for provider in catalogue.providers() {
        let offers = catalogue.offers(&provider.id).unwrap();
        assert_eq!(u32::try_from(offers.len()).unwrap(), provider.offers, "{}", provider.id);
        assert!(offers.iter().all(|offer| offer.provider == provider.id));
    }
    assert_eq!(catalogue.offers("no-such-provider").unwrap(), []);
}

#[test]
fn offers_are_unique_and_named() {
    let mut seen = BTreeSet::new();
    for offer in all_offers() {
        let (vendor, model) = offer.model.as_str().split_once('/').unwrap();
        assert!(!vendor.is_empty() && !model.is_empty(), "{offer:?}");
        assert!(!offer.upstream_id.as_str().is_empty(), "{offer:?}");
        assert!(
            seen.insert((offer.provider.clone(), offer.upstream_id.clone(), offer.region.clone())),
            "{offer:?}"
        );
    }
}

#[test]
fn limits_and_prices_are_sane() {
    for offer in all_offers() {
        if let (Some(window), Some(output)) = (offer.context_window, offer.output_max) {
            assert!(output <= window && window > 0, "{offer:?}");
        }
        assert!(offer.kind != Kind::Embedding || offer.output_max.is_none(), "{offer:?}");
        sane_prices(&offer, &offer.prices);
    }
}

fn sane_prices(offer: &Offer, prices: &PriceList) {
    let classes = |rates: &Rates| rates.listed().map(|(class, _)| class).collect::<BTreeSet<_>>();
    let input = |rates: &Rates| rates.get(TokenClass::Input);
    for period in &prices.periods {
        assert_eq!(period.sheets[0].tier, ServiceTier::Standard, "{offer:?}");
        let base = period.sheets[0].steps[0].rates;
        for sheet in &period.sheets {
            let first = sheet.steps[0].rates;
            let discount = matches!(sheet.tier, ServiceTier::Batch | ServiceTier::Flex);
            assert!(
                if discount { input(&first) <= input(&base) } else { input(&first) >= input(&base) },
                "{offer:?}"
            );
            assert_eq!(sheet.steps[0].above_tokens, 0, "{offer:?}");
            assert!(sheet.steps.is_sorted_by(|a, b| a.above_tokens < b.above_tokens), "{offer:?}");
            for step in &sheet.steps {
                assert!(classes(&base).is_subset(&classes(&step.rates)), "{offer:?}");
                assert!(input(&step.rates) >= input(&first), "{offer:?}");
                assert!(step.rates.listed().all(|(_, rate)| (0..RATE_MAX).contains(&rate.0)), "{offer:?}");
            }
        }
    }
}

#[test]
fn zero_is_only_for_free_variants_and_servers_of_ones_own() {
    let own = ["ollama", "lm-studio", "llama-cpp", "vllm", "sglang", SANDBOX];
    for offer in all_offers() {
        let zero = |rates: &Rates| rates.get(TokenClass::Input) == Some(PricePerMillion::ZERO);
        if offer.prices.standard(NOW).is_some_and(zero) {
            let free = offer.model.as_str().ends_with(":free");
            assert!(free || own.contains(&&*offer.provider), "{offer:?}");
        }
    }
}

#[test]
fn a_free_variant_never_answers_to_the_plain_name() {
    for offer in all_offers().iter().filter(|offer| offer.upstream_id.as_str().ends_with(":free")) {
        assert!(offer.model.as_str().ends_with(":free"), "{offer:?}");
    }
}

#[test]
fn operations_follow_kind_and_interfaces() {
    let offers = all_offers();
    let serves = |id: &str, operation| {
        offers
            .iter()
            .find(|offer| &*offer.provider == "openai" && offer.upstream_id.as_str() == id)
            .unwrap()
            .serves(operation)
    };
    assert!(serves("gpt-5", Operation::Chat) && !serves("gpt-5", Operation::Embeddings));
    assert!(!serves("o1-pro", Operation::Chat));
    assert!(serves("text-embedding-3-small", Operation::Embeddings));
    assert!(serves("gpt-3.5-turbo-instruct", Operation::TextCompletion));
}

#[test]
fn of_several_ids_for_one_model_its_own_name_comes_first() {
    let offers = Catalogue::embedded().unwrap().offers("openai").unwrap();
    let first = offers.iter().find(|offer| offer.model == ModelName::from("openai/gpt-5")).unwrap();
    assert_eq!(first.upstream_id.as_str(), "gpt-5");
}

#[test]
fn well_known_names_resolve_and_misspelt_ones_are_suggested() {
    let models = Catalogue::embedded().unwrap().models().unwrap();
    let names = Names::new(models.into_iter().map(|entry| entry.name));
    let gpt = ModelName::from("openai/gpt-5");
    assert_eq!(names.resolve("gpt-5"), Resolution::Model(gpt.clone()));
    assert_eq!(names.resolve("openai/gpt-five"), Resolution::Unknown);
    assert!(names.suggest("openai/gtp-5").contains(&gpt));
    assert!(!names.suggest("claude-opus-5").is_empty());
    assert!(names.suggest("claude-opus-5").len() <= 5);
}
