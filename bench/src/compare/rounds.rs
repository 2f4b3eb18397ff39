//! The order of things: starts, a soak, rounds in which the servers take turns, restarts.

use std::path::Path;
use std::time::Duration;

use super::child::free_address;
use super::gateway::{CONFIGURATION, Gateway, Setup, configuration};
use super::ledger::Ledger;
use super::litellm::LiteLlm;
use super::machine::{Programs, describe};
use super::nginx::Nginx;
use super::plan::{
    AMOUNTS, Asked, DIRECT, EARNED_BY, EARNED_FIRST, GATEWAY, HEDGES, LITELLM, MANY, NGINX, SMALL, SOAK,
    SOAK_PARTS, latencies, questions,
};
use super::results::{Found, Latency, Mode, Results};
use super::subject::{Amount, Subject};
use super::upstream::Upstream;
use super::{Options, Part, bookkeeping, fairness, progress};
use crate::error::{Context as _, Result};
use crate::load::{Bound, Fleet, Outcome, ratio};
use crate::question::{Provider, Question, Shape};

/// Batches of bookkeeping for each round.
const BATCHES: u32 = 20;
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
    let configuration = configuration(CONFIGURATION, upstream.address(), free_address()?);
    let setup = Setup::new(&options.gateway, "trunkline", configuration, directory)?;
    let ledger = setup.ledger("data");
    let mut subjects = start(options, directory, &upstream, &setup, &ledger, &mut results).await?;
    if options.wants(Part::Relay) {
        soak(options, &upstream, &mut subjects, &mut results).await?;
    }
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds));
        measure_costs(options, &upstream, &mut subjects, &mut results).await?;
        measure_latencies(options, &upstream, &mut subjects, &mut results).await?;
        if options.wants(Part::Hedge) {
            hedges(options, &upstream, &mut subjects, &mut results).await?;
        }
    }
    finish(subjects, &ledger, &mut results).await?;
    if options.wants(Part::Fairness) {
        let (found, doubts) = fairness::run(options, &upstream, directory).await?;
        results.fairness = found;
        results.doubts.extend(doubts);
    }
    if options.wants(Part::Bookkeeping) {
        progress("bookkeeping");
        results.bookkeeping_ns = bookkeeping::measure(BATCHES * options.rounds)?;
    }
    if options.wants(Part::Relay) {
        let again = starts(&setup, std::iter::repeat_n(ledger, STARTS)).await?;
        if let Some(found) = results.found.iter_mut().find(|found| found.name == GATEWAY) {
            found.ready_again_ms = again;
        }
    }
    Ok(results)
}

/// Stops everyone, after a last look at memory and ledger.
async fn finish(subjects: Vec<Subject>, ledger: &Ledger, results: &mut Results) -> Result<()> {
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
    Ok(())
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
    let mut subjects = Vec::new();
    let mut add = |results: &mut Results, subject: Subject, ready_ms: Vec<f64>| {
        results.found.push(Found { name: subject.name, ready_ms, ..Found::default() });
        subjects.push(subject);
    };
    results.found.push(Found { name: DIRECT, ..Found::default() });
    results.configuration.push(("trunkline.toml", setup.configuration.clone()));
    results.configuration.push(("The key", Setup::key_command()));
    let mut ready_ms = Vec::new();
    if options.wants(Part::Relay) {
        let nginx = Nginx::start(&options.nginx, upstream.address(), directory).await?;
        results.configuration.push(("nginx.conf", nginx.configuration));
        let ready_after = vec![milliseconds(nginx.ready_after)];
        add(results, Subject::new(NGINX, nginx.server, nginx.target, None), ready_after);
        let fresh = (0..STARTS).map(|number| setup.ledger(&format!("fresh-{number}")));
        ready_ms = starts(setup, fresh).await?;
    }
    let authorization = setup.create_key(ledger, "bench")?;
    let Gateway { server, target, .. } = setup.start(ledger, Some(authorization)).await?;
    add(results, Subject::new(GATEWAY, server, target, Some(ledger.clone())), ready_ms);
    if let Some(program) = options.litellm.as_ref().filter(|_| options.wants(Part::Relay)) {
        let litellm = LiteLlm::start(program, upstream.address(), directory).await?;
        results.configuration.push(("litellm.yaml", litellm.configuration.clone()));
        let mut subject = Subject::new(LITELLM, litellm.server, litellm.target, None);
        subject.share = LITELLM_SHARE;
        add(results, subject, vec![milliseconds(litellm.ready_after)]);
    }
    tokio::time::sleep(REST).await;
    for (subject, found) in subjects.iter().zip(results.found.iter_mut().skip(1)) {
        found.resident_idle = subject.resident()?;
    }
    Ok(subjects)
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
    let part = options.scaled(SOAK) / SOAK_PARTS;
    for (subject, found) in subjects.iter_mut().zip(results.found.iter_mut().skip(1)) {
        progress(&format!("soak: {}", subject.name));
        let (mut answers, mut spent_ns) = (0, 0);
        for _ in 0..SOAK_PARTS {
            let (outcome, spent) = subject.ask(upstream, SMALL, MANY, Bound::requests(part)).await?;
            (answers, spent_ns) = (answers + outcome.answers, spent_ns + spent);
            found.soak.push((answers, subject.resident()?));
        }
        found.soak_us = ratio(spent_ns, answers) / 1e3;
    }
    Ok(())
}

