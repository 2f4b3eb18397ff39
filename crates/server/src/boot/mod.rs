//! Wiring, in order: configuration, data directory, store, journal, engine, listeners; then signals, and the end.
//!
//! What it is not: a place for decisions about requests. Look first at [`start`]; how it ends is in [`drain`].

mod background;
mod banner;
mod configuration;
mod drain;
mod first_run;
mod log;
pub(crate) mod machine;
mod service;
pub(crate) mod storage;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use trunkline_engine::clock::SystemClock;
use trunkline_engine::config::ProcessEnvironment;
use trunkline_engine::config::file::ConfigFile;
use trunkline_engine::config::limits::ServerLimits;
use trunkline_engine::config::server::Listen;
use trunkline_engine::configurator::Configurator;
use trunkline_engine::{Engine, EngineParts};
use trunkline_upstream::connect::allow::DenyList;
use trunkline_upstream::connect::resolve::SystemResolver;
use trunkline_upstream::connect::tls::{Authorities, RootStore, RootStoreError};
use trunkline_upstream::pool::{PoolLimits, PoolOptions, Pools};
use trunkline_upstream::sandbox::Sandbox;

pub(crate) use self::configuration::USUAL_FILE;
use self::configuration::{Configuration, FirstLook};
use self::service::Activation;
use self::storage::Storage;
use crate::admin::{self, AdminState, CONTROL_SOCKET};
use crate::app::{App, Parts};
use crate::front::{AccessLog, Front};
use crate::ingress::read::Bodies;
use crate::listen::bind::{BindError, Bound, bind};
use crate::listen::lanes::{Lanes, Way};
use crate::listen::{Door, Limits, Threads, tls};
use crate::reload::Reloader;
use crate::routes;

/// Connections of administrators at once, on each of their two listeners.
const ADMIN_CONNECTIONS_MAX: u32 = 1_024;

/// What the command line says about `serve`; everything else is the configuration's.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServeOptions {
    /// The configuration file; without one, `trunkline.toml` of the working directory if it is there.
    pub(crate) config: Option<PathBuf>,
    /// Overrides `server.listen`.
    pub(crate) listen: Option<Listen>,
    /// Overrides `server.admin_listen`.
    pub(crate) admin_listen: Option<Listen>,
    /// Overrides `server.data_dir`.
    pub(crate) data_dir: Option<PathBuf>,
}

/// Why the gateway does not start: what a person reads, and what a script does.
#[derive(Debug)]
enum StartError {
    /// The configuration cannot be used: a line for each problem.
    Configuration(Vec<String>),
    /// Anything else, in one line that says what to do.
    Other(String),
}

impl StartError {
    /// 2 for what is wrong with the configuration, 1 for the rest.
    fn report(self) -> ExitCode {
        let (lines, code) = match self {
            Self::Configuration(problems) => (problems, 2),
            Self::Other(line) => (vec![format!("trunkline: {line}")], 1),
        };
        banner::complain(&lines);
        ExitCode::from(code)
    }
}

