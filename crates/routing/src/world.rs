//! What the planner sees: the table of deployments, and live figures about them. The types are here; `engine` fills
//! them.

use std::collections::HashMap;
use std::sync::OnceLock;

use trunkline_catalogue::{Names, Offer};
use trunkline_domain::chat::Minter;
use trunkline_domain::plan::{DeploymentIx, Timeouts};
use trunkline_domain::{Dialect, ModelName, Operation, Text, UnixMs};
use trunkline_providers::spec::{Api, Prefill, ProviderSpec};
use trunkline_wire::can_recast;

use crate::resolve::model;

/// Everything a plan may depend on.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Who offers what.
    pub offers: &'a OfferTable,
    /// How they are doing.
    pub live: &'a LiveTable,
    /// The instant prices are read for.
    pub now: UnixMs,
    /// Monotonic milliseconds, the scale of [`Live`]'s instants.
    pub monotonic_ms: u64,
}

/// One configured account together with one upstream model.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// `account/upstream-id`.
    pub label: Text,
    /// The configured account.
    pub account: Text,
    /// Who speaks there.
    pub provider: &'static ProviderSpec,
    /// What is offered: upstream id, model, window, capabilities, prices.
    pub offer: Offer,
    /// Whether it may be asked for by its canonical slug, or by its label only.
    pub naming: Naming,
    /// What to do about an unknown price.
    pub unpriced: Unpriced,
    /// Lower first.
    pub priority: i32,
    /// Where it is declared to be.
    pub place: Option<Text>,
    /// How the gateway came to know it.
    pub state: OfferState,
    /// How it is told to go on with an answer that was begun elsewhere; `None` where it is not known to do so.
    pub prefill: Option<Prefill>,
}

impl Deployment {
    /// The API that serves an operation asked for in a dialect: the one that speaks it, else one it can be recast to.
    /// Tokens are counted in the dialect of the conversation only.
    pub fn api(&self, operation: Operation, dialect: Dialect) -> Option<&'static Api> {
        let (provider, model) = (self.provider, &self.offer.upstream_id);
        let serves = |api: &&'static Api| provider.adapter.serves(api, model);
        if operation == Operation::CountTokens {
            let counts = provider.counts_tokens;
            return provider.api(Operation::Chat, dialect).filter(|_| counts).filter(serves);
        }
        let spoken = provider.api(operation, dialect).filter(serves);
        spoken.or_else(|| {
            let mut others = provider.apis.iter().filter(|api| api.operation == operation).filter(serves);
            others.find(|api| can_recast(dialect, api.dialect))
        })
    }

    /// Whose state it takes back in a dialect.
    pub fn minter(&self, dialect: Dialect) -> Minter {
        if self.provider.portable_state.contains(&dialect) {
            Minter::Model(ModelName(self.model().clone()))
        } else {
            Minter::Account(self.account.clone())
        }
    }

    /// The API that goes on with an answer a caller of this dialect was given the beginning of.
    pub fn continuing_api(&self, dialect: Dialect) -> Option<(&'static Api, Prefill)> {
        let prefill = self.prefill?;
        let api = self.provider.api(Operation::Chat, prefill.dialect)?;
        let understood = dialect == prefill.dialect || can_recast(dialect, prefill.dialect);
        let serves = self.provider.adapter.serves(api, &self.offer.upstream_id);
        (understood && serves).then_some((api, prefill))
    }

    /// The public name it answers to: its canonical slug where it joins one, else its label.
    pub fn model(&self) -> &Text {
        match self.naming {
            Naming::Canonical => &self.offer.model.0,
            Naming::LabelOnly => &self.label,
        }
    }
}

/// Whether a deployment joins its canonical slug. Whatever listens on a local port must not be able to claim a
/// vendor's model by naming itself so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// It serves requests for the slug.
    Canonical,
    /// It serves requests for `account/upstream-id` only.
    LabelOnly,
}

/// What to do about a model whose price nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// Serve it where no budget asks for a bound.
    Serve,
    /// Never serve it.
    Refuse,
}

/// How the gateway came to know an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferState {
    /// In the catalogue or in the configuration.
    Listed,
    /// In the provider's own listing while running; its facts are unknown.
    Discovered,
}

/// A configured route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Names of models, or `account/upstream-id`, in the order in which they are tried.
    pub targets: Vec<Text>,
    /// Attempts allowed, if the route says so.
    pub attempts_max: Option<u8>,
    /// Deadlines the route sets.
    pub timeouts: Timeouts,
    /// Whether a second deployment is asked when the first is slow.
    pub hedge: bool,
    /// What is tried when the targets have failed.
    pub fallbacks: Fallbacks,
}

/// Names of models to fall back to, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// The prompt is too long for the targets.
    pub context_length: Vec<Text>,
    /// The targets' content policy refuses.
    pub content_policy: Vec<Text>,
    /// For any other cause that another deployment may not share.
    pub general: Vec<Text>,
}

