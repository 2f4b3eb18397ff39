//! The order of things: starts, a soak, rounds in which the servers take turns, restarts.

use std::path::Path;
use std::time::Duration;

use super::gateway::{Gateway, Setup};
use super::ledger::Ledger;
use super::litellm::LiteLlm;
use super::machine::{Programs, describe};
use super::nginx::Nginx;
use super::results::{Found, Latency, Mode, Results};
use super::subject::{Amount, Subject};
use super::upstream::Upstream;
use super::{Options, progress};
use crate::body::Shape;
use crate::error::{Context as _, Result};
use crate::load::{Bound, Fleet, Outcome, ratio};

/// The names in the tables.
pub(super) const DIRECT: &str = "direct";
pub(super) const NGINX: &str = "nginx";
pub(super) const GATEWAY: &str = "trunkline";
pub(super) const LITELLM: &str = "LiteLLM";

/// What is sent in each round: enough for a stable figure, little enough for a busy machine.
pub(super) const AMOUNTS: [Amount; 5] = [
    Amount { shape: Shape::Small, connections: 10, warm_up: 500, requests: 10_000 },
    Amount { shape: Shape::Medium, connections: 10, warm_up: 200, requests: 5_000 },
    Amount { shape: Shape::Large, connections: 10, warm_up: 50, requests: 1_000 },
    Amount { shape: Shape::Stream, connections: 12, warm_up: 12, requests: 48 },
    Amount { shape: Shape::Burst, connections: 10, warm_up: 20, requests: 500 },
];
/// Requests of the soak, in five parts.
pub(super) const SOAK: u64 = 100_000;
const SOAK_PARTS: u64 = 5;
/// Connections of soak, full and paced latencies.
pub(super) const MANY: usize = 64;
/// Requests a second of paced latencies.
pub(super) const PACE: f64 = 1_000.0;
/// Starts that are timed.
const STARTS: usize = 5;
/// LiteLLM gets so much of everything.
const LITELLM_SHARE: f64 = 0.02;
/// Time for a server to come to rest after its start, before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// Measures everything.
pub(super) async fn run(options: &Options, directory: &Path) -> Result<Results> {
    let programs =
        Programs { gateway: &options.gateway, nginx: &options.nginx, litellm: options.litellm.as_deref() };
    let mut results = Results { machine: describe(&programs), ..Results::default() };
    let size = std::fs::metadata(&options.gateway);
    results.binary_bytes = size.context(|| format!("there is no {}", options.gateway.display()))?.len();

    let upstream = Upstream::start(directory).await?;
    let setup = Setup::new(&options.gateway, upstream.address(), directory)?;
    let ledger = setup.ledger("data");
    let mut subjects = start(options, directory, &upstream, &setup, &ledger, &mut results).await?;
    soak(options, &upstream, &mut subjects, &mut results).await?;
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds));
        costs(options, &upstream, &mut subjects, &mut results).await?;
        latencies(options, &upstream, &mut subjects, &mut results).await?;
    }
    for subject in subjects {
        results.doubts.extend(subject.doubts.iter().cloned());
        let resident = subject.resident()?;
        if let Some(found) = results.found.iter_mut().find(|found| found.name == subject.name) {
            found.resident_end = resident;
        }
        if subject.name == GATEWAY {
            (results.rows, results.served) = (ledger.rows()?, subject.served);
        }
        subject.server.stop().await?;
    }
    let again = starts(&setup, std::iter::repeat_n(ledger, STARTS)).await?;
    if let Some(found) = results.found.iter_mut().find(|found| found.name == GATEWAY) {
        found.ready_again_ms = again;
    }
    Ok(results)
}

