//! From a loaded configuration and the catalogue to a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use trunkline_catalogue::{Catalogue, CatalogueError, price_book};
use trunkline_domain::{ModelName, Text};
use trunkline_providers::spec::{AuthScheme, BaseUrl};
use trunkline_routing::world::{self, Deployment, OfferTable};
use trunkline_upstream::auth::access::Access;
use trunkline_upstream::auth::{self, AuthError};
use trunkline_upstream::connect::proxy::{ProxyConfig, ProxyError};
use trunkline_upstream::connect::tls::{Authorities, RootStore, RootStoreError};
use trunkline_upstream::dispatch::Dispatch;
use trunkline_upstream::origin::{Origin, OriginError, PoolClass};

use super::access;
use super::{Account, CloudRoots, Credential, Delivery, DeploymentRuntime, Limits, Snapshot};
use crate::config::{Environment, Loaded, ReadyAccount};
use crate::health::{Breaker, Pace};
use crate::offers;

/// The base URL of the provider inside this process.
const IN_PROCESS: &str = "in-process://sandbox";
/// The largest certificate bundle read, in bytes.
const CA_BUNDLE_BYTES_MAX: u64 = 4 << 20;

/// What a snapshot is built from.
pub struct Parts<'a> {
    /// The configuration.
    pub loaded: &'a Loaded,
    /// The catalogue in use.
    pub catalogue: &'a Catalogue,
    /// Carries calls over the network.
    pub network: Arc<dyn Dispatch>,
    /// Answers in this process.
    pub in_process: Arc<dyn Dispatch>,
    /// Models found in providers' own listings, by account.
    pub discovered: &'a HashMap<Text, Vec<Text>>,
    /// The snapshot before: its breakers live on.
    pub previous: Option<&'a Snapshot>,
    /// Reads certificate bundles, and files of tokens while running.
    pub environment: &'a Arc<dyn Environment + Send + Sync>,
}

