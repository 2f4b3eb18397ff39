//! The admin API over the files of a data directory, in this process: for when no gateway runs. It holds the data
//! directory's lock meanwhile, so no gateway starts beside it.
//!
//! Before anything is answered the journal is brought into the store, so that every attempt counts, those included
//! that were interrupted when the last gateway ended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use tokio::task::JoinHandle;
use tower_service::Service as _;
use trunkline_domain::Secret;
use trunkline_engine::clock::SystemClock;
use trunkline_engine::{Engine, EngineParts};
use trunkline_ledger::journal::Journal;
use trunkline_store::Store;

use super::failure::Failure;
use super::place::Place;
use super::world;
use crate::admin::{AdminState, control_router};
use crate::boot::machine;
use crate::boot::storage::{DataLock, LockError, adopt_all, open_journal, store_options};
use crate::reload::Reloader;

/// How long the journal may take to reach the store.
const DRAIN_DEADLINE: Duration = Duration::from_mins(1);

/// The files, opened.
pub(super) struct Files {
    router: Router,
    journal: Journal,
    store: Arc<Store>,
    draining: JoinHandle<()>,
    _lock: DataLock,
}

/// Why they cannot be opened.
pub(super) enum OpenError {
    /// Another process has them.
    InUse,
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Files {
    /// Opens the files of a data directory, making what is missing.
    pub(super) async fn open(place: &Place, data_dir: &Path) -> Result<Self, OpenError> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        let mut settings = world::settings(place)?;
        settings.server.data_dir = data_dir.to_owned();
        // The store comes first: it makes the directory, for its owner only.
        let store = Store::open(store_options(&settings)).await.map_err(|error| failed(&error))?;
        let store = Arc::new(store);
        let lock = match DataLock::take(data_dir) {
            Ok(lock) => lock,
            Err(LockError::InUse(_)) => return Err(OpenError::InUse),
            Err(error @ LockError::Io { .. }) => return Err(failed(&error).into()),
        };
        let options = settings.clone();
        let opening = tokio::task::spawn_blocking(move || open_journal(&options)).await;
        let opened = opening.map_err(|error| failed(&error))?;
        let (journal, own, _) = opened.map_err(|error| failed(&error))?;
        let draining = tokio::spawn(journal.drainer().run(store.clone(), std::future::pending()));
        journal.flush(DRAIN_DEADLINE).await.map_err(|error| failed(&error))?;

        let adopted = adopt_all(&store, data_dir, &own).await.map_err(|error| failed(&error))?;
        if let Some((_, error)) = adopted.waiting.first() {
            return Err(failed(error).into());
        }
        let catalogue = Arc::new(world::catalogue(Some(&store), &settings).await?);
        let loaded = world::without_secrets(place, &catalogue)?;
        let configurator = Arc::new(world::configurator(loaded, catalogue));
        let snapshot =
            configurator.first().await.map_err(|error| Failure::configuration(vec![error.to_string()]))?;
        let engine = Engine::new(EngineParts {
            configurator,
            snapshot,
            keys: store.clone(),
            ledger: store.clone(),
            journal: journal.clone(),
            clock: Arc::new(SystemClock::start()),
            door: settings.server.limits.door(machine::memory_bytes()),
            // It hands out no answers.
            kept_key: Secret::new(rand::random()),
        });
        let reloader = Reloader::new(engine.clone(), place.config_path(), settings);
        let router = control_router(AdminState::new(engine, store.clone(), Arc::new(reloader)));
        Ok(Self { router, journal, store, draining, _lock: lock })
    }

    /// Answers one request.
    pub(super) async fn call(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let Ok(response) = self.router.clone().call(request.map(Body::new)).await;
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| Failure::new(format!("the answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    /// Closes the files, so that the next process finds them whole.
    pub(super) async fn close(self) {
        self.draining.abort();
        drop(self.router);
        let journal = self.journal;
        // Where the thread is gone already there is nothing to close.
        tokio::task::spawn_blocking(move || journal.close()).await.unwrap_or_default();
        self.store.close().await;
    }
}
