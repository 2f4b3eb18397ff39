//! `xtask catalogue build`: every fact becomes part of an offer, or is refused and listed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;
use trunkline_catalogue::format::{Content, ProviderContent, encode};
use trunkline_catalogue::{Capabilities, Capability, Kind, Modalities, Modality, Offer, Status, Support};
use trunkline_domain::{ModelName, PricePerMillion, Text, UpstreamModel};

use super::facts::{self, Facts, Model};
use super::prices::{self, Context};
use super::review::{Review, Rule};
use super::{Problem, write};

pub(super) struct Built {
    pub(super) bytes: Vec<u8>,
    review: String,
    offers: usize,
}

pub(super) fn run(facts: &Path, out: &Path) -> Result<String, Problem> {
    let built = build(&facts::load(facts)?)?;
    write(&out.join("catalogue.bin"), &built.bytes)?;
    write(&out.join("REVIEW.md"), built.review.as_bytes())?;
    Ok(format!("{} offers in {} bytes", built.offers, built.bytes.len()))
}

pub(super) fn build(facts: &Facts) -> Result<Built, Problem> {
    let mut review = Review::default();
    let peers = Peers::of(&facts.models);
    let own_servers: BTreeSet<&str> = facts
        .providers
        .iter()
        .filter(|provider| provider.self_hosted)
        .map(|provider| provider.id.as_str())
        .collect();
    let mut offers = BTreeMap::<&str, Vec<Offer>>::new();
    let mut left_out = BTreeMap::<&str, usize>::new();
    for model in &facts.models {
        let Some(kind) = kind(&model.kind) else {
            *left_out.entry(model.kind.as_str()).or_default() += 1;
            continue;
        };
        let zero_is_free =
            model.variant.as_deref() == Some("free") || own_servers.contains(model.provider.as_str());
        let context = Context { zero_is_free, reference: peers.reference(model) };
        let offer = offer(model, kind, &context, &mut review);
        offers.entry(model.provider.as_str()).or_default().push(offer);
    }
    for (kind, count) in left_out {
        review.add(Rule::KindLeftOut, kind, format!("{count} offers"));
    }
    let content = content(facts, offers)?;
    let offers = content.providers.iter().map(|provider| provider.offers.len()).sum();
    Ok(Built { bytes: encode(&content)?, review: review.page(facts.date), offers })
}

fn content(facts: &Facts, mut offers: BTreeMap<&str, Vec<Offer>>) -> Result<Content, Problem> {
    let mut providers = Vec::new();
    for provider in &facts.providers {
        let mut offers = offers.remove(provider.id.as_str()).unwrap_or_default();
        offers.sort_by_cached_key(preference);
        let (id, name) = (Text::from(provider.id.as_str()), Text::from(provider.name.as_str()));
        providers.push(ProviderContent { id, name, offers });
    }
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    match offers.keys().next() {
        Some(unknown) => {
            Err(Problem::Other(format!("models name a provider that providers.json lacks: {unknown}")))
        }
        None => Ok(Content { date: facts.date, providers }),
    }
}

/// Grouped by model; in a group first what still stands, for all regions, under the model's own name.
fn preference(offer: &Offer) -> (ModelName, Status, Option<Text>, bool, Text) {
    let upstream = offer.upstream_id.as_str();
    let tail = |name: &str| name.rsplit('/').next().map(str::to_ascii_lowercase);
    let other_name = tail(upstream) != tail(offer.model.as_str());
    (offer.model.clone(), offer.status, offer.region.clone(), other_name, offer.upstream_id.0.clone())
}

fn offer(model: &Model, kind: Kind, context: &Context, review: &mut Review) -> Offer {
    let has = |endpoint: &str| model.endpoints.iter().any(|listed| listed == endpoint);
    let completes_text = has("/v1/completions");
    Offer {
        provider: Text::from(""),
        upstream_id: UpstreamModel::from(model.provider_model_id.as_str()),
        region: model.region.as_deref().map(Text::from),
        model: slug(model),
        display_name: model.name.as_deref().map(Text::from),
        kind,
        completes_text,
        other_interface: kind == Kind::Chat
            && !model.endpoints.is_empty()
            && !completes_text
            && !has("/v1/chat/completions"),
        context_window: model.context_window,
        output_max: output_max(model, kind, review),
        input: modalities(model.modalities.input.as_ref()),
        output: modalities(model.modalities.output.as_ref()),
        capabilities: capabilities(model),
        prices: prices::price_list(model, context, review),
        status: status(&model.status),
        released: model.release_date.as_deref().and_then(day),
        retires: model.deprecation_date.as_deref().and_then(day),
        review: model.price_review,
    }
}

