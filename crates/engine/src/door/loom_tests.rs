//! Every interleaving of a few threads at the shipped door: `cargo test -p trunkline-engine --lib --features loom loom`.

use std::time::Duration;

use trunkline_domain::id::{KeyId, OrganisationId};
use uuid::Uuid;

use super::*;

/// A door with room for one, and whoever has it.
fn taken() -> (Door, Permit) {
    let limits = DoorLimits { in_flight_max: 1, waiting_max: 8, waiting: Duration::from_hours(1) };
    let door = Door::new(limits);
    let ask = ask(0);
    let permit = door.try_enter(&door.0.tallies.find(ask.tenant), &ask).unwrap();
    (door, permit)
}

fn ask(key: u128) -> Ask {
    let member = Member::Key(KeyId(Uuid::from_u128(key)));
    let tenant = Tenant { organisation: OrganisationId::FIRST, member };
    Ask { tenant, cost: 1, priority: Priority::Normal, deadline: None }
}

/// One that comes and found nobody waiting and no room.
fn wait(door: &Door, ask: Ask) -> Entry {
    let now = Instant::now();
    let tally = door.0.tallies.find(ask.tenant);
    door.wait(tally, ask, now, now + door.0.limits.waiting).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn is_in(entry: &mut Entry) -> bool {
    match entry {
        Entry::In(_) => true,
        Entry::Waits(waiter) => waiter.reply.try_recv().is_ok(),
    }
}

/// Whether the room is there before or after the next one is seen to wait, it is let in: nobody else would wake it.
#[test]
fn loom_room_that_comes_back_beside_one_that_begins_to_wait_is_not_lost() {
    loom::model(|| {
        let (door, permit) = taken();
        let leaving = loom::thread::spawn(move || drop(permit));
        let mut entry = wait(&door, ask(1));
        leaving.join().unwrap();
        assert!(is_in(&mut entry), "there is room, and it waits for ever");
    });
}

/// A turn that comes to one that leaves at this very moment goes to the next.
#[test]
fn loom_a_turn_given_to_one_that_leaves_goes_to_the_next() {
    loom::model(|| {
        let (door, permit) = taken();
        let first = wait(&door, ask(1));
        let mut second = wait(&door, ask(2));
        let leaving = loom::thread::spawn(move || drop(permit));
        drop(first);
        leaving.join().unwrap();
        assert!(is_in(&mut second), "there is room, and it waits for ever");
        drop(second);
        assert_eq!((door.figures().in_flight, door.figures().waiting), (0, 0));
    });
}
