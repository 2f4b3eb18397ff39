//! Wiring, in order: configuration, data directory, store, journal, engine, listeners; then signals, and the end.
//!
//! What it is not: a place for decisions about requests. Look first at [`start`]; how it ends is in [`drain`].

mod background;
mod banner;
mod configuration;
mod drain;
mod first_run;
mod handover;
mod kept_key;
mod leftovers;
mod log;
pub(crate) mod machine;
mod service;
pub(crate) mod storage;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunkline_catalogue::Catalogue;
use trunkline_engine::clock::SystemClock;
use trunkline_engine::config::file::ConfigFile;
use trunkline_engine::config::limits::ServerLimits;
use trunkline_engine::config::server::Listen;
use trunkline_engine::config::{Loaded, ProcessEnvironment};
use trunkline_engine::configurator::Configurator;
use trunkline_engine::{Engine, EngineParts};
use trunkline_store::Store;
use trunkline_upstream::connect::allow::DenyList;
use trunkline_upstream::connect::resolve::SystemResolver;
use trunkline_upstream::connect::tls::{Authorities, RootStore, RootStoreError};
use trunkline_upstream::pool::{PoolLimits, PoolOptions, Pools};
use trunkline_upstream::sandbox::Sandbox;

pub(crate) use self::configuration::USUAL_FILE;
use self::configuration::{Configuration, FirstLook};
use self::handover::Role;
use self::handover::take::{Inheritance, Offered, Reign};
use self::leftovers::Leftovers;
use self::service::Activation;
use self::storage::{DataLock, LockError, Storage, adopt_all};
use crate::admin::{self, AdminState, CONTROL_SOCKET};
use crate::app::{App, Parts};
use crate::front::{AccessLog, Front};
use crate::ingress::read::Bodies;
use crate::listen::bind::{BindError, Bound, Fate, Spare, bind};
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
    /// What is done about a gateway that serves the data directory already.
    pub(crate) other: Other,
}

/// What is done about a gateway that serves the data directory already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Other {
    /// There is no start.
    #[default]
    Respected,
    /// It hands over.
    Succeeded,
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
    log::finish();
    outcome.map_or_else(StartError::report, |()| ExitCode::SUCCESS)
}

/// A gateway that serves.
struct Gateway {
    engine: Engine,
    storage: Storage,
    doors: Doors,
    wiring: Wiring,
    spares: Spares,
    /// Where a successor asks.
    successors: UnixListener,
    lock: DataLock,
    /// Ends with the processes before this one that still finish their streams.
    predecessors: TaskTracker,
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
    let other = options.other;
    let first_look = FirstLook::read(options)?;
    let data_dir = first_look.settings.server.data_dir.clone();
    storage::prepare(&data_dir)?;
    let alone = match (DataLock::take(&data_dir), other) {
        (Ok(lock), _) => Some(lock),
        (Err(LockError::InUse(_)), Other::Succeeded) => None,
        (Err(error), _) => return Err(StartError::Other(error.to_string())),
    };
    let mut storage = Storage::open(&first_look.settings).await?;
    let behind = storage.behind.take();
    // There is a gateway that serves: it goes on until one comes that can take over everything.
    if let (None, Some(behind)) = (&alone, &behind) {
        let why = &behind.why;
        return Err(StartError::Other(format!("the store does not take what another process left: {why}")));
    }
    let Configuration { path, seen, loaded, written, catalogue } =
        first_look.with_catalogue_of(&storage).await?;
    let settings = loaded.config.clone();
    let tls = tls_of(&settings)?;
    let engine = engine(&storage, &settings, loaded, catalogue).await?;
    way.everywhere(|| {
        let door = engine.door().clone();
        async move { door.watch().await }
    });
    // What can fail has not failed: from here on the gateway that serves is kept waiting.
    let Reign { lock, mut inheritance } = match alone {
        Some(lock) => Reign { lock, inheritance: None },
        None => handover::take::take(&data_dir).await?,
    };
    let mut listeners = Listeners::bind(&settings, activation, inheritance.as_mut()).await?;
    let before = inheritance.map(|inheritance| inheritance.count(&engine));
    let mut leftovers = Leftovers { behind, ..Leftovers::default() };
    if before.is_none() {
        let adoption = adopt_all(&storage.store, &data_dir, &storage.journal_directory).await;
        leftovers.adoption = adoption.map_err(|error| StartError::Other(error.to_string()))?;
        engine.keys().expect(leftovers.outstanding());
    }
    let first = first_run::prepare(&engine, &storage.store, &data_dir).await?;
    let spares = listeners.spares(&settings).map_err(|error| StartError::Other(error.to_string()))?;
    let addresses = spares.addresses();
    let address_file = banner::AddressFile::write(&data_dir, &addresses)?;
    let predecessors = TaskTracker::new();
    if let Some((mut link, predecessor)) = before {
        link.ready().await?;
        drop(predecessors.spawn(link.follow(predecessor, storage.store.clone())));
    }
    let reloader = Arc::new(Reloader::new(engine.clone(), path, written).having_seen(seen));
    let stop = CancellationToken::new();
    background::start(&engine, &reloader, settings.catalogue.listing_refresh, hangup, &stop);
    leftovers.bring(&engine, &storage.store, &stop);
    banner::print(&addresses, &settings.server, &first);
    let wiring =
        Wiring { way, engine: engine.clone(), store: storage.store.clone(), reloader, settings, tls };
    let Listeners { public, admin, control, successors } = listeners;
    let doors = wiring.open([public, admin, control]);
    service::ready();
    let successors = successors.into_unix();
    let successors = successors.ok_or_else(|| StartError::Other("nobody could ask to succeed".to_owned()))?;
    Ok(Gateway { engine, storage, doors, wiring, spares, successors, lock, predecessors, stop, address_file })
}

