//! What runs beside the requests: loading keys, reading listings, following the configuration file.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use trunkline_engine::Engine;
use trunkline_engine::config::file::ConfigFile;

use crate::reload::Reloader;

/// Pauses between tries to load the keys.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

/// Starts everything; it ends with `stop`.
pub(super) fn start(
    engine: &Engine,
    reloader: &Arc<Reloader>,
    settings: &ConfigFile,
    stop: &CancellationToken,
) {
    let spawn = |task| drop(tokio::spawn(stop.clone().run_until_cancelled_owned(task)));
    let boxed = |task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| spawn(task);
    boxed(Box::pin(load_keys(engine.clone())));
    boxed(Box::pin(follow_file(Arc::clone(reloader))));
    boxed(Box::pin(follow_signal(Arc::clone(reloader))));
    boxed(Box::pin(listings(engine.clone(), Arc::clone(reloader), settings.catalogue.listing_refresh)));
}

/// Until every key is in memory the gateway is not ready; a store that fails meanwhile is asked again.
async fn load_keys(engine: Engine) {
    loop {
        match engine.keys().load().await {
            Ok(count) => {
                tracing::debug!(count, "keys loaded");
                return;
            }
            Err(error) => tracing::error!(%error, "the keys could not be loaded; trying again"),
        }
        tokio::time::sleep(LOAD_AGAIN).await;
    }
}

async fn follow_file(reloader: Arc<Reloader>) {
    reloader.watch().await;
}

async fn follow_signal(reloader: Arc<Reloader>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be received: it will not reload the configuration");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        // The outcome is logged and shown as a metric.
        reloader.reload().await.unwrap_or_default();
    }
}

/// Providers' own listings of their models, which are free to read: at the start, then every so often. Without a
/// configuration file the usual ports of local servers are asked first.
async fn listings(engine: Engine, reloader: Arc<Reloader>, every: Option<Duration>) {
    if reloader.path().is_none() {
        engine.configurator().find_local_servers(&engine).await;
    }
    if let Some(every) = every {
        engine.configurator().keep_listings(&engine, every).await;
    }
}
