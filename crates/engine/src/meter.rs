//! What an attempt consumed and what that costs: the provider's own report, or an estimate that says so.

use trunkline_catalogue::{ServiceTier, Terms};
use trunkline_domain::money::Cost;
use trunkline_domain::{NanoUsd, UnixMs, Usage, UsageSource};
use trunkline_routing::world::Deployment;
use trunkline_wire::codec::{AnswerFacts, Skim};

/// Bytes of text a token stands for on average, where nobody counted: English prose in current vocabularies.
const BYTES_PER_TOKEN: u64 = 4;

/// A metered attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metered {
    /// In disjoint classes.
    pub(crate) usage: Usage,
    /// Who says so.
    pub(crate) source: UsageSource,
    /// What the provider charges; zero where the price is not known, which the row's price version then says.
    pub(crate) cost: NanoUsd,
}

/// What the prompt of a request weighs, for estimates.
pub(crate) fn prompt_estimate(skim: &Skim) -> u64 {
    text_tokens(skim.text_bytes)
}

/// What so much text weighs, for estimates.
pub(crate) fn text_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Counting tokens is free where it is offered at all, whatever a price list says of answers.
pub(crate) fn counted() -> Metered {
    Metered { source: UsageSource::Reported, ..Metered::default() }
}

/// Meters an answer from what it said about itself: reported before estimated.
pub(crate) fn meter(
    deployment: &Deployment,
    facts: &AnswerFacts,
    prompt_estimate: u64,
    at: UnixMs,
) -> Metered {
    let (usage, source) = match facts.usage {
        Some(usage) => (usage, UsageSource::Reported),
        None => (estimate(facts, prompt_estimate), UsageSource::Estimated),
    };
    Metered { usage, source, cost: cost(deployment, facts, &usage, at) }
}

/// Priced by the tier the answer names. A tier nobody has a price for is priced as the standard one.
fn cost(deployment: &Deployment, facts: &AnswerFacts, usage: &Usage, at: UnixMs) -> NanoUsd {
    let served = facts.service_tier.as_deref().and_then(ServiceTier::from_wire).unwrap_or_default();
    let priced = |service_tier| deployment.offer.prices.cost(usage, &Terms { service_tier, at });
    priced(served).or_else(|_| priced(ServiceTier::Standard)).map(Cost::round).unwrap_or_default()
}

fn estimate(facts: &AnswerFacts, prompt_estimate: u64) -> Usage {
    Usage {
        input_tokens: prompt_estimate,
        output_tokens: facts.output_bytes.div_ceil(BYTES_PER_TOKEN),
        ..Usage::default()
    }
}
