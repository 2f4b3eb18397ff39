//! What a call costs, exactly, and what it can cost at most. Rounding is the caller's, once per ledger entry.
//!
//! Where to look first: [`PriceList::cost`] and [`PriceList::bound`], and the law between them: a bound is never below
//! the cost of any usage within its limits.

use trunkline_domain::money::Cost;
use trunkline_domain::{NanoUsd, PricePerMillion, UnixMs, Usage};

use crate::price::{Period, PriceList, Rates, ServiceTier, TokenClass, Unit};

/// Under which terms a call was served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The tier the provider's answer names.
    pub service_tier: ServiceTier,
    /// When the call was made: one instant for its bound and its cost.
    pub at: UnixMs,
}

/// Why a usage has no price. Such a usage is never recorded as costing nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// No price is known at all.
    #[error("no price is known")]
    NoPrice,
    /// The service tier is dearer than the standard one and has no price.
    #[error("no price is known for the service tier `{}`", .0.as_str())]
    Tier(ServiceTier),
    /// A class of tokens was consumed that has no price.
    #[error("no price is known for {} tokens", .0.as_str())]
    Class(TokenClass),
    /// A unit was consumed that has no price.
    #[error("no price is known per {}", unit_name(*.0))]
    Unit(Unit),
}

/// Why the cost of a request cannot be bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbounded {
    /// No price is known at all.
    #[error("no price is known")]
    NoPrice,
    /// Prompt or output tokens have no price.
    #[error("no price is known for {} tokens", .0.as_str())]
    Class(TokenClass),
    /// The offer bills units whose number no limit of the request bounds.
    #[error("it bills per {}, and nothing in the request bounds how many", unit_name(*.0))]
    Unit(Unit),
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Search => "search",
        Unit::Image => "image",
        Unit::Page => "page",
        Unit::Second => "second",
    }
}

impl PriceList {
    /// What a usage costs, exactly. The period is chosen by the instant, the tier by the terms (batch and flex without
    /// a price of their own are billed at the standard price, dearer tiers are unpriced), the step by the whole
    /// prompt, the class as [`TokenClass::billed_as`] says; the request fee is always in.
    pub fn cost(&self, usage: &Usage, terms: &Terms) -> Result<Cost, Unpriced> {
        let period = self.period(terms.at).ok_or(Unpriced::NoPrice)?;
        let rates = rates_for(period, usage.prompt_total(), terms)?;
        let mut cost = PricePerMillion::per_unit(period.fees.request.unwrap_or(NanoUsd::ZERO)).times(1);
        for (class, tokens) in classes(usage).into_iter().filter(|(_, tokens)| *tokens > 0) {
            cost = cost.plus(rates.billed(class).ok_or(Unpriced::Class(class))?.times(tokens));
        }
        for (unit, count) in units(usage).into_iter().filter(|(_, count)| *count > 0) {
            let fee = period.fees.get(unit).ok_or(Unpriced::Unit(unit))?;
            cost = cost.plus(PricePerMillion::per_unit(fee).times(count));
        }
        Ok(cost)
    }

    /// The most a request can cost whose prompt and whose every choice stay within these tokens: each at the dearest
    /// class of any service tier, prompt size and hour it can meet, and the request fee. Searches are not in it:
    /// a request that can cause them is unbounded by its own form.
    pub fn bound(
        &self,
        prompt_tokens_max: u64,
        output_tokens_max: u64,
        choices: u32,
        at: UnixMs,
    ) -> Result<NanoUsd, Unbounded> {
        let period = self.period(at).ok_or(Unbounded::NoPrice)?;
        let open_ended = |unit: &Unit| period.fees.get(*unit).is_some_and(|fee| fee > NanoUsd::ZERO);
        if let Some(unit) = [Unit::Image, Unit::Page, Unit::Second].into_iter().find(open_ended) {
            return Err(Unbounded::Unit(unit));
        }
        let output_tokens = output_tokens_max.saturating_mul(u64::from(choices));
        let prompt = dearest(period, prompt_tokens_max, TokenClass::Input);
        let output = dearest(period, prompt_tokens_max, TokenClass::Output);
        let fee = PricePerMillion::per_unit(period.fees.request.unwrap_or(NanoUsd::ZERO)).times(1);
        let cost = fee.plus(times(prompt, prompt_tokens_max)?).plus(times(output, output_tokens)?);
        Ok(cost.round_up())
    }
}

fn rates_for<'a>(period: &'a Period, prompt_tokens: u64, terms: &Terms) -> Result<&'a Rates, Unpriced> {
    let standard = || period.sheet(ServiceTier::Standard);
    let sheet = match period.sheet(terms.service_tier) {
        Some(sheet) => Some(sheet),
        None if terms.service_tier.is_discount() => standard(),
        None => return Err(Unpriced::Tier(terms.service_tier)),
    };
    let rates = sheet.and_then(|sheet| sheet.rates(prompt_tokens)).ok_or(Unpriced::NoPrice)?;
    let plain = sheet.is_some_and(|sheet| sheet.tier == ServiceTier::Standard);
    Ok(period.hours(terms.at).filter(|_| plain).unwrap_or(rates))
}

/// The dearest price on the prompt's or the output's side that a prompt of at most this size can meet, or the class
/// that has none.
fn dearest(period: &Period, prompt_tokens_max: u64, side: TokenClass) -> Result<PricePerMillion, TokenClass> {
    let mut dearest = PricePerMillion::ZERO;
    for (_, rates) in period.all_rates().filter(|(above, _)| *above == 0 || *above < prompt_tokens_max) {
        rates.billed(side).ok_or(side)?;
        let same_side = TokenClass::ALL.into_iter().filter(|class| class.is_prompt() == side.is_prompt());
        dearest = same_side.filter_map(|class| rates.billed(class)).fold(dearest, PricePerMillion::max);
    }
    Ok(dearest)
}

fn times(rate: Result<PricePerMillion, TokenClass>, tokens: u64) -> Result<Cost, Unbounded> {
    match rate {
        _ if tokens == 0 => Ok(Cost::ZERO),
        Ok(rate) => Ok(rate.times(tokens)),
        Err(class) => Err(Unbounded::Class(class)),
    }
}

fn classes(usage: &Usage) -> [(TokenClass, u64); TokenClass::ALL.len()] {
    TokenClass::ALL.map(|class| {
        let tokens = match class {
            TokenClass::Input => usage.input_tokens,
            TokenClass::Output => usage.output_tokens,
            TokenClass::CacheRead => usage.cache_read_tokens,
            TokenClass::CacheWrite5m => usage.cache_write_5m_tokens,
            TokenClass::CacheWrite1h => usage.cache_write_1h_tokens,
            TokenClass::Reasoning => usage.reasoning_tokens,
            TokenClass::AudioInput => usage.audio_input_tokens,
            TokenClass::AudioOutput => usage.audio_output_tokens,
            TokenClass::ImageInput => usage.image_input_tokens,
            TokenClass::ImageOutput => usage.image_output_tokens,
        };
        (class, tokens)
    })
}

fn units(usage: &Usage) -> [(Unit, u64); 4] {
    [
        (Unit::Search, u64::from(usage.units.searches)),
        (Unit::Image, u64::from(usage.units.images)),
        (Unit::Page, u64::from(usage.units.pages)),
        (Unit::Second, u64::from(usage.units.seconds)),
    ]
}

#[cfg(test)]
mod tests;
