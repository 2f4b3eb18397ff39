//! The door: how many requests are under way at once, and whose turn it is when there is no room.
//!
//! A request enters after its key is known and before its body is read, and its [`Permit`] goes with it until its last
//! byte is delivered. While there is room and nobody waits, entering is a few atomics; otherwise it waits in a queue that
//! is fair between tenants ([`queue`]) within the shares of [`tally`]. How much room there is follows the gateway's own
//! lateness ([`limit`]), never a provider's.
//!
//! What it is not: a rate limit of a key, a budget, or the number of open connections. Look first at [`Door::enter`].

mod limit;
#[cfg(test)]
#[cfg(feature = "loom")]
mod loom_tests;
mod queue;
mod refusal;
mod sync;
mod tally;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use trunkline_domain::access::VirtualKey;
use trunkline_domain::id::{KeyId, OrganisationId, TeamId};
use trunkline_wire::routing::Priority;

use self::limit::{Adaptive, Pulse};
use self::queue::{Place, Queue, Waiting};
use self::sync::{AtomicU32, Mutex, MutexGuard, Ordering, in_one_order};
use self::tally::{Room, Tallies, Tally};

pub use self::refusal::{DoorRefusal, Reason};

/// The most one request counts for among others, in tokens.
const COST_MAX: u64 = 1 << 22;

/// Bounds of the door: keys of `[server.limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorLimits {
    /// Requests under way, however well the gateway is; at least 1.
    pub in_flight_max: u32,
    /// Requests that wait for room.
    pub waiting_max: u32,
    /// How long one of them waits.
    pub waiting: Duration,
}

/// Whose requests take turns with others': organisations with each other, and within one its teams; a key without a
/// team stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The organisation.
    pub organisation: OrganisationId,
    /// Who within it.
    pub member: Member,
}

/// Who takes turns within an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// A team.
    Team(TeamId),
    /// A key without a team.
    Key(KeyId),
}

impl Tenant {
    /// The tenant a key's requests belong to.
    pub fn of(key: &VirtualKey) -> Self {
        let member = key.team.map_or(Member::Key(key.id), Member::Team);
        Self { organisation: key.organisation, member }
    }
}

/// A request that wants to enter.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Whose it is.
    pub tenant: Tenant,
    /// What it is expected to cost, in tokens of prompt and output.
    pub cost: u64,
    /// Its class among the tenant's own.
    pub priority: Priority,
    /// When it must be in; the door's own limit holds as well.
    pub deadline: Option<Instant>,
}

/// The state of the door, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoorFigures {
    /// Requests under way.
    pub in_flight: u32,
    /// Requests that wait.
    pub waiting: u32,
    /// Requests that may be under way at the moment.
    pub limit: u32,
}

/// The door. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Door(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: DoorLimits,
    limit: AtomicU32,
    in_flight: AtomicU32,
    /// How many are in `queue`; written under its lock only.
    waiting: AtomicU32,
    tallies: Tallies,
    queue: Mutex<Queue>,
    adaptive: Mutex<Adaptive>,
}

/// Leave to be under way. Dropping it lets the next one in.
#[derive(Debug)]
pub struct Permit {
    door: Arc<Shared>,
    tally: Arc<Tally>,
    tenant: Tenant,
    cost: u64,
}

impl Door {
    /// Opens it, with as much room as there can be.
    pub fn new(limits: DoorLimits) -> Self {
        let limits = DoorLimits { in_flight_max: limits.in_flight_max.max(1), ..limits };
        Self(Arc::new(Shared {
            limits,
            limit: AtomicU32::new(limits.in_flight_max),
            in_flight: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            tallies: Tallies::default(),
            queue: Mutex::new(Queue::default()),
            adaptive: Mutex::new(Adaptive::new(limits.in_flight_max)),
        }))
    }

