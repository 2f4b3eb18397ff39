//! What writes: records go to the end of the current segment, each batch with one call.
//!
//! It has one owner at a time, the [`Desk`]'s lock: whoever brings a record writes it, and where another holds the lock
//! (or a record must also reach the device) it is queued for the journal's own thread, so that a disk that hangs holds
//! up one thread of the runtime at most. That thread also makes, syncs and deletes segments.
//!
//! Where to look first: [`Desk::write`], [`Writer::commit`]. A write that fails leaves its records queued: no ticket is given from then
//! on, openings are refused, and the write is tried again every second until it succeeds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;
use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::{AttemptOpening, Settlement};

use super::record::{self, Encoded, FRAME_BYTES, OPENED_BYTES_MAX, RECORD_BYTES_MAX};
use super::recover::{PositionFile, Recovered, read_position, scan};
use super::segment::{self, HEADER_BYTES, Position, Segment};
use super::ticket::{NotWritten, Seat};
use super::{Durability, JournalFull, Shared};
use crate::api::LedgerRecord;
use crate::sync::{Mutex, MutexGuard};

/// Messages taken before their records are written.
const BATCH_MESSAGES: usize = 256;
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How often a taken lock is looked at before a record is queued instead: some microseconds.
const LOCK_SPINS: u32 = 200;

type Done = oneshot::Sender<Result<(), NotWritten>>;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Message {
    /// An attempt is about to be dispatched.
    Open { opening: Arc<AttemptOpening>, record: Encoded, done: Option<Done>, seat: Arc<Seat> },
    /// An attempt ended.
    Settle { id: AttemptId, record: Encoded, seat: Arc<Seat> },
    /// A request ended.
    Request { record: Encoded, seat: Arc<Seat> },
    /// Room is wanted.
    Grow { until_free: u64, done: Option<oneshot::Sender<Result<(), JournalFull>>> },
    /// The store has everything up to here.
    Drained { position: Position, records: u64, bytes: u64 },
    /// Where does writing stand, with everything before this written?
    Flush(oneshot::Sender<Position>),
    /// A write failed: try again.
    Retry,
    /// Write what is there and end.
    Stop(mpsc::Sender<()>),
}

/// A record that is encoded and not yet written.
#[derive(Debug)]
struct Queued {
    bytes: usize,
    what: What,
    owner: Owner,
}

#[derive(Debug)]
enum What {
    Opened(Arc<AttemptOpening>, Option<Done>),
    /// An opening copied from a segment about to be deleted.
    Copied(AttemptId),
    Settled(AttemptId),
    Request,
}

/// Whose room a record takes.
#[derive(Debug)]
enum Owner {
    Seat(Arc<Seat>),
    /// The journal's own, taken beforehand.
    Journal {
        taken: u64,
    },
}

#[derive(Debug)]
struct OpenAttempt {
    opening: Arc<AttemptOpening>,
    /// Where its last opening is written; none while it is queued.
    segment: Option<u64>,
}

/// Where the writer sits while the journal is open.
#[derive(Debug)]
pub(super) struct Desk(Mutex<Option<Writer>>);

/// Whether a record may stay in memory until the next one of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is written now.
    Now,
    /// The request's next record follows in a moment, and is written together with it.
    WithNext,
}

impl Desk {
    pub(super) fn new(writer: Writer) -> Self {
        Self(Mutex::new(Some(writer)))
    }

    /// Writes a record on the caller's thread; whether it is written. `Err` gives the message back, for the queue: the
    /// lock is taken, nothing can be written at the moment, or the journal has ended.
    pub(super) fn write(&self, message: Message, urgency: Urgency) -> Result<bool, Message> {
        let Some(mut slot) = self.attempt() else { return Err(message) };
        let Some(writer) = slot.as_mut().filter(|writer| writer.writes()) else { return Err(message) };
        writer.take(message);
        Ok(match urgency {
            Urgency::Now => writer.commit(),
            Urgency::WithNext => true,
        })
    }

