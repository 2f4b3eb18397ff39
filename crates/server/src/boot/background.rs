//! What runs beside the requests: opening connections ahead, loading keys, reading listings, following the configuration file.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use trunkline_engine::Engine;

use super::service;
use crate::reload::Reloader;

/// Pauses between tries to load the keys.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

/// Starts everything; it ends with `stop`. `hangup` makes the configuration be read again.
pub(super) fn start(
    engine: &Engine,
    reloader: &Arc<Reloader>,
    listing_refresh: Option<Duration>,
    hangup: Signal,
    stop: &CancellationToken,
) {
    engine.warm_up();
    let (engine, reloader) = (engine.clone(), Arc::clone(reloader));
    let everything = async move {
        tokio::join!(
            load_keys(&engine),
            reloader.watch(),
            follow(&reloader, hangup),
            listings(&engine, &reloader, listing_refresh),
        );
    };
    drop(tokio::spawn(stop.clone().run_until_cancelled_owned(everything)));
}

/// Until every key is in memory the gateway is not ready; a store that fails meanwhile is asked again.
async fn load_keys(engine: &Engine) {
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

async fn follow(reloader: &Reloader, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        service::reloading();
        // The outcome is logged and shown as a metric.
        reloader.reload().await.unwrap_or_default();
        service::ready();
    }
}

/// Providers' own listings of their models, which are free to read: at the start, then every so often. Without a
/// configuration file the usual ports of local servers are asked first.
async fn listings(engine: &Engine, reloader: &Reloader, every: Option<Duration>) {
    if reloader.path().is_none() {
        engine.configurator().find_local_servers(engine).await;
    }
    if let Some(every) = every {
        engine.configurator().keep_listings(engine, every).await;
    }
}
