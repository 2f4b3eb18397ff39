//! Taking over from a process that serves.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use trunkline_engine::Engine;
use trunkline_engine::config::server::Listen;
use trunkline_engine::succession::{Counters, Predecessor};
use trunkline_store::Store;

use super::{
    Estate, Hello, PROTOCOL, Reply, Role, SOCKET, SocketNote, ToPredecessor, ToSuccessor, receive,
    receive_descriptors, send,
};
use crate::boot::StartError;
use crate::boot::storage::{DataLock, LockError, adopt};
use crate::listen::bind::Fate;

/// How long the process that holds the data directory is waited for: it may be starting, or ending.
const PATIENCE: Duration = Duration::from_secs(20);
const TRY_EVERY: Duration = Duration::from_millis(50);
/// How long it may take to hand over: it waits for its keys, and for administrators' requests.
const GIVING: Duration = Duration::from_secs(30);

/// What a process serves a data directory with.
pub(in crate::boot) struct Reign {
    /// The right to.
    pub(in crate::boot) lock: DataLock,
    /// What came from the process before, if there was one.
    pub(in crate::boot) inheritance: Option<Inheritance>,
}

/// What came from the process before.
pub(in crate::boot) struct Inheritance {
    sockets: Vec<Offered>,
    counters: Counters,
    link: PredecessorLink,
}

/// The connection to it, before it was told that it is succeeded.
pub(in crate::boot) struct PredecessorLink {
    stream: UnixStream,
    journal: PathBuf,
}

/// Sockets of one of its listeners.
pub(in crate::boot) struct Offered {
    role: Role,
    configured: String,
    /// The address it listens at.
    pub(in crate::boot) address: String,
    /// What is to become of its file.
    pub(in crate::boot) file: Fate,
    /// The sockets.
    pub(in crate::boot) sockets: Vec<OwnedFd>,
}

/// Takes over from the process that holds a data directory; or takes the directory, where that has ended meanwhile.
pub(in crate::boot) async fn take(data_dir: &Path) -> Result<Reign, StartError> {
    let failed = |error: &dyn std::fmt::Display| {
        StartError::Other(format!("the running gateway did not hand over, and goes on: {error}"))
    };
    let patient_until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match DataLock::take(data_dir) {
            Ok(lock) => return Ok(Reign { lock, inheritance: None }),
            Err(LockError::InUse(_)) => {}
            Err(error @ LockError::Io { .. }) => return Err(failed(&error)),
        }
        match UnixStream::connect(data_dir.join(SOCKET)).await {
            Ok(stream) => {
                let asking = tokio::time::timeout(GIVING, ask(stream)).await;
                return asking.map_err(|_| failed(&"it took too long"))?.map_err(|error| failed(&error));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(failed(&error)),
            Err(error) if tokio::time::Instant::now() >= patient_until => return Err(failed(&error)),
            Err(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}

async fn ask(mut stream: UnixStream) -> io::Result<Reign> {
    send(&mut stream, &Hello { protocol: PROTOCOL }).await?;
    let mut descriptors = receive_descriptors(&stream).await?.into_iter();
    let reply = receive(&mut stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let Estate { sockets, journal, counters } = match reply {
        Reply::Given(estate) => *estate,
        Reply::Refused(why) => return Err(io::Error::other(why)),
    };
    let missing =
        || io::Error::other("a descriptor is missing: is the limit of open files (RLIMIT_NOFILE) reached?");
    let lock = DataLock::inherited(descriptors.next().ok_or_else(missing)?);
    let mut offered = Vec::with_capacity(sockets.len());
    for SocketNote { role, configured, address, file, count } in sockets {
        let sockets: Vec<OwnedFd> = descriptors.by_ref().take(count).collect();
        if sockets.len() < count {
            return Err(missing());
        }
        offered.push(Offered { role, configured, address, file, sockets });
    }
    let link = PredecessorLink { stream, journal };
    Ok(Reign { lock, inheritance: Some(Inheritance { sockets: offered, counters, link }) })
}

impl Inheritance {
    /// The sockets of a listener, if it is to be where it was.
    pub(in crate::boot) fn sockets(&mut self, role: Role, wanted: &Listen) -> Option<Offered> {
        let wanted = wanted.to_string();
        let place = self.sockets.iter().position(|offered| {
            let moved = offered.configured != wanted && offered.address != wanted;
            offered.role == role && (!moved || matches!(role, Role::Control | Role::Handover))
        })?;
        Some(self.sockets.swap_remove(place))
    }

    /// Counts on from where the process before was.
    pub(in crate::boot) fn count(self, engine: &Engine) -> (PredecessorLink, Predecessor) {
        (self.link, engine.succeed(self.counters))
    }
}

impl PredecessorLink {
    /// Tells it that it is succeeded. From here on this process serves.
    pub(in crate::boot) async fn ready(&mut self) -> Result<(), StartError> {
        send(&mut self.stream, &ToPredecessor::Ready).await.map_err(|error| {
            StartError::Other(format!("the gateway before ended while it handed over ({error}): start again"))
        })
    }

    /// Hears what it tells and answers what it asks, until it has ended; then looks after what it has left.
    pub(in crate::boot) async fn follow(self, mut predecessor: Predecessor, store: Arc<Store>) {
        let Self { mut stream, journal } = self;
        loop {
            match receive(&mut stream).await {
                Ok(Some(ToSuccessor::Change(change))) => predecessor.note(&change),
                Ok(Some(ToSuccessor::Question(number, question))) => {
                    let answer = predecessor.answer(question).await;
                    if let Err(error) = send(&mut stream, &ToPredecessor::Answer(number, answer)).await {
                        tracing::debug!(%error, "the process before does not hear any more");
                        break;
                    }
                }
                Ok(None) => break,
                // Killed before it had read everything.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => {
                    tracing::warn!(%error, "the process before is not understood: what it holds counts as spent");
                    break;
                }
            }
        }
        drop(predecessor);
        match adopt(&store, &journal).await {
            Ok(outcome) => {
                tracing::info!(journal = %journal.display(), ?outcome, "the process before has ended");
            }
            Err(error) => {
                tracing::error!(%error, "what the process before has left is taken over at the next start");
            }
        }
    }
}
