//! Budgets as cells of one account per organisation, and holds on them: an attempt holds the most it can cost, in every
//! scope at once or in none, before its bytes leave.
//!
//! What it is not: persistent. Cells are filled from the store and the journal at start (`settled_so_far`), and rows
//! of the ledger remain the truth. Where to look first: [`OrganisationAccount::hold`].
//!
//! **The invariant.** At every instant and in every cell, admission leaves *settled + held ≤ limit*. Two things can
//! push a cell past its limit and are never hidden: a bill beyond its hold (returned as overrun and booked), and an
//! operator who lowers the limit. Either way nothing more is admitted until the window starts anew.
//!
//! **Windows.** A hold belongs to the window in which it was taken, like its ledger row, which is dated by its opening.
//! When a cell starts a new window, money held or settled in the old one leaves it; settling such a hold later changes
//! no cell. So every charge counts in exactly one window, and the figures are the ones a restart would read back. A
//! wall clock that jumps backwards never forgives spending: the cell keeps what it has until the next window.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use trunkline_domain::access::BudgetWindow;
use trunkline_domain::id::OrganisationId;
use trunkline_domain::{NanoUsd, UnixMs};

use crate::succession::{CellState, Change, Heir};
use crate::sync::{Mutex, MutexGuard};

/// A request's scopes rarely hold more budgets than this; beyond it a hold allocates.
const CELLS_INLINE: usize = 6;

/// One cell of an account: a budget of a key, a user, a team or the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CellIx {
    slot: u32,
    generation: u32,
}

/// Why a hold was refused: the figures of the first cell that has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the budget of {limit} USD per {} has {settled} USD spent and {held} USD held; {asked} USD more do not fit", .window.as_str())]
pub struct BudgetRefusal {
    /// The budget.
    pub limit: NanoUsd,
    /// Spent in this window.
    pub settled: NanoUsd,
    /// Held by attempts under way.
    pub held: NanoUsd,
    /// What was to be held.
    pub asked: NanoUsd,
    /// The budget's window.
    pub window: BudgetWindow,
    /// When the window starts anew; none for a total budget.
    pub resets_at: Option<UnixMs>,
}

/// Why there is no hold.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoHold {
    /// A budget has no room.
    #[error(transparent)]
    Refused(#[from] BudgetRefusal),
    /// Another process counts now: it is to be asked.
    #[error("the budgets are counted by another process")]
    HandedOver(Heir),
}

/// What a cell holds at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellFigures {
    /// The budget.
    pub limit: NanoUsd,
    /// Spent in this window.
    pub settled: NanoUsd,
    /// Held by attempts under way.
    pub held: NanoUsd,
    /// The budget's window.
    pub window: BudgetWindow,
    /// When the window starts anew; none for a total budget.
    pub resets_at: Option<UnixMs>,
}

#[derive(Debug)]
struct Cell {
    limit: NanoUsd,
    settled: NanoUsd,
    held: NanoUsd,
    window: BudgetWindow,
    starts_at: UnixMs,
    resets_at: Option<UnixMs>,
    /// Changes whenever a window starts: tells a hold whether its window is still the cell's.
    epoch: u32,
}

impl Cell {
    fn new(limit: NanoUsd, window: BudgetWindow, settled: NanoUsd, now: UnixMs) -> Self {
        let mut cell = Self {
            limit,
            settled,
            held: NanoUsd::ZERO,
            window,
            starts_at: UnixMs(0),
            resets_at: None,
            epoch: 0,
        };
        cell.place(now);
        cell
    }

    /// Lays the window's bounds around `now`.
    fn place(&mut self, now: UnixMs) {
        self.starts_at = self.window.start(now);
        self.resets_at = next_start(self.window, self.starts_at);
    }

    fn turn(&mut self, now: UnixMs) {
        if self.resets_at.is_some_and(|resets_at| now >= resets_at) {
            self.settled = NanoUsd::ZERO;
            self.held = NanoUsd::ZERO;
            self.epoch = self.epoch.wrapping_add(1);
            self.place(now);
        } else if now < self.starts_at {
            self.place(now);
        }
    }

    fn fits(&self, amount: NanoUsd) -> bool {
        let used = self.settled.checked_add(self.held).and_then(|used| used.checked_add(amount));
        used.is_some_and(|used| used <= self.limit)
    }

    /// As it is handed over, unless there is nothing to hand over.
    fn state(&self, cell: CellIx) -> Option<CellState> {
        let Self { window, starts_at, settled, held, .. } = *self;
        let used = settled != NanoUsd::ZERO || held != NanoUsd::ZERO;
        used.then_some(CellState { cell, window, starts_at, settled, held })
    }

    fn figures(&self) -> CellFigures {
        CellFigures {
            limit: self.limit,
            settled: self.settled,
            held: self.held,
            window: self.window,
            resets_at: self.resets_at,
        }
    }
}

