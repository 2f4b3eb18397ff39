//! The shape of a model in lists: OpenAI's four fields, OpenRouter's, and a few of ours.
//!
//! OpenAI: openai-python, `types/model.py`. OpenRouter: <https://openrouter.ai/docs/models>, "Model Object Schema", and
//! <https://openrouter.ai/docs/api/api-reference/endpoints/list-endpoints>. Where a model has several deployments the
//! price is the lowest and the window the largest, as there.

use jiff::tz::TimeZone;
use serde::Serialize;
use trunkline_catalogue::{Capability, Kind, Modality, Offer, Support, TokenClass};
use trunkline_domain::{Operation, UnixMs};
use trunkline_providers::spec::BaseUrl;
use trunkline_routing::world::{Deployment, OfferState};

use super::price::Pricing;

/// A model as lists show it.
#[derive(Serialize)]
pub(super) struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
    canonical_slug: &'a str,
    name: &'a str,
    description: &'static str,
    context_length: Option<u64>,
    architecture: Architecture,
    pricing: Pricing,
    top_provider: TopProvider,
    per_request_limits: Option<()>,
    supported_parameters: Vec<&'static str>,
    links: Links,
    /// Ours: how it is known.
    state: &'static str,
    /// Ours: answers come from a simulation.
    simulated: bool,
    /// Ours: whether it is a model or a route of the operator's.
    kind: &'static str,
    /// Ours: what it does.
    operations: Vec<&'static str>,
    /// Ours: the accounts that serve it.
    accounts: Vec<&'a str>,
}

impl Model<'_> {
    pub(super) fn id(&self) -> &str {
        self.id
    }

    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// Whether it can be talked to.
    pub(super) fn chats(&self) -> bool {
        self.operations.contains(&Operation::Chat.as_str())
    }

    /// Seconds since 1970.
    pub(super) fn created(&self) -> i64 {
        self.created
    }

    pub(super) fn context_length(&self) -> Option<u64> {
        self.context_length
    }

    pub(super) fn output_max(&self) -> Option<u64> {
        self.top_provider.max_completion_tokens
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Model,
    Route,
}

#[derive(Serialize)]
pub(super) struct Architecture {
    modality: String,
    input_modalities: Vec<&'static str>,
    output_modalities: Vec<&'static str>,
    tokenizer: &'static str,
    instruct_type: Option<()>,
}

#[derive(Serialize)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

#[derive(Serialize)]
struct Links {
    details: String,
}

/// The model a name stands for, served by at least one deployment.
pub(super) fn model<'a>(
    id: &'a str,
    kind: NameKind,
    deployments: &[&'a Deployment],
    now: UnixMs,
) -> Option<Model<'a>> {
    let best = deployments.iter().min_by_key(|deployment| price(&deployment.offer, now))?;
    let offer = &best.offer;
    let mut accounts: Vec<&str> = deployments.iter().map(|deployment| &*deployment.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let windows = deployments.iter().filter_map(|deployment| deployment.offer.context_window);
    let listed = deployments.iter().any(|deployment| deployment.state == OfferState::Listed);
    Some(Model {
        id,
        object: "model",
        created: created(offer),
        owned_by: owner(id, kind, best),
        canonical_slug: if kind == NameKind::Route { id } else { best.model() },
        name: if kind == NameKind::Route { id } else { display_name(best) },
        description: "",
        context_length: windows.max(),
        architecture: architecture(offer),
        pricing: Pricing::of(&offer.prices, now),
        top_provider: TopProvider {
            context_length: offer.context_window,
            max_completion_tokens: offer.output_max,
            is_moderated: false,
        },
        per_request_limits: None,
        supported_parameters: supported(deployments),
        links: Links { details: format!("/v1/models/{id}/endpoints") },
        state: if listed { "listed" } else { "discovered" },
        simulated: deployments.iter().all(|deployment| is_simulated(deployment)),
        kind: if kind == NameKind::Route { "route" } else { "model" },
        operations: operations(deployments),
        accounts,
    })
}

