//! Everything the running snapshot is made from, and the one way to make the next: a changed file, another
//! catalogue, models seen in a listing, a local server that answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use trunkline_catalogue::Catalogue;
use trunkline_domain::Text;
use trunkline_providers::registry;
use trunkline_providers::spec::BaseUrl;
use trunkline_upstream::auth::access::Access;
use trunkline_upstream::dispatch::Dispatch;

use crate::Engine;
use crate::config::{AccountSettings, ConfigFile, Environment, Loaded, ReadyAccount};
use crate::listing;
use crate::snapshot::{Account, BuildError, Credential, Parts, Snapshot, build};

/// How long one listing may take.
const LISTING_DEADLINE: Duration = Duration::from_secs(10);
/// How long a local server may take to answer its usual port.
const LOCAL_DEADLINE: Duration = Duration::from_millis(500);
/// The same account is not asked again on behalf of a request within this time.
const ASK_AGAIN_MS: u64 = 10_000;

/// What snapshots are made from.
pub struct Configurator {
    network: Arc<dyn Dispatch>,
    in_process: Arc<dyn Dispatch>,
    environment: Arc<dyn Environment + Send + Sync>,
    state: tokio::sync::Mutex<State>,
}

struct State {
    loaded: Loaded,
    catalogue: Arc<Catalogue>,
    discovered: HashMap<Text, Vec<Text>>,
    asked_ms: HashMap<Text, u64>,
    /// Accounts of local servers that were found, kept over reloads.
    local: Vec<ReadyAccount>,
}

impl Configurator {
    /// The ways out, and the first configuration and catalogue.
    pub fn new(
        network: Arc<dyn Dispatch>,
        in_process: Arc<dyn Dispatch>,
        environment: Arc<dyn Environment + Send + Sync>,
        loaded: Loaded,
        catalogue: Arc<Catalogue>,
    ) -> Self {
        let state = State {
            loaded,
            catalogue,
            discovered: HashMap::new(),
            asked_ms: HashMap::new(),
            local: Vec::new(),
        };
        Self { network, in_process, environment, state: tokio::sync::Mutex::new(state) }
    }

    /// The first snapshot.
    pub async fn first(&self) -> Result<Snapshot, BuildError> {
        self.build(&*self.state.lock().await, None)
    }

