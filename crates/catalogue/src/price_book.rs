//! Changes to prices: an operator's dated corrections, and the version text that every bill names. What it is not: the
//! shape of a price ([`price`](crate::price)) or its arithmetic ([`PriceList::cost`]).

use ring::digest::{Context, SHA256};
use trunkline_domain::{NanoUsd, PricePerMillion, UnixMs};

use crate::price::{Fees, Hours, Period, PriceList, Rates, Sheet, Step, TokenClass};

/// What an operator says an offer costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    /// From when on.
    pub valid_from: UnixMs,
    /// Standard prices for short prompts. Classes not named stay as they are.
    pub rates: Rates,
    /// Fees. Those not named stay as they are.
    pub fees: Fees,
}

impl PriceList {
    /// The list with a correction in it: until [`Correction::valid_from`] nothing changes; from then on the operator's
    /// word holds, also over periods the list had for later. Long prompts, other service tiers and other hours keep
    /// their proportion to the standard price, rounded up.
    #[must_use]
    pub fn with_correction(&self, correction: &Correction) -> PriceList {
        let before = self.period(correction.valid_from).filter(|period| !period.sheets.is_empty());
        let base = before.and_then(|_| self.standard(correction.valid_from)).copied().unwrap_or_default();
        let flat = || Period {
            sheets: vec![Sheet { steps: vec![Step::default()], ..Sheet::default() }],
            ..Period::default()
        };
        let corrected = correction.apply(&base, before.cloned().unwrap_or_else(flat));
        let kept = self.periods.iter().filter(|period| period.valid_from < correction.valid_from);
        let mut periods: Vec<Period> = kept.cloned().collect();
        periods.push(corrected);
        PriceList { periods }
    }
}

impl Correction {
    fn apply(&self, base: &Rates, period: Period) -> Period {
        let sheet = |sheet: Sheet| {
            let steps = sheet.steps.into_iter();
            let step = |step: Step| Step { rates: self.rescaled(base, step.rates), ..step };
            Sheet { steps: steps.map(step).collect(), ..sheet }
        };
        let hours = |hours: Hours| Hours { rates: self.rescaled(base, hours.rates), ..hours };
        Period {
            valid_from: self.valid_from,
            sheets: period.sheets.into_iter().map(sheet).collect(),
            fees: self.fees.over(period.fees),
            hours: period.hours.into_iter().map(hours).collect(),
        }
    }

    fn rescaled(&self, base: &Rates, rates: Rates) -> Rates {
        self.rates.listed().fold(rates, |rates, (class, to)| {
            let here = rates.billed(class);
            let from = base.billed(class);
            rates.with(class, here.zip(from).and_then(|(here, from)| rescale(here, from, to)).unwrap_or(to))
        })
    }
}

/// `rate × to ÷ from`, rounded up to a nano-dollar per million; `None` where `from` is zero or the result too large.
pub fn rescale(rate: PricePerMillion, from: PricePerMillion, to: PricePerMillion) -> Option<PricePerMillion> {
    let product = i128::from(rate.0).checked_mul(i128::from(to.0))?;
    let from = i128::from(from.0);
    let quotient = product.checked_add(from - 1)?.checked_div_euclid(from)?;
    i64::try_from(quotient).ok().map(PricePerMillion)
}

/// The version text of a price book: the catalogue's, and, where there are corrections, eight hexadecimal digits over
/// all of them in order. Equal texts mean equal prices.
pub fn version<'a>(
    catalogue: &str,
    corrections: impl IntoIterator<Item = (&'a str, &'a Correction)>,
) -> String {
    let mut context = Context::new(&SHA256);
    let mut any = false;
    for (name, correction) in corrections {
        any = true;
        context.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
        context.update(name.as_bytes());
        context.update(&correction.valid_from.0.to_le_bytes());
        for class in TokenClass::ALL {
            update(&mut context, correction.rates.get(class).map(|rate| rate.0));
        }
        let Fees { request, search, image, page, second } = correction.fees;
        for fee in [request, search, image, page, second] {
            update(&mut context, fee.map(|NanoUsd(fee)| fee));
        }
    }
    if any { format!("{catalogue}+{}", hex_prefix(context.finish().as_ref())) } else { catalogue.to_owned() }
}

fn update(context: &mut Context, figure: Option<i64>) {
    context.update(&[u8::from(figure.is_some())]);
    context.update(&figure.unwrap_or(0).to_le_bytes());
}

/// The first four bytes in hexadecimal.
pub(crate) fn hex_prefix(bytes: &[u8]) -> String {
    let first = bytes.first_chunk::<4>().copied().unwrap_or_default();
    format!("{:08x}", u32::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::ServiceTier;

    fn dollars(text: &str) -> PricePerMillion {
        text.parse().unwrap()
    }

    fn tiered() -> PriceList {
        let step = |above_tokens, input: &str, output: &str| Step {
            above_tokens,
            rates: Rates::of(dollars(input), dollars(output)),
        };
        let standard =
            Sheet { steps: vec![step(0, "2", "10"), step(200_000, "4", "15")], ..Sheet::default() };
        let batch = Sheet { tier: ServiceTier::Batch, steps: vec![step(0, "1", "5")] };
        PriceList { periods: vec![Period { sheets: vec![standard, batch], ..Period::default() }] }
    }

    #[test]
    fn a_correction_holds_from_its_instant_and_keeps_proportions() {
        let rates = Rates::default().with(TokenClass::Input, dollars("3"));
        let corrected =
            tiered().with_correction(&Correction { valid_from: UnixMs(1000), rates, fees: Fees::default() });
        let input = |at, tier, prompt| {
            let sheet = corrected.period(UnixMs(at)).unwrap().sheet(tier).unwrap();
            sheet.rates(prompt).unwrap().get(TokenClass::Input).unwrap()
        };
        assert_eq!(input(999, ServiceTier::Standard, 1), dollars("2"));
        assert_eq!(input(1000, ServiceTier::Standard, 1), dollars("3"));
        assert_eq!(input(1000, ServiceTier::Standard, 200_001), dollars("6"));
        assert_eq!(input(1000, ServiceTier::Batch, 1), dollars("1.5"));
        assert_eq!(corrected.standard(UnixMs(1000)).unwrap().get(TokenClass::Output), Some(dollars("10")));
    }

    #[test]
    fn a_correction_prices_what_had_no_price() {
        let correction = Correction {
            valid_from: UnixMs(0),
            rates: Rates::of(dollars("1"), dollars("2")),
            fees: Fees { request: Some(NanoUsd(7)), ..Fees::default() },
        };
        let corrected = PriceList::default().with_correction(&correction);
        assert_eq!(corrected.standard(UnixMs(5)), Some(&correction.rates));
        assert_eq!(corrected.periods[0].fees.request, Some(NanoUsd(7)));
    }

    #[test]
    fn versions_differ_when_prices_do() {
        let one = Correction { rates: Rates::of(dollars("1"), dollars("2")), ..Correction::default() };
        let other = Correction { rates: Rates::of(dollars("1"), dollars("3")), ..Correction::default() };
        assert_eq!(version("2026-01-01-00", []), "2026-01-01-00");
        assert_ne!(version("v", [("a/b", &one)]), version("v", [("a/b", &other)]));
        assert_ne!(version("v", [("a/b", &one)]), version("v", [("a/c", &one)]));
    }
}
