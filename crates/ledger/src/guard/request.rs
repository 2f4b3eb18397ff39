//! One request under way: it owns the room in the journal and owes it the request's record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use trunkline_domain::id::AttemptId;
use trunkline_domain::ledger::{AttemptOpening, RequestRecord};
use trunkline_domain::{ErrorKind, Text};

use super::AttemptGuard;
use crate::clock::Clock;
use crate::hold::Hold;
use crate::journal::{Opened, Ticket};

/// One request. Dropped without [`RequestGuard::finish`], its record says that the caller went away, or, in a panic,
/// that the gateway failed.
pub struct RequestGuard {
    ticket: Ticket,
    record: Option<RequestRecord>,
    /// Opened so far: several may be under way at once.
    attempts: AtomicU8,
    clock: Arc<dyn Clock>,
    /// Monotonic; when the record began.
    started_ms: u64,
    /// From arrival until then.
    before_ms: u64,
}

impl RequestGuard {
    /// Begins with what is known at the door. `draft`'s `total_ms`, `attempts`, `final_attempt`, `status` and `error` are
    /// filled in by the guard.
    pub fn new(ticket: Ticket, draft: RequestRecord, clock: Arc<dyn Clock>) -> Self {
        let before_ms = clock.now().since(draft.arrived_at);
        let started_ms = clock.monotonic_ms();
        Self { ticket, record: Some(draft), attempts: AtomicU8::new(0), clock, started_ms, before_ms }
    }

    /// The record so far, to add what becomes known on the way, such as losses.
    pub fn record_mut(&mut self) -> Option<&mut RequestRecord> {
        self.record.as_mut()
    }

    /// Opens the next attempt: queues its opening at once and hands out its guard. The guard of the request numbers the
    /// attempts and states the hold: `opening`'s `id` and `bound` are set here. The attempt's bytes may leave once
    /// [`Opened`] resolves to `Ok`; if it does not, release the guard.
    pub fn attempt(&self, hold: Hold, mut opening: AttemptOpening) -> (AttemptGuard, Opened) {
        let before =
            self.attempts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1));
        if let Some(record) = &self.record {
            let ordinal = before.map_or(u8::MAX, |before| before + 1);
            opening.id = AttemptId { request: record.id, ordinal };
        }
        opening.bound = hold.amount();
        let opening = Arc::new(opening);
        let opened = self.ticket.open(Arc::clone(&opening));
        let guard = AttemptGuard::new(opening, hold, self.ticket.clone(), Arc::clone(&self.clock));
        (guard, opened)
    }

    /// Attempts opened so far.
    pub fn attempts(&self) -> u8 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Ends the request: what the caller saw, and the ordinal of the attempt whose answer was delivered.
    pub fn finish(mut self, status: u16, error: Option<Text>, final_attempt: Option<u8>) {
        self.write(status, error, final_attempt);
    }

    fn write(&mut self, status: u16, error: Option<Text>, final_attempt: Option<u8>) {
        let Some(record) = self.record.take() else { return };
        let total_ms =
            self.before_ms.saturating_add(self.clock.monotonic_ms().saturating_sub(self.started_ms));
        let attempts = self.attempts();
        self.ticket.record(&RequestRecord { total_ms, attempts, status, error, final_attempt, ..record });
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if self.record.is_none() {
            return;
        }
        let kind = if std::thread::panicking() { ErrorKind::Internal } else { ErrorKind::ClientClosed };
        let facts = kind.facts();
        self.write(facts.status, Some(Text::from(facts.code)), None);
    }
}

impl std::fmt::Debug for RequestGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestGuard").field("record", &self.record).finish_non_exhaustive()
    }
}
