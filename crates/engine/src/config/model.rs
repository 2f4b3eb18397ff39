//! Facts about models that the operator states: `[models."vendor/model"]`, and the inline tables of an account.
//!
//! Not the catalogue, and not merged with it here. Look first at [`Prices`].

use jiff::civil::Date;
use jiff::tz::TimeZone;
use trunkline_catalogue::{Correction, Fees, Kind, Rates, TokenClass};
use trunkline_domain::{ModelName, NanoUsd, PricePerMillion, UnixMs, UpstreamModel};

use super::account::Unpriced;
use super::reader::{Table, Value};

/// Largest context window or output believed, in tokens.
const TOKENS_MAX: i64 = 100_000_000;
/// Dearest price believed: a million dollars, per million tokens or per request.
const USD_MAX: NanoUsd = NanoUsd(1_000_000_000_000_000);

/// Prices as stated. What is not stated falls back as the price book says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Per million tokens.
    pub rates: Rates,
    /// Per request.
    pub fees: Fees,
}

/// The sorts of models, as they are written.
const KINDS: [(&str, Kind); 3] =
    [("chat", Kind::Chat), ("completion", Kind::Completion), ("embedding", Kind::Embedding)];

/// The keys of prices, and what each prices.
const RATES: [(&str, TokenClass); 6] = [
    ("input_usd_per_million", TokenClass::Input),
    ("output_usd_per_million", TokenClass::Output),
    ("reasoning_usd_per_million", TokenClass::Reasoning),
    ("cache_read_usd_per_million", TokenClass::CacheRead),
    ("cache_write_usd_per_million", TokenClass::CacheWrite5m),
    ("cache_write_1h_usd_per_million", TokenClass::CacheWrite1h),
];

impl Prices {
    /// The prices a table states, if it states any.
    fn read(table: &mut Table<'_>) -> Option<Self> {
        let mut prices = Self::default();
        for (key, class) in RATES {
            if let Some(amount) = usd(table, key) {
                prices.rates = prices.rates.with(class, PricePerMillion(amount.0));
            }
        }
        prices.fees.request = usd(table, "per_request_usd");
        (prices != Self::default()).then_some(prices)
    }
}

/// A model of one account, as its `models` list describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnModel {
    /// What the provider calls it.
    pub id: UpstreamModel,
    /// The public name it joins; without one it is only `account/id`.
    pub name: Option<ModelName>,
    /// What sort of model it is; without one, what the catalogue says, or else whatever callers ask is tried.
    pub kind: Option<Kind>,
    /// Prompt and output together, in tokens.
    pub context_window: Option<u64>,
    /// Most output, in tokens.
    pub output_max: Option<u64>,
    /// Its prices; without any it is unpriced, unless the catalogue knows better.
    pub prices: Option<Prices>,
}

impl OwnModel {
    pub(super) fn read(table: &mut Table<'_>) -> Option<Self> {
        let id = table.get("id");
        if id.is_none() {
            table.missing("id", "the name the provider knows the model by");
        }
        let id = id.and_then(|value| name(&value));
        let public = table.get("name").and_then(|value| name(&value)).map(ModelName::from);
        let kind = table.get("kind").and_then(|value| value.choice(&KINDS));
        let (context_window, output_max) = sizes(table);
        let prices = Prices::read(table);
        Some(Self { id: UpstreamModel::from(id?), name: public, kind, context_window, output_max, prices })
    }
}

/// A correction of what the catalogue says, or facts of a model it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCorrection {
    /// A canonical name: wherever the model is served; or `account/upstream-id`: there alone.
    pub name: ModelName,
    /// Prompt and output together, in tokens.
    pub context_window: Option<u64>,
    /// Most output, in tokens.
    pub output_max: Option<u64>,
    /// From the start of its day (UTC) on each replaces the prices it names; in order of time.
    pub prices: Vec<Correction>,
    /// Whether it may be served without a price.
    pub unpriced: Option<Unpriced>,
}

impl ModelCorrection {
    pub(super) fn read(model: &str, table: &mut Table<'_>) -> Self {
        let (context_window, output_max) = sizes(table);
        Self {
            name: ModelName::from(model),
            context_window,
            output_max,
            prices: corrections(&table.list("prices")),
            unpriced: Unpriced::read(table),
        }
    }
}

fn corrections(list: &[Value<'_>]) -> Vec<Correction> {
    let mut all: Vec<Correction> = Vec::new();
    for value in list {
        let Some(Some(correction)) = value.table(read_dated) else { continue };
        if all.iter().any(|other| other.valid_from == correction.valid_from) {
            value.error("another table of this list has the same valid_from");
        }
        all.push(correction);
    }
    all.sort_by_key(|correction| correction.valid_from);
    all
}

fn read_dated(table: &mut Table<'_>) -> Option<Correction> {
    let before = table.findings().count();
    let day = table.get("valid_from");
    if day.is_none() {
        table.missing("valid_from", "the first day of these prices, such as 2026-01-31");
    }
    let day = day.and_then(|value| value.day());
    let prices = Prices::read(table);
    if prices.is_none() && table.findings().count() == before {
        table.findings().error(table.place(), "states no price");
    }
    let Prices { rates, fees } = prices?;
    Some(Correction { valid_from: start_of_day(day?)?, rates, fees })
}

fn start_of_day(day: Date) -> Option<UnixMs> {
    day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp().into())
}

fn sizes(table: &mut Table<'_>) -> (Option<u64>, Option<u64>) {
    let context_window: Option<u64> = table.number("context_window", 1..=TOKENS_MAX);
    let output = table.get("output_max");
    let output_max: Option<u64> = output.as_ref().and_then(|value| value.number(1..=TOKENS_MAX));
    if let (Some(value), Some(window), Some(most)) = (output, context_window, output_max)
        && most > window
    {
        value.error("is larger than context_window");
    }
    (context_window, output_max)
}

/// A name that can stand in a list and in a log: no spaces, no control characters.
pub(super) fn name<'a>(value: &Value<'a>) -> Option<&'a str> {
    let text = value.text()?;
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        value.error("must not contain spaces or control characters");
        return None;
    }
    Some(text)
}

/// An amount of dollars, exactly as written.
fn usd(table: &mut Table<'_>, key: &'static str) -> Option<NanoUsd> {
    let value = table.get(key)?;
    match value.decimal()?.parse::<NanoUsd>() {
        Ok(amount) if (NanoUsd::ZERO..=USD_MAX).contains(&amount) => Some(amount),
        Ok(_) => {
            value.error("must be between 0 and 1000000 dollars");
            None
        }
        Err(fault) => {
            value.error(format!("is {fault}"));
            None
        }
    }
}
