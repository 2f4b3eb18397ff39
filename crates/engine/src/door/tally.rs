//! How much each tenant holds, and how much it may.
//!
//! The rule is the dynamic threshold of shared switch buffers: a tenant may hold a fixed multiple of what is *free*, so
//! one alone gets nearly everything, and what it may not take is free for whoever comes next, at once. When others
//! come, what each may hold shrinks of itself; nothing is configured or reserved by name. Organisations may hold a
//! larger multiple than their members, so that neither a member nor an organisation can fill the door.
//!
//! What it is not: an order; who goes first among those who wait is [`super::queue`]'s.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use trunkline_domain::id::OrganisationId;

use super::Tenant;
use super::sync::{AtomicU32, Ordering};

/// A member may hold this many times what is free: alone, seven eighths.
const MEMBER_MULTIPLE: u64 = 7;
/// An organisation may hold this many times what is free: alone, 63 of 64.
const ORGANISATION_MULTIPLE: u64 = 63;
/// Tallies kept although nobody uses them; beyond that the unused are forgotten.
const IDLE_MAX: usize = 16_384;

/// Capacity and what of it is free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    free: u64,
}

impl Room {
    pub(super) fn new(limit: u32, taken: u32) -> Self {
        Self { free: u64::from(limit.saturating_sub(taken)) }
    }

    pub(super) fn is_full(self) -> bool {
        self.free == 0
    }

    /// Whether a member with so much may have one more.
    pub(super) fn for_member(self, held: u32) -> bool {
        u64::from(held) < MEMBER_MULTIPLE * self.free
    }

    /// Whether an organisation with so much may have one more.
    pub(super) fn for_organisation(self, held: u32) -> bool {
        u64::from(held) < ORGANISATION_MULTIPLE * self.free
    }
}

/// What one tenant holds.
#[derive(Debug)]
pub(super) struct Tally {
    member: AtomicU32,
    organisation: Arc<AtomicU32>,
}

impl Tally {
    pub(super) fn may_hold_more(&self, room: Room) -> bool {
        room.for_member(self.member.load(Ordering::SeqCst))
            && room.for_organisation(self.organisation.load(Ordering::SeqCst))
    }

    pub(super) fn enter(&self) {
        self.member.fetch_add(1, Ordering::SeqCst);
        self.organisation.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn leave(&self) {
        self.member.fetch_sub(1, Ordering::SeqCst);
        self.organisation.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Every tenant's tally.
#[derive(Debug)]
pub(super) struct Tallies {
    members: papaya::HashMap<Tenant, Arc<Tally>>,
    organisations: papaya::HashMap<OrganisationId, Arc<AtomicU32>>,
    forget_at: AtomicUsize,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            members: papaya::HashMap::new(),
            organisations: papaya::HashMap::new(),
            forget_at: AtomicUsize::new(IDLE_MAX),
        }
    }
}

impl Tallies {
    pub(super) fn find(&self, tenant: Tenant) -> Arc<Tally> {
        let members = self.members.pin();
        if let Some(tally) = members.get(&tenant) {
            return Arc::clone(tally);
        }
        if members.len() >= self.forget_at.load(Ordering::Relaxed) {
            self.forget_idle();
        }
        let organisation =
            Arc::clone(self.organisations.pin().get_or_insert_with(tenant.organisation, Arc::default));
        let tally = Arc::new(Tally { member: AtomicU32::new(0), organisation });
        Arc::clone(members.get_or_insert(tenant, tally))
    }

    /// One that comes back at this very moment may be counted twice until its requests end: it may then hold a little
    /// more than its share, never the door more than its limit.
    fn forget_idle(&self) {
        self.members.pin().retain(|_, tally| Arc::strong_count(tally) > 1);
        self.organisations.pin().retain(|_, held| Arc::strong_count(held) > 1);
        self.forget_at.store(self.members.len() + IDLE_MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[cfg(not(feature = "loom"))]
mod tests {
    use trunkline_domain::id::KeyId;
    use uuid::Uuid;

    use super::super::Member;
    use super::*;

    fn tenant(number: u128) -> Tenant {
        let member = Member::Key(KeyId(Uuid::from_u128(number)));
        Tenant { organisation: OrganisationId::FIRST, member }
    }

    #[test]
    fn one_alone_leaves_an_eighth_and_an_organisation_a_sixty_fourth() {
        let most = |may: fn(Room, u32) -> bool| (0..1024).find(|held| !may(Room::new(1024, *held), *held));
        assert_eq!(most(Room::for_member), Some(896));
        assert_eq!(most(Room::for_organisation), Some(1008));
    }

    #[test]
    fn a_door_of_one_lets_one_in() {
        assert!(Room::new(1, 0).for_member(0) && Room::new(1, 0).for_organisation(0));
    }

    #[test]
    fn tallies_nobody_uses_are_forgotten_and_those_in_use_are_kept() {
        let tallies = Tallies::default();
        let kept = tallies.find(tenant(0));
        kept.enter();
        for number in 1..=3 * IDLE_MAX as u128 {
            drop(tallies.find(tenant(number)));
        }
        assert!(tallies.members.len() <= IDLE_MAX + 1, "{}", tallies.members.len());
        assert!(Arc::ptr_eq(&kept, &tallies.find(tenant(0))));
    }
}
