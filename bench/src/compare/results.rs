//! Everything a comparison found, before it becomes a table (see [`super::report`]).

use std::collections::BTreeMap;

use super::subject::Cost;
use crate::question::Question;
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
    /// One entry a round.
    pub(super) costs: BTreeMap<Question, Vec<Cost>>,
    pub(super) latencies: BTreeMap<(Mode, Question), Vec<Latency>>,
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

/// A quiet caller alone and beside a noisy one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fair {
    /// 99th percentile of what the quiet one's answers took beyond the provider's own time, in milliseconds.
    pub(super) alone_ms: f64,
    pub(super) beside_ms: f64,
    /// Answers of the quiet one beside the other.
    pub(super) quiet: u64,
    /// Answers of the noisy one, and refusals.
    pub(super) served: u64,
    pub(super) refused: u64,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) machine: Vec<(&'static str, String)>,
    /// Direct, nginx, the gateway, and others.
    pub(super) found: Vec<Found>,
    pub(super) binary_bytes: u64,
    /// Rows in the ledger at the end, and attempts of the gateway that the upstream served or that found nobody.
    pub(super) rows: u64,
    pub(super) served: u64,
    /// From the first content of a hedge's winner to the end of the loser's connection, in nanoseconds.
    pub(super) hedges_ns: Vec<u64>,
    /// What remembering how deployments do costs a request, in nanoseconds, by batch.
    pub(super) bookkeeping_ns: Vec<f64>,
    /// One entry a round.
    pub(super) fairness: Vec<Fair>,
    /// Why ratios are refused; empty where they are not.
    pub(super) doubts: Vec<String>,
    /// Titles and texts: configuration files, commands.
    pub(super) configuration: Vec<(&'static str, String)>,
}

/// One server's figure of one question.
#[derive(Debug)]
pub(super) struct Figure<T> {
    pub(super) server: &'static str,
    pub(super) question: Question,
    pub(super) of: fn(&T) -> f64,
}

impl Found {
    /// One figure of a question, a value per round.
    pub(super) fn figures(&self, question: Question, figure: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.costs.get(&question).map(|costs| costs.iter().map(figure).collect()).unwrap_or_default()
    }

    /// One figure of a mode, a value per round.
    pub(super) fn latency(
        &self,
        mode: Mode,
        question: Question,
        figure: impl Fn(&Latency) -> f64,
    ) -> Vec<f64> {
        let slices = self.latencies.get(&(mode, question));
        slices.map(|slices| slices.iter().map(figure).collect()).unwrap_or_default()
    }
}

impl Results {
    /// What was found about a server.
    pub(super) fn of(&self, name: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.name == name)
    }

    /// The median over rounds of one figure over another of the same round; not a number where one was not measured.
    /// `None` where it is refused.
    pub(super) fn ratio(&self, figure: Figure<Cost>, base: Figure<Cost>) -> Option<f64> {
        let values = |figure: Figure<Cost>| {
            self.of(figure.server).map(|found| found.figures(figure.question, figure.of)).unwrap_or_default()
        };
        self.trusted(paired(&values(figure), &values(base), |a, b| a / b))
    }

    /// The median over rounds of what one latency is above another of the same round.
    pub(super) fn added(&self, mode: Mode, figure: Figure<Latency>, base: Figure<Latency>) -> f64 {
        let values = |figure: Figure<Latency>| {
            let found = self.of(figure.server);
            found.map(|found| found.latency(mode, figure.question, figure.of)).unwrap_or_default()
        };
        paired(&values(figure), &values(base), |a, b| a - b)
    }

    /// A figure, where no figures are refused.
    pub(super) fn trusted(&self, figure: f64) -> Option<f64> {
        self.doubts.is_empty().then_some(figure)
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
    use crate::question::Shape;

    fn found(name: &'static str, path_us: &[u64]) -> Found {
        let cost = |us: &u64| Cost {
            requests: 1,
            path: CpuSpent { total_ns: us * 1_000, ..CpuSpent::default() },
            ..Cost::default()
        };
        let costs = [(Question::relay(Shape::Small), path_us.iter().map(cost).collect())].into();
        Found { name, costs, ..Found::default() }
    }

    #[test]
    fn ratios_pair_what_ran_in_the_same_round() {
        let found = vec![found("nginx", &[10, 100, 20]), found("trunkline", &[20, 150, 40])];
        let mut results = Results { found, ..Results::default() };
        let figure = |server| Figure { server, question: Question::relay(Shape::Small), of: Cost::path_us };
        let ratio = |results: &Results| results.ratio(figure("trunkline"), figure("nginx"));
        assert!((ratio(&results).unwrap() - 2.0).abs() < 1e-9);
        results.doubts.push("a row is missing".to_owned());
        assert_eq!(ratio(&results), None);
    }
}
