//! An engine with everything around it: providers by host name, a store in memory, a journal in a temporary folder.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use trunkline_catalogue::Catalogue;
use trunkline_domain::access::{Budget, BudgetWindow, RateLimits};
use trunkline_domain::attempt::Origin;
use trunkline_domain::id::{OrganisationId, RequestId};
use trunkline_domain::ledger::{AttemptEntry, RequestRecord};
use trunkline_domain::{Dialect, Error, NanoUsd, Secret, TenantScope};
use trunkline_engine::answer::AnswerBody;
use trunkline_engine::clock::SystemClock;
use trunkline_engine::config::{AnyModel, Environment, Loaded, check, discover};
use trunkline_engine::configurator::Configurator;
use trunkline_engine::inbound::{Body, Inbound, Purpose};
use trunkline_engine::mint::{self, KeySpec};
use trunkline_engine::{Engine, EngineParts};
use trunkline_ledger::Clock;
use trunkline_ledger::api::LedgerStore;
use trunkline_ledger::journal::{Journal, JournalOptions};
use trunkline_ledger::memory::MemoryStore;
use trunkline_testkit::fake_provider::{FakeProvider, Setup};
use trunkline_upstream::dispatch::{Call, Dispatch, DispatchFuture};
use trunkline_upstream::sandbox::Sandbox;

/// Two accounts of one model, and one of another: the least in which everything can go wrong.
pub const TWO_ACCOUNTS: &str = r#"
    [providers.east]
    kind = "custom"
    base_url = "http://east.test/v1"
    api_key = { env = "KEY" }
    priority = 0
    models = [{ id = "m-1", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 10 }]

    [providers.west]
    kind = "custom"
    base_url = "http://west.test/v1"
    api_key = { env = "KEY" }
    priority = 1
    models = [{ id = "m-2", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = 2, output_usd_per_million = 20 }]
"#;

/// The engine and its surroundings.
pub struct Rig {
    pub engine: Engine,
    pub store: Arc<MemoryStore>,
    pub key: Secret<String>,
    providers: HashMap<String, FakeProvider>,
    _journal: tempfile::TempDir,
}

/// A caller's view of an answer.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    pub request: RequestId,
}

struct Network(HashMap<String, FakeProvider>);

impl Dispatch for Network {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        if call.origin.host() == "tokens.test" {
            return crate::clouds::token(&call);
        }
        self.0.get(call.origin.host()).unwrap().dispatch(call)
    }
}

struct Env;

impl Environment for Env {
    fn var(&self, name: &str) -> Option<String> {
        (name == "KEY").then(|| "provider-key-canary".to_owned())
    }

