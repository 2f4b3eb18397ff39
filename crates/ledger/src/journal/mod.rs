//! The journal: an append-only local file in which an attempt is written before its bytes leave and again when it ends,
//! so that no attempt goes unrecorded whatever kills the process.
//!
//! What it is not: the ledger. It holds records until a store has them; then its segments are deleted.
//!
//! Where to look first: [`Journal::ticket`] (room is taken at the door, so writing cannot fail later), `writer` (how a
//! record gets into a file), [`Drainer`] (records on their way into the store), [`Recovered`] (what the last process left).
//!
//! **On disk**, in one directory: segments `<sequence>.journal`, preallocated, each a header and records (see `record`);
//! `drained`, the place up to which the store has everything; `lock`, held by the process that writes; `refused.jsonl`,
//! where there are any, the records that the store will not have. Segments are
//! deleted once drained; an attempt still open then has its opening copied forward first.

mod drain;
mod record;
mod recover;
mod refused;
mod segment;
mod ticket;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot, watch};

pub use drain::{Drainer, FlushTimeout};
pub(crate) use record::unknown_end;
pub use recover::{Orphan, Recovered, read_outstanding, read_undrained};
pub use ticket::{NotWritten, Opened, Ticket};

use record::RECORD_BYTES_MAX;
use segment::{HEADER_BYTES, Position};
use ticket::{Room, request_bytes_max};
use writer::{Desk, Message, Writer};

/// What an acknowledged record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The process being killed at any instant: it is in the operating system's page cache.
    #[default]
    Process,
    /// The machine losing power: it is on the device, by one `fdatasync` a batch.
    Power,
}

/// How a journal is kept.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Where; made if missing.
    pub directory: PathBuf,
    /// Size of a segment, in bytes: 64 KiB to 1 GiB.
    pub segment_bytes: u64,
    /// The most all segments may take together, in bytes: at least two segments.
    pub cap_bytes: u64,
    /// The most tickets outstanding at once.
    pub in_flight_max: u32,
    /// The most attempts a request may open: what a ticket takes room for.
    pub attempts_max: u8,
    /// What an acknowledged record survives.
    pub durability: Durability,
}

impl JournalOptions {
    /// 16 MiB segments, at most 256 MiB, 65,536 requests in flight with up to 8 attempts each, safe against a killed
    /// process.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            directory: directory.into(),
            segment_bytes: 16 * MIB,
            cap_bytes: 256 * MIB,
            in_flight_max: 65_536,
            attempts_max: 8,
            durability: Durability::Process,
        }
    }

    fn check(&self) -> Result<(), JournalError> {
        let problem = if !(64 << 10..=1 << 30).contains(&self.segment_bytes) {
            "a segment must have between 64 KiB and 1 GiB"
        } else if self.cap_bytes / 2 < self.segment_bytes {
            "the cap must have room for two segments"
        } else if self.in_flight_max == 0 || self.attempts_max == 0 {
            "at least one request with one attempt must fit"
        } else {
            return Ok(());
        };
        Err(JournalError::Options(problem))
    }

    /// Room in a segment that can be promised: its end may be too short for the next record.
    fn usable_bytes(&self) -> u64 {
        self.segment_bytes - HEADER_BYTES - RECORD_BYTES_MAX as u64
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes there.
    #[error("the journal {} is in use by another process: stop it, or choose another data directory", .0.display())]
    InUse(PathBuf),
    /// An option out of its range.
    #[error("{0}")]
    Options(&'static str),
    /// The directory or a file in it cannot be made, read or written.
    #[error("the journal {} cannot be used: {source}", .directory.display())]
    Io {
        /// Where.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl JournalError {
    /// Whether the directory is not there.
    fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    fn io(directory: &Path, source: io::Error) -> Self {
        Self::Io { directory: directory.to_owned(), source }
    }
}

/// Why no ticket is given: nothing is dispatched that could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalFull {
    /// Records wait for the store and take all the space they may.
    #[error("the journal has reached its cap of {cap_bytes} bytes: the store does not take its records")]
    Cap {
        /// The cap.
        cap_bytes: u64,
    },
    /// No further segment could be made.
    #[error("the journal could not make a segment: {0}")]
    Disk(String),
    /// The last write failed; it is tried again every second.
    #[error("the journal could not write: {0}")]
    Broken(String),
    /// The journal was closed, or its thread has ended.
    #[error("the journal is closed")]
    Closed,
}

/// How much waits in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ended attempts and requests the store does not have yet.
    pub records: u64,
    /// Bytes of records the drainer has not passed yet.
    pub bytes: u64,
    /// Attempts opened and not settled.
    pub open_attempts: u64,
    /// Records the store refused, set aside in `refused.jsonl` beside the journal.
    pub refused: u64,
}

type Queue = mpsc::Sender<Message>;

/// What the handles, the writer and the drainer share.
#[derive(Debug)]
struct Shared {
    options: JournalOptions,
    room: Room,
    slots: Arc<Semaphore>,
    growing: AtomicBool,
    /// Why nothing can be written at the moment.
    trouble: crate::sync::Mutex<Option<JournalFull>>,
    troubled: AtomicBool,
    written: watch::Sender<Position>,
    drained: watch::Sender<Position>,
    /// Tells the drainer not to wait for a fuller batch.
    hurry: Notify,
    records: AtomicU64,
    bytes: AtomicU64,
    open_attempts: AtomicU64,
    refused: AtomicU64,
}

