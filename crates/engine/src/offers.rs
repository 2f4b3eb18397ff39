//! Which models an account offers: the catalogue's, the operator's own, and those its provider was seen to list.
//!
//! Not whether they answer, and nothing of keys or connections ([`crate::snapshot`]). Look first at [`deployments_of`].

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Capabilities, Modalities, Offer, PriceList, Status};
use trunkline_domain::{ModelName, Text, UpstreamModel};
use trunkline_providers::spec::Prefill;
use trunkline_routing::world::{self, Deployment, Naming, OfferState};

use crate::config::AccountSettings;
use crate::config::account::{ModelChoice, SaidPrefill, Unpriced};
use crate::config::model::{ModelCorrection, OwnModel};

/// A model an account offers.
struct Found {
    offer: Offer,
    state: OfferState,
    naming: Naming,
}

/// What is known of an account's models, besides its settings.
pub(crate) struct Sources<'a> {
    /// What the catalogue says its provider offers.
    pub(crate) listed: Vec<Offer>,
    /// The ids in the provider's own listing.
    pub(crate) discovered: &'a [Text],
    /// What the operator says of models, wherever they are served.
    pub(crate) corrections: &'a [ModelCorrection],
}

/// What an account offers: the catalogue's offers its `models` choose, those described in the configuration, and
/// those found in the provider's own listing.
pub(crate) fn deployments_of(settings: &AccountSettings, sources: Sources<'_>) -> Vec<Deployment> {
    let Sources { listed, discovered, corrections } = sources;
    let listed = listed.into_iter().filter(|offer| offer.status != Status::Retired && !offer.other_interface);
    let joins = if settings.canonical { Naming::Canonical } else { Naming::LabelOnly };
    let mut found = Vec::new();
    for offer in listed.filter(|offer| fits_region(offer, settings.region.as_deref())) {
        if chosen(&settings.models, &offer) && !has(&found, &offer.upstream_id) {
            // Of several ids for one model the preferred comes first; a dated snapshot is no rival of its alias.
            // What only outdated sources list is not offered under its canonical name.
            let rival = has_model(&found, &offer.model) || offer.status == Status::Absent;
            let naming = if rival { Naming::LabelOnly } else { joins };
            found.push(Found { offer, state: OfferState::Listed, naming });
        }
    }
    add_own(&mut found, settings, joins);
    for id in discovered {
        let offer = unknown(settings, &UpstreamModel(id.clone()));
        if chosen(&settings.models, &offer) && !has(&found, &offer.upstream_id) {
            found.push(Found { offer, state: OfferState::Discovered, naming: Naming::LabelOnly });
        }
    }
    found.into_iter().map(|found| deployment(settings, corrections, found)).collect()
}

/// Whether the account's `models` choose an offer; no list chooses all.
fn chosen(models: &[ModelChoice], offer: &Offer) -> bool {
    models.is_empty()
        || models.iter().any(|choice| match choice {
            ModelChoice::Pattern(pattern) => {
                pattern.matches(offer.upstream_id.as_str()) || pattern.matches(offer.model.as_str())
            }
            ModelChoice::Own(own) => own.id == offer.upstream_id,
        })
}

/// Offers that hold in one region only are for accounts there.
fn fits_region(offer: &Offer, region: Option<&str>) -> bool {
    match (&offer.region, region) {
        (None, _) => true,
        (Some(offered), Some(configured)) => &**offered == configured,
        (Some(_), None) => false,
    }
}

/// Whether an upstream id is among the offers found so far.
fn has(found: &[Found], id: &UpstreamModel) -> bool {
    found.iter().any(|found| found.offer.upstream_id == *id)
}

/// Whether a canonical model is among the offers found so far.
fn has_model(found: &[Found], model: &ModelName) -> bool {
    found.iter().any(|found| found.offer.model == *model)
}

/// Adds the models the account describes itself; what the catalogue knows of them stays where nothing else is said.
/// One that is given a public name joins it, wherever it is served.
fn add_own(found: &mut Vec<Found>, settings: &AccountSettings, joins: Naming) {
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

/// A model of which nothing is known but its id.
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

fn deployment(settings: &AccountSettings, corrections: &[ModelCorrection], found: Found) -> Deployment {
    let Found { mut offer, state, naming } = found;
    let label = Text::from(format!("{}/{}", settings.name, offer.upstream_id));
    let mut unpriced = settings.unpriced;
    let names = [offer.model.0.clone(), label.clone()];
    for correction in corrections {
        if !names.contains(&correction.name.0) {
            continue;
        }
        offer.context_window = correction.context_window.or(offer.context_window);
        offer.output_max = correction.output_max.or(offer.output_max);
        for prices in &correction.prices {
            offer.prices = offer.prices.with_correction(prices);
        }
        unpriced = correction.unpriced.unwrap_or(unpriced);
    }
    Deployment {
        label,
        account: settings.name.clone(),
        provider: settings.provider,
        naming,
        unpriced: match unpriced {
            Unpriced::Serve => world::Unpriced::Serve,
            Unpriced::Refuse => world::Unpriced::Refuse,
        },
        priority: settings.priority,
        place: settings.region.clone(),
        prefill: prefill(settings, &offer.upstream_id),
        offer,
        state,
    }
}

/// How a deployment is told to go on with an answer: as the operator says, else as is known of provider and model.
fn prefill(settings: &AccountSettings, model: &UpstreamModel) -> Option<Prefill> {
    let spec = settings.provider;
    match settings.prefill {
        None => spec.prefill.filter(|_| spec.adapter.continues(model)),
        Some(SaidPrefill::No) => None,
        Some(SaidPrefill::By(mark)) => Some(Prefill { mark, ..spec.prefill.unwrap_or(Prefill::chat(mark)) }),
    }
}