    /// The catalogue in use.
    pub async fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.state.lock().await.catalogue)
    }

    /// What the configuration in use says.
    pub async fn config(&self) -> ConfigFile {
        self.state.lock().await.loaded.config.clone()
    }

    /// Puts a loaded configuration in force. On an error the one before stays.
    pub async fn reload(&self, engine: &Engine, loaded: Loaded) -> Result<(), BuildError> {
        self.change(engine, |state| state.loaded = loaded).await
    }

    /// Puts another catalogue in force. On an error the one before stays.
    pub async fn use_catalogue(&self, engine: &Engine, catalogue: Arc<Catalogue>) -> Result<(), BuildError> {
        self.change(engine, |state| state.catalogue = catalogue).await
    }

    /// Reads the listing of every account that has one. Failures are logged and change nothing.
    pub async fn refresh_listings(&self, engine: &Engine) {
        let accounts: Vec<Arc<Account>> = engine.snapshot().accounts.values().cloned().collect();
        for account in accounts.iter().filter(|account| account.provider.listing.is_some()) {
            self.refresh(engine, account).await;
        }
    }

    /// Reads the listings now and then for ever, with up to a tenth of the pause as jitter, so that many gateways do not
    /// ask at once.
    pub async fn keep_listings(&self, engine: &Engine, every: Duration) {
        loop {
            self.refresh_listings(engine).await;
            tokio::time::sleep(every + every.mul_f64(rand::random::<f64>() / 10.0)).await;
        }
    }

    /// Reads the listing of one account on behalf of a request, at most every few seconds. Says whether it was read.
    pub async fn refresh_account(&self, engine: &Engine, name: &str) -> bool {
        let Some(account) = engine.snapshot().accounts.get(name).cloned() else { return false };
        let now_ms = engine.core().clock.monotonic_ms();
        {
            let mut state = self.state.lock().await;
            let asked_ms = state.asked_ms.get(name).copied();
            if asked_ms.is_some_and(|asked_ms| asked_ms + ASK_AGAIN_MS > now_ms) {
                return false;
            }
            state.asked_ms.insert(account.name.clone(), now_ms);
        }
        self.refresh(engine, &account).await
    }

    async fn refresh(&self, engine: &Engine, account: &Account) -> bool {
        let ids = match listing::read(account, LISTING_DEADLINE).await {
            Ok(ids) => ids,
            Err(error) => {
                tracing::debug!(account = %account.name, %error, "the account's models could not be listed");
                return false;
            }
        };
        if self.state.lock().await.discovered.get(&account.name) == Some(&ids) {
            return true;
        }
        let name = account.name.clone();
        let changed = self.change(engine, |state| drop(state.discovered.insert(name, ids))).await;
        changed.inspect_err(|error| tracing::warn!(%error, "listed models could not be taken over")).is_ok()
    }

    /// Asks the usual loopback ports of local servers; those that answer become accounts. Their models are known by
    /// `account/upstream-id` only.
    pub async fn find_local_servers(&self, engine: &Engine) {
        for &spec in registry::ALL {
            let BaseUrl::Local { url, account: name } = spec.base_url else { continue };
            if engine.snapshot().accounts.contains_key(name) {
                continue;
            }
            let Ok(origin) = trunkline_upstream::origin::Origin::parse(url) else { continue };
            let mut account =
                Account::new(Text::from(name), spec, Text::from(url), Arc::clone(&self.network));
            account.credentials.push(Credential {
                label: Text::from(""),
                access: Arc::new(Access::Open),
                origin: Arc::new(origin),
                headroom: Arc::default(),
            });
            let Ok(ids) = listing::read(&account, LOCAL_DEADLINE).await else { continue };
            tracing::info!(account = name, url, models = ids.len(), "found a local server");
            let ready = ReadyAccount {
                settings: AccountSettings::new(name, spec),
                keys: Vec::new(),
                cloud: None,
                proxy: None,
            };
            let taken = self.change(engine, |state| {
                state.local.push(ready);
                state.discovered.insert(Text::from(name), ids);
            });
            if let Err(error) = taken.await {
                tracing::warn!(account = name, %error, "a local server could not be taken over");
            }
        }
    }

    /// Changes a copy of the state, builds from it, and keeps it only if that works.
    async fn change(&self, engine: &Engine, edit: impl FnOnce(&mut State)) -> Result<(), BuildError> {
        let mut state = self.state.lock().await;
        let mut next = State {
            loaded: state.loaded.clone(),
            catalogue: Arc::clone(&state.catalogue),
            discovered: state.discovered.clone(),
            asked_ms: state.asked_ms.clone(),
            local: state.local.clone(),
        };
        edit(&mut next);
        let snapshot = self.build(&next, Some(&engine.snapshot()))?;
        *state = next;
        engine.reload(snapshot);
        Ok(())
    }

    fn build(&self, state: &State, previous: Option<&Snapshot>) -> Result<Snapshot, BuildError> {
        let mut loaded = state.loaded.clone();
        let missing =
            |local: &&ReadyAccount| loaded.accounts.iter().all(|it| it.settings.name != local.settings.name);
        let local: Vec<ReadyAccount> = state.local.iter().filter(missing).cloned().collect();
        loaded.accounts.extend(local);
        build(&Parts {
            loaded: &loaded,
            catalogue: &state.catalogue,
            network: Arc::clone(&self.network),
            in_process: Arc::clone(&self.in_process),
            discovered: &state.discovered,
            previous,
            environment: &self.environment,
        })
    }
}

impl std::fmt::Debug for Configurator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Configurator")
    }
}
