//! A source scripted by each test, and time that stands still but for sleeping.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, sleep};

use super::*;
use crate::dispatch::{Call, DispatchFuture};

const HOUR_MS: u64 = 3_600_000;

struct NoWay;

impl Dispatch for NoWay {
    fn dispatch(&self, _: Call) -> DispatchFuture<'_> {
        unreachable!("the source of these tests asks nobody")
    }
}

/// Yields its ordinal, with the life or failure the script says for it; the last entry for ever.
struct Scripted {
    origin: Origin,
    script: Vec<Result<u64, &'static str>>,
    asked: Arc<AtomicUsize>,
    times: Arc<Mutex<Vec<u64>>>,
    began: Instant,
}

impl Source for Scripted {
    type Value = usize;

    fn endpoint(&self) -> &Origin {
        &self.origin
    }

    fn obtain<'a>(&'a self, around: &'a Surroundings) -> Obtain<'a, usize> {
        let ordinal = self.asked.fetch_add(1, Ordering::SeqCst);
        self.times.lock().unwrap().push(self.began.elapsed().as_secs());
        let entry = self.script.get(ordinal).or(self.script.last()).copied().unwrap();
        let now = (around.now)();
        Box::pin(async move {
            sleep(Duration::from_millis(10)).await;
            match entry {
                Ok(life) => Ok(Issued { value: ordinal, expires: now.plus_ms(life) }),
                Err(why) => Err(AccessError { endpoint: "e".to_owned(), message: why.to_owned() }),
            }
        })
    }
}

struct Rig {
    lease: Lease<usize>,
    asked: Arc<AtomicUsize>,
    times: Arc<Mutex<Vec<u64>>>,
    /// Added to the wall clock: a machine that slept.
    jump: Arc<std::sync::atomic::AtomicI64>,
}

fn rig(script: Vec<Result<u64, &'static str>>, chance: f64) -> Rig {
    let (asked, times) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<u64>>>::default());
    let jump = Arc::<std::sync::atomic::AtomicI64>::default();
    let began = Instant::now();
    let jumped = Arc::clone(&jump);
    let now = move || {
        let after = u64::try_from(began.elapsed().as_millis()).unwrap();
        UnixMs(1_000_000 + jumped.load(Ordering::SeqCst)).plus_ms(after)
    };
    let around = Surroundings {
        way: Arc::new(NoWay),
        now: Arc::new(now),
        chance: Arc::new(move || chance),
        pace: Pace::default(),
    };
    let source = Scripted {
        origin: Origin::parse("https://issuer.test").unwrap(),
        script,
        asked: Arc::clone(&asked),
        times: Arc::clone(&times),
        began,
    };
    Rig { lease: Lease::new(source, around), asked, times, jump }
}

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_first_reader_waits_and_all_wait_for_the_same_attempt() {
    let rig = rig(vec![Ok(HOUR_MS)], 0.0);
    assert!(rig.lease.current().is_none());
    let (one, other) = tokio::join!(rig.lease.get(), rig.lease.get());
    assert_eq!((*one.unwrap(), *other.unwrap()), (0, 0));
    assert_eq!(rig.asked.load(Ordering::SeqCst), 1);
    assert_eq!(rig.lease.current().as_deref(), Some(&0));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_renewed_at_four_fifths_of_its_life_and_nobody_waits_for_it() {
    let rig = rig(vec![Ok(HOUR_MS)], 0.0);
    rig.lease.start();
    seconds(2_879).await;
    assert_eq!(rig.lease.current().as_deref(), Some(&0));
    seconds(2).await;
    assert_eq!(rig.lease.current().as_deref(), Some(&1));
    assert_eq!(*rig.times.lock().unwrap(), [0, 2_880]);
}

#[tokio::test(start_paused = true)]
async fn chance_moves_a_renewal_to_an_earlier_instant() {
    let rig = rig(vec![Ok(HOUR_MS)], 1.0);
    rig.lease.start();
    seconds(2_530).await;
    assert_eq!(*rig.times.lock().unwrap(), [0, 2_520]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hands_out_the_same_end_again_is_not_asked_in_a_hurry() {
    let rig = rig(vec![Ok(1_000)], 0.0);
    rig.lease.start();
    seconds(60).await;
    assert_eq!(*rig.times.lock().unwrap(), [0, 15, 30, 45]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_keeps_the_old_value_until_it_expires() {
    let rig = rig(vec![Ok(100_000), Err("down")], 0.0);
    assert_eq!(*rig.lease.get().await.unwrap(), 0);
    seconds(95).await;
    assert!(rig.asked.load(Ordering::SeqCst) > 1);
    assert_eq!(*rig.lease.get().await.unwrap(), 0);
    seconds(10).await;
    let before = Instant::now();
    let error = rig.lease.get().await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(
        (error.to_string().as_str(), error.cause()),
        ("no credential from e: down", Cause::Unauthorized)
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_ever_more_slowly_and_a_success_ends_them() {
    let mut script = vec![Err("down"); 9];
    script.push(Ok(HOUR_MS));
    let rig = rig(script, 0.0);
    assert_eq!(rig.lease.get().await.unwrap_err().message, "down");
    seconds(250).await;
    assert_eq!(*rig.times.lock().unwrap(), [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    assert_eq!(*rig.lease.get().await.unwrap(), 9);
}

#[tokio::test(start_paused = true)]
async fn chance_halves_the_wait_at_most() {
    let rig = rig(vec![Err("down")], 1.0);
    rig.lease.start();
    seconds(4).await;
    assert_eq!(*rig.times.lock().unwrap(), [0, 0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn after_the_machine_slept_the_next_reader_wakes_the_renewal() {
    let rig = rig(vec![Ok(HOUR_MS)], 0.0);
    assert_eq!(*rig.lease.get().await.unwrap(), 0);
    rig.jump.store(7_200_000, Ordering::SeqCst);
    assert_eq!(*rig.lease.get().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_when_it_is_issued_is_a_failure() {
    let rig = rig(vec![Ok(0)], 0.0);
    let error = rig.lease.get().await.unwrap_err();
    assert_eq!(error.endpoint, "https://issuer.test");
    assert!(error.message.contains("clock"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_renewed_for_a_lease_that_is_gone() {
    let rig = rig(vec![Ok(HOUR_MS)], 0.0);
    rig.lease.get().await.unwrap();
    drop(rig.lease);
    seconds(10_000).await;
    assert_eq!(rig.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_value_is_there_at_once_and_stays() {
    let lease = Lease::fixed(7);
    lease.start();
    seconds(1_000_000).await;
    assert_eq!(*lease.get().await.unwrap(), 7);
}
