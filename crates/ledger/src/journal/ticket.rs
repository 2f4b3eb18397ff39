//! A request's place in the journal: room for every record it can write, taken while waiting is still allowed, so that
//! writing later can neither fail nor wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::{AttemptOpening, EntryState, RequestRecord, Settlement};

use super::record::{Encoded, OPENED_BYTES_MAX, REQUEST_BYTES_MAX, SETTLED_BYTES_MAX};
use super::writer::{Desk, Message, Urgency};
use super::{Journal, Queue, Shared};

/// The room one request needs at most.
pub(super) fn request_bytes_max(attempts_max: u8) -> u64 {
    u64::from(attempts_max) * (OPENED_BYTES_MAX + SETTLED_BYTES_MAX) as u64 + REQUEST_BYTES_MAX as u64
}

/// Allocated room that is neither written nor promised, in bytes.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicU64);

impl Room {
    pub(super) fn free(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes)).is_ok()
    }

    pub(super) fn give(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// Why an attempt's opening is not in the journal. Its bytes must not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWritten {
    /// The journal cannot write at the moment, or was closed.
    #[error("the journal could not write the record")]
    JournalFailed,
    /// The ticket has no room for another attempt.
    #[error("the request has used all attempts its journal ticket has room for")]
    AttemptsExhausted,
}

/// Resolves once an opening is in the journal: written ([`Durability::Process`](super::Durability)) or on the device
/// ([`Durability::Power`](super::Durability)). An attempt's bytes leave only after `Ok`.
#[derive(Debug)]
#[must_use = "an attempt's bytes leave only once its opening is written"]
pub struct Opened(Waiting);

#[derive(Debug)]
enum Waiting {
    For(oneshot::Receiver<Result<(), NotWritten>>),
    Over(Result<(), NotWritten>),
}

impl Future for Opened {
    type Output = Result<(), NotWritten>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Waiting::For(written) => Pin::new(written)
                .poll(context)
                .map(|written| written.unwrap_or(Err(NotWritten::JournalFailed))),
            Waiting::Over(outcome) => Poll::Ready(*outcome),
        }
    }
}

/// Room for one request. Cheap to clone; the room and the place among the requests in flight return when the last
/// clone is gone and all its records are written.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Seat>);

impl Ticket {
    pub(super) fn new(journal: &Journal, bytes: u64, slot: OwnedSemaphorePermit) -> Self {
        let Journal { shared, desk, queue } = journal.clone();
        Self(Arc::new(Seat {
            bytes_left: AtomicU64::new(bytes),
            attempts_left: AtomicU8::new(shared.options.attempts_max),
            queues: AtomicBool::new(false),
            recorded: AtomicBool::new(false),
            queue,
            desk,
            shared,
            _slot: slot,
        }))
    }

    /// Writes the opening of an attempt, or queues it, at once; the answer says when it is written. The caller overlaps
    /// the wait with connecting and encoding.
    pub fn open(&self, opening: Arc<AttemptOpening>) -> Opened {
        let left = &self.0.attempts_left;
        if left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_err() {
            return Opened(Waiting::Over(Err(NotWritten::AttemptsExhausted)));
        }
        let record = Encoded::opened(&opening);
        let message = Message::Open { opening, record, done: None, seat: Arc::clone(&self.0) };
        Opened(match self.write(message, Urgency::Now) {
            Ok(true) => Waiting::Over(Ok(())),
            Ok(false) => Waiting::Over(Err(NotWritten::JournalFailed)),
            Err(mut message) => {
                let (told, written) = oneshot::channel();
                if let Message::Open { done, .. } = &mut message {
                    *done = Some(told);
                }
                self.queue(message);
                Waiting::For(written)
            }
        })
    }

    /// Writes or queues how an attempt ended. An attempt that was not opened, or was settled already, leaves no second
    /// record. A complete answer ends its request: its settlement waits for the request's record, a moment later.
    pub fn settle(&self, id: AttemptId, settlement: &Settlement) {
        let ends = settlement.state == EntryState::Settled && !self.0.recorded.load(Ordering::Acquire);
        let urgency = if ends { Urgency::WithNext } else { Urgency::Now };
        let record = Encoded::settled(id, settlement);
        self.send(Message::Settle { id, record, seat: Arc::clone(&self.0) }, urgency);
    }

    /// Writes or queues the record of the request: once, at its end.
    pub fn record(&self, record: &RequestRecord) {
        self.0.recorded.store(true, Ordering::Release);
        let record = Encoded::request(record);
        self.send(Message::Request { record, seat: Arc::clone(&self.0) }, Urgency::Now);
    }

    fn send(&self, message: Message, urgency: Urgency) {
        if let Err(message) = self.write(message, urgency) {
            self.queue(message);
        }
    }

    /// Writes on this thread, unless an earlier record of the request may still be in the queue.
    fn write(&self, message: Message, urgency: Urgency) -> Result<bool, Message> {
        let seat = &self.0;
        if seat.queues.load(Ordering::Acquire) {
            return Err(message);
        }
        let written = seat.desk.write(message, urgency);
        if matches!(written, Ok(false)) {
            self.queue(Message::Retry);
        }
        written
    }

    fn queue(&self, message: Message) {
        self.0.queues.store(true, Ordering::Release);
        if let Err(unsent) = self.0.queue.send(message) {
            tracing::error!(record = ?unsent.0, "the journal's thread has ended; this record is in this log only");
        }
    }
}

/// What a ticket and its queued records hold together.
#[derive(Debug)]
pub(super) struct Seat {
    bytes_left: AtomicU64,
    attempts_left: AtomicU8,
    /// A record went to the queue: those behind it follow, so that they stay in order.
    queues: AtomicBool,
    /// The request's own record has been written or queued.
    recorded: AtomicBool,
    queue: Queue,
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    _slot: OwnedSemaphorePermit,
}

impl Seat {
    /// Counts a record against the room taken for it; `false` where there is none left for it.
    pub(super) fn spend(&self, bytes: u64) -> bool {
        self.bytes_left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(bytes))
            .is_ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.room.give(*self.bytes_left.get_mut());
    }
}
