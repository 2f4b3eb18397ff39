//! The shape of a price: periods, service tiers, prompt sizes, hours, token classes, fees. What it is not: arithmetic,
//! which is in `cost.rs`, or changes, which are in [`price_book`](crate::price_book).
//!
//! Where to look first: [`PriceList`].

use serde::de::Error as _;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trunkline_domain::{NanoUsd, PricePerMillion, UnixMs};

/// Everything one offer costs, over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceList {
    /// By [`Period::valid_from`], ascending. Empty where no price is known.
    pub periods: Vec<Period>,
}

/// The prices from one instant on, until the next period begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First instant, inclusive. The first period also covers whatever was before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub valid_from: UnixMs,
    /// One per service tier that has prices of its own; the standard one comes first.
    pub sheets: Vec<Sheet>,
    /// What is not billed by the token.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fees: Fees,
    /// Hours at which the standard tier has other prices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
}

/// The prices of one service tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// Which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tier: ServiceTier,
    /// By [`Step::above_tokens`], ascending, the first at 0. The whole request is priced at the highest step its
    /// prompt reaches, cached tokens included; output too.
    pub steps: Vec<Step>,
}

/// The prices from one prompt size on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Prompts longer than this, in tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub above_tokens: u64,
    /// The prices.
    pub rates: Rates,
}

/// Prices that hold at some hours of the week, in place of the standard tier's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// When.
    pub windows: Vec<Window>,
    /// The prices, for prompts of every size.
    pub rates: Rates,
}

/// A part of each named day, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Bit 0 is Monday, bit 6 Sunday.
    pub weekdays: u8,
    /// First minute of the day, inclusive.
    pub from_minute: u16,
    /// Last minute of the day, exclusive; 1440 is midnight.
    pub to_minute: u16,
}

/// Which quality of service a request was served with, as the provider's answer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// What a request gets that does not ask for anything.
    #[default]
    Standard,
    /// Asynchronous, within a day.
    Batch,
    /// Cheaper, when there is room.
    Flex,
    /// Dearer, ahead of others.
    Priority,
    /// Dearer, generated faster.
    Fast,
    /// Dearer still, generated fastest.
    Ultrafast,
}

impl ServiceTier {
    /// What an answer's `service_tier` (OpenAI, Groq, Anthropic, Gemini) means for its price. `None` where the word
    /// is not known.
    pub fn from_wire(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "default" | "standard" | "auto" | "on_demand" => Some(Self::Standard),
            "batch" => Some(Self::Batch),
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            "fast" => Some(Self::Fast),
            "ultrafast" => Some(Self::Ultrafast),
            _ => None,
        }
    }

    /// What price tables call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Fast => "fast",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// Whether a provider that lists no price for the tier can only be cheaper than its standard price.
    pub(crate) const fn is_discount(self) -> bool {
        matches!(self, Self::Batch | Self::Flex)
    }
}

/// A class of tokens with a price of its own: the classes of [`trunkline_domain::Usage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenClass {
    /// Plain prompt tokens.
    Input,
    /// Generated tokens the caller sees.
    Output,
    /// Prompt tokens read from the provider's cache.
    CacheRead,
    /// Prompt tokens written to a cache for five minutes.
    CacheWrite5m,
    /// Prompt tokens written to a cache for an hour.
    CacheWrite1h,
    /// Generated tokens nobody sees.
    Reasoning,
    /// Audio heard.
    AudioInput,
    /// Audio spoken.
    AudioOutput,
    /// Images read.
    ImageInput,
    /// Images drawn.
    ImageOutput,
}

impl TokenClass {
    /// Every class, in the order in which rates are stored.
    pub const ALL: [TokenClass; 10] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::Reasoning,
        Self::AudioInput,
        Self::AudioOutput,
        Self::ImageInput,
        Self::ImageOutput,
    ];

    /// The class whose price holds where this one has none: a provider that names no price of its own bills it as
    /// the plainer class. Media that a model makes have no plainer class: an answer with such tokens and no price for
    /// them is unpriced.
    pub const fn billed_as(self) -> Option<TokenClass> {
        match self {
            Self::CacheWrite1h => Some(Self::CacheWrite5m),
            Self::CacheRead | Self::CacheWrite5m | Self::AudioInput | Self::ImageInput => Some(Self::Input),
            Self::Reasoning => Some(Self::Output),
            Self::Input | Self::Output | Self::AudioOutput | Self::ImageOutput => None,
        }
    }

    /// Whether the class is part of the prompt.
    pub const fn is_prompt(self) -> bool {
        !matches!(self, Self::Output | Self::Reasoning | Self::AudioOutput | Self::ImageOutput)
    }

    /// What price tables call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::Reasoning => "reasoning",
            Self::AudioInput => "audio_input",
            Self::AudioOutput => "audio_output",
            Self::ImageInput => "image_input",
            Self::ImageOutput => "image_output",
        }
    }
}

/// Prices per million tokens, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates([Option<PricePerMillion>; TokenClass::ALL.len()]);

impl Rates {
    /// Input and output, nothing else of its own.
    pub fn of(input: PricePerMillion, output: PricePerMillion) -> Self {
        Self::default().with(TokenClass::Input, input).with(TokenClass::Output, output)
    }

    /// The same with one more price.
    #[must_use]
    pub fn with(mut self, class: TokenClass, rate: PricePerMillion) -> Self {
        if let Some(place) = self.0.get_mut(class as usize) {
            *place = Some(rate);
        }
        self
    }

    /// The same without one of its prices.
    #[must_use]
    pub fn without(mut self, class: TokenClass) -> Self {
        if let Some(place) = self.0.get_mut(class as usize) {
            *place = None;
        }
        self
    }

