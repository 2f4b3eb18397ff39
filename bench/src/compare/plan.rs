//! What is measured: who is asked what, how often, over how many connections. Not the order of it (see [`super::rounds`]).

use super::results::Mode;
use super::subject::Amount;
use super::{Options, Part};
use crate::load::Bound;
use crate::question::{Caller, Provider, Question, Shape};

/// The names in the tables.
pub(super) const DIRECT: &str = "direct";
pub(super) const NGINX: &str = "nginx";
pub(super) const GATEWAY: &str = "trunkline";
pub(super) const LITELLM: &str = "LiteLLM";

/// What is sent in each round: enough for a stable figure, little enough for a busy machine.
pub(super) const AMOUNTS: [(Shape, Amount); 5] = [
    (Shape::Small, Amount { connections: 10, warm_up: 500, requests: 10_000 }),
    (Shape::Medium, Amount { connections: 10, warm_up: 200, requests: 5_000 }),
    (Shape::Large, Amount { connections: 10, warm_up: 50, requests: 1_000 }),
    (Shape::Stream, Amount { connections: 12, warm_up: 12, requests: 48 }),
    (Shape::Burst, Amount { connections: 10, warm_up: 20, requests: 500 }),
];
/// Shapes that are measured between two APIs as well.
pub(super) const RECAST: [Shape; 4] = [Shape::Small, Shape::Large, Shape::Stream, Shape::Burst];
/// Who asks whom in another API.
pub(super) const PAIRS: [(Caller, Provider); 3] = [
    (Caller::Openai, Provider::Anthropic),
    (Caller::Anthropic, Provider::Openai),
    (Caller::Openai, Provider::Gemini),
];
/// Those behind a first one that gives no answer.
pub(super) const FAILOVERS: [Provider; 2] = [Provider::Failing, Provider::Absent];
/// Requests of the soak, in five parts.
pub(super) const SOAK: u64 = 100_000;
pub(super) const SOAK_PARTS: u64 = 5;
/// Connections of soak, full and paced latencies.
pub(super) const MANY: usize = 64;
/// Requests a second of paced latencies.
pub(super) const PACE: f64 = 1_000.0;
/// Hedges in each round, and requests for each that earn it: hedges are at most a twentieth, of requests and of dollars.
pub(super) const HEDGES: u64 = 40;
pub(super) const EARNED_BY: u64 = 30;
/// Requests that earn the bound of the first hedge, which is more than it costs.
pub(super) const EARNED_FIRST: u64 = 100;

/// What a small request is asked as, where it is not said otherwise.
pub(super) const SMALL: Question = Question::relay(Shape::Small);

/// Whose costs are measured in a shape. The relay, by which the others are judged, comes first.
pub(super) fn questions(options: &Options, server: &str, shape: Shape) -> Vec<Question> {
    let mut questions = Vec::new();
    let ours = |part| server == GATEWAY && options.wants(part);
    if ours(Part::Recast) && RECAST.contains(&shape) {
        questions.extend(PAIRS.map(|(caller, provider)| Question { shape, caller, provider }));
    }
    if ours(Part::Failover) && shape == Shape::Small {
        questions.extend(FAILOVERS.map(|provider| Question { provider, ..SMALL }));
    }
    if options.wants(Part::Relay) || !questions.is_empty() {
        questions.insert(0, Question::relay(shape));
    }
    questions
}

/// A slice of latencies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) mode: Mode,
    pub(super) question: Question,
    pub(super) connections: usize,
    pub(super) bound: Bound,
}

/// Whose latencies are measured, and how.
pub(super) fn latencies(options: &Options, server: &str) -> Vec<Asked> {
    let bound = |requests| Bound::requests(options.scaled(requests));
    let slice = |mode, question, connections, bound| Asked { mode, question, connections, bound };
    let failover = server == GATEWAY && options.wants(Part::Failover);
    let mut latencies = Vec::new();
    if options.wants(Part::Relay) || failover {
        latencies.push(slice(Mode::One, SMALL, 1, bound(3_000)));
    }
    if failover {
        let behind = |provider| Question { provider, ..SMALL };
        latencies.extend(FAILOVERS.map(|provider| slice(Mode::One, behind(provider), 1, bound(3_000))));
    }
    if options.wants(Part::Relay) {
        let paced = Bound { rate: Some(PACE), ..bound(3_000) };
        latencies.push(slice(Mode::Full, SMALL, MANY, bound(20_000)));
        latencies.push(slice(Mode::Paced, SMALL, MANY, paced));
    }
    latencies
}