    /// Lets a request in: at once, or when it is its turn. A caller that goes away leaves the queue by dropping the
    /// future.
    pub async fn enter(&self, ask: Ask) -> Result<Permit, DoorRefusal> {
        let tally = self.0.tallies.find(ask.tenant);
        let ask = Ask { cost: ask.cost.clamp(1, COST_MAX), ..ask };
        if self.0.waiting.load(Ordering::SeqCst) == 0
            && let Some(permit) = self.try_enter(&tally, &ask)
        {
            return Ok(permit);
        }
        let arrived = Instant::now();
        let latest = arrived + self.0.limits.waiting;
        let deadline = ask.deadline.map_or(latest, |deadline| deadline.min(latest));
        let mut waiter = match self.wait(tally, ask, arrived, deadline)? {
            Entry::In(permit) => return Ok(permit),
            Entry::Waits(waiter) => waiter,
        };
        match timeout_at(deadline, &mut waiter.reply).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(DoorRefusal { reason: Reason::TimedOut, wait: deadline - arrived }),
        }
    }

    /// The state of the door.
    pub fn figures(&self) -> DoorFigures {
        DoorFigures {
            in_flight: self.0.in_flight.load(Ordering::Relaxed),
            waiting: self.0.waiting.load(Ordering::Relaxed),
            limit: self.0.limit.load(Ordering::Relaxed),
        }
    }

    /// Watches how late the thread it runs on is, and makes the room smaller or larger by it, without end. Run it
    /// once on every thread that serves requests.
    pub async fn watch(&self) {
        let mut pulse = Pulse::default();
        loop {
            let before = Instant::now();
            tokio::time::sleep(Pulse::EVERY).await;
            let now = Instant::now();
            if let Some(lag) = pulse.beat((now - before).saturating_sub(Pulse::EVERY)) {
                self.report(lag, now);
            }
        }
    }

    /// Adapts the room to how late a thread was throughout the last [`Pulse::WINDOW`].
    fn report(&self, lag: Duration, now: Instant) {
        let mut adaptive = lock(&self.0.adaptive);
        let limit = adaptive.adapt(lag, now, self.0.in_flight.load(Ordering::Relaxed));
        let before = self.0.limit.swap(limit, Ordering::SeqCst);
        drop(adaptive);
        if limit > before {
            Shared::let_in(&self.0);
        }
    }

    /// The way in while there is room.
    fn try_enter(&self, tally: &Arc<Tally>, ask: &Ask) -> Option<Permit> {
        let door = &self.0;
        if !tally.may_hold_more(door.room()) || !door.take_place() {
            return None;
        }
        tally.enter();
        let (door, tally) = (Arc::clone(door), Arc::clone(tally));
        Some(Permit { door, tally, tenant: ask.tenant, cost: ask.cost })
    }

    fn wait(
        &self,
        tally: Arc<Tally>,
        ask: Ask,
        arrived: Instant,
        deadline: Instant,
    ) -> Result<Entry, DoorRefusal> {
        let door = &self.0;
        let (grant, reply) = oneshot::channel();
        let mut queue = lock(&door.queue);
        // Those who wait may be only such as may not hold more.
        if !queue.waits(&ask.tenant)
            && let Some(permit) = self.try_enter(&tally, &ask)
        {
            return Ok(Entry::In(permit));
        }
        let place = queue.place(&ask, deadline);
        queue.may_wait(&place, door.limits.waiting_max, arrived)?;
        queue.push(place, Waiting { cost: ask.cost, tally, grant }, arrived);
        door.waiting.fetch_add(1, Ordering::SeqCst);
        drop(queue);
        let waiter = Waiter { door: Arc::clone(door), place, reply };
        // A permit may have come back before this one was seen to wait.
        Shared::let_in(door);
        Ok(Entry::Waits(waiter))
    }
}

impl Shared {
    fn room(&self) -> Room {
        Room::new(self.limit.load(Ordering::SeqCst), self.in_flight.load(Ordering::SeqCst))
    }

    /// Counts one more under way if the limit allows.
    fn take_place(&self) -> bool {
        let limit = self.limit.load(Ordering::SeqCst);
        let one_more = |in_flight| (in_flight < limit).then_some(in_flight + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Lets those in whose turn it is, as long as there is room.
    fn let_in(door: &Arc<Self>) {
        in_one_order();
        while door.waiting.load(Ordering::SeqCst) > 0 {
            let Some((grant, permit)) = Self::next(door) else { return };
            // A waiter that left meanwhile gives the permit back by dropping it, outside of the lock.
            drop(grant.send(permit));
        }
    }

    fn next(door: &Arc<Self>) -> Option<(oneshot::Sender<Permit>, Permit)> {
        let mut queue = lock(&door.queue);
        let room = door.room();
        if !door.take_place() {
            return None;
        }
        let Some((tenant, waiting)) = queue.pop(room, Instant::now()) else {
            // Nobody is woken for it: whoever was kept out by this place comes to the lock held here.
            door.in_flight.fetch_sub(1, Ordering::SeqCst);
            return None;
        };
        door.waiting.fetch_sub(1, Ordering::SeqCst);
        let Waiting { cost, tally, grant } = waiting;
        tally.enter();
        Some((grant, Permit { door: Arc::clone(door), tally, tenant, cost }))
    }
}

impl Permit {
    /// Says what the request is really expected to cost, once its body is read: the difference counts at its tenant's
    /// next turn.
    pub fn correct(&mut self, cost: u64) {
        let cost = cost.clamp(1, COST_MAX);
        if self.door.waiting.load(Ordering::Relaxed) > 0 && cost != self.cost {
            lock(&self.door.queue).charge(&self.tenant, cost.cast_signed() - self.cost.cast_signed());
        }
        self.cost = cost;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // In this order: whoever sees the room sees the tenant's tally without it.
        self.tally.leave();
        self.door.in_flight.fetch_sub(1, Ordering::SeqCst);
        Shared::let_in(&self.door);
    }
}

/// What became of one that could not enter at once.
enum Entry {
    In(Permit),
    Waits(Waiter),
}

/// A place in the queue; dropping it leaves the queue.
struct Waiter {
    door: Arc<Shared>,
    place: Place,
    reply: oneshot::Receiver<Permit>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // After this a grant is either in `reply`, and given back with it, or never made.
        self.reply.close();
        let mut queue = lock(&self.door.queue);
        if queue.remove(&self.place) {
            self.door.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Every critical section leaves its data consistent at each step, so poison carries no information.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(not(feature = "loom"))]
mod tests;
