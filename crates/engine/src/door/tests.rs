//! What the door does with those who come: one at a time, in every order, and on several threads at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::*;

type Entering = Pin<Box<dyn Future<Output = Result<Permit, DoorRefusal>> + Send>>;

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn door(in_flight_max: u32, waiting_max: u32) -> Door {
    Door::new(DoorLimits { in_flight_max, waiting_max, waiting: Duration::from_secs(5) })
}

fn tenant(organisation: u128, key: u128) -> Tenant {
    Tenant {
        organisation: OrganisationId(Uuid::from_u128(organisation)),
        member: Member::Key(KeyId(Uuid::from_u128(key))),
    }
}

fn ask(key: u128) -> Ask {
    Ask { tenant: tenant(1, key), cost: 1_000, priority: Priority::Normal, deadline: None }
}

fn entering(door: &Door, ask: Ask) -> Entering {
    let door = door.clone();
    Box::pin(async move { door.enter(ask).await })
}

fn poll(entering: &mut Entering) -> Option<Result<Permit, DoorRefusal>> {
    match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// One that has come and waits.
fn waits(door: &Door, ask: Ask) -> Entering {
    let mut entering = entering(door, ask);
    assert!(poll(&mut entering).is_none());
    entering
}

fn enters(door: &Door, ask: Ask) -> Permit {
    poll(&mut entering(door, ask)).unwrap().unwrap()
}

fn refused(door: &Door, ask: Ask) -> Reason {
    poll(&mut entering(door, ask)).unwrap().unwrap_err().reason
}

#[test]
fn who_leaves_the_queue_is_not_waited_for() {
    let time = paused();
    let _entered = time.enter();
    let door = door(1, 8);
    let inside = enters(&door, ask(1));
    let (gone, mut next) = (waits(&door, ask(2)), waits(&door, ask(3)));
    drop(gone);
    assert_eq!(door.figures().waiting, 1);
    drop(inside);
    assert!(poll(&mut next).unwrap().is_ok());
    assert_eq!(door.figures(), DoorFigures { in_flight: 0, waiting: 0, limit: 1 });
}

#[test]
fn a_permit_its_waiter_never_saw_goes_to_the_next() {
    let time = paused();
    let _entered = time.enter();
    let door = door(1, 8);
    let inside = enters(&door, ask(1));
    let (granted, mut next) = (waits(&door, ask(2)), waits(&door, ask(3)));
    drop(inside);
    assert_eq!(door.figures(), DoorFigures { in_flight: 1, waiting: 1, limit: 1 });
    drop(granted);
    assert!(poll(&mut next).unwrap().is_ok());
}

#[test]
fn within_a_tenant_priority_goes_first_then_the_earliest_deadline_then_who_came_first() {
    let time = paused();
    let _entered = time.enter();
    let door = door(1, 100);
    let mut inside = Some(enters(&door, ask(1)));
    let soon = Some(Instant::now() + Duration::from_secs(1));
    let one = |priority, deadline| waits(&door, Ask { priority, deadline, ..ask(2) });
    let mut came = [
        (4, one(Priority::Low, soon)),
        (2, one(Priority::Normal, None)),
        (1, one(Priority::Normal, soon)),
        (3, one(Priority::Normal, None)),
        (0, one(Priority::High, None)),
    ];
    came.sort_by_key(|(turn, _)| *turn);
    for (turn, entering) in &mut came {
        drop(inside.take());
        inside = Some(poll(entering).unwrap_or_else(|| panic!("not the turn of {turn}")).unwrap());
    }
}

#[test]
fn a_full_door_has_room_for_no_tenant_and_a_busy_one_for_another_at_once() {
    let time = paused();
    let _entered = time.enter();
    let door = door(64, 64);
    let busy: Vec<_> = (0..56).map(|_| enters(&door, ask(1))).collect();
    let _more = waits(&door, ask(1));
    let _another = enters(&door, ask(2));
    assert_eq!(door.figures(), DoorFigures { in_flight: 57, waiting: 1, limit: 64 });
    drop(busy);
}

#[test]
fn an_organisation_of_many_keys_leaves_room_for_another() {
    let time = paused();
    let _entered = time.enter();
    let door = door(640, 64);
    let crowd = |key| poll(&mut entering(&door, ask(key)));
    let inside: Vec<_> = (0..5_000).map_while(|key| crowd(key)?.ok()).collect();
    assert_eq!(inside.len(), 630);
    let _other = enters(&door, Ask { tenant: tenant(2, 1), ..ask(0) });
}

#[test]
fn one_tenant_cannot_fill_the_queue() {
    let time = paused();
    let _entered = time.enter();
    let door = door(1, 16);
    let _inside = enters(&door, ask(1));
    let _queue: Vec<_> = (0..14).map(|_| waits(&door, ask(2))).collect();
    assert_eq!(refused(&door, ask(2)), Reason::ShareFull);
    let _others: Vec<_> = (3..5).map(|key| waits(&door, ask(key))).collect();
    assert_eq!(refused(&door, ask(5)), Reason::QueueFull);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_served_in_time_is_told_at_once_and_who_was_not_after_its_time() {
    let door = door(1, 16);
    let inside = enters(&door, ask(1));
    let first = waits(&door, ask(2));
    tokio::time::advance(Duration::from_secs(2)).await;
    let hurried = Ask { deadline: Some(Instant::now() + Duration::from_secs(1)), ..ask(2) };
    assert!(poll(&mut entering(&door, hurried)).is_none(), "the earliest deadline has nobody ahead");
    let patient = Ask { priority: Priority::Low, ..hurried };
    let refusal = poll(&mut entering(&door, patient)).unwrap().unwrap_err();
    assert_eq!(refusal, DoorRefusal { reason: Reason::Hopeless, wait: Duration::from_secs(2) });
    assert_eq!(first.await.unwrap_err().reason, Reason::TimedOut);
    assert_eq!(door.figures().waiting, 0);
    drop(inside);
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_on_time_takes_no_room_away() {
    let door = door(32, 16);
    let watching = tokio::spawn({
        let door = door.clone();
        async move { door.watch().await }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(door.figures().limit, 32);
    watching.abort();
}

#[test]
fn room_that_comes_back_is_used_at_once() {
    let time = paused();
    let _entered = time.enter();
    let door = door(64, 64);
    let inside: Vec<_> = (0..8).map(enters_of(&door)).collect();
    let now = Instant::now();
    door.report(Duration::from_secs(1), now);
    assert_eq!(door.figures().limit, 8);
    let mut next = waits(&door, ask(9));
    door.report(Duration::ZERO, now + Pulse::WINDOW);
    assert_eq!(door.figures().limit, 9);
    assert!(poll(&mut next).unwrap().is_ok());
    drop(inside);
}

fn enters_of(door: &Door) -> impl Fn(u128) -> Permit + '_ {
    |key| enters(door, ask(key))
}

#[derive(Clone, Debug)]
enum Step {
    Come { organisation: u128, key: u128, cost: u64, priority: Priority },
    Leave(usize),
    End(usize),
    Correct(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)];
    prop_oneof![
        4 => (0..3_u128, 0..4_u128, 1..50_000_u64, priority)
            .prop_map(|(organisation, key, cost, priority)| Step::Come { organisation, key, cost, priority }),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::End),
        1 => (any::<usize>(), 1..50_000_u64).prop_map(|(which, cost)| Step::Correct(which, cost)),
    ]
}

/// Everybody around a door, and what must hold of them at any moment.
struct Crowd {
    door: Door,
    waiting: Vec<(Tenant, Entering)>,
    inside: Vec<Permit>,
}

impl Crowd {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Come { organisation, key, cost, priority } => {
                let tenant = tenant(organisation, key);
                let ask = Ask { tenant, cost, priority, deadline: None };
                self.waiting.push((tenant, entering(&self.door, ask)));
            }
            Step::Leave(which) if !self.waiting.is_empty() => {
                drop(self.waiting.swap_remove(which % self.waiting.len()));
            }
            Step::End(which) if !self.inside.is_empty() => {
                drop(self.inside.swap_remove(which % self.inside.len()));
            }
            Step::Correct(which, cost) if !self.inside.is_empty() => {
                let which = which % self.inside.len();
                self.inside[which].correct(cost);
            }
            Step::Leave(_) | Step::End(_) | Step::Correct(..) => {}
        }
    }

    fn look(&mut self) {
        let inside = &mut self.inside;
        self.waiting.retain_mut(|(_, entering)| match poll(entering) {
            Some(Ok(permit)) => {
                inside.push(permit);
                false
            }
            Some(Err(_)) => false,
            None => true,
        });
    }

    fn check(&self) {
        let figures = self.door.figures();
        assert_eq!(figures.in_flight as usize, self.inside.len());
        assert_eq!(figures.waiting as usize, self.waiting.len());
        assert!(figures.in_flight <= figures.limit);
        let room = self.door.0.room();
        for (tenant, _) in &self.waiting {
            let idle = room.is_full() || !self.door.0.tallies.find(*tenant).may_hold_more(room);
            assert!(idle, "{tenant:?} waits although there is room for it");
        }
    }
}