/// Every deployment, and the names that lead to them.
#[derive(Clone, Debug, Default)]
pub struct OfferTable {
    deployments: Vec<Deployment>,
    by_model: HashMap<Text, Vec<DeploymentIx>>,
    by_alias: HashMap<Text, Alias>,
    by_label: HashMap<Text, DeploymentIx>,
    routes: HashMap<Text, Route>,
    /// Built when somebody asks for a name nobody knows.
    all_names: OnceLock<Names>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Alias {
    Of(Text),
    Ambiguous,
}

impl OfferTable {
    /// Builds the indices. The short alias of a canonical slug is what follows its last slash, where that is not
    /// ambiguous.
    pub fn new(deployments: Vec<Deployment>, routes: HashMap<Text, Route>) -> Self {
        let mut table = Self { routes, ..Self::default() };
        for (deployment, ix) in deployments.iter().zip(0..) {
            let ix = DeploymentIx(ix);
            table.by_label.entry(deployment.label.clone()).or_insert(ix);
            if deployment.naming == Naming::Canonical {
                let model = &deployment.offer.model.0;
                table.by_model.entry(model.clone()).or_default().push(ix);
                table.add_alias(model);
            }
        }
        table.deployments = deployments;
        table
    }

    fn add_alias(&mut self, model: &Text) {
        let Some((_, short)) = model.rsplit_once('/') else { return };
        let known = self.by_alias.entry(Text::from(short)).or_insert_with(|| Alias::Of(model.clone()));
        if *known != Alias::Of(model.clone()) {
            *known = Alias::Ambiguous;
        }
    }

    /// The deployment at an index of this table.
    pub fn get(&self, ix: DeploymentIx) -> Option<&Deployment> {
        self.deployments.get(ix.0 as usize)
    }

    /// All deployments, in the order of their indices.
    pub fn deployments(&self) -> &[Deployment] {
        &self.deployments
    }

    /// All routes.
    pub fn routes(&self) -> &HashMap<Text, Route> {
        &self.routes
    }

    /// The deployments of a canonical model.
    pub fn of_model(&self, model: &str) -> &[DeploymentIx] {
        self.by_model.get(model).map_or(&[], Vec::as_slice)
    }

    /// The canonical models that have a deployment.
    pub fn models(&self) -> impl Iterator<Item = &Text> {
        self.by_model.keys()
    }

    /// The canonical slug a short alias stands for.
    pub fn alias(&self, name: &str) -> Option<&Text> {
        match self.by_alias.get(name)? {
            Alias::Of(model) => Some(model),
            Alias::Ambiguous => None,
        }
    }

    /// The deployment with this `account/upstream-id`.
    pub fn labelled(&self, label: &str) -> Option<DeploymentIx> {
        self.by_label.get(label).copied()
    }

    /// Whether somebody serves a model of this name; a route's name is none.
    pub fn serves(&self, name: &str) -> bool {
        model(self, name).is_some()
    }

    /// Every name a caller may use, routes, canonical slugs and labels, for suggestions.
    pub fn all_names(&self) -> &Names {
        self.all_names.get_or_init(|| {
            let names = self.routes.keys().chain(self.by_model.keys()).chain(self.by_label.keys());
            Names::new(names.map(|name| ModelName(name.clone())))
        })
    }
}

/// Live figures, one row a deployment, in the order of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveTable {
    /// Grows with every publication.
    pub version: u64,
    /// Rows; a missing row is a deployment nothing is known about.
    pub rows: Vec<Live>,
}

impl LiveTable {
    /// The row of a deployment.
    pub fn of(&self, ix: DeploymentIx) -> Live {
        self.rows.get(ix.0 as usize).copied().unwrap_or_default()
    }
}

/// How one deployment is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Standing of its best credential.
    pub standing: Standing,
    /// Live average time to the first content, in milliseconds; 0 while nothing was measured.
    pub first_content_ms: u32,
    /// Requests under way there.
    pub in_flight: u32,
    /// No credential has room left in the provider's own limits.
    pub strained: bool,
    /// Until the first content of its streams.
    pub first_content: Quantiles,
    /// Until the end of its whole answers.
    pub whole: Quantiles,
}

/// Live quantiles of a duration, in milliseconds; `None` while too little was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Nine of ten are below.
    pub p90_ms: Option<u32>,
    /// Nineteen of twenty are below.
    pub p95_ms: Option<u32>,
}

/// How far a deployment may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    #[default]
    Healthy,
    /// It failed within the last thirty seconds: tried after the healthy ones.
    Degraded,
    /// Its breaker is open: tried only when nothing better is left.
    Open,
    /// The provider asked to be left alone, or refused the credential: not tried until this monotonic millisecond.
    Barred {
        /// Monotonic milliseconds.
        until_ms: u64,
        /// The provider said that it is rate limited.
        rate_limited: bool,
    },
}
