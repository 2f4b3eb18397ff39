//! From gathered figures to a price list. Where the facts give only some classes of a tier, the others keep their
//! proportion to the standard price; what is nonsense is left out and listed.

use trunkline_catalogue::price::{Hours, Period, Sheet, Step, Window};
use trunkline_catalogue::price_book::rescale;
use trunkline_catalogue::{Fees, PriceList, Rates, ServiceTier, TokenClass};
use trunkline_domain::{NanoUsd, PricePerMillion};

use super::facts::{self, Figures, Model, OneOrMany};
use super::review::{Review, Rule};

/// No listed model costs this much per million tokens: dearer figures are per thousand, per page or per hour.
const DOLLARS_PER_MILLION_MAX: PricePerMillion = PricePerMillion(2_000_000_000_000);
/// No listed model costs this little per million tokens.
const DOLLARS_PER_MILLION_MIN: PricePerMillion = PricePerMillion(100_000);
/// A price this many times what it is elsewhere, or this small a part of it, is in another unit.
const REFERENCE_RATIO_MAX: i64 = 50;

/// What is known beside the offer's own facts.
pub(super) struct Context {
    /// Whether price zero is believed: `:free` variants and servers of one's own.
    pub(super) zero_is_free: bool,
    /// What a million input tokens of the same model cost elsewhere.
    pub(super) reference: Option<PricePerMillion>,
}

pub(super) fn price_list(model: &Model, context: &Context, review: &mut Review) -> PriceList {
    let Some(prices) = &model.prices else { return PriceList::default() };
    let figures = newest(model, prices.figures(), review);
    let Some(base) = base(model, &figures, context, review) else { return PriceList::default() };
    if base == Rates::default() {
        return PriceList::default();
    }
    let mut reader = Reader { subject: &model.id, base, review };
    let steps = reader.steps(&prices.tiers);
    let hours = if steps.len() == 1 { reader.hours(&prices.time_of_day) } else { Vec::new() };
    let fast = prices.modes.get("fast").and_then(|mode| mode.price.clone()).unwrap_or_default();
    let tiers = [
        (ServiceTier::Batch, &prices.batch),
        (ServiceTier::Flex, &prices.flex),
        (ServiceTier::Priority, &prices.priority),
        (ServiceTier::Fast, &fast),
        (ServiceTier::Ultrafast, &prices.ultrafast),
    ];
    let mut sheets = vec![Sheet { tier: ServiceTier::Standard, steps: steps.clone() }];
    sheets.extend(tiers.into_iter().filter_map(|(tier, figures)| reader.sheet(tier, figures, &steps)));
    let fees = fees(model, prices, &figures);
    PriceList { periods: vec![Period { sheets, fees, hours, ..Period::default() }] }
}

/// The figures with the newest source's in place of the majority's.
fn newest(model: &Model, mut figures: Figures, review: &mut Review) -> Figures {
    if !model.price_review {
        return figures;
    }
    for (name, newest) in &model.price_newest {
        let before = figures.insert(name.clone(), newest.value.clone()).unwrap_or_else(|| "none".to_owned());
        let detail = format!("{name} {before} → {} ({}, {})", newest.value, newest.source, newest.date);
        review.add(Rule::Newest, &model.id, detail);
    }
    figures
}

/// The standard prices for short prompts; `None` where they are nonsense.
fn base(model: &Model, figures: &Figures, context: &Context, review: &mut Review) -> Option<Rates> {
    let negative = figures.iter().find(|(name, figure)| class(name).is_some() && figure.starts_with('-'));
    if let Some((name, figure)) = negative {
        review.add(Rule::Negative, &model.id, format!("{name} {figure}"));
        return None;
    }
    let mut rates = rates(&model.id, figures, review);
    let zero = |class| rates.get(class).is_none_or(|rate| rate == PricePerMillion::ZERO);
    if rates != Rates::default() && zero(TokenClass::Input) && zero(TokenClass::Output) {
        if context.zero_is_free {
            return Some(
                rates
                    .with(TokenClass::Input, PricePerMillion::ZERO)
                    .with(TokenClass::Output, PricePerMillion::ZERO),
            );
        }
        review.add(Rule::Zero, &model.id, "input and output 0".to_owned());
        return None;
    }
    if let Some(why) = slip(&rates, context.reference) {
        review.add(Rule::UnitSlip, &model.id, why);
        return None;
    }
    for (class, _) in rates.listed().filter(|(_, rate)| *rate == PricePerMillion::ZERO).collect::<Vec<_>>() {
        rates = rates.without(class);
        if model.kind != "embedding" || class.is_prompt() {
            review.add(Rule::ZeroClass, &model.id, format!("{} 0", class.as_str()));
        }
    }
    if let (Some(read), Some(input)) = (rates.get(TokenClass::CacheRead), rates.get(TokenClass::Input))
        && read > input
    {
        rates = rates.without(TokenClass::CacheRead);
        review.add(Rule::DearCacheRead, &model.id, format!("{read} against {input}"));
    }
    Some(rates)
}