/// The canonical slug; a variant sold apart has its own, so that it never answers to the plain name.
fn slug(model: &Model) -> ModelName {
    match &model.variant {
        Some(variant) => ModelName(Text::from(format!("{}:{variant}", model.model))),
        None => ModelName::from(model.model.as_str()),
    }
}

/// Embeddings have no output; a limit above the window is nonsense.
fn output_max(model: &Model, kind: Kind, review: &mut Review) -> Option<u64> {
    let limit = model.max_output_tokens.filter(|_| kind != Kind::Embedding)?;
    let window = model.context_window.unwrap_or(u64::MAX);
    if limit > window {
        review.add(Rule::OutputAboveWindow, &model.id, format!("{limit} above {window}"));
        return None;
    }
    Some(limit)
}

fn kind(kind: &str) -> Option<Kind> {
    match kind {
        "chat" => Some(Kind::Chat),
        "completion" => Some(Kind::Completion),
        "embedding" => Some(Kind::Embedding),
        _ => None,
    }
}

fn status(status: &str) -> Status {
    match status {
        "listed_in_newest_sources" | "listed" => Status::Current,
        "deprecated" => Status::Deprecated,
        "retired" => Status::Retired,
        _ => Status::Absent,
    }
}

fn modalities(names: Option<&Vec<String>>) -> Modalities {
    let modality = |name: &String| match name.as_str() {
        "text" | "code" => Some(Modality::Text),
        "image" => Some(Modality::Image),
        "pdf" => Some(Modality::File),
        "audio" => Some(Modality::Audio),
        "video" => Some(Modality::Video),
        _ => None,
    };
    names.into_iter().flatten().filter_map(modality).fold(Modalities::default(), Modalities::with)
}

fn capabilities(model: &Model) -> Capabilities {
    Capability::ALL.into_iter().fold(Capabilities::default(), |set, capability| {
        let support = match model.capabilities.get(capability.as_str()).copied().flatten() {
            Some(true) => Support::Yes,
            Some(false) => Support::No,
            None => Support::Unknown,
        };
        set.with(capability, support)
    })
}

/// A day, or the first of a month given without one.
fn day(text: &str) -> Option<Date> {
    text.parse().or_else(|_| format!("{text}-01").parse()).ok()
}

/// What a million input tokens of each model cost at each provider, to find prices in the wrong unit.
struct Peers<'a>(BTreeMap<&'a str, BTreeMap<&'a str, PricePerMillion>>);

impl<'a> Peers<'a> {
    fn of(models: &'a [Model]) -> Self {
        let mut peers = BTreeMap::<&str, BTreeMap<&str, PricePerMillion>>::new();
        for model in models.iter().filter(|model| model.variant.is_none()) {
            let input = model.prices.as_ref().and_then(|prices| prices.rest.get("input")?.as_str());
            if let Some(input) = input.and_then(prices::price).filter(|input| *input > PricePerMillion::ZERO)
            {
                let listed = peers.entry(model.model.as_str()).or_default();
                let lowest = listed.entry(model.provider.as_str()).or_insert(input);
                *lowest = input.min(*lowest);
            }
        }
        Self(peers)
    }

    /// What the model's own vendor lists, else the median of at least two other providers.
    fn reference(&self, model: &Model) -> Option<PricePerMillion> {
        let listed = self.0.get(model.model.as_str())?;
        let others = || listed.iter().filter(|(provider, _)| **provider != model.provider);
        let vendor = model.model.split('/').next()?;
        let own = |provider: &str| provider.starts_with(vendor) || vendor.starts_with(provider);
        if let Some((_, input)) = others().find(|(provider, _)| own(provider)) {
            return Some(*input);
        }
        let mut inputs: Vec<PricePerMillion> = others().map(|(_, input)| *input).collect();
        inputs.sort_unstable();
        inputs.get(inputs.len() / 2).filter(|_| inputs.len() >= 2).copied()
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "facts are written with `json!`, whose expansion calls `to_value`"
)]
mod tests;
