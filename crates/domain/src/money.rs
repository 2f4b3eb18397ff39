//! Money as integers: nano-dollars, and prices in nano-dollars per million units.
//!
//! Rounding happens once per ledger entry, half up, in [`Cost::round`]; everything before that is exact.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const NANOS_PER_DOLLAR: i64 = 1_000_000_000;
const MILLION: i128 = 1_000_000;

/// An amount in billionths of a US dollar. Negative amounts are corrections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// No money.
    pub const ZERO: NanoUsd = NanoUsd(0);
    /// The largest amount: stands for "cannot be bounded".
    pub const MAX: NanoUsd = NanoUsd(i64::MAX);

    /// Sum, or `None` on overflow.
    pub fn checked_add(self, other: NanoUsd) -> Option<NanoUsd> {
        self.0.checked_add(other.0).map(NanoUsd)
    }

    /// Sum, stopping at the largest amount.
    #[must_use]
    pub fn saturating_add(self, other: NanoUsd) -> NanoUsd {
        NanoUsd(self.0.saturating_add(other.0))
    }

    /// Difference, stopping at the smallest amount.
    #[must_use]
    pub fn saturating_sub(self, other: NanoUsd) -> NanoUsd {
        NanoUsd(self.0.saturating_sub(other.0))
    }

    /// The amount as a JSON-ready floating point number of dollars: for display in fields that other gateways
    /// define as numbers (`usage.cost`), never for arithmetic.
    #[expect(
        clippy::cast_precision_loss,
        reason = "display only: 2^53 nano-dollars are nine million dollars"
    )]
    pub fn as_dollars_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Plain decimal dollars without trailing zeros: `0.0001`, `12`, `-0.5`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.unsigned_abs() / NANOS_PER_DOLLAR.unsigned_abs();
        let nanos = self.0.unsigned_abs() % NANOS_PER_DOLLAR.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        if nanos == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// A text that is not a decimal amount of dollars with at most nine places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAmount;

impl fmt::Display for InvalidAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal amount: write dollars like 1.50, with at most nine decimal places")
    }
}

impl std::error::Error for InvalidAmount {}

/// Reads decimal dollars (`1.50`, `0.0001`, `-3`) exactly; more than nine places are refused, zeros aside.
impl FromStr for NanoUsd {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        parse_decimal(text).map(NanoUsd).ok_or(InvalidAmount)
    }
}

fn parse_decimal(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty()
        || fraction.len() > 9
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let nanos: i64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
    let amount = whole.checked_mul(NANOS_PER_DOLLAR)?.checked_add(nanos)?;
    Some(if negative { -amount } else { amount })
}

/// A price in nano-dollars per million units (tokens, requests, characters …). $0.0125 per million is 12 500 000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PricePerMillion(pub i64);

impl PricePerMillion {
    /// Free of charge.
    pub const ZERO: PricePerMillion = PricePerMillion(0);

    /// The price of one unit given in nano-dollars: what a fee per request or per search is.
    pub const fn per_unit(fee: NanoUsd) -> PricePerMillion {
        PricePerMillion(fee.0.saturating_mul(1_000_000))
    }

    /// What `units` cost, exactly.
    pub fn times(self, units: u64) -> Cost {
        Cost(i128::from(self.0) * i128::from(units))
    }
}

/// Decimal dollars per million.
impl fmt::Display for PricePerMillion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NanoUsd(self.0).fmt(f)
    }
}

/// Reads decimal dollars per million units.
impl FromStr for PricePerMillion {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        parse_decimal(text).map(PricePerMillion).ok_or(InvalidAmount)
    }
}

/// An exact, unrounded sum of price × units, in millionths of a nano-dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(i128);

impl Cost {
    /// Nothing.
    pub const ZERO: Cost = Cost(0);

    /// Adds another exact amount.
    #[must_use]
    pub fn plus(self, other: Cost) -> Cost {
        Cost(self.0.saturating_add(other.0))
    }

    /// Rounds half up to whole nano-dollars: once, at the end. Saturates at [`NanoUsd::MAX`].
    pub fn round(self) -> NanoUsd {
        let rounded = self.0.saturating_add(MILLION / 2).div_euclid(MILLION);
        NanoUsd(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Rounds up to whole nano-dollars: for upper bounds, which must never be below the bill.
    pub fn round_up(self) -> NanoUsd {
        let rounded = self.0.saturating_add(MILLION - 1).div_euclid(MILLION);
        NanoUsd(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::ZERO, Cost::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_print_without_trailing_zeros() {
        for (nanos, text) in [(0, "0"), (100_000, "0.0001"), (1_500_000_000, "1.5"), (-1, "-0.000000001")] {
            assert_eq!(NanoUsd(nanos).to_string(), text);
        }
    }

    #[test]
    fn nonsense_amounts_are_refused() {
        for text in ["", ".", "1,5", "1.0000000001", "1e3", "--1", "+1", " 1", "99999999999999"] {
            assert_eq!(text.parse::<NanoUsd>(), Err(InvalidAmount), "{text:?}");
        }
        assert_eq!("1.5000000000000".parse::<NanoUsd>(), Ok(NanoUsd(1_500_000_000)));
    }

    #[test]
    fn cost_rounds_half_up_once() {
        let half = PricePerMillion(500_000).times(1);
        assert_eq!(half.round(), NanoUsd(1));
        assert_eq!(PricePerMillion(499_999).times(1).round(), NanoUsd(0));
        assert_eq!(PricePerMillion(1).times(1).round_up(), NanoUsd(1));
        assert_eq!([half, half].into_iter().sum::<Cost>().round(), NanoUsd(1));
    }

    proptest! {
        #[test]
        fn printed_amounts_read_back(nanos in (i64::MIN + 1)..i64::MAX) {
            prop_assert_eq!(NanoUsd(nanos).to_string().parse(), Ok(NanoUsd(nanos)));
        }

        #[test]
        fn a_bound_is_never_below_the_bill(price in 0..i64::MAX, units in 0..10_000_000_u64) {
            let cost = PricePerMillion(price).times(units);
            prop_assert!(cost.round_up() >= cost.round());
        }
    }
}
