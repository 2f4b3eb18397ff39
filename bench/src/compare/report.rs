//! Results as a Markdown page. Not a judge: figures stand beside their floors and goals, a reader decides.

use std::fmt::Write as _;

use super::Options;
use super::results::{Found, Mode, Results};
use super::rounds::{AMOUNTS, DIRECT, GATEWAY, MANY, NGINX, PACE};
use super::subject::Cost;
use crate::body::Shape;
use crate::statistics::{least, median};

const MIB: f64 = 1024.0 * 1024.0;

/// A figure with a floor, which must be met, and a goal.
struct Target {
    what: &'static str,
    floor: f64,
    goal: Option<f64>,
    measured: Option<f64>,
    unit: &'static str,
}

/// The page.
pub(super) fn markdown(results: &Results, options: &Options) -> String {
    let mut page = String::from("# Benchmark\n\n");
    for (what, value) in &results.machine {
        line(&mut page, &format!("- {what}: {value}"));
    }
    let amount = options.amount;
    line(&mut page, &format!("- rounds: {}, each with {amount} % of the usual requests", options.rounds));
    line(
        &mut page,
        &format!("- ledger: {} rows for {} requests the upstream served", results.rows, results.served),
    );
    if !results.doubts.is_empty() {
        line(&mut page, "\n**Ratios are refused**, because the servers did not do the same work:\n");
        for doubt in &results.doubts {
            line(&mut page, &format!("- {doubt}"));
        }
    }
    page.push_str("\n## Floors and goals\n\n");
    floors(&mut page, results);
    page.push_str(HOW);
    costs(&mut page, results);
    threads(&mut page, results);
    latencies(&mut page, results);
    memory(&mut page, results);
    page.push_str("\n## Effective configuration\n");
    page.push_str(SETUP);
    for (title, text) in &results.configuration {
        line(&mut page, &format!("\n{title}:\n\n```\n{}\n```", text.trim_end()));
    }
    page
}

const HOW: &str = "
## CPU per request

Microseconds of the server's own user and system time, all threads: median of the rounds (lowest round). Ratios are
medians of the ratios within each round. *Path*: until the last answer is sent, journal included; the ledger file is
locked meanwhile, so that nothing is drained. *Drain*: per row from the journal into the store, after the lock is given
back, until all rows are there. An *event* is one of the 104 of a stream, its share of the request included.

";

const SETUP: &str = "
Upstream: the mock, no latency, answers of 1.2 KB, streams of 100 chunks 10 ms apart (*burst*: without pauses), usage
included. All on loopback, HTTP/1.1, one process each; nginx with one worker, trunkline with as many threads as it
chooses. Request bodies: small 871 bytes, medium 20,600, large 512,000. Ledger and metrics are on, as they always are.
";

fn floors(page: &mut String, results: &Results) {
    let path = results.ratio("small", (GATEWAY, Cost::path_us), (NGINX, Cost::path_us));
    let sum = results.ratio("small", (GATEWAY, Cost::sum_us), (NGINX, Cost::path_us));
    let event = results.ratio("stream", (GATEWAY, Cost::event_us), (NGINX, Cost::event_us));
    let large = results.ratio("large", (GATEWAY, Cost::sum_us), (NGINX, Cost::path_us));
    let p99 = added_p99_ms(results);
    let gateway = results.of(GATEWAY);
    let idle = gateway.map(|found| bytes(found.resident_idle) / MIB);
    let ready = gateway.map(|found| worst(&found.ready_ms).max(worst(&found.ready_again_ms)));
    let growth = gateway.and_then(growth_mib);
    let target = |what, floor, goal, measured, unit| Target { what, floor, goal, measured, unit };
    let targets = [
        target("path, small request", 2.0, Some(1.5), path, "× nginx"),
        target("sum, small request", 2.5, Some(2.0), sum, "× nginx"),
        target("sum, large request", 2.0, Some(1.7), large, "× nginx"),
        target("stream event, 10 ms apart", 1.2, Some(1.0), event, "× nginx"),
        target("added p99 at 64 connections, paced, above nginx's", 1.0, None, p99, "ms"),
        target("resident memory, idle", 20.0, None, idle, "MiB"),
        target("its growth over the last four fifths of the soak", 1.0, None, growth, "MiB"),
        target("ready after, slowest start", 100.0, None, ready, "ms"),
        target("binary, stripped", 25.0, None, Some(bytes(results.binary_bytes) / MIB), "MiB"),
    ];
    page.push_str("| | floor | goal | measured | |\n|---|---:|---:|---:|---|\n");
    for target in &targets {
        let goal = target.goal.map_or_else(String::new, |goal| format!("≤ {goal}"));
        let (measured, met) = match target.measured {
            None => ("refused".to_owned(), ""),
            Some(value) if target.goal.is_some_and(|goal| value <= goal) => (digits(value), "goal met"),
            Some(value) if value <= target.floor => (digits(value), "floor met"),
            Some(value) => (digits(value), "**floor missed**"),
        };
        let Target { what, floor, unit, .. } = target;
        line(page, &format!("| {what} ({unit}) | ≤ {floor} | {goal} | {measured} | {met} |"));
    }
}

