//! Figures beside the floor each must meet and the goal, where there is one.

use super::further::{dearest, failover_added};
use super::{MIB, bytes, digits, line, worst};
use crate::compare::plan::{FAILOVERS, GATEWAY, NGINX, SMALL};
use crate::compare::results::{Figure, Found, Mode, Results};
use crate::compare::subject::Cost;
use crate::compare::{Options, Part};
use crate::question::{Provider, Question, Shape};
use crate::statistics::{median, percentile};

/// A figure with a floor, which must be met, and a goal.
struct Target {
    what: String,
    floor: f64,
    goal: Option<f64>,
    measured: Option<f64>,
    unit: &'static str,
}

fn target(what: &str, floor: f64, measured: Option<f64>, unit: &'static str) -> Target {
    Target { what: what.to_owned(), floor, goal: None, measured, unit }
}

/// The table of what was measured.
pub(super) fn floors(page: &mut String, results: &Results, options: &Options) {
    let mut targets = Vec::new();
    if options.wants(Part::Relay) {
        targets.extend(relay(results));
    }
    if options.wants(Part::Recast) {
        targets.extend(recast(results));
    }
    if options.wants(Part::Failover) {
        targets.extend(FAILOVERS.map(|provider| failover(results, provider)));
    }
    if options.wants(Part::Hedge) {
        targets.extend(hedge(results));
    }
    if options.wants(Part::Bookkeeping) {
        let us = results.trusted(median(&results.bookkeeping_ns) / 1e3);
        targets.push(target("bookkeeping of health, a request", 1.0, us, "µs"));
    }
    page.push_str("| | floor | goal | measured | |\n|---|---:|---:|---:|---|\n");
    for target in &targets {
        line(page, &row(target));
    }
}

fn row(target: &Target) -> String {
    let Target { what, floor, goal, measured, unit } = target;
    let (measured, met) = match *measured {
        None => ("refused".to_owned(), ""),
        Some(value) if value.is_nan() => (digits(value), "not measured"),
        Some(value) if goal.is_some_and(|goal| value <= goal) => (digits(value), "goal met"),
        Some(value) if value <= *floor => (digits(value), "floor met"),
        Some(value) => (digits(value), "**floor missed**"),
    };
    let goal = goal.map_or_else(String::new, |goal| format!("≤ {goal}"));
    format!("| {what} ({unit}) | ≤ {floor} | {goal} | {measured} | {met} |")
}

fn relay(results: &Results) -> [Target; 9] {
    let ratio = |shape, of, base| {
        let question = Question::relay(shape);
        let figure = Figure { server: GATEWAY, question, of };
        results.ratio(figure, Figure { server: NGINX, question, of: base })
    };
    let times = |what, (floor, goal), shape, of: fn(&Cost) -> f64, base: fn(&Cost) -> f64| Target {
        goal: Some(goal),
        ..target(what, floor, ratio(shape, of, base), "× nginx")
    };
    let gateway = results.of(GATEWAY);
    let idle = gateway.map(|found| bytes(found.resident_idle) / MIB);
    let ready = gateway.map(|found| worst(&found.ready_ms).max(worst(&found.ready_again_ms)));
    let growth = gateway.and_then(growth_mib);
    let added = "added p99 at 64 connections, paced, above nginx's";
    let size = Some(bytes(results.binary_bytes) / MIB);
    [
        times("path, small request", (2.0, 1.5), Shape::Small, Cost::path_us, Cost::path_us),
        times("sum, small request", (2.5, 2.0), Shape::Small, Cost::sum_us, Cost::path_us),
        times("sum, large request", (2.0, 1.7), Shape::Large, Cost::sum_us, Cost::path_us),
        times("stream event, 10 ms apart", (1.2, 1.0), Shape::Stream, Cost::event_us, Cost::event_us),
        target(added, 1.0, added_p99_ms(results), "ms"),
        target("resident memory, idle", 20.0, idle, "MiB"),
        target("its growth over the last four fifths of the soak", 1.0, growth, "MiB"),
        target("ready after, slowest start", 100.0, ready, "ms"),
        target("binary, stripped", 25.0, size, "MiB"),
    ]
}

/// The dearest of the pairs of APIs.
fn recast(results: &Results) -> [Target; 4] {
    let times = |what, floor, shape, of| target(what, floor, dearest(results, shape, of), "× relay");
    [
        times("recast, small request", 4.0, Shape::Small, Cost::path_us),
        times("recast, large request", 3.0, Shape::Large, Cost::path_us),
        times("recast, stream event, 10 ms apart", 4.0, Shape::Stream, Cost::event_us),
        times("recast, stream event, burst", 4.0, Shape::Burst, Cost::event_us),
    ]
}

/// What the gateway adds to the 99th percentile beyond what nginx adds, in milliseconds.
fn added_p99_ms(results: &Results) -> Option<f64> {
    let figure = |server| Figure { server, question: SMALL, of: |latency: &super::Latency| latency.p99_us };
    results.trusted(results.added(Mode::Paced, figure(GATEWAY), figure(NGINX)) / 1e3)
}

fn failover(results: &Results, provider: Provider) -> Target {
    let added = failover_added(results, provider, |latency| latency.p50_us) / 1e3;
    let what = format!("failover, {}: added p50, the failed attempt included", provider.name());
    Target { what, ..target("", 1.0, results.trusted(added), "ms") }
}

fn hedge(results: &Results) -> [Target; 2] {
    let mut sorted = results.hedges_ns.clone();
    sorted.sort_unstable();
    let at = |share| results.trusted(bytes(percentile(&sorted, share)) / 1e6);
    [
        target("hedge, the loser's connection is gone, p50", 1.0, at(0.5), "ms"),
        target("hedge, the loser's connection is gone, p99", 1.0, at(0.99), "ms"),
    ]
}

fn growth_mib(found: &Found) -> Option<f64> {
    let (_, first) = found.soak.first()?;
    let (_, last) = found.soak.last()?;
    Some((bytes(*last) - bytes(*first)) / MIB)
}
