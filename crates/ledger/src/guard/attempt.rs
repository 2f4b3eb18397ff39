//! One attempt under way: it owns its hold and owes the journal how it ended.

use std::sync::Arc;

use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::{AttemptOpening, EntryState, Settlement};

use crate::clock::Clock;
use crate::hold::Hold;
use crate::journal::{Ticket, unknown_end};

/// One attempt. Dropped without [`AttemptGuard::settle`] or [`AttemptGuard::release`], it is charged its whole hold, as
/// [`EntryState::Estimated`]: nobody knows what the provider did.
#[must_use = "dropping an attempt charges its whole hold"]
pub struct AttemptGuard {
    opening: Arc<AttemptOpening>,
    hold: Option<Hold>,
    ticket: Ticket,
    clock: Arc<dyn Clock>,
    started_ms: u64,
}

impl AttemptGuard {
    pub(super) fn new(
        opening: Arc<AttemptOpening>,
        hold: Hold,
        ticket: Ticket,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let started_ms = clock.monotonic_ms();
        Self { opening, hold: Some(hold), ticket, clock, started_ms }
    }

    /// What was written down before the bytes left.
    pub fn opening(&self) -> &AttemptOpening {
        &self.opening
    }

    /// Milliseconds since the attempt was opened.
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.monotonic_ms().saturating_sub(self.started_ms)
    }

    /// Settles: the hold becomes what is charged, and the row is written. The row's overrun is computed here from the
    /// hold, whatever `settlement` says.
    pub fn settle(mut self, settlement: Settlement) {
        self.book(settlement);
    }

    /// Gives the hold back and writes a void row: the provider cannot have begun work.
    pub fn release(mut self, cause: Option<Cause>) {
        let total_ms = self.elapsed_ms();
        self.book(Settlement::void(cause, total_ms));
    }

    fn book(&mut self, settlement: Settlement) {
        let Some(hold) = self.hold.take() else { return };
        let overrun = hold.settle(settlement.charge);
        self.ticket.settle(self.opening.id, &Settlement { overrun, ..settlement });
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if self.hold.is_none() {
            return;
        }
        let cause = if std::thread::panicking() { Cause::Internal } else { Cause::ClientClosed };
        let dearest = Settlement::interrupted(self.opening.bound);
        let dearest = Settlement { state: EntryState::Estimated, ..dearest };
        self.book(unknown_end(dearest, Some(cause), self.elapsed_ms()));
    }
}

impl std::fmt::Debug for AttemptGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptGuard")
            .field("id", &self.opening.id)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}