/// What a deployment is ordered by in lists: unknown prices last.
pub(super) fn price(offer: &Offer, now: UnixMs) -> (bool, i64) {
    let rates = offer.prices.standard(now);
    let input = rates.and_then(|rates| rates.get(TokenClass::Input)).map(|rate| rate.0);
    let output = rates.and_then(|rates| rates.get(TokenClass::Output)).map_or(0, |rate| rate.0);
    (input.is_none(), input.unwrap_or(0).saturating_add(output))
}

pub(super) fn display_name(deployment: &Deployment) -> &str {
    deployment.offer.display_name.as_deref().unwrap_or(deployment.model())
}

pub(super) fn is_simulated(deployment: &Deployment) -> bool {
    deployment.provider.base_url == BaseUrl::InProcess
}

/// Seconds since 1970 at the start of the day it came out; 0 where nobody says.
pub(super) fn created(offer: &Offer) -> i64 {
    let start = offer.released.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    start.map_or(0, |start| start.timestamp().as_second())
}

fn owner<'a>(id: &'a str, kind: NameKind, best: &'a Deployment) -> &'a str {
    match kind {
        NameKind::Route => "trunkline",
        NameKind::Model if best.state == OfferState::Discovered => best.provider.id,
        NameKind::Model => id.split_once('/').map_or(best.provider.id, |(vendor, _)| vendor),
    }
}

pub(super) fn architecture(offer: &Offer) -> Architecture {
    let names = |set: trunkline_catalogue::Modalities| set.iter().map(Modality::as_str).collect::<Vec<_>>();
    let or_text = |names: Vec<&'static str>| if names.is_empty() { vec!["text"] } else { names };
    let input = or_text(names(offer.input));
    let output = match offer.kind {
        Kind::Embedding => vec!["embeddings"],
        Kind::Chat | Kind::Completion | Kind::Unknown => or_text(names(offer.output)),
    };
    Architecture {
        modality: format!("{}->{}", input.join("+"), output.join("+")),
        input_modalities: input,
        output_modalities: output,
        tokenizer: "Other",
        instruct_type: None,
    }
}

fn operations(deployments: &[&Deployment]) -> Vec<&'static str> {
    let all = [Operation::Chat, Operation::TextCompletion, Operation::Embeddings];
    let serves = |operation: &Operation| {
        deployments.iter().any(|deployment| {
            let api = deployment.provider.apis.iter().any(|api| api.operation == *operation);
            api && (deployment.state == OfferState::Discovered || deployment.offer.serves(*operation))
        })
    };
    all.into_iter().filter(serves).map(Operation::as_str).collect()
}

/// Fields every chat model of an OpenAI-compatible server takes, unless its provider refuses them.
const COMMON: [&str; 7] =
    ["temperature", "top_p", "max_tokens", "stop", "frequency_penalty", "presence_penalty", "seed"];

/// Fields that come with a capability.
const BY_CAPABILITY: [(Capability, &[&str]); 7] = [
    (Capability::Tools, &["tools"]),
    (Capability::ToolChoice, &["tool_choice"]),
    (Capability::ParallelTools, &["parallel_tool_calls"]),
    (Capability::StructuredOutput, &["structured_outputs", "response_format"]),
    (Capability::JsonMode, &["response_format"]),
    (Capability::Logprobs, &["logprobs", "top_logprobs"]),
    (Capability::Reasoning, &["reasoning", "include_reasoning"]),
];

/// What at least one deployment takes.
pub(super) fn supported(deployments: &[&Deployment]) -> Vec<&'static str> {
    let mut all: Vec<&'static str> =
        deployments.iter().flat_map(|deployment| supported_by(deployment)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn supported_by(deployment: &Deployment) -> Vec<&'static str> {
    let offer = &deployment.offer;
    if offer.kind == Kind::Embedding {
        return Vec::new();
    }
    let able = |capability: Capability| offer.capabilities.get(capability) == Support::Yes;
    let capable = BY_CAPABILITY.into_iter().filter(|(capability, _)| able(*capability));
    let fields = COMMON.into_iter().chain(capable.flat_map(|(_, fields)| fields.iter().copied()));
    fields.filter(|field| !deployment.provider.quirks.unsupported.contains(field)).collect()
}