fn slip(rates: &Rates, reference: Option<PricePerMillion>) -> Option<String> {
    let plain = |(class, _): &(TokenClass, _)| matches!(class, TokenClass::Input | TokenClass::Output);
    let priced = rates.listed().filter(plain).filter(|(_, rate)| *rate > PricePerMillion::ZERO);
    for (class, rate) in priced {
        if !(DOLLARS_PER_MILLION_MIN..DOLLARS_PER_MILLION_MAX).contains(&rate) {
            return Some(format!("{} {rate} per million", class.as_str()));
        }
    }
    let input = rates.get(TokenClass::Input).filter(|rate| *rate > PricePerMillion::ZERO)?;
    let reference = reference?;
    let far = input.0 / REFERENCE_RATIO_MAX >= reference.0 || reference.0 / REFERENCE_RATIO_MAX >= input.0;
    far.then(|| format!("input {input} where others list about {reference}"))
}

struct Reader<'a> {
    subject: &'a str,
    base: Rates,
    review: &'a mut Review,
}

impl Reader<'_> {
    fn steps(&mut self, tiers: &[facts::Tier]) -> Vec<Step> {
        let mut steps = vec![Step { above_tokens: 0, rates: self.base }];
        for tier in tiers {
            let listed = rates(self.subject, &tier.figures, self.review);
            let rates = self.completed(listed);
            if is_below(&rates, &self.base) {
                let detail = format!("above {} tokens", tier.above_tokens);
                self.review.add(Rule::CheapLongPrompt, self.subject, detail);
            } else {
                steps.push(Step { above_tokens: tier.above_tokens, rates });
            }
        }
        steps.sort_by_key(|step| step.above_tokens);
        steps
    }

    fn sheet(&mut self, tier: ServiceTier, figures: &Figures, steps: &[Step]) -> Option<Sheet> {
        if figures.is_empty() {
            return None;
        }
        let listed = rates(self.subject, figures, self.review);
        listed.get(TokenClass::Input)?;
        let rates = self.completed(listed);
        let discount = matches!(tier, ServiceTier::Batch | ServiceTier::Flex);
        let (nonsense, rule) = if discount {
            (is_below(&self.base, &rates), Rule::DearDiscount)
        } else {
            (is_below(&rates, &self.base), Rule::CheapSurcharge)
        };
        if nonsense {
            let input = |rates: &Rates| rates.get(TokenClass::Input).unwrap_or_default();
            let detail = format!("{} input {} against {}", tier.as_str(), input(&rates), input(&self.base));
            self.review.add(rule, self.subject, detail);
            return None;
        }
        let step = |step: &Step| Step { rates: proportional(&rates, &self.base, &step.rates), ..*step };
        Some(Sheet { tier, steps: steps.iter().map(step).collect() })
    }

    fn hours(&mut self, hours: &[facts::Hours]) -> Vec<Hours> {
        let mut read = Vec::new();
        for hours in hours {
            let listed = rates(self.subject, &hours.figures, self.review);
            let rates = self.completed(listed);
            let windows: Option<Vec<Vec<Window>>> = hours.windows.iter().map(windows).collect();
            match windows {
                Some(windows) => read.push(Hours { windows: windows.concat(), rates }),
                None => self.review.add(Rule::Unreadable, self.subject, "hours of the day".to_owned()),
            }
        }
        read
    }

    /// Every class the standard price lists, in proportion where this one has no figure.
    fn completed(&self, listed: Rates) -> Rates {
        let nonzero: Vec<_> = listed.listed().filter(|(_, rate)| *rate > PricePerMillion::ZERO).collect();
        let rates =
            nonzero.into_iter().fold(Rates::default(), |rates, (class, rate)| rates.with(class, rate));
        self.base.listed().fold(rates, |completed, (class, base)| {
            let plain = if class.is_prompt() { TokenClass::Input } else { TokenClass::Output };
            let scaled = || rescale(base, self.base.get(plain)?, rates.get(plain)?);
            match completed.get(class) {
                Some(_) => completed,
                None => completed.with(class, scaled().unwrap_or(base)),
            }
        })
    }
}