    /// The price listed for a class itself.
    pub fn get(&self, class: TokenClass) -> Option<PricePerMillion> {
        self.0.get(class as usize).copied().flatten()
    }

    /// The price a class is billed at: its own, or that of the class it is [billed as](TokenClass::billed_as).
    pub fn billed(&self, class: TokenClass) -> Option<PricePerMillion> {
        self.get(class).or_else(|| self.billed(class.billed_as()?))
    }

    /// The listed prices.
    pub fn listed(&self) -> impl Iterator<Item = (TokenClass, PricePerMillion)> + '_ {
        TokenClass::ALL.into_iter().filter_map(|class| Some((class, self.get(class)?)))
    }
}

/// A sequence in the order of [`TokenClass::ALL`], without its empty tail.
impl Serialize for Rates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.0.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let mut sequence = serializer.serialize_seq(Some(count))?;
        for rate in self.0.iter().take(count) {
            sequence.serialize_element(rate)?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let listed = Vec::<Option<PricePerMillion>>::deserialize(deserializer)?;
        let mut rates = Self::default();
        if listed.len() > rates.0.len() {
            return Err(D::Error::invalid_length(listed.len(), &"at most ten prices"));
        }
        for (place, rate) in rates.0.iter_mut().zip(listed) {
            *place = rate;
        }
        Ok(rates)
    }
}

/// What is billed in other units than tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// A web search done by the provider.
    Search,
    /// An image made.
    Image,
    /// A page read.
    Page,
    /// A second of audio or video.
    Second,
}

/// Prices per unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fees {
    /// For every request that is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<NanoUsd>,
    /// For a search: the dearest of the provider's context sizes. Free allowances are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<NanoUsd>,
    /// For an image made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<NanoUsd>,
    /// For a page read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<NanoUsd>,
    /// For a second of audio or video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<NanoUsd>,
}

impl Fees {
    /// The price of a unit.
    pub fn get(&self, unit: Unit) -> Option<NanoUsd> {
        match unit {
            Unit::Search => self.search,
            Unit::Image => self.image,
            Unit::Page => self.page,
            Unit::Second => self.second,
        }
    }

    /// These fees where they are named, `base` where they are not.
    #[must_use]
    pub fn over(self, base: Fees) -> Fees {
        Fees {
            request: self.request.or(base.request),
            search: self.search.or(base.search),
            image: self.image.or(base.image),
            page: self.page.or(base.page),
            second: self.second.or(base.second),
        }
    }
}

impl PriceList {
    /// One price for every prompt, hour and tier.
    pub fn flat(rates: Rates, fees: Fees) -> Self {
        let sheet = Sheet { tier: ServiceTier::Standard, steps: vec![Step { above_tokens: 0, rates }] };
        Self { periods: vec![Period { sheets: vec![sheet], fees, ..Period::default() }] }
    }

    /// The prices in force at an instant; `None` where no price is known.
    pub fn period(&self, at: UnixMs) -> Option<&Period> {
        self.periods.iter().rev().find(|period| period.valid_from <= at).or(self.periods.first())
    }

    /// The standard tier's prices for a short prompt: what lists show and what candidates are ordered by. Other
    /// hours are left aside.
    pub fn standard(&self, at: UnixMs) -> Option<&Rates> {
        self.period(at)?.sheet(ServiceTier::Standard)?.steps.first().map(|step| &step.rates)
    }

    /// Gives back the room that reading left over: lists are kept for long and never grow.
    pub(crate) fn shrink(&mut self) {
        self.periods.shrink_to_fit();
        for period in &mut self.periods {
            period.sheets.shrink_to_fit();
            period.sheets.iter_mut().for_each(|sheet| sheet.steps.shrink_to_fit());
        }
    }

    /// Whether anything is known about what a request costs.
    pub fn is_priced(&self, at: UnixMs) -> bool {
        self.standard(at).is_some_and(|rates| rates.get(TokenClass::Input).is_some())
    }
}

impl Period {
    /// The sheet of a service tier.
    pub fn sheet(&self, tier: ServiceTier) -> Option<&Sheet> {
        self.sheets.iter().find(|sheet| sheet.tier == tier)
    }

    /// The prices of the hours an instant lies in, if they differ.
    pub(crate) fn hours(&self, at: UnixMs) -> Option<&Rates> {
        let moment = at.timestamp()?.to_zoned(jiff::tz::TimeZone::UTC);
        let weekday = 1_u8 << moment.weekday().to_monday_zero_offset();
        let minute = u16::try_from(i32::from(moment.hour()) * 60 + i32::from(moment.minute())).ok()?;
        let holds = |window: &Window| {
            window.weekdays & weekday != 0 && (window.from_minute..window.to_minute).contains(&minute)
        };
        self.hours.iter().find(|hours| hours.windows.iter().any(holds)).map(|hours| &hours.rates)
    }

    /// Every set of prices in it, with the prompt size above which it holds.
    pub(crate) fn all_rates(&self) -> impl Iterator<Item = (u64, &Rates)> {
        let steps =
            self.sheets.iter().flat_map(|sheet| &sheet.steps).map(|step| (step.above_tokens, &step.rates));
        steps.chain(self.hours.iter().map(|hours| (0, &hours.rates)))
    }
}

impl Sheet {
    /// The prices for a prompt of this many tokens.
    pub fn rates(&self, prompt_tokens: u64) -> Option<&Rates> {
        let reached = |step: &&Step| step.above_tokens == 0 || prompt_tokens > step.above_tokens;
        self.steps.iter().rev().find(reached).map(|step| &step.rates)
    }
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
