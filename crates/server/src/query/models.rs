//! `GET /v1/models`, `/v1/models/{id}` and `/v1/models/{author}/{slug}/endpoints`: the models, routes and deployments a
//! key may use, and no others.

use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::Path;
use axum::response::Response;
use http::request::Parts;
use serde::Serialize;
use trunkline_catalogue::{Capability, Support};
use trunkline_domain::access::ModelPattern;
use trunkline_domain::{Error, ErrorKind, Text, UnixMs};
use trunkline_engine::keys::KeyRecord;
use trunkline_engine::snapshot::Snapshot;
use trunkline_routing::resolve::{resolve, suggestions};
use trunkline_routing::world::{Deployment, Live, Naming, OfferTable, Standing};

use super::price::Pricing;
use super::shape::{self, Architecture, Model, NameKind};
use super::{Data, listings, shown};
use crate::app::App;
use crate::render;

/// The most names a 404 suggests.
const SUGGESTIONS_MAX: usize = 5;

/// Every model and route: in Anthropic's form for its clients, which name a version, and in OpenAI's for all others.
pub(crate) async fn list(app: App, parts: Parts) -> Result<Response, Error> {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Model<'a>>,
    }
    let view = View::for_caller(&app, &parts).await?;
    let models = view.models();
    if listings::wants_anthropic(&parts.headers) {
        return Ok(render::json(&listings::anthropic(&models)));
    }
    Ok(render::json(&List { object: "list", data: models }))
}

/// Every model and route, in Google's form.
pub(crate) async fn list_gemini(app: App, parts: Parts) -> Result<Response, Error> {
    let view = View::for_caller(&app, &parts).await?;
    Ok(render::json(&listings::gemini(&view.models())))
}

/// One model by any of its names, in Google's form.
pub(crate) async fn one_gemini(app: App, mut parts: Parts) -> Result<Response, Error> {
    let view = View::for_caller(&app, &parts).await?;
    let id = id(&mut parts).await?;
    Ok(render::json(&listings::gemini_model(&view.model(&id)?)))
}

/// One model by any of its names, or, with `/endpoints` behind it, everybody who serves it.
pub(crate) async fn one_or_its_endpoints(app: App, mut parts: Parts) -> Result<Response, Error> {
    let view = View::for_caller(&app, &parts).await?;
    let id = id(&mut parts).await?;
    match id.strip_suffix("/endpoints") {
        Some(id) => Ok(render::json(&Data { data: view.endpoints(id)? })),
        None if listings::wants_anthropic(&parts.headers) => {
            Ok(render::json(&listings::anthropic_model(&view.model(&id)?)))
        }
        None => Ok(render::json(&view.model(&id)?)),
    }
}

/// The model's name in the path.
async fn id(parts: &mut Parts) -> Result<String, Error> {
    let path = parts.extract::<Path<String>>().await;
    path.map(|Path(id)| id).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("the model's name in the path cannot be read: {error}"))
    })
}

/// What one key sees.
pub(super) struct View {
    app: App,
    snapshot: Arc<Snapshot>,
    key: Arc<KeyRecord>,
    now: UnixMs,
}

impl View {
    pub(super) async fn for_caller(app: &App, parts: &Parts) -> Result<Self, Error> {
        let key = app.engine.caller(&parts.headers).await?;
        let now = app.engine.core().clock.now();
        Ok(Self { app: app.clone(), snapshot: app.engine.snapshot(), key, now })
    }

    fn offers(&self) -> &OfferTable {
        &self.snapshot.offers
    }

