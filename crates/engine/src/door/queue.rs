//! Those who wait, and whose turn it is: deficit round robin over organisations, within one over its members, and
//! within a member by priority and then by the earliest deadline.
//!
//! Each in a ring is credited the same number of tokens a round and pays its requests' cost from it, so one with large
//! requests gets as much as one with small ones, not more. Rounds in which nobody could pay are credited at once. Who
//! may not hold more at the moment is passed over and not credited.
//!
//! What it is not: concurrent, or a clock. Look first at [`Queue::pop`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use trunkline_domain::id::OrganisationId;
use trunkline_wire::routing::Priority;

use super::refusal::{DoorRefusal, Reason};
use super::tally::{Room, Tally};
use super::{Ask, Member, Permit, Tenant};

/// Tokens credited to each in a round.
const QUANTUM: i64 = 1_024;

/// One that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) cost: u64,
    pub(super) tally: Arc<Tally>,
    pub(super) grant: oneshot::Sender<Permit>,
}

/// Where one waits: by this it can leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    tenant: Tenant,
    order: Order,
}

/// The order within a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    priority: Priority,
    deadline: Instant,
    sequence: u64,
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    organisations: Ring<OrganisationId, Ring<Member, Line>>,
    sequence: u64,
    pace: Pace,
}

impl Queue {
    /// The place a request would have.
    pub(super) fn place(&mut self, ask: &Ask, deadline: Instant) -> Place {
        self.sequence += 1;
        let order = Order { priority: ask.priority, deadline, sequence: self.sequence };
        Place { tenant: ask.tenant, order }
    }

    /// Whether one more may wait there: within all shares of the queue, and with a prospect of its turn in time.
    pub(super) fn may_wait(&self, place: &Place, waiting_max: u32, now: Instant) -> Result<(), DoorRefusal> {
        let refuse = |reason, wait| Err(DoorRefusal { reason, wait });
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let all = self.organisations.len();
        let expected = |ahead: usize| self.pace.interval(now).saturating_mul(count(ahead));
        let room = Room::new(waiting_max, count(all));
        if room.is_full() {
            return refuse(Reason::QueueFull, expected(all));
        }
        let Some(organisation) = self.organisations.get(&place.tenant.organisation) else { return Ok(()) };
        let Some(line) = organisation.get(&place.tenant.member) else { return Ok(()) };
        let fits = room.for_member(count(line.len())) && room.for_organisation(count(organisation.len()));
        if !fits {
            return refuse(Reason::ShareFull, expected(all));
        }
        let others = self.organisations.seats() * organisation.seats();
        let wait = expected(all.min(line.ahead_of(place.order) * others));
        let left = place.order.deadline.saturating_duration_since(now);
        if wait > left { refuse(Reason::Hopeless, wait) } else { Ok(()) }
    }

    /// Whether anybody of this tenant waits.
    pub(super) fn waits(&self, tenant: &Tenant) -> bool {
        self.organisations
            .get(&tenant.organisation)
            .is_some_and(|members| members.get(&tenant.member).is_some())
    }

    pub(super) fn push(&mut self, place: Place, waiting: Waiting, now: Instant) {
        if self.organisations.is_empty() {
            self.pace.start(now);
        }
        let Place { tenant, order } = place;
        self.organisations.seat(tenant.organisation).seat(tenant.member).0.insert(order, waiting);
    }

    /// Takes the one out whose turn it is, of those who may hold more.
    pub(super) fn pop(&mut self, room: Room, now: Instant) -> Option<(Tenant, Waiting)> {
        let mut path = Path::default();
        let waiting = self.organisations.take(room, &mut path)?;
        self.pace.step(now);
        let tenant = Tenant { organisation: path.organisation?, member: path.member? };
        Some((tenant, waiting))
    }

    /// Takes one out who leaves; false if it is not there any more.
    pub(super) fn remove(&mut self, place: &Place) -> bool {
        let Place { tenant, order } = place;
        self.organisations.edit(&tenant.organisation, |members| {
            members.edit(&tenant.member, |line| line.0.remove(order).is_some())
        })
    }

    /// Charges a tenant that still waits for more, or less, than it paid.
    pub(super) fn charge(&mut self, tenant: &Tenant, tokens: i64) {
        if let Some(members) = self.organisations.charge(&tenant.organisation, tokens) {
            members.charge(&tenant.member, tokens);
        }
    }
}

/// Anything requests wait in.
trait Backlog {
    /// The cost of the one to go next, if one may go. Stays the same until one goes, comes or leaves.
    fn next_cost(&mut self, room: Room) -> Option<u64>;
    /// Takes that one out.
    fn take(&mut self, room: Room, path: &mut Path) -> Option<Waiting>;
    fn len(&self) -> usize;
    fn is_empty(&self) -> bool;
}

/// Who was found to be next.
#[derive(Default)]
struct Path {
    organisation: Option<OrganisationId>,
    member: Option<Member>,
}