/// When the window after the one that starts at `start` begins.
fn next_start(window: BudgetWindow, start: UnixMs) -> Option<UnixMs> {
    const DAY_MS: u64 = 86_400_000;
    match window {
        BudgetWindow::Day => Some(start.plus_ms(DAY_MS)),
        BudgetWindow::Week => Some(start.plus_ms(7 * DAY_MS)),
        BudgetWindow::Month => Some(window.start(start.plus_ms(31 * DAY_MS))),
        BudgetWindow::Total => None,
    }
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    cell: Option<Cell>,
}

#[derive(Debug, Default)]
struct Cells {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    open_holds: u64,
    away: Option<Away>,
}

/// Another process counts.
#[derive(Debug)]
struct Away {
    organisation: OrganisationId,
    heir: Heir,
}

impl Cells {
    fn get(&mut self, ix: CellIx) -> Option<&mut Cell> {
        let slot = self.slots.get_mut(ix.slot as usize)?;
        if slot.generation == ix.generation { slot.cell.as_mut() } else { None }
    }

    fn add(&mut self, cell: Cell) -> CellIx {
        if let Some(vacant) = self.vacant.pop()
            && let Some(slot) = self.slots.get_mut(vacant as usize)
        {
            slot.cell = Some(cell);
            return CellIx { slot: vacant, generation: slot.generation };
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, cell: Some(cell) });
        CellIx { slot, generation: 0 }
    }

    /// Held becomes charged in one cell, here and, where another process counts, there.
    fn book(&mut self, ix: CellIx, released: NanoUsd, charged: NanoUsd) {
        let Some(cell) = self.get(ix) else { return };
        cell.held = cell.held.saturating_sub(released);
        cell.settled = cell.settled.saturating_add(charged);
        let starts_at = cell.starts_at;
        if let Some(Away { organisation, heir }) = &self.away {
            let organisation = *organisation;
            heir.tell(Change::Cell { organisation, cell: ix, starts_at, released, charged });
        }
    }

    fn give_back(&mut self, taken: &[Taken], amount: NanoUsd) {
        for taken in taken {
            if let Some(cell) = self.get(taken.cell).filter(|cell| cell.epoch == taken.epoch) {
                cell.held = cell.held.saturating_sub(amount);
            }
        }
    }
}

/// The budgets of one organisation behind one short mutex: all scopes of a request lie in one organisation, so one
/// lock makes "all or none" true.
#[derive(Debug)]
pub struct OrganisationAccount {
    cells: Mutex<Cells>,
}

impl Default for OrganisationAccount {
    fn default() -> Self {
        Self::new()
    }
}

impl OrganisationAccount {
    /// An account without budgets.
    pub fn new() -> Self {
        Self { cells: Mutex::new(Cells::default()) }
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock()
    }

    /// Adds a budget. `settled_so_far` is what was already charged in the window that `now` lies in: rows of the store,
    /// undrained records of the journal and interrupted attempts alike.
    pub fn cell(&self, limit: NanoUsd, window: BudgetWindow, settled_so_far: NanoUsd, now: UnixMs) -> CellIx {
        self.lock().add(Cell::new(limit, window, settled_so_far, now))
    }

    /// Lets another process count from now on, and says what it starts from: every budget in which something is spent
    /// or held. From here on nothing is held here; how holds end that are open is told to the successor.
    pub fn hand_over(&self, organisation: OrganisationId, heir: Heir, now: UnixMs) -> Vec<CellState> {
        let mut cells = self.lock();
        cells.away = Some(Away { organisation, heir });
        let slots = cells.slots.iter_mut().enumerate();
        let states = slots.filter_map(|(number, slot)| {
            let cell = slot.cell.as_mut()?;
            cell.turn(now);
            let ix = CellIx { slot: u32::try_from(number).ok()?, generation: slot.generation };
            cell.state(ix)
        });
        states.collect()
    }

    /// Counts here again: the successor did not begin. What ended meanwhile has been counted here too.
    pub fn take_back(&self) {
        self.lock().away = None;
    }

    /// Adds a budget of the process before, with what is spent and held in it. It admits nothing until its limit is
    /// set ([`OrganisationAccount::change_limit`]).
    pub fn inherit(&self, state: &CellState, now: UnixMs) -> CellIx {
        let mut cell = Cell::new(NanoUsd::ZERO, state.window, state.settled, now);
        cell.held = state.held;
        if cell.starts_at != state.starts_at {
            // Its window has ended on the way.
            (cell.settled, cell.held) = (NanoUsd::ZERO, NanoUsd::ZERO);
        }
        self.lock().add(cell)
    }

    /// What the process before tells of a budget that came from it. What counts in a window that has ended changes
    /// nothing.
    pub fn book(&self, ix: CellIx, starts_at: UnixMs, released: NanoUsd, charged: NanoUsd) {
        let mut cells = self.lock();
        if cells.get(ix).is_some_and(|cell| cell.starts_at == starts_at) {
            cells.book(ix, released, charged);
        }
    }