    /// The lock, if whoever holds it is done within about the time that writing a record takes.
    fn attempt(&self) -> Option<MutexGuard<'_, Option<Writer>>> {
        for _ in 0..LOCK_SPINS {
            if let Some(slot) = self.0.try_lock() {
                return Some(slot);
            }
            std::hint::spin_loop();
        }
        None
    }

    /// The thread: takes what is queued, until it is told to stop or nobody is left who could queue anything.
    pub(super) fn run(&self, shared: &Arc<Shared>, messages: &mpsc::Receiver<Message>) {
        let closing = Closing(Arc::clone(shared));
        let mut stopped = None;
        while stopped.is_none() {
            let first = match wait(shared, messages) {
                Ok(message) => message,
                Err(mpsc::RecvError) => break,
            };
            let mut slot = self.0.lock();
            let Some(writer) = slot.as_mut() else { break };
            for message in first.into_iter().chain(messages.try_iter()).take(BATCH_MESSAGES) {
                writer.take(message);
            }
            writer.commit();
            stopped = writer.stopped.take();
        }
        let mut slot = self.0.lock();
        let writer = slot.take().map(|mut writer| {
            writer.commit();
            writer
        });
        drop(closing);
        drop(slot);
        if let Some(writer) = writer {
            writer.report_unwritten();
        }
        for message in messages.try_iter() {
            tracing::error!(
                ?message,
                "the journal was closed before this was written; it is in this log only"
            );
        }
        drop(stopped);
    }
}