trait Name: Copy + Eq + Hash {
    fn note(self, path: &mut Path);
}

impl Name for OrganisationId {
    fn note(self, path: &mut Path) {
        path.organisation = Some(self);
    }
}

impl Name for Member {
    fn note(self, path: &mut Path) {
        path.member = Some(self);
    }
}

/// The requests of one member.
#[derive(Debug, Default)]
struct Line(BTreeMap<Order, Waiting>);

impl Line {
    fn ahead_of(&self, order: Order) -> usize {
        self.0.range(..order).count()
    }
}

impl Backlog for Line {
    fn next_cost(&mut self, room: Room) -> Option<u64> {
        let (_, first) = self.0.first_key_value()?;
        first.tally.may_hold_more(room).then_some(first.cost)
    }

    fn take(&mut self, _: Room, _: &mut Path) -> Option<Waiting> {
        self.0.pop_first().map(|(_, waiting)| waiting)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Backlogs that take turns. None of them is empty.
#[derive(Debug)]
struct Ring<K, B> {
    /// Who was served longest ago comes first.
    turns: VecDeque<K>,
    seats: HashMap<K, Seat<B>>,
}

#[derive(Debug, Default)]
struct Seat<B> {
    credit: i64,
    backlog: B,
}

impl<K, B> Default for Ring<K, B> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), seats: HashMap::new() }
    }
}

impl<K: Name, B: Backlog + Default> Ring<K, B> {
    fn seats(&self) -> usize {
        self.seats.len()
    }

    fn get(&self, name: &K) -> Option<&B> {
        self.seats.get(name).map(|seat| &seat.backlog)
    }

    /// The backlog of this name, which the caller makes longer.
    fn seat(&mut self, name: K) -> &mut B {
        let turns = &mut self.turns;
        let seat = self.seats.entry(name).or_insert_with(|| {
            turns.push_back(name);
            Seat::default()
        });
        &mut seat.backlog
    }

    fn charge(&mut self, name: &K, tokens: i64) -> Option<&mut B> {
        let seat = self.seats.get_mut(name)?;
        seat.credit = seat.credit.saturating_sub(tokens);
        Some(&mut seat.backlog)
    }

    fn edit(&mut self, name: &K, shorten: impl FnOnce(&mut B) -> bool) -> bool {
        let Some(seat) = self.seats.get_mut(name) else { return false };
        let done = shorten(&mut seat.backlog);
        if seat.backlog.is_empty() {
            self.seats.remove(name);
            self.turns.retain(|turn| turn != name);
        }
        done
    }

    /// The first in turn that can pay, and what it pays; credits all that may go with as many rounds as the first to be
    /// able to needs.
    fn select(&mut self, room: Room) -> Option<(K, i64)> {
        let mut rounds = i64::MAX;
        let mut able = Vec::with_capacity(self.turns.len());
        for name in &self.turns {
            let Some(seat) = self.seats.get_mut(name) else { continue };
            let Some(cost) = seat.backlog.next_cost(room) else { continue };
            let cost = cost.cast_signed();
            let missing = cost.saturating_sub(seat.credit);
            if missing <= 0 {
                return Some((*name, cost));
            }
            rounds = rounds.min((missing - 1) / QUANTUM + 1);
            able.push((*name, cost));
        }
        for (name, _) in &able {
            if let Some(seat) = self.seats.get_mut(name) {
                seat.credit += rounds * QUANTUM;
            }
        }
        able.into_iter().find(|(name, cost)| self.seats.get(name).is_some_and(|seat| seat.credit >= *cost))
    }
}

impl<K: Name, B: Backlog + Default> Backlog for Ring<K, B> {
    fn next_cost(&mut self, room: Room) -> Option<u64> {
        self.select(room).map(|(_, cost)| cost.cast_unsigned())
    }

    fn take(&mut self, room: Room, path: &mut Path) -> Option<Waiting> {
        let (name, cost) = self.select(room)?;
        let seat = self.seats.get_mut(&name)?;
        let waiting = seat.backlog.take(room, path)?;
        seat.credit -= cost;
        self.turns.retain(|turn| *turn != name);
        if seat.backlog.is_empty() {
            self.seats.remove(&name);
        } else {
            self.turns.push_back(name);
        }
        name.note(path);
        Some(waiting)
    }

    fn len(&self) -> usize {
        self.seats.values().map(|seat| seat.backlog.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }
}

/// How fast the queue moves.
#[derive(Debug, Default)]
struct Pace {
    smoothed: Duration,
    last: Option<Instant>,
}

impl Pace {
    /// The queue begins to fill: the time before says nothing.
    fn start(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// One went.
    fn step(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.smoothed = (self.smoothed * 7 + now.saturating_duration_since(last)) / 8;
        }
    }

    /// Between one that goes and the next: as of late, or since the last one if that is longer.
    fn interval(&self, now: Instant) -> Duration {
        let since = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.smoothed.max(since)
    }
}

#[cfg(test)]
#[cfg(not(feature = "loom"))]
mod tests;