/// Starts everyone, and reads how long it took and what it takes while nothing is asked.
async fn start(
    options: &Options,
    directory: &Path,
    upstream: &Upstream,
    setup: &Setup,
    ledger: &Ledger,
    results: &mut Results,
) -> Result<Vec<Subject>> {
    progress("starting");
    let nginx = Nginx::start(&options.nginx, upstream.address(), directory).await?;
    let fresh = (0..STARTS).map(|number| setup.ledger(&format!("fresh-{number}")));
    let gateway_ready_ms = starts(setup, fresh).await?;
    let authorization = setup.create_key(ledger)?;
    let gateway = setup.start(ledger, Some(authorization)).await?;

    results.configuration = vec![
        ("trunkline.toml", setup.configuration.clone()),
        ("The key", Setup::key_command()),
        ("nginx.conf", nginx.configuration.clone()),
    ];
    results.found.push(Found { name: DIRECT, ..Found::default() });
    let mut subjects = Vec::new();
    let mut add = |results: &mut Results, subject: Subject, ready_ms: Vec<f64>| {
        results.found.push(Found { name: subject.name, ready_ms, ..Found::default() });
        subjects.push(subject);
    };
    add(results, subject(NGINX, nginx.server, nginx.target, None), vec![milliseconds(nginx.ready_after)]);
    let Gateway { server, target, .. } = gateway;
    add(results, subject(GATEWAY, server, target, Some(ledger.clone())), gateway_ready_ms);
    if let Some(program) = &options.litellm {
        let litellm = LiteLlm::start(program, upstream.address(), directory).await?;
        results.configuration.push(("litellm.yaml", litellm.configuration.clone()));
        let mut subject = subject(LITELLM, litellm.server, litellm.target, None);
        subject.share = LITELLM_SHARE;
        add(results, subject, vec![milliseconds(litellm.ready_after)]);
    }
    tokio::time::sleep(REST).await;
    for (subject, found) in subjects.iter().zip(results.found.iter_mut().skip(1)) {
        found.resident_idle = subject.resident()?;
    }
    Ok(subjects)
}

fn subject(
    name: &'static str,
    server: super::child::Server,
    target: crate::load::Target,
    ledger: Option<Ledger>,
) -> Subject {
    Subject { name, server, target, ledger, served: 0, rows_off: 0, share: 1.0, doubts: Vec::new() }
}

/// Starts the gateway once on each data directory; milliseconds until it was ready.
async fn starts(setup: &Setup, ledgers: impl Iterator<Item = Ledger>) -> Result<Vec<f64>> {
    let mut taken = Vec::new();
    for ledger in ledgers {
        let gateway = setup.start(&ledger, None).await?;
        taken.push(milliseconds(gateway.ready_after));
        gateway.server.stop().await?;
    }
    Ok(taken)
}

/// Many requests, with a look at the memory in between.
async fn soak(
    options: &Options,
    upstream: &Upstream,
    subjects: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    let part = SOAK * options.amount / 100 / SOAK_PARTS;
    for (subject, found) in subjects.iter_mut().zip(results.found.iter_mut().skip(1)) {
        progress(&format!("soak: {}", subject.name));
        let (mut answers, mut spent_ns) = (0, 0);
        for _ in 0..SOAK_PARTS {
            let (outcome, spent) = subject.ask(upstream, MANY, Bound::requests(part)).await?;
            (answers, spent_ns) = (answers + outcome.answers, spent_ns + spent);
            found.soak.push((answers, subject.resident()?));
        }
        found.soak_us = ratio(spent_ns, answers) / 1e3;
    }
    Ok(())
}

async fn costs(
    options: &Options,
    upstream: &Upstream,
    subjects: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    for amount in AMOUNTS {
        let requests = (amount.requests * options.amount / 100).max(amount.connections as u64);
        let amount = Amount { requests, ..amount };
        for (subject, found) in subjects.iter_mut().zip(results.found.iter_mut().skip(1)) {
            let cost = subject.cost(upstream, amount).await?;
            found.costs.entry(amount.shape.name()).or_default().push(cost);
        }
    }
    Ok(())
}

async fn latencies(
    options: &Options,
    upstream: &Upstream,
    subjects: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    let scaled = |requests: u64| Bound::requests(requests * options.amount / 100);
    let modes = [
        (Mode::One, 1, scaled(3_000)),
        (Mode::Full, MANY, scaled(20_000)),
        (Mode::Paced, MANY, Bound { rate: Some(PACE), ..scaled(3_000) }),
    ];
    for (mode, connections, bound) in modes {
        let mut all = results.found.iter_mut();
        if let Some(direct) = all.next() {
            let mut fleet = Fleet::connect(&upstream.target(), Shape::Small, connections).await?;
            direct.latencies.entry(mode).or_default().push(latency(&fleet.run(bound).await));
        }
        for (subject, found) in subjects.iter_mut().zip(all) {
            let (outcome, _) = subject.ask(upstream, connections, bound).await?;
            found.latencies.entry(mode).or_default().push(latency(&outcome));
        }
    }
    Ok(())
}

fn latency(outcome: &Outcome) -> Latency {
    Latency { p50_us: outcome.latency_us(0.5), p99_us: outcome.latency_us(0.99), rate: outcome.rate() }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
