//! Tables of what is judged by the relay: requests and answers written anew for another API, failovers, hedges,
//! bookkeeping, fairness.

use super::{bytes, digits, line, spread, trusted, worst};
use crate::compare::plan::{FAILOVERS, GATEWAY, PAIRS, RECAST, SMALL};
use crate::compare::results::{Fair, Figure, Latency, Mode, Results};
use crate::compare::subject::Cost;
use crate::question::{Provider, Question, Shape};
use crate::statistics::{median, percentile};

const RECAST_HOW: &str = "
## Recast

Callers of one API at a provider of another: request and answer are read and written anew. The relay is the gateway's own,
for OpenAI's callers at OpenAI's provider, with a request of the same size in the same round.

| request | callers | provider | path µs | path × relay | sum × relay | per event | event × relay |
|---|---|---|---:|---:|---:|---:|---:|
";

/// Every shape between every two APIs.
pub(super) fn recast(page: &mut String, results: &Results) {
    page.push_str(RECAST_HOW);
    let Some(found) = results.of(GATEWAY) else { return };
    for shape in RECAST {
        for (caller, provider) in PAIRS {
            let question = Question { shape, caller, provider };
            let cell = |figure: fn(&Cost) -> f64| spread(&found.figures(question, figure));
            let times = |of| trusted(times_relay(results, question, of));
            let events = if shape.streams() {
                format!("{} | {}", cell(Cost::event_us), times(Cost::event_us))
            } else {
                "– | –".to_owned()
            };
            let row = format!(
                "| {} | {} | {} | {} | {} | {} | {events} |",
                shape.name(),
                caller.name(),
                provider.name(),
                cell(Cost::path_us),
                times(Cost::path_us),
                times(Cost::sum_us),
            );
            line(page, &row);
        }
    }
}

/// A figure over that of the relay of the same size.
fn times_relay(results: &Results, question: Question, of: fn(&Cost) -> f64) -> Option<f64> {
    let relay = Figure { server: GATEWAY, question: Question::relay(question.shape), of };
    results.ratio(Figure { server: GATEWAY, question, of }, relay)
}

/// The largest of them over the pairs of APIs.
pub(super) fn dearest(results: &Results, shape: Shape, of: fn(&Cost) -> f64) -> Option<f64> {
    let times = |(caller, provider)| times_relay(results, Question { shape, caller, provider }, of);
    PAIRS.map(times).into_iter().reduce(|a, b| Some(a?.max(b?))).flatten()
}

const FAILOVER_HOW: &str = "
## Failover

Small requests over one connection whose first provider answers 503 at once, or refuses the connection, beside plain ones of
the same round. *Added* is the failed attempt itself and everything around it: its row, the choice of the next, and that
one's attempt. CPU is measured as above; *rows* are two.

| first provider | p50 µs | added p50 µs | added p99 µs | path µs | path × plain | sum × plain |
|---|---:|---:|---:|---:|---:|---:|
";

/// Requests whose first provider gives no answer.
pub(super) fn failovers(page: &mut String, results: &Results) {
    page.push_str(FAILOVER_HOW);
    let Some(found) = results.of(GATEWAY) else { return };
    for provider in FAILOVERS {
        let question = Question { provider, ..SMALL };
        let row = format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            provider.name(),
            digits(median(&found.latency(Mode::One, question, |latency| latency.p50_us))),
            digits(failover_added(results, provider, |latency| latency.p50_us)),
            digits(failover_added(results, provider, |latency| latency.p99_us)),
            spread(&found.figures(question, Cost::path_us)),
            trusted(times_relay(results, question, Cost::path_us)),
            trusted(times_relay(results, question, Cost::sum_us)),
        );
        line(page, &row);
    }
}

/// What a failed first attempt adds to a latency, in microseconds.
pub(super) fn failover_added(results: &Results, provider: Provider, of: fn(&Latency) -> f64) -> f64 {
    let figure = |question| Figure { server: GATEWAY, question, of };
    results.added(Mode::One, figure(Question { provider, ..SMALL }), figure(SMALL))
}

/// How soon the losers of hedges were gone.
pub(super) fn hedges(page: &mut String, results: &Results) {
    let mut sorted = results.hedges_ns.clone();
    sorted.sort_unstable();
    let at = |share| digits(bytes(percentile(&sorted, share)) / 1e3);
    let text = format!(
        "
## Hedges

The first provider answers with a head and then nothing; after 20 ms a second one is asked as well and streams. The
upstream, which is both, takes the time from handing over the second's first content to seeing that the first's connection
is gone, over all rounds: p50 {} µs, p99 {} µs, longest {} µs, {} hedges.",
        at(0.5),
        at(0.99),
        at(1.0),
        sorted.len(),
    );
    line(page, &text);
}

/// What remembering how deployments do costs.
pub(super) fn bookkeeping(page: &mut String, results: &Results) {
    let text = format!(
        "
## Bookkeeping

The calls of `health` and `measure` that a request with a good answer makes (breaker, headroom, pace, budgets of retries and
hedges, the published table), on one thread of this process, as if 8,000 came a second: median of {} batches (lowest) {}
ns.",
        results.bookkeeping_ns.len(),
        spread(&results.bookkeeping_ns),
    );
    line(page, &text);
}

const FAIRNESS_HOW: &str = "
## Fairness

A gateway with 16 places and a provider that takes 200 ms. One key asks for three quarters of its share, alone and then
beside another that comes a second later and asks for fifty times its own. *Waited* is the 99th percentile of what the quiet
one's answers took beyond the provider's 200 ms: at the door, and in the gateway; median of the rounds (worst round).

| quiet one | waited p99 ms | its answers | the noisy one's answers | refusals |
|---|---:|---:|---:|---:|
";

/// What a quiet caller notices of a noisy one.
pub(super) fn fairness(page: &mut String, results: &Results) {
    page.push_str(FAIRNESS_HOW);
    let rounds = &results.fairness;
    let waited = |figure: fn(&Fair) -> f64| {
        let waited: Vec<f64> = rounds.iter().map(figure).collect();
        format!("{} ({})", digits(median(&waited)), digits(worst(&waited)))
    };
    let sum = |figure: fn(&Fair) -> u64| rounds.iter().map(figure).sum::<u64>();
    line(page, &format!("| alone | {} | – | – | – |", waited(|fair| fair.alone_ms)));
    let row = format!(
        "| beside the noisy one | {} | {} | {} | {} |",
        waited(|fair| fair.beside_ms),
        sum(|fair| fair.quiet),
        sum(|fair| fair.served),
        sum(|fair| fair.refused),
    );
    line(page, &row);
}