async fn measure_costs(
    options: &Options,
    upstream: &Upstream,
    subjects: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    for (shape, amount) in AMOUNTS {
        let requests = options.scaled(amount.requests).max(amount.connections as u64);
        let amount = Amount { requests, ..amount };
        for (subject, found) in subjects.iter_mut().zip(results.found.iter_mut().skip(1)) {
            for question in questions(options, subject.name, shape) {
                let cost = subject.cost(upstream, question, amount).await?;
                found.costs.entry(question).or_default().push(cost);
            }
        }
    }
    Ok(())
}

async fn measure_latencies(
    options: &Options,
    upstream: &Upstream,
    subjects: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    for mode in [Mode::One, Mode::Full, Mode::Paced] {
        let of = |server| latencies(options, server).into_iter().filter(move |asked| asked.mode == mode);
        let mut all = results.found.iter_mut();
        if let Some(direct) = all.next() {
            for Asked { question, connections, bound, .. } in of(DIRECT) {
                let mut fleet = Fleet::connect(&upstream.target(), question, connections).await?;
                direct.latencies.entry((mode, question)).or_default().push(latency(&fleet.run(bound).await));
            }
        }
        for (subject, found) in subjects.iter_mut().zip(all) {
            for Asked { question, connections, bound, .. } in of(subject.name) {
                let (outcome, _) = subject.ask(upstream, question, connections, bound).await?;
                found.latencies.entry((mode, question)).or_default().push(latency(&outcome));
            }
        }
    }
    Ok(())
}

/// Earns some hedges and makes them, one after the other.
async fn hedges(
    options: &Options,
    upstream: &Upstream,
    subjects: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    let Some(gateway) = subjects.iter_mut().find(|subject| subject.name == GATEWAY) else { return Ok(()) };
    let count = options.scaled(HEDGES).max(2);
    let earning = Bound::requests(EARNED_FIRST + count * EARNED_BY);
    gateway.ask(upstream, SMALL, 1, earning).await?;
    upstream.hedges().await?;
    let hedged = Question { provider: Provider::Hedged, ..Question::relay(Shape::Burst) };
    gateway.ask(upstream, hedged, 1, Bound::requests(count)).await?;
    let ends = upstream.hedges().await?;
    let seen = ends.after_ns.len() as u64;
    if seen != count || ends.alone > 0 {
        gateway.doubt(&format!("{seen} of {count} hedges ended with a winner, {} without", ends.alone));
    }
    results.hedges_ns.extend(ends.after_ns);
    Ok(())
}

fn latency(outcome: &Outcome) -> Latency {
    Latency { p50_us: outcome.latency_us(0.5), p99_us: outcome.latency_us(0.99), rate: outcome.rate() }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
