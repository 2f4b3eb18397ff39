//! What changes from one catalogue to another, for a person to read before agreeing to it.

use std::collections::BTreeMap;

use trunkline_domain::{ModelName, PricePerMillion, Text, UnixMs, UpstreamModel};

use crate::catalogue::Catalogue;
use crate::format::CatalogueError;
use crate::offer::Offer;
use crate::price::{Fees, PriceList};

/// What changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueDiff {
    /// Offers that were not there.
    pub new: Vec<OfferKey>,
    /// Offers that are no longer there.
    pub gone: Vec<OfferKey>,
    /// Prices that rise.
    pub dearer: Vec<PriceChange>,
    /// Prices that fall.
    pub cheaper: Vec<PriceChange>,
    /// Prices that appear or disappear.
    pub repriced: Vec<PriceChange>,
    /// Limits that change.
    pub limits_changed: Vec<LimitChange>,
}

/// Which offer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferKey {
    /// The provider's id in the catalogue.
    pub provider: Text,
    /// What the provider calls the model.
    pub upstream_id: UpstreamModel,
    /// The region, for offers that differ by it.
    pub region: Option<Text>,
    /// The canonical slug.
    pub model: ModelName,
}

/// A price that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// Whose.
    pub offer: OfferKey,
    /// Which: a class of tokens, a tier, a prompt size, a fee.
    pub figure: String,
    /// What it was, per million tokens or units.
    pub before: Option<PricePerMillion>,
    /// What it will be.
    pub after: Option<PricePerMillion>,
}

/// A limit that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitChange {
    /// Whose.
    pub offer: OfferKey,
    /// Which.
    pub limit: &'static str,
    /// What it was, in tokens.
    pub before: Option<u64>,
    /// What it will be.
    pub after: Option<u64>,
}

/// What changes from `old` to `new`, by the prices in force at one instant.
pub fn diff(old: &Catalogue, new: &Catalogue, at: UnixMs) -> Result<CatalogueDiff, CatalogueError> {
    let mut before = offers(old)?;
    let mut changes = CatalogueDiff::default();
    for (key, offer) in offers(new)? {
        match before.remove(&key) {
            None => changes.new.push(key),
            Some(former) => changes.compare(&key, &former, &offer, at),
        }
    }
    changes.gone = before.into_keys().collect();
    Ok(changes)
}

fn offers(catalogue: &Catalogue) -> Result<BTreeMap<OfferKey, Offer>, CatalogueError> {
    let mut offers = BTreeMap::new();
    for provider in catalogue.providers() {
        for offer in catalogue.offers(&provider.id)? {
            let key = OfferKey {
                provider: offer.provider.clone(),
                upstream_id: offer.upstream_id.clone(),
                region: offer.region.clone(),
                model: offer.model.clone(),
            };
            offers.insert(key, offer);
        }
    }
    Ok(offers)
}

impl CatalogueDiff {
    fn compare(&mut self, key: &OfferKey, old: &Offer, new: &Offer, at: UnixMs) {
        for (limit, before, after) in [
            ("context_window", old.context_window, new.context_window),
            ("output_max", old.output_max, new.output_max),
        ] {
            if before != after {
                self.limits_changed.push(LimitChange { offer: key.clone(), limit, before, after });
            }
        }
        if old.prices == new.prices {
            return;
        }
        let mut former = figures(&old.prices, at);
        for (figure, after) in figures(&new.prices, at) {
            let before = former.remove(&figure);
            self.price(PriceChange { offer: key.clone(), figure, before, after: Some(after) });
        }
        for (figure, before) in former {
            self.price(PriceChange { offer: key.clone(), figure, before: Some(before), after: None });
        }
    }

    fn price(&mut self, change: PriceChange) {
        match (change.before, change.after) {
            (Some(before), Some(after)) if before < after => self.dearer.push(change),
            (Some(before), Some(after)) if before > after => self.cheaper.push(change),
            (Some(_), Some(_)) => {}
            _ => self.repriced.push(change),
        }
    }
}

/// Every figure of the prices in force at an instant, by a name for people.
fn figures(prices: &PriceList, at: UnixMs) -> BTreeMap<String, PricePerMillion> {
    let mut figures = BTreeMap::new();
    let Some(period) = prices.period(at) else { return figures };
    for sheet in &period.sheets {
        for step in &sheet.steps {
            let size =
                if step.above_tokens == 0 { String::new() } else { format!(" above {}", step.above_tokens) };
            for (class, rate) in step.rates.listed() {
                figures.insert(format!("{} {}{size}", sheet.tier.as_str(), class.as_str()), rate);
            }
        }
    }
    for (hours, place) in period.hours.iter().zip(1..) {
        for (class, rate) in hours.rates.listed() {
            figures.insert(format!("hours {place} {}", class.as_str()), rate);
        }
    }
    let Fees { request, search, image, page, second } = period.fees;
    let fees =
        [("request", request), ("search", search), ("image", image), ("page", page), ("second", second)];
    let fee = |(name, fee): (&str, Option<_>)| Some((format!("per {name}"), PricePerMillion::per_unit(fee?)));
    figures.extend(fees.into_iter().filter_map(fee));
    figures
}
