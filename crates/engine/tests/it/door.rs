//! Fairness at the door, and a request's place from its key to its last byte.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_domain::{Dialect, ErrorKind};
use trunkline_engine::door::{Ask, Door, DoorLimits, Member, Tenant};
use trunkline_wire::routing::Priority;
use uuid::Uuid;

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream, read};

const PLACES: u32 = 512;
/// A half each, in requests under way, while both want more than that.
const SHARE: u32 = PLACES / 2;
/// How long a request is under way.
const SERVICE: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(10);

/// Sends so many requests a tick for five seconds: how many were let in, and the waits of all, longest last.
async fn load(door: Door, key: u128, each_tick: u32, cost: u64) -> (usize, Vec<Duration>) {
    let tenant =
        Tenant { organisation: OrganisationId::FIRST, member: Member::Key(KeyId(Uuid::from_u128(key))) };
    let ask = Ask { tenant, cost, priority: Priority::Normal, deadline: None };
    let mut requests = JoinSet::new();
    for _ in 0..500 {
        for _ in 0..each_tick {
            let door = door.clone();
            requests.spawn(async move {
                let came = Instant::now();
                let permit = door.enter(ask).await.ok();
                let waited = came.elapsed();
                if permit.is_some() {
                    sleep(SERVICE).await;
                }
                (permit.is_some(), waited)
            });
        }
        sleep(TICK).await;
    }
    let all = requests.join_all().await;
    let mut waits: Vec<_> = all.iter().map(|(_, waited)| *waited).collect();
    waits.sort();
    (all.iter().filter(|(entered, _)| *entered).count(), waits)
}

fn door() -> Door {
    Door::new(DoorLimits { in_flight_max: PLACES, waiting_max: 1_024, waiting: Duration::from_secs(5) })
}

/// Requests a tick that keep so many under way.
fn rate(under_way: u32) -> u32 {
    let ticks = u32::try_from(SERVICE.as_millis() / TICK.as_millis()).unwrap();
    under_way / ticks
}

/// A quiet tenant that keeps so many under way waits no longer, and loses nothing, beside one that sends fifty times its
/// share and comes so much earlier or later.
async fn is_not_noticed(under_way: u32, quiet_after: Duration, noisy_after: Duration) {
    let (entered, alone) = load(door(), 1, rate(under_way), 2_000).await;
    assert_eq!(entered, alone.len());
    let shared = door();
    let noisy = tokio::spawn({
        let door = shared.clone();
        async move {
            sleep(noisy_after).await;
            load(door, 2, rate(50 * SHARE), 50_000).await
        }
    });
    sleep(quiet_after).await;
    let (entered, beside) = load(shared, 1, rate(under_way), 2_000).await;
    assert_eq!(entered, beside.len(), "every request of the quiet one succeeds");
    let within = |figure: fn(&[Duration]) -> Duration| figure(&beside) <= figure(&alone).mul_f64(1.1);
    assert!(within(|waits| waits[waits.len() * 99 / 100]), "{:?}", beside.last());
    assert!(within(|waits| waits.iter().sum()), "{:?}", beside.last());
    let (served, all) = noisy.await.unwrap();
    assert!(served < all.len() / 20, "the noisy one is refused what is beyond its share: {served}");
    assert!(served > rate(SHARE) as usize * 450, "and gets what is in it: {served}");
}

