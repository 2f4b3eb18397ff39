//! The end: nothing new is accepted, requests under way are finished, what they cost is written down.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Doors, Gateway, service};
use crate::listen::Door;

/// How long administrators' requests may take at the end.
const ADMIN_LIMIT: Duration = Duration::from_secs(2);
/// How long background work and the journal may take at the end, each.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// What tells the gateway to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Gateway {
    /// Serves until a signal, then ends in good order. A second signal ends at once: what is under way is cut, and
    /// found in the journal at the next start.
    pub(super) async fn run(self, mut signals: Signals) {
        signals.next().await;
        tracing::info!("stopping: requests under way are finished, a second signal ends them");
        service::stopping();
        self.engine.begin_drain();
        let finishing = async {
            if !self.doors.public.close(self.drain_timeout).await {
                tracing::warn!("requests that did not end in time were cut");
            }
            self.engine.finish(SETTLE_LIMIT).await;
            self.stop.cancel();
            self.doors.close_others().await;
        };
        tokio::select! {
            () = finishing => self.storage.close().await,
            () = signals.next() => {
                tracing::warn!("stopped at once");
                self.doors.cut();
                self.storage.journal.close();
            }
        }
        drop(self.address_file);
    }
}

impl Doors {
    /// The administrators' doors stay open until the callers' is shut, so that they can see how far it is.
    async fn close_others(&self) {
        tokio::join!(self.admin.close(ADMIN_LIMIT), self.control.close(ADMIN_LIMIT));
    }

    fn cut(&self) {
        [&self.public, &self.admin, &self.control].into_iter().for_each(Door::cut);
    }
}
