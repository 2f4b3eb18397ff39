//! The law of the rounds: whoever waits throughout gets the same number of tokens as everybody else.

use proptest::prelude::*;
use trunkline_domain::id::KeyId;
use uuid::Uuid;

use super::super::tally::Tallies;
use super::*;

const ROOM: u32 = 1 << 20;

fn name(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

fn tenant(organisation: usize, key: usize) -> Tenant {
    Tenant { organisation: OrganisationId(name(organisation)), member: Member::Key(KeyId(name(key))) }
}

fn fill(queue: &mut Queue, tallies: &Tallies, tenant: Tenant, cost: u64) {
    let now = Instant::now();
    let ask = Ask { tenant, cost, priority: Priority::Normal, deadline: None };
    let place = queue.place(&ask, now);
    let (grant, _) = oneshot::channel();
    queue.push(place, Waiting { cost, tally: tallies.find(tenant), grant }, now);
}

fn spread(served: &[u64]) -> u64 {
    served.iter().max().unwrap() - served.iter().min().unwrap()
}

proptest! {
    #[test]
    fn who_waits_throughout_gets_as_much_as_anybody(
        costs in prop::collection::vec(1..20_000_u64, 2..6),
        turns in 1..60_usize,
    ) {
        let (mut queue, tallies) = (Queue::default(), Tallies::default());
        for _ in 0..=turns {
            for (key, cost) in costs.iter().enumerate() {
                fill(&mut queue, &tallies, tenant(0, key), *cost);
            }
        }
        let mut served = vec![0; costs.len()];
        for _ in 0..turns {
            let (tenant, waiting) = queue.pop(Room::new(ROOM, 0), Instant::now()).unwrap();
            let key = (0..costs.len()).find(|key| tenant.member == Member::Key(KeyId(name(*key)))).unwrap();
            served[key] += waiting.cost;
        }
        let bound = costs.iter().max().unwrap() + QUANTUM.cast_unsigned();
        prop_assert!(spread(&served) <= bound, "{served:?} of {costs:?}");
    }

    #[test]
    fn an_organisation_gets_no_more_for_having_more_keys(
        keys in prop::collection::vec(1..6_usize, 2..4),
        cost in 1..5_000_u64,
        turns in 1..60_usize,
    ) {
        let (mut queue, tallies) = (Queue::default(), Tallies::default());
        for (organisation, keys) in keys.iter().enumerate() {
            for turn in 0..=turns {
                fill(&mut queue, &tallies, tenant(organisation, turn % keys), cost);
            }
        }
        let mut served = vec![0; keys.len()];
        for _ in 0..turns {
            let (tenant, waiting) = queue.pop(Room::new(ROOM, 0), Instant::now()).unwrap();
            let at = (0..keys.len()).find(|at| tenant.organisation == OrganisationId(name(*at))).unwrap();
            served[at] += waiting.cost;
        }
        prop_assert!(spread(&served) <= cost + QUANTUM.cast_unsigned(), "{served:?} of {keys:?}");
    }
}

#[test]
fn who_cost_more_than_announced_waits_for_it() {
    let (mut queue, tallies) = (Queue::default(), Tallies::default());
    for _ in 0..12 {
        fill(&mut queue, &tallies, tenant(0, 1), 1_000);
        fill(&mut queue, &tallies, tenant(0, 2), 1_000);
    }
    queue.charge(&tenant(0, 1), 5_000);
    let next = |queue: &mut Queue| queue.pop(Room::new(ROOM, 0), Instant::now()).unwrap().0;
    let first: Vec<_> = (0..5).map(|_| next(&mut queue)).collect();
    assert_eq!(first, [tenant(0, 2); 5]);
    assert!((0..3).any(|_| next(&mut queue) == tenant(0, 1)));
}

#[test]
fn who_may_not_hold_more_is_passed_over() {
    let (mut queue, tallies) = (Queue::default(), Tallies::default());
    let busy = tallies.find(tenant(0, 1));
    (0..7).for_each(|_| busy.enter());
    fill(&mut queue, &tallies, tenant(0, 1), 1);
    fill(&mut queue, &tallies, tenant(0, 2), 1);
    let room = Room::new(8, 7);
    assert_eq!(queue.pop(room, Instant::now()).unwrap().0, tenant(0, 2));
    assert!(queue.pop(room, Instant::now()).is_none());
    busy.leave();
    assert_eq!(queue.pop(Room::new(8, 6), Instant::now()).unwrap().0, tenant(0, 1));
}