/// The next message; none where it is time to try a failed write again.
fn wait(shared: &Shared, messages: &mpsc::Receiver<Message>) -> Result<Option<Message>, mpsc::RecvError> {
    if !shared.troubled.load(Ordering::Acquire) {
        return messages.recv().map(Some);
    }
    match messages.recv_timeout(RETRY_EVERY) {
        Ok(message) => Ok(Some(message)),
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(mpsc::RecvError),
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    current: Segment,
    spares: VecDeque<Segment>,
    /// Written to the end, with their sizes.
    sealed: BTreeMap<u64, u64>,
    allocated: u64,
    next_sequence: u64,
    position_file: PositionFile,
    pending: Vec<u8>,
    queued: VecDeque<Queued>,
    /// Written in this batch and to be told so once it is durable.
    told: Vec<Done>,
    /// Kept until their records are durable.
    seats: Vec<Arc<Seat>>,
    /// Opened and not settled, as of the last message taken.
    open: HashMap<AttemptId, OpenAttempt>,
    /// Settled, with the settlement still queued.
    settling: HashMap<AttemptId, OpenAttempt>,
    /// Segments with openings whose settlements are in later ones, and up to where those reach: until the store has
    /// them, only the segment knows what was opened.
    needed: BTreeMap<u64, Position>,
    /// Written and not yet synced.
    unsynced: bool,
    stopped: Option<mpsc::Sender<()>>,
    _lock: File,
}

impl Writer {
    /// Reads what the last process left and writes down what it left open.
    pub(super) fn recover(shared: Arc<Shared>, lock: File) -> io::Result<(Self, Recovered)> {
        let directory = shared.options.directory.clone();
        let drained = read_position(&directory)?;
        let mut scanned = scan(&directory, drained)?;
        let newest =
            scanned.used.iter().chain(&scanned.empty).copied().max().unwrap_or(0).max(drained.segment);
        for &sequence in &scanned.empty {
            segment::remove(&directory, sequence)?;
        }
        let mut sealed = BTreeMap::new();
        for &sequence in &scanned.used {
            sealed.insert(sequence, segment::size(&directory, sequence)?);
        }
        let segment_bytes = shared.options.segment_bytes;
        let current = Segment::create(&directory, newest + 1, segment_bytes)?;
        shared.room.give(shared.options.usable_bytes());
        let mut writer = Self {
            allocated: sealed.values().sum::<u64>() + segment_bytes,
            current,
            spares: VecDeque::new(),
            sealed,
            next_sequence: newest + 2,
            position_file: PositionFile::open(&directory)?,
            pending: Vec::new(),
            queued: VecDeque::new(),
            told: Vec::new(),
            seats: Vec::new(),
            open: HashMap::new(),
            settling: HashMap::new(),
            needed: BTreeMap::new(),
            unsynced: false,
            stopped: None,
            _lock: lock,
            shared,
        };
        writer.sync_directory()?;
        let mut records = std::mem::take(&mut scanned.records);
        writer.shared.records.store(records.len() as u64, Ordering::Relaxed);
        writer.shared.bytes.store(scanned.undrained_bytes, Ordering::Relaxed);
        for entry in scanned.joiner.interrupted() {
            writer.settle_interrupted(entry.opening.id, &entry.settlement)?;
            records.push(LedgerRecord::Attempt(Box::new(entry)));
        }
        writer.write_pending()?;
        let settled = writer.current.position();
        writer.needed.extend(writer.sealed.keys().map(|sequence| (*sequence, settled)));
        writer.shared.drained.send_replace(drained);
        Ok((writer, Recovered { records, dropped_bytes: scanned.dropped_bytes }))
    }

    fn settle_interrupted(&mut self, id: AttemptId, settlement: &Settlement) -> io::Result<()> {
        let bytes = record::append_settled(&mut self.pending, id, settlement)?;
        while !self.shared.room.take(bytes as u64) {
            self.add_segment()?;
        }
        self.queued.push_back(Queued {
            bytes,
            what: What::Settled(id),
            owner: Owner::Journal { taken: bytes as u64 },
        });
        Ok(())
    }

    /// Whether a record can be written by whoever brings it: where it must also reach the device, the wait for that is
    /// the thread's.
    fn writes(&self) -> bool {
        self.shared.options.durability == Durability::Process && !self.shared.troubled.load(Ordering::Acquire)
    }

    /// Closed while it could not write: the log is the last place to keep what is queued.
    fn report_unwritten(&self) {
        let mut rest = self.pending.as_slice();
        for queued in &self.queued {
            let Some((record, behind)) = rest.split_at_checked(queued.bytes) else { return };
            let payload = String::from_utf8_lossy(record.get(FRAME_BYTES..).unwrap_or_default());
            tracing::error!(what = ?queued.what, %payload, "the journal ended before this could be written");
            rest = behind;
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Open { opening, record, done, seat } => {
                let encoded = record.append_to(&mut self.pending);
                let done = done.and_then(|done| self.refuse_in_trouble(done));
                let open = OpenAttempt { opening: Arc::clone(&opening), segment: None };
                if self.queue(encoded, What::Opened(opening, done), seat) {
                    self.open.insert(open.opening.id, open);
                }
            }
            Message::Settle { id, record, seat } => self.settle(id, record, seat),
            Message::Request { record, seat } => {
                let encoded = record.append_to(&mut self.pending);
                self.queue(encoded, What::Request, seat);
            }
            Message::Grow { until_free, done } => self.grow(until_free, done),
            Message::Drained { position, records, bytes } => self.drained(position, records, bytes),
            Message::Flush(done) => {
                self.commit();
                if self.queued.is_empty() {
                    tell(done, self.current.position());
                }
            }
            Message::Retry => {}
            Message::Stop(done) => self.stopped = Some(done),
        }
    }

    fn settle(&mut self, id: AttemptId, record: Encoded, seat: Arc<Seat>) {
        let Some(open) = self.open.remove(&id) else {
            tracing::error!(attempt = %id, "an attempt that is not open was settled; the second record is left out");
            return;
        };
        let encoded = record.append_to(&mut self.pending);
        if self.queue(encoded, What::Settled(id), seat) {
            self.settling.insert(id, open);
        }
    }

    fn queue(&mut self, encoded: serde_json::Result<usize>, what: What, seat: Arc<Seat>) -> bool {
        match encoded {
            Ok(bytes) if seat.spend(bytes as u64) => {
                self.queued.push_back(Queued { bytes, what, owner: Owner::Seat(seat) });
                return true;
            }
            Ok(bytes) => {
                self.pending.truncate(self.pending.len() - bytes);
                tracing::error!(
                    ?what,
                    "a request wrote more records than its ticket has room for; this one is left out"
                );
            }
            Err(error) => tracing::error!(?what, %error, "a record could not be encoded"),
        }
        false
    }

    fn refuse_in_trouble(&self, done: Done) -> Option<Done> {
        if self.shared.troubled.load(Ordering::Acquire) {
            tell(done, Err(NotWritten::JournalFailed));
            return None;
        }
        Some(done)
    }

    /// Writes what is queued; on failure keeps it, refuses openings and closes the door. Whether all is written.
    fn commit(&mut self) -> bool {
        match self.write_pending() {
            Ok(()) if self.shared.troubled.load(Ordering::Acquire) => {
                tracing::info!("the journal writes again");
                self.shared.set_trouble(None);
                true
            }
            Ok(()) => true,
            Err(error) => {
                if !self.shared.troubled.load(Ordering::Acquire) {
                    tracing::error!(%error, waiting = self.queued.len(), "the journal cannot write; no request is admitted");
                }
                self.shared.set_trouble(Some(JournalFull::Broken(error.to_string())));
                let told = std::mem::take(&mut self.told);
                let queued = self.queued.iter_mut().filter_map(|queued| match &mut queued.what {
                    What::Opened(_, done) => done.take(),
                    What::Copied(_) | What::Settled(_) | What::Request => None,
                });
                for done in told.into_iter().chain(queued) {
                    tell(done, Err(NotWritten::JournalFailed));
                }
                false
            }
        }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        while !self.queued.is_empty() {
            let (records, bytes) = self.fitting();
            if records == 0 {
                self.rotate()?;
                continue;
            }
            self.current.append(self.pending.get(..bytes).unwrap_or_default())?;
            self.unsynced = true;
            self.pending.drain(..bytes);
            for _ in 0..records {
                if let Some(queued) = self.queued.pop_front() {
                    self.written(queued);
                }
            }
        }
        self.sync()?;
        self.shared.open_attempts.store(self.open.len() as u64, Ordering::Relaxed);
        self.shared.written.send_replace(self.current.position());
        for done in self.told.drain(..) {
            tell(done, Ok(()));
        }
        self.seats.clear();
        Ok(())
    }

    /// How many queued records fit into the rest of the segment, and their bytes.
    fn fitting(&self) -> (usize, usize) {
        let rest = usize::try_from(self.current.bytes - self.current.offset).unwrap_or(usize::MAX);
        let mut fitting = (0, 0);
        for queued in &self.queued {
            let bytes = fitting.1 + queued.bytes;
            if bytes > rest {
                break;
            }
            fitting = (fitting.0 + 1, bytes);
        }
        fitting
    }

    fn written(&mut self, queued: Queued) {
        let bytes = queued.bytes as u64;
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        match queued.what {
            What::Opened(opening, done) => {
                self.locate(opening.id);
                self.told.extend(done);
            }
            What::Copied(id) => self.locate(id),
            What::Settled(id) => {
                let opened_in = self.settling.remove(&id).and_then(|open| open.segment);
                if let Some(segment) = opened_in.filter(|segment| *segment != self.current.sequence) {
                    self.needed.insert(segment, self.current.position());
                }
                self.shared.records.fetch_add(1, Ordering::Relaxed);
            }
            What::Request => {
                self.shared.records.fetch_add(1, Ordering::Relaxed);
            }
        }
        match queued.owner {
            Owner::Seat(seat) => self.seats.push(seat),
            Owner::Journal { taken } => self.shared.room.give(taken.saturating_sub(bytes)),
        }
    }

    fn locate(&mut self, id: AttemptId) {
        let open = self.open.get_mut(&id).or_else(|| self.settling.get_mut(&id));
        if let Some(open) = open {
            open.segment = Some(self.current.sequence);
        }
    }

    /// Goes on in the next segment. Room was promised, so it is there.
    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        if self.spares.is_empty() {
            self.add_segment()?;
        }
        let Some(next) = self.spares.pop_front() else { return Ok(()) };
        let full = std::mem::replace(&mut self.current, next);
        // What was written beyond what could be promised of this segment is room in later ones.
        self.shared
            .room
            .give((full.offset - HEADER_BYTES).saturating_sub(self.shared.options.usable_bytes()));
        self.sealed.insert(full.sequence, full.bytes);
        Ok(())
    }

    fn grow(&mut self, until_free: u64, done: Option<oneshot::Sender<Result<(), JournalFull>>>) {
        let mut grown = Ok(());
        // Space runs short: no time to wait for fuller batches.
        self.shared.hurry.notify_one();
        while grown.is_ok() && self.shared.room.free() < until_free {
            grown = self.add_segment_within_cap();
        }
        match done {
            Some(done) => tell(done, grown),
            None => self.shared.growing.store(false, Ordering::Release),
        }
    }

    fn add_segment_within_cap(&mut self) -> Result<(), JournalFull> {
        let options = &self.shared.options;
        if self.allocated + options.segment_bytes > options.cap_bytes {
            return Err(JournalFull::Cap { cap_bytes: options.cap_bytes });
        }
        self.add_segment().map_err(|error| JournalFull::Disk(error.to_string()))
    }

    fn add_segment(&mut self) -> io::Result<()> {
        let options = &self.shared.options;
        let segment = Segment::create(&options.directory, self.next_sequence, options.segment_bytes)?;
        self.next_sequence += 1;
        self.allocated += segment.bytes;
        self.spares.push_back(segment);
        self.sync_directory()?;
        self.shared.room.give(self.shared.options.usable_bytes());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.unsynced && self.shared.options.durability == Durability::Power {
            self.current.sync()?;
        }
        self.unsynced = false;
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        match self.shared.options.durability {
            Durability::Process => Ok(()),
            Durability::Power => File::open(&self.shared.options.directory)?.sync_all(),
        }
    }

    fn drained(&mut self, position: Position, records: u64, bytes: u64) {
        self.shared.records.fetch_sub(records, Ordering::Relaxed);
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let stored = self.position_file.store(position).and_then(|()| self.drop_segments(position));
        if let Err(error) = stored {
            tracing::warn!(%error, "drained segments are kept for now");
        }
        self.shared.drained.send_replace(position);
    }

    /// Deletes the segments that are drained, after the openings in them that are still open were copied forward. One
    /// with an opening whose settlement is not drained stays, and those behind it.
    fn drop_segments(&mut self, drained: Position) -> io::Result<()> {
        while let Some((&sequence, &bytes)) =
            self.sealed.first_key_value().filter(|(first, _)| **first < drained.segment)
        {
            // Settlements that are queued must come after the copies, openings before them.
            self.write_pending()?;
            if self.needed.get(&sequence).is_some_and(|until| *until > drained) {
                return Ok(());
            }
            if !self.copy_openings(sequence)? {
                return Ok(());
            }
            self.write_pending()?;
            segment::remove(&self.shared.options.directory, sequence)?;
            self.sealed.remove(&sequence);
            self.needed.remove(&sequence);
            self.allocated = self.allocated.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Queues copies of the openings in a segment; `false` where there is no room for them now.
    fn copy_openings(&mut self, segment: u64) -> io::Result<bool> {
        let inside = self.open.values().filter(|open| open.segment == Some(segment));
        let openings: Vec<_> = inside.map(|open| Arc::clone(&open.opening)).collect();
        let taken = (openings.len() * OPENED_BYTES_MAX) as u64;
        while !self.shared.room.take(taken) {
            if self.add_segment_within_cap().is_err() {
                return Ok(false);
            }
        }
        for opening in openings {
            let bytes = record::append_opened(&mut self.pending, &opening)?;
            let owner = Owner::Journal { taken: OPENED_BYTES_MAX as u64 };
            self.queued.push_back(Queued { bytes, what: What::Copied(opening.id), owner });
        }
        Ok(true)
    }
}

/// Answers; whoever asked may have gone away, and then needs no answer.
fn tell<T>(asker: oneshot::Sender<T>, answer: T) {
    asker.send(answer).ok();
}

/// Closes the door when the thread ends, by whatever way.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.set_trouble(Some(JournalFull::Closed));
        self.0.slots.close();
    }
}

const _: () = assert!(OPENED_BYTES_MAX <= RECORD_BYTES_MAX && record::SETTLED_BYTES_MAX <= RECORD_BYTES_MAX);

#[cfg(test)]
mod tests;
