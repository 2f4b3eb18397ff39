//! Another configuration while running: on SIGHUP, on a changed file, on an administrator's call. A bad file changes
//! nothing: the last good configuration stays, each problem is logged, and a metric says so.
//!
//! `[server]`, `[storage]` and `[telemetry]` are read at the start only; a change there is said and waits for it.
//! Look first at [`Reloader::reload`].

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use trunkline_catalogue::Catalogue;
use trunkline_engine::Engine;
use trunkline_engine::config::{
    CatalogueModels, ConfigFile, Loaded, ProcessEnvironment, load, load_without_file,
};
use trunkline_engine::telemetry::metrics::ReloadOutcome;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a configuration was not taken: one line for each problem.
pub(crate) type Refused = Vec<String>;

/// Puts changed configurations in force.
pub(crate) struct Reloader {
    engine: Engine,
    path: Option<PathBuf>,
    /// The version of the file that was read last.
    seen: Option<Stamp>,
    /// What the listeners, the store and the log were started with.
    started: ConfigFile,
    one_at_a_time: Mutex<()>,
}

impl Reloader {
    pub(crate) fn new(engine: Engine, path: Option<PathBuf>, started: ConfigFile) -> Self {
        Self { engine, path, seen: None, started, one_at_a_time: Mutex::new(()) }
    }

    /// Says which version of the file was read at the start: one that was written since is a change.
    pub(crate) fn having_seen(self, seen: Option<Stamp>) -> Self {
        Self { seen, ..self }
    }

    /// The file that is read; none where the gateway runs without one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads the configuration and puts it in force, or says why not.
    pub(crate) async fn reload(&self) -> Result<(), Refused> {
        let _turn = self.one_at_a_time.lock().await;
        let outcome = self.try_reload().await;
        let metrics = &self.engine.core().metrics;
        match &outcome {
            Ok(()) => {
                metrics.reload(ReloadOutcome::InForce);
                tracing::info!(version = self.engine.snapshot().version, "configuration in force");
            }
            Err(problems) => {
                metrics.reload(ReloadOutcome::Refused);
                for problem in problems {
                    tracing::error!(problem, "the configuration was not taken; the last good one stays");
                }
            }
        }
        outcome
    }

    async fn try_reload(&self) -> Result<(), Refused> {
        let catalogue = self.engine.configurator().catalogue().await;
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || read(path.as_deref(), &catalogue)).await;
        let loaded = reading.map_err(|error| vec![error.to_string()])??;
        say_warnings(self.path(), &loaded);
        self.say_what_waits(&loaded.config);
        self.engine.configurator().reload(&self.engine, loaded).await.map_err(|error| vec![error.to_string()])
    }

    fn say_what_waits(&self, next: &ConfigFile) {
        let ConfigFile { server, storage, telemetry, .. } = &self.started;
        let changed = [
            ("[server]", *server != next.server),
            ("[storage]", *storage != next.storage),
            ("[telemetry]", *telemetry != next.telemetry),
        ];
        for (table, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!(table, "this table is read at the start only: restart the gateway to apply it");
        }
    }

    /// Reloads whenever the file has changed, for ever.
    pub(crate) async fn watch(&self) {
        let Some(path) = &self.path else { return };
        let mut seen = self.seen;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            let now = Stamp::of(path);
            // A file that is away for a moment is being replaced.
            if now.is_some() && now != seen {
                seen = now;
                self.reload().await.unwrap_or_default();
            }
        }
    }
}

/// Loads a configuration, or every problem as a line.
pub(crate) fn read(path: Option<&Path>, catalogue: &Catalogue) -> Result<Loaded, Refused> {
    let Some(path) = path else { return Ok(load_without_file(&ProcessEnvironment)) };
    let models = CatalogueModels::new(catalogue).map_err(|error| vec![error.to_string()])?;
    let name = path.display().to_string();
    load(path, &ProcessEnvironment, &models)
        .map_err(|problems| problems.iter().map(|problem| problem.render(&name)).collect())
}

/// Logs what somebody should look at.
pub(crate) fn say_warnings(path: Option<&Path>, loaded: &Loaded) {
    let name = path.map(|path| path.display().to_string()).unwrap_or_default();
    for warning in &loaded.warnings {
        tracing::warn!(problem = warning.render(&name), "the configuration is taken, but look at this");
    }
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: SystemTime,
    bytes: u64,
}

impl Stamp {
    /// The file's stamp now; none where it cannot be looked at.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let facts = std::fs::metadata(path).ok()?;
        Some(Self { modified: facts.modified().ok()?, bytes: facts.len() })
    }
}