    /// The deployments this key may reach, by whatever name.
    pub(super) fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        let scope = &self.key.facts.models;
        self.offers()
            .deployments()
            .iter()
            .filter(move |deployment| covers(scope, deployment.model(), deployment))
    }

    fn models(&self) -> Vec<Model<'_>> {
        let offers = self.offers();
        let labels = offers.deployments().iter().filter(|deployment| deployment.naming == Naming::LabelOnly);
        let models = offers.models().chain(labels.map(|deployment| &deployment.label));
        let mut names: Vec<(&Text, NameKind)> = models.map(|name| (name, NameKind::Model)).collect();
        names.retain(|(name, _)| !offers.routes().contains_key(*name));
        names.extend(offers.routes().keys().map(|name| (name, NameKind::Route)));
        names.sort_unstable_by_key(|(name, _)| *name);
        names.dedup_by(|(a, _), (b, _)| a == b);
        names.into_iter().filter_map(|(name, kind)| self.shaped(name, kind)).collect()
    }

    fn shaped<'a>(&'a self, name: &'a str, kind: NameKind) -> Option<Model<'a>> {
        shape::model(name, kind, &self.behind(name), self.now)
    }

    /// The deployments behind a name that the key may use under it.
    fn behind(&self, name: &str) -> Vec<&Deployment> {
        let Ok(resolution) = resolve(self.offers(), &[name]) else { return Vec::new() };
        let all = resolution.tiers.iter().flat_map(|tier| &tier.deployments);
        let all = all.filter_map(|ix| self.offers().get(*ix));
        all.filter(|deployment| covers(&self.key.facts.models, name, deployment)).collect()
    }

    fn model<'a>(&'a self, id: &'a str) -> Result<Model<'a>, Error> {
        let kind = if self.offers().routes().contains_key(id) { NameKind::Route } else { NameKind::Model };
        // An alias leads to the model under its own name.
        let name = match (kind, self.behind(id).first()) {
            (NameKind::Model, Some(deployment)) if self.offers().labelled(id).is_none() => deployment.model(),
            _ => id,
        };
        self.shaped(name, kind).ok_or_else(|| self.unknown(id))
    }

    fn endpoints<'a>(&'a self, id: &'a str) -> Result<Endpoints<'a>, Error> {
        let mut deployments = self.behind(id);
        deployments.sort_by_key(|deployment| shape::price(&deployment.offer, self.now));
        let first = deployments.first().ok_or_else(|| self.unknown(id))?;
        Ok(Endpoints {
            id,
            name: shape::display_name(first),
            created: shape::created(&first.offer),
            description: "",
            architecture: shape::architecture(&first.offer),
            endpoints: deployments.iter().map(|deployment| self.endpoint(deployment)).collect(),
        })
    }

    fn endpoint<'a>(&self, deployment: &'a Deployment) -> Endpoint<'a> {
        let core = self.app.engine.core();
        let live = core.measure.current(&self.snapshot, core.clock.monotonic_ms());
        let live = self.offers().labelled(&deployment.label).map(|ix| live.of(ix)).unwrap_or_default();
        let offer = &deployment.offer;
        let provider_name = deployment.provider.name;
        Endpoint {
            name: format!("{provider_name} | {}", offer.upstream_id),
            model_id: deployment.model(),
            model_name: shape::display_name(deployment),
            provider_name,
            tag: &deployment.account,
            context_length: offer.context_window,
            max_completion_tokens: offer.output_max,
            max_prompt_tokens: None,
            quantization: "unknown",
            pricing: Pricing::of(&offer.prices, self.now),
            supported_parameters: shape::supported(&[deployment]),
            supports_implicit_caching: offer.capabilities.get(Capability::PromptCaching) == Support::Yes,
            status: if standing(live) == "healthy" { 0 } else { -1 },
            uptime_last_30m: None,
            latency_last_30m: None,
            throughput_last_30m: None,
            deployment: &deployment.label,
            standing: standing(live),
            first_content_ms: (live.first_content_ms > 0).then_some(live.first_content_ms),
            place: deployment.place.as_deref(),
            simulated: shape::is_simulated(deployment),
        }
    }

    fn unknown(&self, id: &str) -> Error {
        let near = suggestions(self.offers(), id);
        let near: Vec<&str> =
            near.iter().map(|name| &**name).filter(|name| !self.behind(name).is_empty()).collect();
        let hint = match near.get(..SUGGESTIONS_MAX.min(near.len())) {
            Some(near) if !near.is_empty() => format!("did you mean {}?", near.join(", ")),
            _ => "GET /v1/models lists every model this key may use".to_owned(),
        };
        let message = format!("this key can use no model named `{}`: {hint}", shown(id));
        Error::new(ErrorKind::ModelNotFound, message).about("model")
    }
}

/// Whether a key may use a deployment under a name: by that name, its model's, or its own.
fn covers(scope: &[ModelPattern], name: &str, deployment: &Deployment) -> bool {
    let names = [name, deployment.model(), &deployment.label];
    scope.is_empty() || scope.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)))
}

const fn standing(live: Live) -> &'static str {
    match live.standing {
        Standing::Healthy => "healthy",
        Standing::Degraded => "degraded",
        Standing::Open => "open",
        Standing::Barred { .. } => "cooling_down",
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields of the API it follows")]
struct Endpoints<'a> {
    id: &'a str,
    name: &'a str,
    created: i64,
    description: &'static str,
    architecture: Architecture,
    endpoints: Vec<Endpoint<'a>>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    name: String,
    model_id: &'a str,
    model_name: &'a str,
    provider_name: &'static str,
    tag: &'a str,
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    quantization: &'static str,
    pricing: Pricing,
    supported_parameters: Vec<&'static str>,
    supports_implicit_caching: bool,
    /// 0 where nothing speaks against it, negative otherwise.
    status: i8,
    /// Not measured in these windows.
    uptime_last_30m: Option<()>,
    latency_last_30m: Option<()>,
    throughput_last_30m: Option<()>,
    /// Ours: `account/upstream-id`.
    deployment: &'a str,
    /// Ours: how far it is used at the moment.
    standing: &'static str,
    /// Ours: live average time to the first content, in milliseconds.
    first_content_ms: Option<u32>,
    /// Ours: where it is declared to be.
    place: Option<&'a str>,
    /// Ours: answers come from a simulation.
    simulated: bool,
}