impl Shared {
    fn new(options: JournalOptions) -> Self {
        Self {
            room: Room::default(),
            slots: Arc::new(Semaphore::new(options.in_flight_max as usize)),
            growing: AtomicBool::new(false),
            trouble: crate::sync::Mutex::new(None),
            troubled: AtomicBool::new(false),
            written: watch::Sender::new(Position::default()),
            drained: watch::Sender::new(Position::default()),
            hurry: Notify::new(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            open_attempts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            options,
        }
    }

    fn set_trouble(&self, trouble: Option<JournalFull>) {
        self.troubled.store(trouble.is_some(), Ordering::Release);
        *self.trouble.lock() = trouble;
    }

    fn trouble(&self) -> Result<(), JournalFull> {
        if self.troubled.load(Ordering::Acquire)
            && let Some(trouble) = self.trouble.lock().clone()
        {
            return Err(trouble);
        }
        Ok(())
    }
}

/// A handle on the journal. Cheap to clone; the thread ends after [`Journal::close`], or when all handles, tickets and
/// drainers are gone.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    queue: Queue,
}

impl Journal {
    /// Opens or makes the journal of a directory: takes its lock, reads what the last process left, writes down the
    /// attempts it left open as interrupted, and starts the thread. Blocks on the disk.
    pub fn open(options: JournalOptions) -> Result<(Self, Recovered), JournalError> {
        options.check()?;
        let directory = options.directory.clone();
        let lock = recover::lock_made(&directory)?;
        let opened = Self::start(Arc::new(Shared::new(options)), lock);
        opened.map_err(|error| JournalError::io(&directory, error))
    }

    fn start(shared: Arc<Shared>, lock: File) -> io::Result<(Self, Recovered)> {
        let (writer, recovered) = Writer::recover(Arc::clone(&shared), lock)?;
        let (queue, messages) = mpsc::channel();
        let desk = Arc::new(Desk::new(writer));
        let journal = Self { shared: Arc::clone(&shared), desk: Arc::clone(&desk), queue };
        std::thread::Builder::new()
            .name("trunkline-journal".to_owned())
            .spawn(move || desk.run(&shared, &messages))?;
        Ok((journal, recovered))
    }

    /// Takes room for one request. Waits while as many requests are in flight as may be (the caller sets the deadline);
    /// fails at once where no room can be made.
    pub async fn ticket(&self) -> Result<Ticket, JournalFull> {
        let slots = Arc::clone(&self.shared.slots);
        let slot = slots.acquire_owned().await.map_err(|_| JournalFull::Closed)?;
        let bytes = request_bytes_max(self.shared.options.attempts_max);
        loop {
            self.shared.trouble()?;
            if self.shared.room.take(bytes) {
                break;
            }
            self.grow(bytes).await?;
        }
        self.grow_ahead();
        Ok(Ticket::new(self, bytes, slot))
    }

    async fn grow(&self, until_free: u64) -> Result<(), JournalFull> {
        let (done, grown) = oneshot::channel();
        self.queue.send(Message::Grow { until_free, done: Some(done) }).map_err(|_| JournalFull::Closed)?;
        grown.await.map_err(|_| JournalFull::Closed)?
    }

    /// Has the next segment made before it is needed.
    fn grow_ahead(&self) {
        let until_free = self.shared.options.usable_bytes() / 2;
        if self.shared.room.free() < until_free && !self.shared.growing.swap(true, Ordering::AcqRel) {
            let grow = Message::Grow { until_free, done: None };
            if self.queue.send(grow).is_err() {
                self.shared.set_trouble(Some(JournalFull::Closed));
            }
        }
    }

    /// How much waits.
    pub fn depth(&self) -> Depth {
        Depth {
            records: self.shared.records.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            open_attempts: self.shared.open_attempts.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
        }
    }

    /// Tickets that are out.
    pub fn in_flight(&self) -> usize {
        (self.shared.options.in_flight_max as usize).saturating_sub(self.shared.slots.available_permits())
    }

    /// What brings the records of this journal into a store. One at a time may run.
    pub fn drainer(&self) -> Drainer {
        Drainer::new(Arc::clone(&self.shared), self.queue.clone())
    }

    /// Waits until everything queued before is in the store.
    pub async fn flush(&self, deadline: Duration) -> Result<(), FlushTimeout> {
        tokio::time::timeout(deadline, drain::flush(&self.shared, &self.queue))
            .await
            .unwrap_or(Err(FlushTimeout))
    }

    /// Writes what is queued, ends the thread and frees the directory for another process. Blocks shortly. Afterwards
    /// no ticket is given and no record is written.
    pub fn close(&self) {
        let (done, stopped) = mpsc::channel();
        if self.queue.send(Message::Stop(done)).is_ok() {
            // The answer is that the other end is dropped.
            stopped.recv().ok();
        }
    }
}

#[cfg(test)]
mod tests;
