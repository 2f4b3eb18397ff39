//! Results as a Markdown page. Not a judge: figures stand beside their floors and goals, a reader decides.

mod floors;
mod further;
mod relay;

use super::results::{Latency, Results};
use super::{Options, Part};
use crate::statistics::{least, median};

const MIB: f64 = 1024.0 * 1024.0;

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
        &format!("- ledger: {} rows for {} attempts the upstream saw", results.rows, results.served),
    );
    if !results.doubts.is_empty() {
        line(&mut page, "\n**Ratios are refused**, because the servers did not do the same work:\n");
        for doubt in &results.doubts {
            line(&mut page, &format!("- {doubt}"));
        }
    }
    page.push_str("\n## Floors and goals\n\n");
    floors::floors(&mut page, results, options);
    if options.wants(Part::Relay) {
        page.push_str(HOW);
        relay::costs(&mut page, results);
        relay::threads(&mut page, results);
        relay::latencies(&mut page, results);
        relay::memory(&mut page, results);
    }
    if options.wants(Part::Recast) {
        further::recast(&mut page, results);
    }
    if options.wants(Part::Failover) {
        further::failovers(&mut page, results);
    }
    if options.wants(Part::Hedge) {
        further::hedges(&mut page, results);
    }
    if options.wants(Part::Bookkeeping) {
        further::bookkeeping(&mut page, results);
    }
    if options.wants(Part::Fairness) {
        further::fairness(&mut page, results);
    }
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

/// A ratio, where ratios are not refused.
fn trusted(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "refused".to_owned(), digits)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::compare::plan::{GATEWAY, NGINX, PAIRS, SMALL};
    use crate::compare::results::Found;
    use crate::compare::subject::Cost;
    use crate::process::CpuSpent;
    use crate::question::Question;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        options: Options,
    }

    fn only(part: &str) -> Options {
        Arguments::parse_from(["compare", "--only", part]).options
    }

    fn found(name: &'static str, path_us: u64) -> Found {
        let path = CpuSpent { total_ns: path_us * 1_000, ..CpuSpent::default() };
        let cost = Cost { requests: 1, path, ..Cost::default() };
        Found { name, costs: [(SMALL, vec![cost])].into(), ..Found::default() }
    }

    #[test]
    fn a_figure_stands_beside_its_floor_and_its_goal() {
        for (path_us, verdict) in [(15, "goal met"), (18, "floor met"), (21, "**floor missed**")] {
            let results =
                Results { found: vec![found(NGINX, 10), found(GATEWAY, path_us)], ..Results::default() };
            let mut page = String::new();
            floors::floors(&mut page, &results, &only("relay"));
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
        floors::floors(&mut page, &results, &only("relay"));
        relay::costs(&mut page, &results);
        assert!(page.contains("refused") && !page.contains("1.50"), "{page}");
    }

    #[test]
    fn recasting_is_judged_by_the_dearest_pair_and_the_relay_of_its_size() {
        let cost = |us: u64| {
            let path = CpuSpent { total_ns: us * 1_000, ..CpuSpent::default() };
            vec![Cost { requests: 1, path, ..Cost::default() }]
        };
        let pair = |(caller, provider)| Question { caller, provider, ..SMALL };
        let [one, two, three] = PAIRS.map(pair);
        let costs = [(SMALL, cost(10)), (one, cost(30)), (two, cost(45)), (three, cost(20))].into();
        let gateway = Found { name: GATEWAY, costs, ..Found::default() };
        let results = Results { found: vec![gateway], ..Results::default() };
        let mut page = String::new();
        floors::floors(&mut page, &results, &only("recast"));
        let row = page.lines().find(|line| line.contains("recast, small request")).unwrap();
        assert!(row.contains("4.50") && row.contains("**floor missed**"), "{row}");
        assert!(!page.contains("nginx"), "{page}");
        let row = page.lines().find(|line| line.contains("recast, large request")).unwrap();
        assert!(row.contains("| – | not measured |"), "{row}");
    }
}
