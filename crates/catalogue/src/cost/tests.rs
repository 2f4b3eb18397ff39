//! What a price list promises, example by example and as laws.

use proptest::prelude::*;
use trunkline_domain::usage::Units;

use super::*;
use crate::price::{Fees, Hours, Sheet, Step, Window};

fn dollars(text: &str) -> PricePerMillion {
    text.parse().unwrap()
}

fn nano(text: &str) -> NanoUsd {
    text.parse().unwrap()
}

fn at(text: &str) -> UnixMs {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn standard(rates: Rates) -> Period {
    let sheet = Sheet { steps: vec![Step { above_tokens: 0, rates }], ..Sheet::default() };
    Period { sheets: vec![sheet], ..Period::default() }
}

fn list(period: Period) -> PriceList {
    PriceList { periods: vec![period] }
}

fn cost(list: &PriceList, usage: &Usage, terms: &Terms) -> NanoUsd {
    list.cost(usage, terms).unwrap().round()
}

#[test]
fn every_class_has_its_price_and_its_fallback() {
    let plain = Rates::of(dollars("3"), dollars("15"));
    let own = plain
        .with(TokenClass::CacheRead, dollars("0.3"))
        .with(TokenClass::CacheWrite5m, dollars("3.75"))
        .with(TokenClass::CacheWrite1h, dollars("6"))
        .with(TokenClass::Reasoning, dollars("20"))
        .with(TokenClass::AudioInput, dollars("40"));
    let million = 1_000_000;
    for (usage, with_own, with_plain) in [
        (Usage { input_tokens: million, ..Usage::default() }, "3", "3"),
        (Usage { output_tokens: million, ..Usage::default() }, "15", "15"),
        (Usage { cache_read_tokens: million, ..Usage::default() }, "0.3", "3"),
        (Usage { cache_write_5m_tokens: million, ..Usage::default() }, "3.75", "3"),
        (Usage { cache_write_1h_tokens: million, ..Usage::default() }, "6", "3"),
        (Usage { reasoning_tokens: million, ..Usage::default() }, "20", "15"),
        (Usage { audio_input_tokens: million, ..Usage::default() }, "40", "3"),
        (Usage { image_input_tokens: million, ..Usage::default() }, "3", "3"),
    ] {
        assert_eq!(cost(&list(standard(own)), &usage, &Terms::default()), nano(with_own), "{usage:?}");
        assert_eq!(cost(&list(standard(plain)), &usage, &Terms::default()), nano(with_plain), "{usage:?}");
    }
}

#[test]
fn what_has_no_price_is_unpriced_and_never_zero() {
    let input_only = list(standard(Rates::default().with(TokenClass::Input, dollars("1"))));
    let plain = list(standard(Rates::of(dollars("1"), dollars("2"))));
    let output = Usage { output_tokens: 1, ..Usage::default() };
    let spoken = Usage { audio_output_tokens: 1, ..Usage::default() };
    let searched = Usage { units: Units { searches: 1, ..Units::default() }, ..Usage::default() };
    let priority = Terms { service_tier: ServiceTier::Priority, ..Terms::default() };
    for (list, usage, terms, why) in [
        (&PriceList::default(), Usage::default(), Terms::default(), Unpriced::NoPrice),
        (&input_only, output, Terms::default(), Unpriced::Class(TokenClass::Output)),
        (&plain, spoken, Terms::default(), Unpriced::Class(TokenClass::AudioOutput)),
        (&plain, searched, Terms::default(), Unpriced::Unit(Unit::Search)),
        (&plain, output, priority, Unpriced::Tier(ServiceTier::Priority)),
    ] {
        assert_eq!(list.cost(&usage, &terms), Err(why));
    }
    assert_eq!(input_only.bound(1, 1, 1, UnixMs(0)), Err(Unbounded::Class(TokenClass::Output)));
    assert_eq!(input_only.bound(5, 0, 1, UnixMs(0)), Ok(NanoUsd(5_000)));
    assert_eq!(PriceList::default().bound(0, 0, 1, UnixMs(0)), Err(Unbounded::NoPrice));
}

#[test]
fn a_long_prompt_re_prices_the_whole_request_cached_tokens_counted() {
    let long = Rates::of(dollars("2.5"), dollars("15")).with(TokenClass::CacheRead, dollars("0.25"));
    let mut period =
        standard(Rates::of(dollars("1.25"), dollars("10")).with(TokenClass::CacheRead, dollars("0.125")));
    period.sheets[0].steps.push(Step { above_tokens: 200_000, rates: long });
    let list = list(period);
    let usage = |cached| Usage {
        input_tokens: 100_000,
        cache_read_tokens: cached,
        output_tokens: 1000,
        ..Usage::default()
    };
    assert_eq!(cost(&list, &usage(100_000), &Terms::default()), nano("0.1475"));
    assert_eq!(cost(&list, &usage(100_001), &Terms::default()), nano("0.29000025"));
}

#[test]
fn a_discount_without_a_price_is_billed_at_the_standard_one() {
    let mut period = standard(Rates::of(dollars("2"), dollars("8")));
    let batch = Step { above_tokens: 0, rates: Rates::of(dollars("1"), dollars("4")) };
    period.sheets.push(Sheet { tier: ServiceTier::Batch, steps: vec![batch] });
    let list = list(period);
    let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
    for (service_tier, price) in
        [(ServiceTier::Standard, "2"), (ServiceTier::Batch, "1"), (ServiceTier::Flex, "2")]
    {
        assert_eq!(cost(&list, &usage, &Terms { service_tier, ..Terms::default() }), nano(price));
    }
}

#[test]
fn hours_are_utc_and_half_open() {
    let mut period = standard(Rates::of(dollars("2"), dollars("2")));
    let weekday_morning = Window { weekdays: 0b001_1111, from_minute: 60, to_minute: 240 };
    let weekend = Window { weekdays: 0b110_0000, from_minute: 0, to_minute: 1440 };
    let rates = Rates::of(dollars("1"), dollars("1"));
    period.hours.push(Hours { windows: vec![weekday_morning, weekend], rates });
    let list = list(period);
    let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
    for (moment, price) in [
        ("2026-11-25T00:59:59Z", "2"),
        ("2026-11-25T01:00:00Z", "1"),
        ("2026-11-25T04:00:00Z", "2"),
        ("2026-11-28T23:59:59Z", "1"),
        ("2026-11-30T00:00:00Z", "2"),
    ] {
        assert_eq!(
            cost(&list, &usage, &Terms { at: at(moment), ..Terms::default() }),
            nano(price),
            "{moment}"
        );
    }
    assert_eq!(list.bound(1_000_000, 0, 1, at("2026-11-25T01:00:00Z")), Ok(nano("2")));
}

#[test]
fn periods_follow_each_other() {
    let period =
        |valid_from, input| Period { valid_from, ..standard(Rates::of(dollars(input), dollars("1"))) };
    let list = PriceList { periods: vec![period(UnixMs(100), "1"), period(UnixMs(200), "2")] };
    let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
    for (at, price) in [(0, "1"), (100, "1"), (199, "1"), (200, "2"), (999, "2")] {
        assert_eq!(cost(&list, &usage, &Terms { at: UnixMs(at), ..Terms::default() }), nano(price), "{at}");
    }
}

#[test]
fn a_request_fee_is_in_cost_and_bound_and_open_ended_units_have_no_bound() {
    let mut period = standard(Rates::of(dollars("1"), dollars("1")));
    period.fees = Fees { request: Some(nano("0.005")), search: Some(nano("0.01")), ..Fees::default() };
    let usage = Usage { units: Units { searches: 2, ..Units::default() }, ..Usage::default() };
    assert_eq!(cost(&list(period.clone()), &usage, &Terms::default()), nano("0.025"));
    assert_eq!(list(period.clone()).bound(0, 0, 1, UnixMs(0)), Ok(nano("0.005")));
    period.fees.image = Some(nano("0.04"));
    assert_eq!(list(period).bound(0, 0, 1, UnixMs(0)), Err(Unbounded::Unit(Unit::Image)));
}

fn any_rates() -> impl Strategy<Value = Rates> {
    let rate = || 0..200_000_000_000_i64;
    let optional = proptest::collection::vec(proptest::option::of(rate()), TokenClass::ALL.len() - 2);
    (rate(), rate(), optional).prop_map(|(input, output, others)| {
        let rates = Rates::of(PricePerMillion(input), PricePerMillion(output));
        let own = TokenClass::ALL.into_iter().skip(2).zip(others);
        own.fold(rates, |rates, (class, rate)| {
            rate.map_or(rates, |rate| rates.with(class, PricePerMillion(rate)))
        })
    })
}

fn any_sheet(tier: ServiceTier) -> impl Strategy<Value = Sheet> {
    (any_rates(), proptest::option::of((1..20_000_u64, any_rates()))).prop_map(move |(rates, long)| {
        let mut steps = vec![Step { above_tokens: 0, rates }];
        steps.extend(long.map(|(above_tokens, rates)| Step { above_tokens, rates }));
        Sheet { tier, steps }
    })
}

prop_compose! {
    fn any_list()(
        standard in any_sheet(ServiceTier::Standard),
        others in (any_sheet(ServiceTier::Batch), any_sheet(ServiceTier::Priority)),
        with_others: (bool, bool),
        request in proptest::option::of(0..1_000_000_000_i64),
        hours in proptest::option::of((any_rates(), 0..1440_u16, 0..1440_u16)),
    ) -> PriceList {
        let mut sheets = vec![standard];
        sheets.extend(with_others.0.then_some(others.0));
        sheets.extend(with_others.1.then_some(others.1));
        let window = |from_minute, to_minute| vec![Window { weekdays: 0x7f, from_minute, to_minute }];
        let hours = hours.map(|(rates, from, to)| Hours { windows: window(from, to), rates });
        let fees = Fees { request: request.map(NanoUsd), ..Fees::default() };
        list(Period { sheets, fees, hours: hours.into_iter().collect(), ..Period::default() })
    }
}

fn any_usage() -> impl Strategy<Value = Usage> {
    proptest::array::uniform10(0..5_000_u64).prop_map(|tokens| Usage {
        input_tokens: tokens[0],
        cache_read_tokens: tokens[1],
        cache_write_5m_tokens: tokens[2],
        cache_write_1h_tokens: tokens[3],
        output_tokens: tokens[4],
        reasoning_tokens: tokens[5],
        audio_input_tokens: tokens[6],
        audio_output_tokens: tokens[7],
        image_input_tokens: tokens[8],
        image_output_tokens: tokens[9],
        units: Units::default(),
    })
}

proptest! {
    #[test]
    fn a_bound_is_never_below_the_cost_of_a_usage_within_it(
        list in any_list(),
        usage in any_usage(),
        slack in (0..1_000_u64, 0..1_000_u64),
        choices in 1..5_u32,
        tier in proptest::sample::select(vec![ServiceTier::Standard, ServiceTier::Batch, ServiceTier::Flex, ServiceTier::Priority]),
        at in 1_700_000_000_000..1_900_000_000_000_i64,
    ) {
        let at = UnixMs(at);
        let prompt_tokens_max = usage.prompt_total() + slack.0;
        let output_tokens_max = usage.completion_total().div_ceil(u64::from(choices)) + slack.1;
        let bound = list.bound(prompt_tokens_max, output_tokens_max, choices, at).unwrap();
        if let Ok(cost) = list.cost(&usage, &Terms { service_tier: tier, at }) {
            prop_assert!(bound >= cost.round(), "{bound} < {}", cost.round());
        }
    }

    #[test]
    fn more_usage_never_costs_less_at_one_size(rates in any_rates(), usage in any_usage(), more in 0..1000_u64) {
        let list = list(standard(rates));
        let larger = Usage { output_tokens: usage.output_tokens + more, ..usage };
        let terms = Terms::default();
        prop_assert_eq!(list.cost(&usage, &terms).is_ok(), list.cost(&larger, &terms).is_ok());
        if let (Ok(less), Ok(more)) = (list.cost(&usage, &terms), list.cost(&larger, &terms)) {
            prop_assert!(more >= less);
        }
    }
}
