//! The way from the journal into the store: read what is written, append it in batches, remember how far.
//!
//! It reads the segments, not the queue, so it does not matter whether a record was written a moment ago, while the
//! store was away, or by the process before. A batch that is appended and not yet remembered is appended again after
//! a crash: appending is idempotent. What it is not: a reader of other directories (see [`super::read_undrained`]).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use trunkline_domain::TenantScope;

use super::record::Parsed;
use super::recover::Joiner;
use super::refused::Refused;
use super::segment::{self, Position, SegmentReader, Step};
use super::writer::Message;
use super::{Queue, Shared};
use crate::api::{LedgerRecord, LedgerStore, StoreError};

/// The most records appended at once: a row of a batch of 256 costs the store 1.7 times what it costs in one of these.
const BATCH_RECORDS: usize = 2_048;
/// How long records wait for company.
const BATCH_WAIT: Duration = Duration::from_millis(200);
/// How long the store may take for a batch.
const APPEND_DEADLINE: Duration = Duration::from_secs(10);
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// How often the store may refuse a record on its own before it is set aside.
const REFUSALS_MAX: u32 = 3;

/// The store did not have everything in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store did not take all records of the journal in time; they stay in the journal")]
pub struct FlushTimeout;

/// Waits until the store has what is queued now.
pub(super) async fn flush(shared: &Shared, queue: &Queue) -> Result<(), FlushTimeout> {
    let (done, written) = oneshot::channel();
    queue.send(Message::Flush(done)).map_err(|_| FlushTimeout)?;
    let target = written.await.map_err(|_| FlushTimeout)?;
    let mut drained = shared.drained.subscribe();
    shared.hurry.notify_one();
    drained.wait_for(|drained| *drained >= target).await.map_err(|_| FlushTimeout)?;
    Ok(())
}

/// Brings the journal's records into a store, until it is told to stop.
#[derive(Debug)]
pub struct Drainer {
    shared: Arc<Shared>,
    queue: Queue,
}

impl Drainer {
    pub(super) fn new(shared: Arc<Shared>, queue: Queue) -> Self {
        Self { shared, queue }
    }

    /// Drains until `shutdown` resolves or the journal ends. A store that fails is tried again for ever, with pauses of
    /// 100 ms to 10 s; meanwhile records stay in the journal. A record that it refuses for the record's own sake is set
    /// aside in `refused.jsonl` beside the journal, so that those behind it are not held up. To leave nothing behind,
    /// call [`Journal::flush`](super::Journal::flush) before `shutdown`.
    pub async fn run(self, store: Arc<dyn LedgerStore>, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.drain(&*store) => {}
        }
    }

    async fn drain(&self, store: &dyn LedgerStore) {
        let mut written = self.shared.written.subscribe();
        let directory = self.shared.options.directory.clone();
        let refused = Refused::of(&directory);
        self.count_refused(&refused).await;
        let mut tail = Box::new(Tail::new(directory, *self.shared.drained.borrow()));
        loop {
            let target = *written.borrow_and_update();
            while tail.position < target {
                match read(tail, target).await {
                    Some((back, Ok(batch))) => {
                        tail = back;
                        self.append(store, &batch.records, &refused).await;
                        if !self.remember(&batch, tail.position) {
                            return;
                        }
                    }
                    Some((back, Err(error))) => {
                        tracing::warn!(%error, "the journal cannot be read; trying again");
                        tail = back;
                        tokio::time::sleep(BACK_OFF_MAX).await;
                    }
                    None => return,
                }
            }
            if written.changed().await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(BATCH_WAIT) => {}
                () = self.shared.hurry.notified() => {}
            }
        }
    }

    /// Brings a batch into the store. One that is refused is halved until the record is found that the store will not
    /// have.
    async fn append(&self, store: &dyn LedgerStore, records: &[LedgerRecord], refused: &Refused) {
        let mut pieces = vec![records];
        while let Some(piece) = pieces.pop() {
            match piece {
                [] => {}
                [only] => {
                    if let Err(Refusal(error)) = append(store, piece, REFUSALS_MAX).await
                        && !self.set_aside(only, error, refused).await
                    {
                        pieces.push(piece);
                        tokio::time::sleep(BACK_OFF_MAX).await;
                    }
                }
                several => {
                    if append(store, several, 1).await.is_err() {
                        let (first, second) = several.split_at(several.len() / 2);
                        pieces.extend([second, first]);
                    }
                }
            }
        }
    }

    /// Keeps a refused record in its file; says whether that succeeded.
    async fn set_aside(&self, record: &LedgerRecord, error: String, refused: &Refused) -> bool {
        let (record, file) = (record.clone(), refused.clone());
        let keeping = tokio::task::spawn_blocking(move || (file.keep(&record, &error), error));
        let Ok((kept, error)) = keeping.await else { return false };
        let path = refused.path().display();
        match kept {
            Ok(()) => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(error, file = %path, "the store refuses a record of the journal: it is kept in this file and is in no sum");
                true
            }
            Err(trouble) => {
                tracing::error!(error, file = %path, %trouble, "the store refuses a record of the journal, and it cannot be set aside");
                false
            }
        }
    }

    /// Counts what earlier processes set aside.
    async fn count_refused(&self, refused: &Refused) {
        let file = refused.clone();
        match tokio::task::spawn_blocking(move || file.count()).await {
            Ok(Ok(count)) => self.shared.refused.store(count, Ordering::Relaxed),
            Ok(Err(error)) => {
                tracing::warn!(%error, file = %refused.path().display(), "refused records cannot be counted");
            }
            // The runtime is shutting down.
            Err(_) => {}
        }
    }

    fn remember(&self, batch: &Batch, position: Position) -> bool {
        let (records, bytes) = (batch.records.len() as u64, batch.bytes);
        self.queue.send(Message::Drained { position, records, bytes }).is_ok()
    }
}