/// Why a configuration cannot run.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The catalogue is damaged.
    #[error("the catalogue cannot be read: {0}")]
    Catalogue(#[from] CatalogueError),
    /// An account's address.
    #[error("providers.{account}.base_url: {source}")]
    Origin {
        /// The account.
        account: Text,
        /// Why.
        source: OriginError,
    },
    /// An account without an address.
    #[error("providers.{0}.base_url: this provider has no address of its own; set one")]
    NoAddress(Text),
    /// An account's key.
    #[error("providers.{account}.api_key: {source}")]
    Key {
        /// The account.
        account: Text,
        /// Why.
        source: AuthError,
    },
    /// An account's cloud credentials.
    #[error("providers.{account}.auth: {reason}")]
    Cloud {
        /// The account.
        account: Text,
        /// Why.
        reason: String,
    },
    /// A proxy's address.
    #[error("providers.{account}: its proxy: {source}")]
    Proxy {
        /// The account.
        account: Text,
        /// Why.
        source: ProxyError,
    },
    /// A certificate bundle.
    #[error("ca_bundle {path}: {reason}")]
    Bundle {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Builds a snapshot. Nothing is in force yet.
pub fn build(parts: &Parts<'_>) -> Result<Snapshot, BuildError> {
    let config = &parts.loaded.config;
    let mut accounts = HashMap::new();
    let mut deployments = Vec::new();
    for ready in &parts.loaded.accounts {
        let account = Arc::new(account(parts, ready)?);
        deployments.extend(deployments_of(parts, ready)?);
        accounts.insert(account.name.clone(), account);
    }
    let mut kept = Kept::of(parts.previous);
    let mut runtimes = Vec::with_capacity(deployments.len());
    deployments.retain(|deployment| {
        let Some(account) = accounts.get(&deployment.account) else { return false };
        let breakers =
            account.credentials.iter().map(|credential| kept.breaker(&deployment.label, &credential.label));
        let breakers = breakers.collect();
        let pace = kept.pace(&deployment.label);
        runtimes.push(DeploymentRuntime { account: Arc::clone(account), breakers, pace });
        true
    });
    let limits = limits(parts.loaded);
    let routes = config.routes.iter().map(|route| (route.name.clone(), self::route(route))).collect();
    let delivery = config.routes.iter().map(|route| {
        let heartbeat = route.heartbeat.unwrap_or(limits.heartbeat);
        let (annotate, losses, resume) = (route.annotate, route.losses, route.resume);
        let validation = route.validation;
        (route.name.clone(), Delivery { losses, annotate, heartbeat, resume, validation })
    });
    let corrections = config
        .models
        .iter()
        .flat_map(|model| model.prices.iter().map(|correction| (model.name.as_str(), correction)));
    Ok(Snapshot {
        version: parts.previous.map_or(1, |previous| previous.version + 1),
        offers: OfferTable::new(deployments, routes),
        runtimes,
        accounts,
        price_version: Text::from(price_book::version(parts.catalogue.version(), corrections)),
        delivery: delivery.collect(),
        limits,
    })
}

fn limits(loaded: &Loaded) -> Limits {
    let server = &loaded.config.server.limits;
    Limits { attempts_max: server.attempts_max, heartbeat: server.heartbeat, ..Limits::default() }
}

fn names(models: &[ModelName]) -> Vec<Text> {
    models.iter().map(|model| model.0.clone()).collect()
}

fn route(route: &crate::config::route::Route) -> world::Route {
    world::Route {
        targets: names(&route.targets),
        attempts_max: route.attempts_max,
        timeouts: route.timeouts,
        hedge: route.hedge,
        fallbacks: world::Fallbacks {
            context_length: names(&route.fallbacks.context_length),
            content_policy: names(&route.fallbacks.content_policy),
            general: names(&route.fallbacks.general),
        },
    }
}

fn account(parts: &Parts<'_>, ready: &ReadyAccount) -> Result<Account, BuildError> {
    let settings = &ready.settings;
    let in_process = settings.provider.base_url == BaseUrl::InProcess;
    let base_url = match &settings.base_url {
        Some(url) => url.clone(),
        None if in_process => Text::from(IN_PROCESS),
        None => return Err(BuildError::NoAddress(settings.name.clone())),
    };
    let failed = |source| BuildError::Origin { account: settings.name.clone(), source };
    let way = Way::of(parts, ready)?;
    let origin = way.lead(Origin::parse(&base_url).map_err(failed)?);
    let network = if in_process { &parts.in_process } else { &parts.network };
    let mut account = Account::new(settings.name.clone(), settings.provider, base_url, network.clone());
    let before = parts.previous.and_then(|previous| previous.accounts.get(&settings.name));
    account.cloud = cloud_roots(parts, ready);
    account.credentials = match &account.cloud {
        Some(roots) => {
            let kept = before.filter(|before| before.cloud.as_ref() == Some(roots));
            let kept = kept.and_then(|before| before.credentials.first());
            let access = match kept {
                Some(credential) => Arc::clone(&credential.access),
                None => Arc::new(access::cloud(parts, &settings.name, &roots.access, &|it| way.lead(it))?),
            };
            vec![credential(&settings.name, "", access, &origin)]
        }
        None => credentials(ready, &origin)?,
    };
    account.timeouts = settings.timeouts;
    account.api_version.clone_from(&settings.api_version);
    if let Some(before) = before {
        account.rates = Arc::clone(&before.rates);
        for credential in &mut account.credentials {
            let known = before.credentials.iter().find(|known| known.label == credential.label);
            credential.headroom = known.map(|known| Arc::clone(&known.headroom)).unwrap_or_default();
        }
    }
    account.rates.change_limits(settings.limits);
    Ok(account)
}

fn bundle(parts: &Parts<'_>, path: &std::path::Path) -> Result<Arc<RootStore>, BuildError> {
    let failed = |reason: String| BuildError::Bundle { path: path.display().to_string(), reason };
    let pem =
        parts.environment.read_file(path, CA_BUNDLE_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
    let roots = RootStore::new(&[Authorities::Bundled, Authorities::Pem(&pem)])
        .map_err(|error: RootStoreError| failed(error.to_string()))?;
    Ok(Arc::new(roots))
}

/// What leads calls out of the house: a proxy, and whom to trust.
struct Way {
    proxy: Option<Arc<ProxyConfig>>,
    roots: Option<Arc<RootStore>>,
}

impl Way {
    fn of(parts: &Parts<'_>, ready: &ReadyAccount) -> Result<Self, BuildError> {
        let (settings, server) = (&ready.settings, &parts.loaded.config.server);
        let exceptions = server.no_proxy.join(",");
        let proxy = ready.proxy.as_ref().map(|proxy| ProxyConfig::parse(proxy.expose(), &exceptions));
        let proxy = proxy
            .transpose()
            .map_err(|source| BuildError::Proxy { account: settings.name.clone(), source })?;
        let authorities = settings.ca_bundle.as_ref().or(server.ca_bundle.as_ref());
        let roots = authorities.map(|path| bundle(parts, path)).transpose()?;
        Ok(Self { proxy: proxy.map(Arc::new), roots })
    }

    fn lead(&self, mut origin: Origin) -> Origin {
        if let Some(proxy) = &self.proxy {
            origin = origin.with_proxy(Arc::clone(proxy));
        }
        if let Some(roots) = &self.roots {
            origin = origin.with_roots(Arc::clone(roots));
        }
        origin
    }
}

fn cloud_roots(parts: &Parts<'_>, ready: &ReadyAccount) -> Option<CloudRoots> {
    let (settings, server) = (&ready.settings, &parts.loaded.config.server);
    Some(CloudRoots {
        access: ready.cloud.clone()?,
        proxy: ready.proxy.clone(),
        no_proxy: server.no_proxy.clone(),
        ca_bundle: settings.ca_bundle.clone().or_else(|| server.ca_bundle.clone()),
    })
}

fn credential(account: &Text, label: &str, access: Arc<Access>, origin: &Origin) -> Credential {
    let origin = origin.clone().with_class(PoolClass::new(&format!("{account}/{label}")));
    Credential { label: Text::from(label), access, origin: Arc::new(origin), headroom: Arc::default() }
}

/// One credential per key; an account without keys has the empty one. Connections are never shared between them.
fn credentials(ready: &ReadyAccount, origin: &Origin) -> Result<Vec<Credential>, BuildError> {
    let settings = &ready.settings;
    if ready.keys.is_empty() {
        return Ok(vec![credential(&settings.name, "", Arc::new(Access::Open), origin)]);
    }
    let mut credentials = Vec::with_capacity(ready.keys.len());
    for key in &ready.keys {
        let header = match settings.provider.auth {
            AuthScheme::Bearer | AuthScheme::OptionalBearer => Some(auth::bearer(&key.secret)),
            AuthScheme::Header(name) => Some(auth::header(name, &key.secret)),
            AuthScheme::None => None,
        };
        let header = header
            .transpose()
            .map_err(|source| BuildError::Key { account: settings.name.clone(), source })?;
        let access = header.map_or(Access::Open, |(name, value)| Access::Header(name, value));
        credentials.push(credential(&settings.name, &key.label, Arc::new(access), origin));
    }
    Ok(credentials)
}

/// What an account offers, by everything that is known now.
fn deployments_of(parts: &Parts<'_>, ready: &ReadyAccount) -> Result<Vec<Deployment>, BuildError> {
    let settings = &ready.settings;
    let discovered = parts.discovered.get(&settings.name).map(Vec::as_slice).unwrap_or_default();
    let listed = parts.catalogue.offers(settings.provider.catalogue)?;
    let corrections = &parts.loaded.config.models;
    Ok(offers::deployments_of(settings, offers::Sources { listed, discovered, corrections }))
}

/// What was learned under the snapshot before.
#[derive(Default)]
struct Kept {
    /// By deployment and credential.
    breakers: HashMap<(Text, Text), Arc<Breaker>>,
    /// By deployment.
    paces: HashMap<Text, Arc<Pace>>,
}

impl Kept {
    fn of(previous: Option<&Snapshot>) -> Self {
        let mut kept = Self::default();
        let Some(snapshot) = previous else { return kept };
        for (deployment, runtime) in snapshot.offers.deployments().iter().zip(&snapshot.runtimes) {
            kept.paces.insert(deployment.label.clone(), Arc::clone(&runtime.pace));
            for (credential, breaker) in runtime.account.credentials.iter().zip(&runtime.breakers) {
                let place = (deployment.label.clone(), credential.label.clone());
                kept.breakers.insert(place, Arc::clone(breaker));
            }
        }
        kept
    }

    fn breaker(&mut self, deployment: &Text, credential: &Text) -> Arc<Breaker> {
        self.breakers.remove(&(deployment.clone(), credential.clone())).unwrap_or_default()
    }

    fn pace(&mut self, deployment: &Text) -> Arc<Pace> {
        self.paces.remove(deployment).unwrap_or_default()
    }
}