    /// Changes a budget's limit. Holds that are open stay; a lower limit than what is settled and held admits nothing
    /// more. Returns whether the cell is there.
    pub fn change_limit(&self, ix: CellIx, limit: NanoUsd) -> bool {
        self.lock().get(ix).map(|cell| cell.limit = limit).is_some()
    }

    /// Removes a budget. Holds open in it settle in their other cells only; requests that still name it are no longer
    /// limited by it. Returns whether the cell was there.
    pub fn remove(&self, ix: CellIx) -> bool {
        let mut cells = self.lock();
        if cells.get(ix).is_none() {
            return false;
        }
        if let Some(slot) = cells.slots.get_mut(ix.slot as usize) {
            slot.cell = None;
            slot.generation = slot.generation.wrapping_add(1);
        }
        cells.vacant.push(ix.slot);
        true
    }

    /// The figures of a budget, or `None` where it was removed.
    pub fn figures(&self, ix: CellIx, now: UnixMs) -> Option<CellFigures> {
        let mut cells = self.lock();
        let cell = cells.get(ix)?;
        cell.turn(now);
        Some(cell.figures())
    }

    /// Holds that are open on at least one cell: zero once every attempt has ended.
    pub fn open_holds(&self) -> u64 {
        self.lock().open_holds
    }

    /// Holds `amount` in all cells at once, or in none. n compares and n adds under one short lock; no allocation up to
    /// six cells, none waited for. Without cells there is no lock, and only [`Hold::settle`]'s arithmetic remains.
    /// A negative amount counts as zero; [`NanoUsd::MAX`] ("cannot be bounded") fits no budget.
    pub fn hold(self: &Arc<Self>, cells: &[CellIx], amount: NanoUsd, now: UnixMs) -> Result<Hold, NoHold> {
        let amount = amount.max(NanoUsd::ZERO);
        if cells.is_empty() {
            return Ok(Hold { source: Source::Nothing, taken: SmallVec::new(), amount });
        }
        let mut taken: SmallVec<[Taken; CELLS_INLINE]> = SmallVec::new();
        let mut account = self.lock();
        if let Some(Away { heir, .. }) = &account.away {
            return Err(NoHold::HandedOver(heir.clone()));
        }
        for &ix in cells {
            let Some(cell) = account.get(ix) else { continue };
            cell.turn(now);
            if !cell.fits(amount) {
                let CellFigures { limit, settled, held, window, resets_at } = cell.figures();
                account.give_back(&taken, amount);
                return Err(BudgetRefusal { limit, settled, held, asked: amount, window, resets_at }.into());
            }
            cell.held = cell.held.saturating_add(amount);
            taken.push(Taken { cell: ix, epoch: cell.epoch });
        }
        account.open_holds += 1;
        drop(account);
        Ok(Hold { source: Source::Account(Arc::clone(self)), taken, amount })
    }
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    cell: CellIx,
    epoch: u32,
}

/// Where the money is held.
#[derive(Debug)]
enum Source {
    /// Nowhere: there is no budget, or the hold has ended.
    Nothing,
    /// In cells of this account.
    Account(Arc<OrganisationAccount>),
    /// By the process that counts now, under this number.
    Successor(Heir, u64),
}

/// Money held for one attempt. Dropping it settles the whole amount: a panic or a forgotten path never gives money
/// back.
#[derive(Debug)]
#[must_use = "dropping a hold settles it in full"]
pub struct Hold {
    source: Source,
    taken: SmallVec<[Taken; CELLS_INLINE]>,
    amount: NanoUsd,
}

impl Hold {
    /// A hold that the successor has granted.
    pub fn granted(heir: Heir, number: u64, amount: NanoUsd) -> Self {
        Self { source: Source::Successor(heir, number), taken: SmallVec::new(), amount }
    }

    /// How much is held.
    pub fn amount(&self) -> NanoUsd {
        self.amount
    }

    /// Turns the hold into what the attempt did cost, in every cell. Returns the overrun: what passes the hold, which
    /// is booked like the rest.
    pub fn settle(mut self, actual: NanoUsd) -> NanoUsd {
        let actual = actual.max(NanoUsd::ZERO);
        self.book(actual);
        actual.saturating_sub(self.amount).max(NanoUsd::ZERO)
    }

    /// Gives the hold back: nothing was consumed.
    pub fn release(mut self) {
        self.book(NanoUsd::ZERO);
    }

    fn book(&mut self, actual: NanoUsd) {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Nothing => {}
            Source::Successor(heir, number) => heir.tell(Change::Hold { number, charged: actual }),
            Source::Account(account) => {
                let mut cells = account.lock();
                for taken in &self.taken {
                    if cells.get(taken.cell).is_some_and(|cell| cell.epoch == taken.epoch) {
                        cells.book(taken.cell, self.amount, actual);
                    }
                }
                cells.open_holds = cells.open_holds.saturating_sub(1);
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.book(self.amount);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod loom_tests;