/// What the gateway adds to the 99th percentile beyond what nginx adds, in milliseconds.
fn added_p99_ms(results: &Results) -> Option<f64> {
    let p99 = results.added(GATEWAY, NGINX, Mode::Paced, |latency| latency.p99_us) / 1e3;
    results.doubts.is_empty().then_some(p99)
}

fn growth_mib(found: &Found) -> Option<f64> {
    let (_, first) = found.soak.first()?;
    let (_, last) = found.soak.last()?;
    Some((bytes(*last) - bytes(*first)) / MIB)
}

fn costs(page: &mut String, results: &Results) {
    page.push_str("| request | server | path | drain | sum | path × nginx | sum × nginx | per event | event × nginx |\n");
    page.push_str("|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for amount in AMOUNTS {
        let shape = amount.shape;
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
    let (name, shape_name) = (found.name, shape.name());
    let cell = |figure: fn(&Cost) -> f64| spread(&found.figures(shape_name, figure));
    let times = |figure: fn(&Cost) -> f64, base: fn(&Cost) -> f64| {
        results.ratio(shape_name, (name, figure), (NGINX, base)).map_or_else(|| "refused".to_owned(), digits)
    };
    let drains = name == GATEWAY;
    let drain = if drains { cell(Cost::drain_us) } else { "–".to_owned() };
    let (event, event_times) = if shape.streams() {
        (cell(Cost::event_us), times(Cost::event_us, Cost::event_us))
    } else {
        ("–".to_owned(), "–".to_owned())
    };
    format!(
        "| {shape_name} | {name} | {} | {drain} | {} | {} | {} | {event} | {event_times} |",
        cell(Cost::path_us),
        cell(Cost::sum_us),
        times(Cost::path_us, Cost::path_us),
        times(Cost::sum_us, Cost::path_us),
    )
}

/// Whose work the path is.
fn threads(page: &mut String, results: &Results) {
    let Some(found) = results.of(GATEWAY) else { return };
    let Some(costs) = found.costs.get("small") else { return };
    let mut names: Vec<&String> = costs.iter().flat_map(|cost| cost.path.by_name.keys()).collect();
    names.sort();
    names.dedup();
    page.push_str("\n## Threads\n\nThe path of a small request by the names of the gateway's threads.\n\n");
    page.push_str("| thread | µs a request |\n|---|---:|\n");
    for name in names {
        let spent = found.figures("small", |cost| {
            bytes(cost.path.by_name.get(name).copied().unwrap_or(0)) / bytes(cost.requests.max(1)) / 1e3
        });
        line(page, &format!("| {name} | {} |", spread(&spent)));
    }
}

fn latencies(page: &mut String, results: &Results) {
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
            let middle =
                |figure: fn(&super::results::Latency) -> f64| digits(median(&found.latency(mode, figure)));
            let added = |figure| digits(results.added(found.name, DIRECT, mode, figure));
            let row = format!(
                "| {title} | {} | {} | {} | {} | {} | {:.0} |",
                found.name,
                middle(|latency| latency.p50_us),
                middle(|latency| latency.p99_us),
                added(|latency| latency.p50_us),
                added(|latency| latency.p99_us),
                median(&found.latency(mode, |latency| latency.rate)),
            );
            line(page, &row);
        }
    }
}

fn memory(page: &mut String, results: &Results) {
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

fn spread(values: &[f64]) -> String {
    if values.is_empty() {
        "–".to_owned()
    } else {
        format!("{} ({})", digits(median(values)), digits(least(values)))
    }
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

/// Three digits that matter.
fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts far below 2^53")]
fn bytes(value: u64) -> f64 {
    value as f64
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::CpuSpent;

    fn found(name: &'static str, path_us: u64) -> Found {
        let path = CpuSpent { total_ns: path_us * 1_000, ..CpuSpent::default() };
        let cost = Cost { requests: 1, path, ..Cost::default() };
        Found { name, costs: [("small", vec![cost])].into(), ..Found::default() }
    }

    #[test]
    fn a_figure_stands_beside_its_floor_and_its_goal() {
        for (path_us, verdict) in [(15, "goal met"), (18, "floor met"), (21, "**floor missed**")] {
            let results =
                Results { found: vec![found(NGINX, 10), found(GATEWAY, path_us)], ..Results::default() };
            let mut page = String::new();
            floors(&mut page, &results);
            let row = page.lines().find(|line| line.contains("path, small request")).unwrap();
            assert!(row.contains(verdict), "{row}");
        }
    }

    #[test]
    fn no_ratio_is_shown_where_there_is_a_doubt() {
        let doubts = vec!["trunkline: the ledger has 9 rows for 10 requests served".to_owned()];
        let results =
            Results { found: vec![found(NGINX, 10), found(GATEWAY, 15)], doubts, ..Results::default() };
        let mut page = String::new();
        floors(&mut page, &results);
        costs(&mut page, &results);
        assert!(page.contains("refused") && !page.contains("1.50"), "{page}");
    }
}
