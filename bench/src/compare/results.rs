//! Everything a comparison found, before it becomes a table (see [`super::report`]).

use std::collections::BTreeMap;

use super::subject::Cost;
use crate::statistics::median;

/// How latencies are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// One connection, the next request when the answer is there.
    One,
    /// 64 connections, as fast as answers come: both cores are full.
    Full,
    /// 64 connections, so many requests a second over all: the cores are not full.
    Paced,
}

/// Latencies of one slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) rate: f64,
}

/// What was found about one server.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) name: &'static str,
    /// By shape name, one entry a round.
    pub(super) costs: BTreeMap<&'static str, Vec<Cost>>,
    pub(super) latencies: BTreeMap<Mode, Vec<Latency>>,
    pub(super) resident_idle: u64,
    /// Requests of the soak so far, and resident bytes then.
    pub(super) soak: Vec<(u64, u64)>,
    /// CPU of the soak, drain included and nothing locked, in µs a request.
    pub(super) soak_us: f64,
    /// After all rounds.
    pub(super) resident_end: u64,
    /// Milliseconds from start to ready: in an empty directory.
    pub(super) ready_ms: Vec<f64>,
    /// The same with what the benchmark left in the ledger.
    pub(super) ready_again_ms: Vec<f64>,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) machine: Vec<(&'static str, String)>,
    /// Direct, nginx, the gateway, and others.
    pub(super) found: Vec<Found>,
    pub(super) binary_bytes: u64,
    /// Rows in the ledger at the end, and requests of the gateway that the upstream served.
    pub(super) rows: u64,
    pub(super) served: u64,
    /// Why ratios are refused; empty where they are not.
    pub(super) doubts: Vec<String>,
    /// Titles and texts: configuration files, commands.
    pub(super) configuration: Vec<(&'static str, String)>,
}

impl Found {
    /// One figure of a shape, a value per round.
    pub(super) fn figures(&self, shape: &str, figure: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.costs.get(shape).map(|costs| costs.iter().map(figure).collect()).unwrap_or_default()
    }

    /// One figure of a mode, a value per round.
    pub(super) fn latency(&self, mode: Mode, figure: impl Fn(&Latency) -> f64) -> Vec<f64> {
        self.latencies.get(&mode).map(|slices| slices.iter().map(figure).collect()).unwrap_or_default()
    }
}

impl Results {
    /// What was found about a server.
    pub(super) fn of(&self, name: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.name == name)
    }

    /// The median over rounds of one server's figure over another's of the same round. `None` where it is refused.
    pub(super) fn ratio(
        &self,
        shape: &str,
        (name, figure): (&str, fn(&Cost) -> f64),
        (base, base_figure): (&str, fn(&Cost) -> f64),
    ) -> Option<f64> {
        if !self.doubts.is_empty() {
            return None;
        }
        Some(paired(
            &self.of(name)?.figures(shape, figure),
            &self.of(base)?.figures(shape, base_figure),
            |a, b| a / b,
        ))
    }

    /// The median over rounds of what one server adds to another's latency of the same round.
    pub(super) fn added(&self, name: &str, base: &str, mode: Mode, figure: fn(&Latency) -> f64) -> f64 {
        let (Some(found), Some(base)) = (self.of(name), self.of(base)) else { return f64::NAN };
        paired(&found.latency(mode, figure), &base.latency(mode, figure), |a, b| a - b)
    }
}

fn paired(values: &[f64], base: &[f64], join: impl Fn(f64, f64) -> f64) -> f64 {
    let joined: Vec<f64> = values.iter().zip(base).map(|(value, base)| join(*value, *base)).collect();
    median(&joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::CpuSpent;

    fn found(name: &'static str, path_us: &[u64]) -> Found {
        let cost = |us: &u64| Cost {
            requests: 1,
            path: CpuSpent { total_ns: us * 1_000, ..CpuSpent::default() },
            ..Cost::default()
        };
        Found { name, costs: [("small", path_us.iter().map(cost).collect())].into(), ..Found::default() }
    }

    #[test]
    fn ratios_pair_what_ran_in_the_same_round() {
        let found = vec![found("nginx", &[10, 100, 20]), found("trunkline", &[20, 150, 40])];
        let mut results = Results { found, ..Results::default() };
        let ratio = |results: &Results| {
            results.ratio("small", ("trunkline", Cost::path_us), ("nginx", Cost::path_us))
        };
        assert!((ratio(&results).unwrap() - 2.0).abs() < 1e-9);
        results.doubts.push("a row is missing".to_owned());
        assert_eq!(ratio(&results), None);
    }
}
