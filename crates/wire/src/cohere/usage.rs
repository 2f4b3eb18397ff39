//! Usage: `billed_units`, `tokens` and `cached_tokens` (cohere-python 7.0.9, `types/usage*.py`). Billed are fewer tokens
//! than were processed: the provider's own preamble is free. Cached tokens are tokens of the prompt.

use trunkline_domain::Usage;
use trunkline_domain::chat::Number;
use trunkline_domain::usage::Units;

use crate::json::{Object, wire_object};

wire_object! {
    /// Usage as reported.
    ignoring pub(super) struct Reported {
        "billed_units" => billed: Counts,
        "tokens" => tokens: Counts,
        "cached_tokens" => cached: Number,
    }
}

wire_object! {
    ignoring pub(super) struct Counts {
        "input_tokens" => input: Number,
        "output_tokens" => output: Number,
        "search_units" => searches: Number,
    }
}

impl Reported {
    /// In disjoint classes; `None` where nothing is reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        let billed = |count: fn(&Counts) -> Option<&Number>| {
            let of = |counts: Option<&Counts>| counts.and_then(count).map(whole);
            of(self.billed.as_ref()).or_else(|| of(self.tokens.as_ref()))
        };
        let (input, output) =
            (billed(|counts| counts.input.as_ref()), billed(|counts| counts.output.as_ref()));
        if input.is_none() && output.is_none() {
            return None;
        }
        let input = input.unwrap_or(0);
        let cached = self.cached.as_ref().map_or(0, whole).min(input);
        let searches = billed(|counts| counts.searches.as_ref()).unwrap_or(0);
        Some(Usage {
            input_tokens: input - cached,
            cache_read_tokens: cached,
            output_tokens: output.unwrap_or(0),
            units: Units { searches: u32::try_from(searches).unwrap_or(u32::MAX), ..Units::default() },
            ..Usage::default()
        })
    }
}

/// Counts come with a fraction: `34.0`. A negative one is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted of an absurd number"
)]
fn whole(number: &Number) -> u64 {
    number.as_u64().unwrap_or_else(|| number.as_f64().map_or(0, |count| count.ceil() as u64))
}

/// Writes usage.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let (input, output) = (usage.prompt_total(), usage.completion_total());
    let some = |count: u64| (count > 0).then_some(count);
    object.object("billed_units", |billed| {
        billed.member("input_tokens", &input);
        billed.member("output_tokens", &output);
        billed.optional("search_units", some(usage.units.searches.into()));
    });
    object.object("tokens", |tokens| {
        tokens.member("input_tokens", &input);
        tokens.member("output_tokens", &output);
    });
    object.optional("cached_tokens", some(usage.cache_read_tokens));
}
