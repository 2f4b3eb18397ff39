//! Tables of requests that are passed on as they are: CPU, threads, latency, memory.

use std::fmt::Write as _;

use super::{MIB, bytes, digits, line, spread, trusted, worst};
use crate::compare::plan::{AMOUNTS, DIRECT, GATEWAY, MANY, NGINX, PACE, SMALL};
use crate::compare::results::{Figure, Found, Latency, Mode, Results};
use crate::compare::subject::Cost;
use crate::question::{Question, Shape};
use crate::statistics::median;

pub(super) fn costs(page: &mut String, results: &Results) {
    page.push_str("| request | server | path | drain | sum | path × nginx | sum × nginx | per event | event × nginx |\n");
    page.push_str("|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for (shape, _) in AMOUNTS {
        for found in results.found.iter().filter(|found| found.name != DIRECT) {
            line(page, &cost_row(results, found, shape));
        }
    }
    page.push_str(
        "\nThe soak, small requests over 64 connections with nothing locked, drain included (µs a request):",
    );
    for found in results.found.iter().filter(|found| found.name != DIRECT) {
        _ = write!(page, " {} {};", found.name, digits(found.soak_us));
    }
    page.push('\n');
}

fn cost_row(results: &Results, found: &Found, shape: Shape) -> String {
    let (name, question) = (found.name, Question::relay(shape));
    let cell = |figure: fn(&Cost) -> f64| spread(&found.figures(question, figure));
    let times = |of: fn(&Cost) -> f64, base: fn(&Cost) -> f64| {
        let figure = Figure { server: name, question, of };
        trusted(results.ratio(figure, Figure { server: NGINX, question, of: base }))
    };
    let drains = name == GATEWAY;
    let drain = if drains { cell(Cost::drain_us) } else { "–".to_owned() };
    let (event, event_times) = if shape.streams() {
        (cell(Cost::event_us), times(Cost::event_us, Cost::event_us))
    } else {
        ("–".to_owned(), "–".to_owned())
    };
    format!(
        "| {} | {name} | {} | {drain} | {} | {} | {} | {event} | {event_times} |",
        shape.name(),
        cell(Cost::path_us),
        cell(Cost::sum_us),
        times(Cost::path_us, Cost::path_us),
        times(Cost::sum_us, Cost::path_us),
    )
}

/// Whose work the path is.
pub(super) fn threads(page: &mut String, results: &Results) {
    let Some(found) = results.of(GATEWAY) else { return };
    let Some(costs) = found.costs.get(&SMALL) else { return };
    let mut names: Vec<&String> = costs.iter().flat_map(|cost| cost.path.by_name.keys()).collect();
    names.sort();
    names.dedup();
    page.push_str("\n## Threads\n\nThe path of a small request by the names of the gateway's threads.\n\n");
    page.push_str("| thread | µs a request |\n|---|---:|\n");
    for name in names {
        let spent = found.figures(SMALL, |cost| {
            bytes(cost.path.by_name.get(name).copied().unwrap_or(0)) / bytes(cost.requests.max(1)) / 1e3
        });
        line(page, &format!("| {name} | {} |", spread(&spent)));
    }
}

pub(super) fn latencies(page: &mut String, results: &Results) {
    page.push_str("\n## Latency\n\nSmall requests; median of the rounds. *Added* is the difference to asking the upstream ");
    _ = writeln!(
        page,
        "directly, in the same round. On a machine whose cores are full latency is mostly waiting for a core: with \
         {MANY} connections in a closed loop it is throughput in other words, so they are also measured at {PACE} \
         requests a second.\n"
    );
    page.push_str("| connections | server | p50 µs | p99 µs | added p50 µs | added p99 µs | requests/s |\n");
    page.push_str("|---|---|---:|---:|---:|---:|---:|\n");
    let modes = [(Mode::One, "1"), (Mode::Full, "64, closed loop"), (Mode::Paced, "64, paced")];
    for (mode, title) in modes {
        for found in &results.found {
            let middle = |figure: fn(&Latency) -> f64| digits(median(&found.latency(mode, SMALL, figure)));
            let added = |of| {
                let figure = |server| Figure { server, question: SMALL, of };
                digits(results.added(mode, figure(found.name), figure(DIRECT)))
            };
            let row = format!(
                "| {title} | {} | {} | {} | {} | {} | {:.0} |",
                found.name,
                middle(|latency| latency.p50_us),
                middle(|latency| latency.p99_us),
                added(|latency| latency.p50_us),
                added(|latency| latency.p99_us),
                median(&found.latency(mode, SMALL, |latency| latency.rate)),
            );
            line(page, &row);
        }
    }
}

pub(super) fn memory(page: &mut String, results: &Results) {
    page.push_str("\n## Memory and start-up\n\nResident memory in MiB; start-up in ms until ready, median (slowest).\n\n");
    page.push_str(
        "| server | idle | during the soak, after … requests | after all rounds | first start | restart |\n",
    );
    page.push_str("|---|---:|---|---:|---:|---:|\n");
    for found in results.found.iter().filter(|found| found.name != DIRECT) {
        let soak: Vec<String> = found
            .soak
            .iter()
            .map(|(requests, resident)| format!("{requests}: {}", digits(bytes(*resident) / MIB)))
            .collect();
        let row = format!(
            "| {} | {} | {} | {} | {} | {} |",
            found.name,
            digits(bytes(found.resident_idle) / MIB),
            soak.join(" · "),
            digits(bytes(found.resident_end) / MIB),
            starts(&found.ready_ms),
            starts(&found.ready_again_ms),
        );
        line(page, &row);
    }
    _ = writeln!(page, "\n`restart`: with the {} rows this run left in the ledger.", results.rows);
}

fn starts(taken: &[f64]) -> String {
    if taken.is_empty() {
        "–".to_owned()
    } else {
        format!("{} ({})", digits(median(taken)), digits(worst(taken)))
    }
}