proptest! {
    /// Nobody waits while there is room for it, nobody is lost, the limit holds, and nothing is left over.
    #[test]
    fn no_waiter_is_lost(limit in 1..12_u32, waiting_max in 0..12_u32, steps in prop::collection::vec(step(), 1..120)) {
        let time = paused();
        let _entered = time.enter();
        let mut crowd = Crowd { door: door(limit, waiting_max), waiting: Vec::new(), inside: Vec::new() };
        for step in &steps {
            crowd.take(step);
            crowd.look();
            crowd.check();
        }
        while let Some(permit) = crowd.inside.pop() {
            drop(permit);
            crowd.look();
            crowd.check();
        }
        prop_assert!(crowd.waiting.is_empty());
        prop_assert!(!lock(&crowd.door.0.queue).waits(&tenant(1, 1)));
    }
}

/// Threads that come, are let in, leave early and go: at the end nothing is held and nobody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_leave_the_door_as_they_found_it() {
    let door = Door::new(DoorLimits { in_flight_max: 3, waiting_max: 64, waiting: Duration::from_mins(10) });
    let tasks: Vec<_> = (0..16_u128)
        .map(|key| {
            let door = door.clone();
            tokio::spawn(async move {
                for round in 0..400 {
                    let mut entering = entering(&door, ask(key % 5));
                    if round % 7 == 0 {
                        // Leaves at once: from the queue, or with a permit it was granted and never saw.
                        if poll(&mut entering).is_none() {
                            tokio::task::yield_now().await;
                        }
                        continue;
                    }
                    let permit = entering.await.unwrap();
                    tokio::task::yield_now().await;
                    drop(permit);
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_mins(1), task).await.expect("somebody was forgotten").unwrap();
    }
    assert_eq!(door.figures(), DoorFigures { in_flight: 0, waiting: 0, limit: 3 });
}
