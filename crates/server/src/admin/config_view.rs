//! A configuration as administrators see it: every setting, and of each secret only where it is kept.

use serde::Serialize;
use trunkline_domain::access::RateLimits;
use trunkline_domain::plan::Timeouts;
use trunkline_engine::config::account::{KeyRef, ModelChoice};
use trunkline_engine::config::route::Route;
use trunkline_engine::config::secrets::{SecretRef, SecretSource};
use trunkline_engine::config::server::{ProxyRef, Server};
use trunkline_engine::config::{AccountSettings, ConfigFile};
use trunkline_engine::snapshot::Snapshot;

/// Everything.
#[derive(Serialize)]
pub(super) struct ConfigView {
    server: ServerView,
    storage: StorageView,
    providers: Vec<AccountView>,
    /// Accounts nobody configured: from environment variables, found on this machine, or simulated.
    found: Vec<FoundView>,
    models: Vec<String>,
    routes: Vec<RouteView>,
    catalogue: CatalogueView,
}

#[derive(Serialize)]
struct ServerView {
    listen: String,
    admin_listen: String,
    data_dir: String,
    tls: bool,
    trusted_proxies: Vec<String>,
    cors_origins: Vec<String>,
    proxy: Option<String>,
    no_proxy: Vec<String>,
    ca_bundle: Option<String>,
    drain_timeout_s: u64,
    body_bytes_max: u64,
    connections_max: u32,
    attempts_max: u8,
}

#[derive(Serialize)]
struct StorageView {
    durability: &'static str,
    journal_bytes_max: u64,
}

#[derive(Serialize)]
struct AccountView {
    name: String,
    kind: &'static str,
    base_url: Option<String>,
    keys: Vec<KeyView>,
    /// The cloud whose credentials it has instead of keys.
    auth: Option<&'static str>,
    region: Option<String>,
    models: Vec<String>,
    proxy: Option<String>,
    priority: i32,
    canonical: bool,
    limits: RateLimits,
    timeouts: TimeoutsView,
}

#[derive(Serialize)]
struct FoundView {
    name: String,
    kind: &'static str,
    base_url: String,
    keys: usize,
}

#[derive(Serialize)]
struct KeyView {
    label: String,
    kept_in: String,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the configuration, units last")]
struct TimeoutsView {
    connect_ms: Option<u128>,
    headers_ms: Option<u128>,
    first_content_ms: Option<u128>,
    idle_ms: Option<u128>,
    total_ms: Option<u128>,
}

#[derive(Serialize)]
struct RouteView {
    name: String,
    targets: Vec<String>,
    timeouts: TimeoutsView,
    annotate: bool,
    attempts_max: Option<u8>,
}

#[derive(Serialize)]
struct CatalogueView {
    public_keys: usize,
    listing_refresh_hours: Option<u64>,
}

impl ConfigView {
    pub(super) fn new(config: &ConfigFile, snapshot: &Snapshot) -> Self {
        let configured = |name: &str| config.accounts.iter().any(|account| *account.name == *name);
        let found = snapshot.accounts.values().filter(|account| !configured(&account.name));
        let mut found: Vec<FoundView> = found
            .map(|account| FoundView {
                name: account.name.to_string(),
                kind: account.provider.id,
                base_url: account.base_url.to_string(),
                keys: account.credentials.iter().filter(|credential| !credential.access.is_open()).count(),
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let refresh = config.catalogue.listing_refresh;
        Self {
            server: ServerView::new(&config.server),
            storage: StorageView {
                durability: match config.storage.durability {
                    trunkline_engine::config::file::Durability::Process => "process",
                    trunkline_engine::config::file::Durability::Power => "power",
                },
                journal_bytes_max: config.storage.journal_bytes_max,
            },
            providers: config.accounts.iter().map(AccountView::new).collect(),
            found,
            models: config.models.iter().map(|model| model.name.to_string()).collect(),
            routes: config.routes.iter().map(RouteView::new).collect(),
            catalogue: CatalogueView {
                public_keys: config.catalogue.public_keys.len(),
                listing_refresh_hours: refresh.map(|every| every.as_secs() / 3_600),
            },
        }
    }
}

impl ServerView {
    fn new(server: &Server) -> Self {
        Self {
            listen: server.listen.to_string(),
            admin_listen: server.admin_listen.to_string(),
            data_dir: server.data_dir.display().to_string(),
            tls: server.tls.is_some(),
            trusted_proxies: server.trusted_proxies.iter().map(ToString::to_string).collect(),
            cors_origins: server.cors_origins.iter().map(ToString::to_string).collect(),
            proxy: server.proxy.as_ref().map(proxy),
            no_proxy: server.no_proxy.iter().map(ToString::to_string).collect(),
            ca_bundle: server.ca_bundle.as_ref().map(|path| path.display().to_string()),
            drain_timeout_s: server.drain_timeout.as_secs(),
            body_bytes_max: server.limits.body_bytes_max,
            connections_max: server.limits.connections_max,
            attempts_max: server.limits.attempts_max,
        }
    }
}

impl AccountView {
    fn new(account: &AccountSettings) -> Self {
        let key =
            |KeyRef { label, secret }: &KeyRef| KeyView { label: label.to_string(), kept_in: place(secret) };
        let model = |choice: &ModelChoice| match choice {
            ModelChoice::Pattern(pattern) => pattern.0.to_string(),
            ModelChoice::Own(own) => own.id.to_string(),
        };
        Self {
            name: account.name.to_string(),
            kind: account.provider.id,
            base_url: account.base_url.as_ref().map(ToString::to_string),
            keys: account.keys.iter().map(key).collect(),
            auth: account.cloud.as_ref().map(|cloud| cloud.cloud().as_str()),
            region: account.region.as_ref().map(ToString::to_string),
            models: account.models.iter().map(model).collect(),
            proxy: account.proxy.as_ref().map(proxy),
            priority: account.priority,
            canonical: account.canonical,
            limits: account.limits,
            timeouts: TimeoutsView::new(account.timeouts),
        }
    }
}

impl RouteView {
    fn new(route: &Route) -> Self {
        Self {
            name: route.name.to_string(),
            targets: route.targets.iter().map(ToString::to_string).collect(),
            timeouts: TimeoutsView::new(route.timeouts),
            annotate: route.annotate,
            attempts_max: route.attempts_max,
        }
    }
}

impl TimeoutsView {
    fn new(timeouts: Timeouts) -> Self {
        let ms = |timeout: Option<std::time::Duration>| timeout.map(|timeout| timeout.as_millis());
        Self {
            connect_ms: ms(timeouts.connect),
            headers_ms: ms(timeouts.headers),
            first_content_ms: ms(timeouts.first_content),
            idle_ms: ms(timeouts.idle),
            total_ms: ms(timeouts.total),
        }
    }
}

/// Where a proxy's address is kept, or the address itself where it holds no credentials.
fn proxy(proxy: &ProxyRef) -> String {
    match proxy {
        ProxyRef::Url(url) => url.to_string(),
        ProxyRef::Secret(secret) => place(secret),
    }
}

fn place(secret: &SecretRef) -> String {
    match &secret.source {
        SecretSource::Env(name) => format!("env {name}"),
        SecretSource::File(path) => format!("file {}", path.display()),
    }
}
