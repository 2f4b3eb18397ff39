//! `GET /admin/v1/models`: what can be used now, and what the catalogue knows besides.
//!
//! Not what callers see, which depends on their key ([`crate::query::models`]). Look first at [`list`]; the command
//! line calls it too when no gateway runs.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Catalogue, CatalogueError, Offer, TokenClass};
use trunkline_domain::UnixMs;
use trunkline_engine::snapshot::Snapshot;
use trunkline_providers::registry;
use trunkline_routing::world::{Deployment, OfferState};

use super::AdminState;
use super::read::Parameters;
use super::refusal::Refusal;

/// Which models are asked for. All conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Those of this provider.
    pub(crate) provider: Option<String>,
    /// Those whose names hold every word of this.
    pub(crate) search: Option<String>,
    /// By price.
    pub(crate) price: Option<PriceFilter>,
    /// Those whose price the sources disagree on, or all.
    pub(crate) review: Review,
    /// Those that can be used now, or the whole catalogue.
    pub(crate) reach: Reach,
}

/// By price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriceFilter {
    /// They cost nothing.
    Free,
    /// Nobody knows what they cost.
    Unpriced,
}

/// By agreement on the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Review {
    /// Whatever the sources say.
    #[default]
    Any,
    /// Only where the sources disagree.
    Disputed,
}

/// How far to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What can be used now.
    #[default]
    Usable,
    /// The whole catalogue too.
    Catalogue,
}

/// Models.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ModelList {
    /// By name, then provider.
    pub(crate) models: Vec<ModelLine>,
}

/// A model at a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ModelLine {
    /// The name callers use.
    pub(crate) model: String,
    /// The provider's id.
    pub(crate) provider: String,
    /// What the provider calls it.
    pub(crate) upstream_id: String,
    /// `chat`, `completion` or `embedding`.
    pub(crate) kind: String,
    /// Prompt and answer together, in tokens.
    pub(crate) context_window: Option<u64>,
    /// Longest answer, in tokens.
    pub(crate) output_max: Option<u64>,
    /// Dollars per million prompt tokens; none where nobody knows.
    pub(crate) input_usd_per_million: Option<String>,
    /// Dollars per million generated tokens.
    pub(crate) output_usd_per_million: Option<String>,
    /// Dollars for each request, if any.
    pub(crate) request_usd: Option<String>,
    /// `current`, `absent`, `deprecated` or `retired`.
    pub(crate) status: String,
    /// `listed`, or `discovered` in the provider's own listing.
    pub(crate) state: String,
    /// The sources disagree on the price; the newest one's stands.
    pub(crate) review: bool,
    /// Deployments that serve it now, `account/upstream-id`; empty where none is configured.
    pub(crate) usable_as: Vec<String>,
}

