//! Which models an account offers: the catalogue's, the operator's own, and those its provider was seen to list.

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Capabilities, Modalities, Offer, PriceList, Status};
use trunkline_domain::{ModelName, Text, UpstreamModel};
use trunkline_routing::world::{Naming, OfferState};

use crate::config::AccountSettings;
use crate::config::account::ModelChoice;
use crate::config::model::OwnModel;

/// A model an account offers.
pub(super) struct Found {
    pub(super) offer: Offer,
    pub(super) state: OfferState,
    pub(super) naming: Naming,
}

/// Whether the account's `models` choose an offer; no list chooses all.
pub(super) fn chosen(models: &[ModelChoice], offer: &Offer) -> bool {
    models.is_empty()
        || models.iter().any(|choice| match choice {
            ModelChoice::Pattern(pattern) => {
                pattern.matches(offer.upstream_id.as_str()) || pattern.matches(offer.model.as_str())
            }
            ModelChoice::Own(own) => own.id == offer.upstream_id,
        })
}

/// Offers that hold in one region only are for accounts there.
pub(super) fn fits_region(offer: &Offer, region: Option<&str>) -> bool {
    match (&offer.region, region) {
        (None, _) => true,
        (Some(offered), Some(configured)) => &**offered == configured,
        (Some(_), None) => false,
    }
}

/// Whether an upstream id is among the offers found so far.
pub(super) fn has(found: &[Found], id: &UpstreamModel) -> bool {
    found.iter().any(|found| found.offer.upstream_id == *id)
}

/// Whether a canonical model is among the offers found so far.
pub(super) fn has_model(found: &[Found], model: &ModelName) -> bool {
    found.iter().any(|found| found.offer.model == *model)
}

/// Adds the models the account describes itself; what the catalogue knows of them stays where nothing else is said.
/// One that is given a public name joins it, wherever it is served.
pub(super) fn add_own(found: &mut Vec<Found>, settings: &AccountSettings, joins: Naming) {
    for choice in &settings.models {
        let ModelChoice::Own(own) = choice else { continue };
        let place = found.iter().position(|found| found.offer.upstream_id == own.id);
        let base = place.map(|place| found.swap_remove(place).offer);
        let known = base.is_some() || own.name.is_some();
        let offer = described(settings, own, base);
        let naming = match (&own.name, known) {
            (Some(_), _) => Naming::Canonical,
            (None, true) => joins,
            (None, false) => Naming::LabelOnly,
        };
        found.push(Found { offer, state: OfferState::Listed, naming });
    }
}

fn described(settings: &AccountSettings, own: &OwnModel, base: Option<Offer>) -> Offer {
    let mut offer = base.unwrap_or_else(|| unknown(settings, &own.id));
    if let Some(name) = &own.name {
        offer.model = name.clone();
    }
    offer.kind = own.kind.unwrap_or(offer.kind);
    offer.context_window = own.context_window.or(offer.context_window);
    offer.output_max = own.output_max.or(offer.output_max);
    if let Some(prices) = &own.prices {
        offer.prices = PriceList::flat(prices.rates, prices.fees);
    }
    offer
}

/// A model of the provider's own listing: nothing is known but its id.
pub(super) fn discovered(settings: &AccountSettings, id: &Text) -> Offer {
    unknown(settings, &UpstreamModel(id.clone()))
}

fn unknown(settings: &AccountSettings, id: &UpstreamModel) -> Offer {
    Offer {
        provider: Text::from(settings.provider.catalogue),
        upstream_id: id.clone(),
        region: None,
        model: ModelName(Text::from(format!("{}/{id}", settings.name))),
        display_name: None,
        kind: Kind::Unknown,
        completes_text: false,
        other_interface: false,
        context_window: None,
        output_max: None,
        input: Modalities::default(),
        output: Modalities::default(),
        capabilities: Capabilities::default(),
        prices: PriceList::default(),
        status: Status::Current,
        released: None,
        retires: None,
        review: false,
    }
}