    fn read_file(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn load(toml: &str) -> Loaded {
    let checked = check(toml, &AnyModel);
    let config = checked.config.unwrap_or_else(|| panic!("{:?}", checked.problems));
    let accounts = discover::from_file(&config, &Env).unwrap();
    Loaded { config, accounts, warnings: Vec::new() }
}

impl Rig {
    /// An engine with this configuration, and a provider behind each `http://NAME.test` in it.
    pub async fn new(toml: &str) -> Self {
        Self::with_key(toml, KeySpec::default()).await
    }

    /// The same, with a caller's key that has limits.
    pub async fn with_key(toml: &str, spec: KeySpec) -> Self {
        let hosts = toml.split("http://").skip(1).map(|rest| rest.split('/').next().unwrap().to_owned());
        let setup = || Setup { key: Some("provider-key-canary".to_owned()), ..Setup::default() };
        let providers: HashMap<_, _> =
            hosts.map(|host| (host, FakeProvider::new(setup()).unwrap())).collect();
        let network = Arc::new(Network(providers.clone()));
        Self { providers, ..Self::over(network, toml, spec).await }
    }

    /// An engine over another network.
    pub async fn over(network: Arc<dyn Dispatch>, toml: &str, spec: KeySpec) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(JournalOptions::new(folder.path())).unwrap();
        let store = Arc::new(MemoryStore::new());
        tokio::spawn(journal.drainer().run(store.clone(), std::future::pending()));
        let loaded = load(toml);
        let door = loaded.config.server.limits.door(1 << 30);
        let configurator = Configurator::new(
            network,
            Arc::new(Sandbox::new(7)),
            Arc::new(Env),
            loaded,
            Arc::new(Catalogue::embedded().unwrap()),
        );
        let snapshot = configurator.first().await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let engine = Engine::new(EngineParts {
            configurator: Arc::new(configurator),
            snapshot,
            keys: store.clone(),
            ledger: store.clone(),
            journal,
            clock: clock.clone(),
            door,
            kept_key: Secret::new([7; 32]),
        });
        engine.keys().load().await.unwrap();
        let (key, secret) = mint::key(spec, OrganisationId::FIRST, clock.now());
        engine.keys().create(key).await.unwrap();
        Self { engine, store, key: secret, providers: HashMap::new(), _journal: folder }
    }

    /// Puts another configuration in force.
    pub async fn reload(&self, toml: &str) {
        self.engine.configurator().reload(&self.engine, load(toml)).await.unwrap();
    }

    /// The provider at `http://NAME.test`.
    pub fn provider(&self, name: &str) -> &FakeProvider {
        self.providers.get(&format!("{name}.test")).unwrap()
    }

    /// A request at the door.
    pub fn inbound(&self, dialect: Dialect, body: &str) -> Inbound {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.key.expose()).parse().unwrap());
        let bytes = Bytes::from(body.to_owned());
        let body = Box::pin(async move { Ok(Body { bytes, memory: None }) });
        Inbound { origin: Origin::Caller, dialect, path: None, purpose: Purpose::Answer, headers, body }
    }

    /// Sends a chat request and reads its answer to the end.
    pub async fn chat(&self, body: &str) -> Result<Seen, Error> {
        self.send(self.inbound(Dialect::OpenaiChat, body)).await
    }

    /// Sends a request and reads its answer to the end.
    pub async fn send(&self, inbound: Inbound) -> Result<Seen, Error> {
        let answer = self.engine.serve(inbound).await.map_err(|refusal| refusal.error)?;
        let request = answer.headers.get("x-generation-id").unwrap().to_str().unwrap().parse().unwrap();
        let body = read(answer.body).await;
        Ok(Seen { status: answer.status, headers: answer.headers, body, request })
    }

    /// Every row of the ledger, oldest first, once everything is settled and drained.
    pub async fn rows(&self) -> Vec<AttemptEntry> {
        self.engine.core().tasks.settled().await;
        self.engine.core().journal.flush(Duration::from_secs(10)).await.unwrap();
        self.store.all_attempts()
    }

    /// The rows of one request.
    pub async fn rows_of(&self, request: RequestId) -> Vec<AttemptEntry> {
        self.engine.core().journal.flush(Duration::from_secs(10)).await.unwrap();
        self.store.attempts(TenantScope::Installation, request).await.unwrap()
    }

    /// The record of one request.
    pub async fn record(&self, request: RequestId) -> RequestRecord {
        self.engine.core().journal.flush(Duration::from_secs(10)).await.unwrap();
        self.store.request(TenantScope::Installation, request).await.unwrap().unwrap()
    }

    /// Nothing is held once everything has ended.
    pub fn assert_nothing_held(&self) {
        assert_eq!(self.engine.keys().open_holds(), 0);
    }
}

/// Reads a body to its end.
pub async fn read(body: AnswerBody) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Reads a body to its end and keeps nothing.
pub async fn drop_all(mut body: AnswerBody) {
    while let Some(frame) = body.frame().await {
        drop(frame.unwrap());
    }
}

/// A key with one budget.
pub fn budget(dollars: &str) -> KeySpec {
    let limit: NanoUsd = dollars.parse().unwrap();
    KeySpec { budgets: vec![Budget { limit, window: BudgetWindow::Total }], ..KeySpec::default() }
}

/// A key with rate limits.
pub fn limits(limits: RateLimits) -> KeySpec {
    KeySpec { limits, ..KeySpec::default() }
}

/// A chat request for a model.
pub fn ask(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello there"}}]}}"#)
}

/// The same, streamed.
pub fn ask_stream(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"hello there"}}]}}"#)
}