/// Reads the next batch on a thread that may block. `None` where the runtime is shutting down.
async fn read(mut tail: Box<Tail>, target: Position) -> Option<(Box<Tail>, io::Result<Batch>)> {
    let reading = tokio::task::spawn_blocking(move || {
        let batch = tail.read(target);
        (tail, batch)
    });
    reading.await.ok()
}

/// What the store said of records it will not take, now or later.
struct Refusal(String);

/// Appends until the store has the records or refuses them `refusals` times. Where the store itself is the trouble (it is
/// away, full or damaged) it is asked for ever.
async fn append(store: &dyn LedgerStore, records: &[LedgerRecord], refusals: u32) -> Result<(), Refusal> {
    let mut back_off = BACK_OFF_MIN;
    let mut failing = false;
    let mut refused = 0;
    loop {
        let appending = store.append(TenantScope::Installation, records);
        let error = match tokio::time::timeout(APPEND_DEADLINE, appending).await {
            Ok(Ok(())) if failing => {
                tracing::info!("the store takes records again");
                return Ok(());
            }
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error @ (StoreError::Conflict(_) | StoreError::NotFound))) => {
                refused += 1;
                if refused >= refusals {
                    return Err(Refusal(error.to_string()));
                }
                error.to_string()
            }
            Ok(Err(error @ (StoreError::Unavailable(_) | StoreError::DiskFull | StoreError::Damaged(_)))) => {
                error.to_string()
            }
            Err(_) => "no answer within the deadline".to_owned(),
        };
        if !failing {
            tracing::warn!(error, "the store does not take records; they wait in the journal");
            failing = true;
        }
        tokio::time::sleep(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF_MAX);
    }
}

#[derive(Debug, Default)]
struct Batch {
    records: Vec<LedgerRecord>,
    /// Bytes of records passed, openings included.
    bytes: u64,
}

/// A reader of all segments in their order, behind the writer.
#[derive(Debug)]
struct Tail {
    directory: PathBuf,
    joiner: Joiner,
    reader: Option<SegmentReader>,
    /// Where draining started: what lies before only says what was opened.
    start: Position,
    /// Up to where records have been handed out.
    position: Position,
    /// The last segment that was opened.
    segment: u64,
}

impl Tail {
    fn new(directory: PathBuf, start: Position) -> Self {
        Self { directory, joiner: Joiner::default(), reader: None, start, position: start, segment: 0 }
    }

    /// The next records before `target`, at most a batch.
    fn read(&mut self, target: Position) -> io::Result<Batch> {
        let mut batch = Batch::default();
        while batch.records.len() < BATCH_RECORDS {
            let Some(mut reader) = self.take_reader(target)? else {
                self.position = target;
                break;
            };
            let newest = reader.sequence == target.segment;
            let at = reader.position();
            let step = reader.next(if newest { target.offset } else { u64::MAX });
            let reached = reader.position();
            self.reader = Some(reader);
            match step? {
                Step::Parsed(Parsed::Record(record, _)) => {
                    let complete = self.joiner.join(record, at, self.start);
                    if at >= self.start {
                        batch.bytes += reached.offset - at.offset;
                        batch.records.extend(complete);
                    }
                }
                Step::Parsed(Parsed::Unknown(_)) => {
                    tracing::error!(
                        segment = at.segment,
                        offset = at.offset,
                        "a journal record is of an unknown kind"
                    );
                    batch.bytes += if at >= self.start { reached.offset - at.offset } else { 0 };
                }
                Step::Parsed(Parsed::Torn | Parsed::Empty) | Step::End if newest => {
                    self.position = target;
                    break;
                }
                Step::Parsed(Parsed::Torn | Parsed::Empty) | Step::End => self.reader = None,
            }
            self.position = self.position.max(reached);
        }
        Ok(batch)
    }

    /// The open reader, or one of the next segment up to the target's.
    fn take_reader(&mut self, target: Position) -> io::Result<Option<SegmentReader>> {
        if let Some(reader) = self.reader.take() {
            return Ok(Some(reader));
        }
        for sequence in segment::list(&self.directory)? {
            if sequence <= self.segment || sequence > target.segment {
                continue;
            }
            self.segment = sequence;
            if let Some(reader) = SegmentReader::open(&self.directory, sequence)? {
                return Ok(Some(reader));
            }
        }
        Ok(None)
    }
}