async fn engine(
    storage: &Storage,
    settings: &ConfigFile,
    loaded: Loaded,
    catalogue: Arc<Catalogue>,
) -> Result<Engine, StartError> {
    let configurator = Arc::new(Configurator::new(
        Arc::new(network().map_err(|error| StartError::Other(error.to_string()))?),
        Arc::new(Sandbox::new(rand::random())),
        Arc::new(ProcessEnvironment),
        loaded,
        catalogue,
    ));
    let snapshot =
        configurator.first().await.map_err(|error| StartError::Configuration(vec![error.to_string()]))?;
    let kept_key = kept_key::of(&settings.server.data_dir)?;
    Ok(Engine::new(EngineParts {
        configurator,
        snapshot,
        keys: storage.store.clone(),
        ledger: storage.store.clone(),
        journal: storage.journal.clone(),
        clock: Arc::new(SystemClock::start()),
        door: settings.server.limits.door(machine::memory_bytes()),
        kept_key,
    }))
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
    successors: Bound,
}

/// Second handles on them, to hand over or to listen again.
struct Spares {
    /// With the address that was asked for.
    public: (Listen, Spare),
    admin: (Listen, Spare),
    control: Spare,
    successors: Spare,
}

impl Listeners {
    async fn bind(
        settings: &ConfigFile,
        activation: Activation,
        mut inheritance: Option<&mut Inheritance>,
    ) -> Result<Self, StartError> {
        let server = &settings.server;
        let in_data = |name: &str| Listen::Unix(server.data_dir.join(name));
        let (control, successors) = (in_data(CONTROL_SOCKET), in_data(handover::SOCKET));
        let mut inherited = |role, listen: &Listen| inheritance.as_mut()?.sockets(role, listen);
        let public = Sources { given: activation.public, inherited: inherited(Role::Public, &server.listen) };
        let admin =
            Sources { given: activation.admin, inherited: inherited(Role::Admin, &server.admin_listen) };
        let owner = |inherited| Sources { given: Vec::new(), inherited };
        let (control_from, successors_from) =
            (owner(inherited(Role::Control, &control)), owner(inherited(Role::Handover, &successors)));
        Ok(Self {
            public: public.bound(&server.listen, "--listen").await?,
            admin: admin.bound(&server.admin_listen, "--admin-listen").await?,
            control: control_from.bound(&control, "--data-dir").await?,
            successors: successors_from.bound(&successors, "--data-dir").await?,
        })
    }