/// Runs the gateway until it is told to stop.
pub(crate) fn serve(options: ServeOptions) -> ExitCode {
    // Before there are threads: it changes the environment.
    let activation = match Activation::take() {
        Ok(activation) => activation,
        Err(error) => return error.report(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return StartError::Other(format!("no threads could be started: {error}")).report(),
    };
    let lanes = match Lanes::start() {
        Ok(lanes) => lanes,
        Err(error) => return StartError::Other(format!("no threads could be started: {error}")).report(),
    };
    let outcome = runtime.block_on(async {
        let unheard = |error| StartError::Other(format!("signals cannot be received: {error}"));
        // From here on: one that comes while everything is put together must not end the process.
        let signals = drain::Signals::listen().map_err(unheard)?;
        let hangup = signal(SignalKind::hangup()).map_err(unheard)?;
        let gateway = start(options, activation, hangup, lanes.way()).await?;
        gateway.run(signals).await;
        Ok(())
    });
    // Whatever still runs was told to end; its guards act as it is dropped.
    drop(lanes);
    runtime.shutdown_background();
    outcome.map_or_else(StartError::report, |()| ExitCode::SUCCESS)
}

/// A gateway that serves.
struct Gateway {
    engine: Engine,
    storage: Storage,
    doors: Doors,
    drain_timeout: Duration,
    /// Ends what runs in the background.
    stop: CancellationToken,
    address_file: banner::AddressFile,
}

/// The three listeners.
struct Doors {
    /// Callers'.
    public: Door,
    /// Administrators', who need a token.
    admin: Door,
    /// The command line's: whoever may open the data directory.
    control: Door,
}

async fn start(
    options: ServeOptions,
    activation: Activation,
    hangup: Signal,
    way: Way,
) -> Result<Gateway, StartError> {
    let look = FirstLook::read(options)?;
    let storage = Storage::open(&look.settings).await?;
    let Configuration { path, seen, loaded, written, catalogue } = look.with_catalogue_of(&storage).await?;
    let settings = loaded.config.clone();
    let listeners = Listeners::bind(&settings, activation).await?;
    let configurator = Arc::new(Configurator::new(
        Arc::new(network().map_err(|error| StartError::Other(error.to_string()))?),
        Arc::new(Sandbox::new(rand::random())),
        Arc::new(ProcessEnvironment),
        loaded,
        catalogue,
    ));
    let snapshot =
        configurator.first().await.map_err(|error| StartError::Configuration(vec![error.to_string()]))?;
    let engine = Engine::new(EngineParts {
        configurator,
        snapshot,
        keys: storage.store.clone(),
        ledger: storage.store.clone(),
        journal: storage.journal.clone(),
        clock: Arc::new(SystemClock::start()),
        door: settings.server.limits.door(machine::memory_bytes()),
    });
    way.everywhere(|| {
        let door = engine.door().clone();
        async move { door.watch().await }
    });
    let first = first_run::prepare(&engine, &storage.store, &settings.server.data_dir).await?;
    let reloader = Arc::new(Reloader::new(engine.clone(), path, written).having_seen(seen));
    let stop = CancellationToken::new();
    background::start(&engine, &reloader, settings.catalogue.listing_refresh, hangup, &stop);
    let addresses = listeners.addresses();
    let address_file = banner::AddressFile::write(&settings.server.data_dir, &addresses)?;
    let doors = open_doors(listeners, way, &engine, &storage, &reloader, &settings);
    service::ready();
    banner::print(&addresses, &settings.server, &first);
    Ok(Gateway { engine, storage, doors, drain_timeout: settings.server.drain_timeout, stop, address_file })
}

/// The way out to providers.
pub(crate) fn network() -> Result<Pools, RootStoreError> {
    let roots = RootStore::new(&[Authorities::Bundled, Authorities::System])?;
    Ok(Pools::new(PoolOptions {
        limits: PoolLimits::default(),
        roots: Arc::new(roots),
        resolver: Arc::new(SystemResolver::default()),
        deny: DenyList::default(),
    }))
}

/// The sockets, before anybody is accepted: a port that is taken must not leave a first key behind.
struct Listeners {
    public: Bound,
    admin: Bound,
    control: Bound,
    tls: Option<tls::Current>,
}

impl Listeners {
    async fn bind(settings: &ConfigFile, activation: Activation) -> Result<Self, StartError> {
        let server = &settings.server;
        let tls = match &server.tls {
            Some(files) => {
                let opened = tls::open(files.clone());
                let (current, following) =
                    opened.map_err(|error| StartError::Configuration(vec![error.to_string()]))?;
                tokio::spawn(following);
                Some(current)
            }
            None => None,
        };
        let control = Listen::Unix(server.data_dir.join(CONTROL_SOCKET));
        Ok(Self {
            public: given_or(activation.public, &server.listen, "--listen").await?,
            admin: given_or(activation.admin, &server.admin_listen, "--admin-listen").await?,
            control: bind(&control).await.map_err(|error| unbound(&error, "--data-dir"))?,
            tls,
        })
    }

    fn addresses(&self) -> banner::Addresses {
        banner::Addresses::new(&self.public.address, &self.admin.address)
    }
}

/// The service manager's sockets, or one at the configured address.
async fn given_or(given: Vec<OwnedFd>, configured: &Listen, flag: &str) -> Result<Bound, StartError> {
    if given.is_empty() {
        return bind(configured).await.map_err(|error| unbound(&error, flag));
    }
    Bound::given(given).map_err(|error| {
        StartError::Other(format!("the sockets of the service manager cannot be listened on: {error}"))
    })
}

fn unbound(error: &BindError, flag: &str) -> StartError {
    StartError::Other(format!("{error}: stop what uses it, or choose another place with {flag}"))
}

fn open_doors(
    listeners: Listeners,
    way: Way,
    engine: &Engine,
    storage: &Storage,
    reloader: &Arc<Reloader>,
    settings: &ConfigFile,
) -> Doors {
    let Listeners { public, admin, control, tls } = listeners;
    let server = &settings.server;
    let ServerLimits { body_bytes_max, connections_max, header_bytes_max, header_read_timeout, .. } =
        server.limits;
    let together_max = server.limits.bodies_bytes_max(machine::memory_bytes());
    let app = App::new(Parts {
        engine: engine.clone(),
        ledger: storage.store.clone(),
        bodies: Bodies::new(body_bytes_max, together_max),
    });
    let access_log = if settings.telemetry.access_log { AccessLog::On } else { AccessLog::Off };
    let front = Front::new(routes::public(app))
        .with_cors(&server.cors_origins)
        .with_access_log(access_log, server.trusted_proxies.clone());
    let state = AdminState::new(engine.clone(), storage.store.clone(), Arc::clone(reloader));
    let guarded = Front::new(admin::router(state.clone()));
    let owner = Front::new(admin::control_router(state)).for_owner();
    let limits = Limits { connections_max, header_bytes_max, header_read_timeout };
    let admin_limits = Limits { connections_max: ADMIN_CONNECTIONS_MAX, ..limits };
    Doors {
        public: Door::open(public, tls.as_ref(), front, limits, &Threads::Lanes(way)),
        admin: Door::open(admin, None, guarded, admin_limits, &Threads::Shared),
        control: Door::open(control, None, owner, admin_limits, &Threads::Shared),
    }
}
