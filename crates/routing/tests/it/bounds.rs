//! The most an attempt can cost.

use proptest::prelude::*;
use trunkline_catalogue::{Fees, PriceList, Rates, Terms};
use trunkline_domain::{NanoUsd, PricePerMillion, UnixMs, Usage};
use trunkline_routing::bound::{NoBound, affordable_output, bound};
use trunkline_wire::codec::OutputMax;

use crate::house::{deployment, skim};

#[test]
fn a_fee_per_request_bounds_whatever_is_asked() {
    let mut fixed = deployment("a", "m", "acme/m", "1");
    let zero = Rates::of(PricePerMillion::ZERO, PricePerMillion::ZERO);
    fixed.offer.prices = PriceList::flat(zero, Fees { request: Some(NanoUsd(100_000)), ..Fees::default() });
    let mut asked = skim("acme/m");
    asked.referenced_media = 3;
    asked.needs.unbounded_fees = true;
    assert_eq!(bound(&fixed, &asked, None, UnixMs(0)), Ok(NanoUsd(100_000)));
}

#[test]
fn a_medium_by_reference_is_bounded_by_the_window_alone() {
    let mut open = deployment("a", "m", "acme/m", "1");
    let mut asked = skim("acme/m");
    asked.referenced_media = 1;
    assert!(bound(&open, &asked, None, UnixMs(0)).is_ok());
    open.offer.context_window = None;
    assert_eq!(bound(&open, &asked, None, UnixMs(0)), Err(NoBound::Unbounded("messages")));
}

#[test]
fn an_output_nobody_limits_has_no_bound() {
    let mut open = deployment("a", "m", "acme/m", "1");
    (open.offer.context_window, open.offer.output_max) = (None, None);
    let mut asked = skim("acme/m");
    assert_eq!(bound(&open, &asked, None, UnixMs(0)), Err(NoBound::Unbounded("max_tokens")));
    asked.output_max = Some(OutputMax { field: "max_tokens", tokens: 10 });
    assert!(bound(&open, &asked, None, UnixMs(0)).is_ok());
}

proptest! {
    #[test]
    fn the_bound_is_never_below_the_bill(text_bytes in 0_u64..40_000, choices in 1_u32..4, input in 0_u64..8_000, output in 0_u64..1_000) {
        let target = deployment("a", "m", "acme/m", "3");
        let mut asked = skim("acme/m");
        (asked.text_bytes, asked.choices) = (text_bytes, choices);
        let input_tokens = input.min(text_bytes);
        let usage = Usage { input_tokens, output_tokens: output * u64::from(choices), ..Usage::default() };
        let cost = target.offer.prices.cost(&usage, &Terms::default()).unwrap().round();
        prop_assert!(bound(&target, &asked, None, UnixMs(0)).unwrap() >= cost);
    }

    #[test]
    fn the_affordable_output_fits_and_one_token_more_does_not(room in 0_i64..20_000_000) {
        let target = deployment("a", "m", "acme/m", "3");
        let asked = skim("acme/m");
        let of = |cap| bound(&target, &asked, Some(cap), UnixMs(0)).unwrap();
        match affordable_output(&target, &asked, NanoUsd(room), UnixMs(0)) {
            None => prop_assert!(of(1) > NanoUsd(room)),
            Some(cap) => {
                prop_assert!(of(cap) <= NanoUsd(room));
                prop_assert!(cap == 1_000 || of(cap + 1) > NanoUsd(room));
            }
        }
    }
}