    fn spares(&mut self, settings: &ConfigFile) -> io::Result<Spares> {
        Ok(Spares {
            public: (settings.server.listen.clone(), self.public.spare()?),
            admin: (settings.server.admin_listen.clone(), self.admin.spare()?),
            control: self.control.spare()?,
            successors: self.successors.spare()?,
        })
    }
}

impl Spares {
    fn addresses(&self) -> banner::Addresses {
        banner::Addresses::new(&self.public.1.address, &self.admin.1.address)
    }
}

/// Sockets that are there before one is opened.
struct Sources {
    /// The service manager's.
    given: Vec<OwnedFd>,
    /// The process's before this one.
    inherited: Option<Offered>,
}

impl Sources {
    /// Them, or one at the configured address.
    async fn bound(self, configured: &Listen, flag: &str) -> Result<Bound, StartError> {
        let unusable =
            |error| StartError::Other(format!("the sockets that were passed cannot be listened on: {error}"));
        match self {
            Self { given, .. } if !given.is_empty() => Bound::given(given).map_err(unusable),
            Self { inherited: Some(Offered { address, file, sockets, .. }), .. } => {
                // A path in the data directory may have another name here; then ours is the one it is removed by.
                let address = match (file, configured) {
                    (Fate::Removed, Listen::Unix(_)) => configured.clone(),
                    (Fate::Removed | Fate::Kept, _) => address.parse().unwrap_or_else(|_| configured.clone()),
                };
                Bound::inherited(sockets, address, file).map_err(unusable)
            }
            Self { .. } => bind(configured).await.map_err(|error| unbound(&error, flag)),
        }
    }
}

fn tls_of(settings: &ConfigFile) -> Result<Option<tls::Current>, StartError> {
    let Some(files) = &settings.server.tls else { return Ok(None) };
    let opened = tls::open(files.clone());
    let (current, following) = opened.map_err(|error| StartError::Configuration(vec![error.to_string()]))?;
    tokio::spawn(following);
    Ok(Some(current))
}

fn unbound(error: &BindError, flag: &str) -> StartError {
    StartError::Other(format!("{error}: stop what uses it, or choose another place with {flag}"))
}

/// What doors are opened with.
struct Wiring {
    way: Way,
    engine: Engine,
    store: Arc<Store>,
    reloader: Arc<Reloader>,
    settings: ConfigFile,
    tls: Option<tls::Current>,
}

impl Wiring {
    /// Opens the callers', the administrators' and the command line's.
    fn open(&self, [public, admin, control]: [Bound; 3]) -> Doors {
        let Self { way, engine, store, reloader, settings, tls } = self;
        let server = &settings.server;
        let ServerLimits { body_bytes_max, connections_max, header_bytes_max, header_read_timeout, .. } =
            server.limits;
        let together_max = server.limits.bodies_bytes_max(machine::memory_bytes());
        let app = App::new(Parts {
            engine: engine.clone(),
            ledger: store.clone(),
            bodies: Bodies::new(body_bytes_max, together_max),
        });
        let access_log = if settings.telemetry.access_log { AccessLog::On } else { AccessLog::Off };
        let front = Front::new(routes::public(app))
            .with_cors(&server.cors_origins)
            .with_access_log(access_log, server.trusted_proxies.clone());
        let state = AdminState::new(engine.clone(), store.clone(), Arc::clone(reloader));
        let guarded = Front::new(admin::router(state.clone()));
        let owner = Front::new(admin::control_router(state)).for_owner();
        let limits = Limits { connections_max, header_bytes_max, header_read_timeout };
        let admin_limits = Limits { connections_max: ADMIN_CONNECTIONS_MAX, ..limits };
        Doors {
            public: Door::open(public, tls.as_ref(), front, limits, &Threads::Lanes(way.clone())),
            admin: Door::open(admin, None, guarded, admin_limits, &Threads::Shared),
            control: Door::open(control, None, owner, admin_limits, &Threads::Shared),
        }
    }
}