fn fees(model: &Model, prices: &facts::Prices, figures: &Figures) -> Fees {
    let fee = |text: Option<&String>| {
        let fee = text.and_then(|text| price(text)).map(|PricePerMillion(nanos)| NanoUsd(nanos))?;
        (fee > NanoUsd::ZERO).then_some(fee)
    };
    let per_thousand = prices.per_1k_searches.values().filter_map(|text| price(text)).max();
    let per_search = per_thousand.map(|PricePerMillion(nanos)| NanoUsd((nanos + 999) / 1000));
    let units = &prices.unit_prices_usd;
    let draws =
        model.modalities.output.as_ref().is_none_or(|output| output.iter().any(|kind| kind == "image"));
    Fees {
        request: fee(figures.get("per_request")),
        search: per_search.or_else(|| fee(units.get("web_search").or_else(|| units.get("search")))),
        image: fee(figures.get("per_image_out")).filter(|_| draws),
        ..Fees::default()
    }
}

/// `rates` at a step that has `step` where the standard price has `base`.
fn proportional(rates: &Rates, base: &Rates, step: &Rates) -> Rates {
    rates.listed().fold(*rates, |scaled, (class, rate)| {
        let at_step = || rescale(rate, base.billed(class)?, step.billed(class)?);
        scaled.with(class, at_step().unwrap_or(rate))
    })
}

/// Whether input or output is cheaper in `rates` than in `other`.
fn is_below(rates: &Rates, other: &Rates) -> bool {
    [TokenClass::Input, TokenClass::Output].into_iter().any(|class| rates.get(class) < other.get(class))
}

fn rates(subject: &str, figures: &Figures, review: &mut Review) -> Rates {
    let mut rates = Rates::default();
    for (name, figure) in figures {
        let Some(class) = class(name) else { continue };
        match price(figure) {
            Some(rate) => rates = rates.with(class, rate),
            None => review.add(Rule::Unreadable, subject, format!("{name} {figure}")),
        }
    }
    rates
}

fn class(name: &str) -> Option<TokenClass> {
    Some(match name {
        "input" => TokenClass::Input,
        "output" => TokenClass::Output,
        "cache_read" => TokenClass::CacheRead,
        "cache_write_5m" | "cache_write" => TokenClass::CacheWrite5m,
        "cache_write_1h" => TokenClass::CacheWrite1h,
        "reasoning" => TokenClass::Reasoning,
        "input_audio" => TokenClass::AudioInput,
        "output_audio" => TokenClass::AudioOutput,
        "input_image_tokens" => TokenClass::ImageInput,
        "output_image_tokens" => TokenClass::ImageOutput,
        _ => return None,
    })
}

/// Reads decimal dollars; what is beyond nine places is rounded up. Below zero is not a price.
pub(super) fn price(text: &str) -> Option<PricePerMillion> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let cut = fraction.get(..9).unwrap_or(fraction);
    let more = fraction.get(9..).is_some_and(|rest| rest.bytes().any(|digit| digit != b'0'));
    let PricePerMillion(price) = format!("{whole}.{cut}").parse().ok()?;
    (price >= 0).then(|| PricePerMillion(price + i64::from(more)))
}

fn windows(window: &facts::Window) -> Option<Vec<Window>> {
    let bit = |day: &u8| (1..=7).contains(day).then(|| 1_u8 << (day - 1));
    let weekdays = window.weekdays.iter().map(bit).sum::<Option<u8>>()?;
    let spans = match &window.hours_utc {
        OneOrMany::One(span) => std::slice::from_ref(span),
        OneOrMany::Many(spans) => spans,
    };
    let read = |span: &String| {
        let (from, to) = span.split_once('-')?;
        let (from_minute, to_minute) = (minute(from)?, minute(to)?);
        let to_minute = if to_minute == 0 { 1440 } else { to_minute };
        (from_minute < to_minute).then_some(Window { weekdays, from_minute, to_minute })
    };
    spans.iter().map(read).collect()
}

fn minute(clock: &str) -> Option<u16> {
    let (hours, minutes) = clock.split_once(':')?;
    Some(hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?)
}