pub(super) async fn models(
    State(state): State<AdminState>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<ModelList>, Refusal> {
    let mut parameters = Parameters::new(pairs);
    let filter = Filter {
        provider: parameters.take("provider"),
        search: parameters.take("search"),
        price: match (parameters.switch("free")?, parameters.switch("unpriced")?) {
            (false, false) => None,
            (true, false) => Some(PriceFilter::Free),
            (false, true) => Some(PriceFilter::Unpriced),
            (true, true) => return Err(Refusal::invalid("`free` and `unpriced` exclude each other")),
        },
        review: if parameters.switch("review")? { Review::Disputed } else { Review::Any },
        reach: if parameters.switch("catalogue")? { Reach::Catalogue } else { Reach::Usable },
    };
    parameters.finish()?;
    let catalogue = state.engine.configurator().catalogue().await;
    let models = list(&state.engine.snapshot(), &catalogue, &filter, state.now());
    models.map(Json).map_err(|error| Refusal::internal(error.to_string()))
}

/// The models a filter lets through.
pub(crate) fn list(
    snapshot: &Snapshot,
    catalogue: &Catalogue,
    filter: &Filter,
    now: UnixMs,
) -> Result<ModelList, CatalogueError> {
    let mut lines: BTreeMap<(String, String, String), ModelLine> = BTreeMap::new();
    for deployment in snapshot.offers.deployments() {
        let line = usable(deployment, now);
        let place = (line.model.clone(), line.provider.clone(), line.upstream_id.clone());
        lines.entry(place).or_insert(line).usable_as.push(deployment.label.to_string());
    }
    if filter.reach == Reach::Catalogue {
        for entry in catalogue.providers() {
            let provider = provider_id(&entry.id);
            for offer in catalogue.offers(&entry.id)? {
                let line = listed(&offer, &provider, now);
                let place = (line.model.clone(), line.provider.clone(), line.upstream_id.clone());
                lines.entry(place).or_insert(line);
            }
        }
    }
    let models = lines.into_values().filter(|line| filter.admits(line)).collect();
    Ok(ModelList { models })
}

/// The registry's id for a provider of the catalogue, where the gateway speaks to it.
fn provider_id(catalogue: &str) -> String {
    let spec = registry::ALL.iter().find(|spec| spec.catalogue == catalogue);
    spec.map_or_else(|| catalogue.to_owned(), |spec| spec.id.to_owned())
}

fn usable(deployment: &Deployment, now: UnixMs) -> ModelLine {
    let state = match deployment.state {
        OfferState::Listed => "listed",
        OfferState::Discovered => "discovered",
    };
    ModelLine {
        model: deployment.model().to_string(),
        state: state.to_owned(),
        ..listed(&deployment.offer, deployment.provider.id, now)
    }
}

fn listed(offer: &Offer, provider: &str, now: UnixMs) -> ModelLine {
    let rates = offer.prices.standard(now).filter(|_| offer.prices.is_priced(now));
    let rate = |class| rates.and_then(|rates| rates.billed(class)).map(|rate| rate.to_string());
    let fee = offer.prices.period(now).and_then(|period| period.fees.request).filter(|fee| fee.0 != 0);
    let kind = match offer.kind {
        Kind::Chat => "chat",
        Kind::Completion => "completion",
        Kind::Embedding => "embedding",
        Kind::Unknown => "unknown",
    };
    ModelLine {
        model: offer.model.to_string(),
        provider: provider.to_owned(),
        upstream_id: offer.upstream_id.to_string(),
        kind: kind.to_owned(),
        context_window: offer.context_window,
        output_max: offer.output_max,
        input_usd_per_million: rate(TokenClass::Input),
        output_usd_per_million: rate(TokenClass::Output),
        request_usd: fee.map(|fee| fee.to_string()),
        status: offer.status.as_str().to_owned(),
        state: "listed".to_owned(),
        review: offer.review,
        usable_as: Vec::new(),
    }
}

impl Filter {
    /// Whether nothing is asked for in particular.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self { reach: self.reach, ..Self::default() }
    }

    fn admits(&self, line: &ModelLine) -> bool {
        let provider = self.provider.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&line.provider));
        let names = format!("{} {} {}", line.model, line.provider, line.upstream_id).to_lowercase();
        let words = self.search.as_deref().unwrap_or_default().to_lowercase();
        let price = match self.price {
            None => true,
            Some(PriceFilter::Unpriced) => line.input_usd_per_million.is_none(),
            Some(PriceFilter::Free) => line.is_free(),
        };
        let review = self.review == Review::Any || line.review;
        provider && price && review && words.split_whitespace().all(|word| names.contains(word))
    }
}

impl ModelLine {
    /// Whether it is known to cost nothing.
    pub(crate) fn is_free(&self) -> bool {
        let nothing = |rate: &Option<String>| rate.as_deref().is_none_or(|rate| rate == "0");
        self.input_usd_per_million.is_some()
            && nothing(&self.input_usd_per_million)
            && nothing(&self.output_usd_per_million)
            && self.request_usd.is_none()
    }
}