#[tokio::test(start_paused = true)]
async fn one_tenant_at_fifty_times_its_share_is_not_noticed_by_one_that_was_there() {
    is_not_noticed(SHARE * 3 / 4, Duration::ZERO, Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn one_tenant_at_fifty_times_its_share_is_not_noticed_by_one_that_comes_later() {
    is_not_noticed(SHARE / 6, Duration::from_secs(1), Duration::ZERO).await;
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_its_last_byte() {
    let rig = Rig::new(&format!("server.limits.in_flight_max = 1\n{TWO_ACCOUNTS}")).await;
    let door = rig.engine.door().clone();
    let first = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"))).await.unwrap();
    assert_eq!(door.figures().in_flight, 1);
    let body = ask("acme/m");
    let second = rig.chat(&body);
    tokio::pin!(second);
    let started = poll_once(second.as_mut());
    assert!(started.is_none());
    assert_eq!(door.figures().waiting, 1);
    assert!(read(first.body).await.ends_with("data: [DONE]\n\n"));
    assert_eq!(second.await.unwrap().status, 200);
    rig.rows().await;
    assert_eq!((door.figures().in_flight, door.figures().waiting), (0, 0));
}

#[tokio::test]
async fn of_a_keys_own_requests_the_one_of_high_priority_goes_first() {
    let rig = Rig::new(&format!("server.limits.in_flight_max = 1\n{TWO_ACCOUNTS}")).await;
    let first = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"))).await.unwrap();
    let asked = |header: &'static str, value: &'static str| {
        let mut inbound = rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"));
        inbound.headers.insert(header, value.parse().unwrap());
        Box::pin(rig.engine.serve(inbound))
    };
    let mut low = asked("x-trunkline-priority", "low");
    let mut high = asked("x-trunkline-priority", "high");
    let mut hurried = asked("x-trunkline-ttft-budget-ms", "1");
    for waiting in [low.as_mut(), high.as_mut()] {
        assert!(poll_once(waiting).is_none());
    }
    assert_eq!(
        hurried.as_mut().await.err().unwrap().error.kind,
        ErrorKind::Overloaded,
        "it could not be in time"
    );
    read(first.body).await;
    let second = high.await.unwrap();
    assert!(poll_once(low.as_mut()).is_none(), "the place is taken");
    read(second.body).await;
    read(low.await.unwrap().body).await;
}

#[tokio::test]
async fn a_caller_that_leaves_while_it_waits_or_reads_gives_its_place_back() {
    let rig = Rig::new(&format!("server.limits.in_flight_max = 1\n{TWO_ACCOUNTS}")).await;
    let door = rig.engine.door().clone();
    let first = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"))).await.unwrap();
    {
        let body = ask("acme/m");
        let waiting = rig.chat(&body);
        tokio::pin!(waiting);
        assert!(poll_once(waiting.as_mut()).is_none());
        assert_eq!(door.figures().waiting, 1);
    }
    assert_eq!(door.figures().waiting, 0);
    let mut body = first.body;
    body.frame().await;
    drop(body);
    rig.rows().await;
    assert_eq!(door.figures().in_flight, 0);
    assert_eq!(rig.chat(&ask("acme/m")).await.unwrap().status, 200);
}

#[tokio::test]
async fn who_waited_in_vain_is_told_when_to_come_again_and_counted() {
    let limits = "server.limits = { in_flight_max = 1, waiting_ms = 0 }";
    let rig = Rig::new(&format!("{limits}\n{TWO_ACCOUNTS}")).await;
    let first = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"))).await.unwrap();
    let refused = rig.chat(&ask("acme/m")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Overloaded);
    assert!(refused.retry_after.is_some());
    let metrics = rig.engine.metrics_text();
    for line in
        ["trunkline_door_refused_total{reason=\"timed_out\"} 1", "trunkline_door_in_flight 1", "door_limit 1"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    read(first.body).await;
}

#[tokio::test]
async fn a_stopping_gateway_lets_nobody_in_and_those_who_wait_go_on() {
    let rig = Rig::new(&format!("server.limits.in_flight_max = 1\n{TWO_ACCOUNTS}")).await;
    let first = rig.engine.serve(rig.inbound(Dialect::OpenaiChat, &ask_stream("acme/m"))).await.unwrap();
    let body = ask("acme/m");
    let waiting = rig.chat(&body);
    tokio::pin!(waiting);
    assert!(poll_once(waiting.as_mut()).is_none());
    rig.engine.begin_drain();
    assert_eq!(rig.chat(&ask("acme/m")).await.unwrap_err().kind, ErrorKind::ShuttingDown);
    read(first.body).await;
    assert_eq!(waiting.await.unwrap().status, 200);
}

/// Polls once, as a task would that is not woken again.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
