//! The end: nothing new is accepted, requests under way are finished, what they cost is written down. It comes by a
//! signal, or because another process takes over and everything goes on there.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::handover::Role;
use super::handover::give::{Asking, Goods, Link, give};
use super::{Doors, Gateway, Spares, banner, service};
use crate::listen::Door;
use crate::listen::bind::Spare;

/// How long administrators' requests may take at the end.
const ADMIN_LIMIT: Duration = Duration::from_secs(2);
/// How long requests may take that are under way when a successor takes over: nobody waits for their end but their callers.
const LEFT_LIMIT: Duration = Duration::from_hours(1);
/// How long background work and the journal may take at the end, each.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// What tells the gateway to stop, or to be replaced.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Asks for a successor.
    replace: Signal,
}

/// What a gateway that serves is told.
enum Told {
    Stop,
    Replace,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            replace: signal(SignalKind::user_defined2())?,
        })
    }

    async fn any(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.replace.recv() => Told::Replace,
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Gateway {
    /// Serves until a signal or a successor ends it.
    pub(super) async fn run(mut self, mut signals: Signals) {
        loop {
            let asking = tokio::select! {
                told = signals.any() => match told {
                    Told::Stop => return self.stop(signals).await,
                    Told::Replace => {
                        service::start_successor().unwrap_or_else(|error| {
                            tracing::error!(%error, "no successor could be started; this process goes on");
                        });
                        continue;
                    }
                },
                asking = self.successors.accept() => asking,
            };
            let heard = match asking {
                Ok((stream, _)) => Asking::hear(stream, &self.engine).await,
                Err(error) => Err(error),
            };
            let given = match heard {
                Ok(asking) => self.give(asking).await,
                Err(error) => Err(error),
            };
            match given {
                Ok(link) => return self.leave(&link, signals).await,
                Err(error) => tracing::warn!(%error, "nothing was handed over; this process goes on"),
            }
        }
    }

    /// Ends in good order. A second signal ends at once: what is under way is cut, and found in the journal at the next
    /// start.
    async fn stop(self, mut signals: Signals) {
        tracing::info!("stopping: requests under way are finished, a second signal ends them");
        service::stopping();
        self.engine.begin_drain();
        let Self { engine, storage, doors, wiring, spares, successors, stop, address_file, lock, .. } = self;
        // Nobody is to wait in a socket where nobody accepts.
        let Spares { public, .. } = spares;
        drop((public, successors));
        let finishing = async {
            if !doors.public.close(wiring.settings.server.drain_timeout).await {
                tracing::warn!("requests that did not end in time were cut");
            }
            engine.finish(SETTLE_LIMIT).await;
            stop.cancel();
            doors.close_others().await;
        };
        tokio::select! {
            () = finishing => storage.close().await,
            () = signals.next() => {
                tracing::warn!("stopped at once");
                doors.cut();
                storage.journal.close();
            }
        }
        drop((address_file, lock));
    }

    /// Gives everything to a successor. Whoever connects meanwhile waits in the sockets. Where it fails this process
    /// serves on.
    async fn give(&mut self, asking: Asking) -> io::Result<Arc<Link>> {
        self.doors.public.leave();
        // A key made here from now on would be unknown there.
        self.doors.close_others().await;
        let Spares { public, admin, control, successors } = &self.spares;
        let goods = Goods {
            lock: &self.lock,
            sockets: [
                (Role::Public, public.0.to_string(), &public.1),
                (Role::Admin, admin.0.to_string(), &admin.1),
                (Role::Control, control.address.to_string(), control),
                (Role::Handover, successors.address.to_string(), successors),
            ],
            journal: self.storage.journal_directory.clone(),
        };
        let given = give(asking, goods, &self.engine).await;
        if given.is_err() {
            self.doors = self.wiring.open([public.1.again()?, admin.1.again()?, control.again()?]);
            let data_dir = &self.wiring.settings.server.data_dir;
            match banner::AddressFile::write(data_dir, &self.spares.addresses()) {
                Ok(file) => std::mem::replace(&mut self.address_file, file).leave(),
                Err(error) => tracing::error!(?error, "where this process listens is not written down"),
            }
        }
        given
    }

    /// Another process serves: finishes what is under way here, however long it takes within reason, and says how it
    /// ended. A signal ends it as it ends a gateway that serves.
    async fn leave(self, link: &Link, mut signals: Signals) {
        tracing::info!("another process has taken over: requests under way are finished here");
        let Self {
            engine,
            storage,
            doors,
            wiring,
            spares,
            successors,
            stop,
            predecessors,
            address_file,
            lock,
        } = self;
        stop.cancel();
        address_file.leave();
        let Spares { public, admin, control, successors: asked } = spares;
        [public.1, admin.1, control, asked].into_iter().for_each(Spare::leave);
        drop((successors, lock));
        predecessors.close();
        let ended = async { tokio::join!(doors.public.ended(LEFT_LIMIT), predecessors.wait()) };
        tokio::select! {
            _ = ended => {}
            () = tokio::time::sleep(LEFT_LIMIT) => {}
            () = signals.next() => {
                tracing::info!("stopping: requests under way are finished, a second signal ends them");
            }
        }
        let finishing = async {
            if !doors.public.close(wiring.settings.server.drain_timeout).await {
                tracing::warn!("requests that did not end in time were cut");
            }
            engine.finish(SETTLE_LIMIT).await;
        };
        tokio::select! {
            () = finishing => {}
            () = signals.next() => {
                tracing::warn!("stopped at once");
                doors.cut();
            }
        }
        storage.close().await;
        link.last_words().await;
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
