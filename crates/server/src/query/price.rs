//! Prices as OpenRouter's model list has them: decimal strings of dollars per token, per request, per search.
//! <https://openrouter.ai/docs/models>, "Pricing Object".

use serde::Serialize;
use trunkline_catalogue::{PriceList, TokenClass};
use trunkline_domain::{PricePerMillion, UnixMs};

/// What OpenRouter writes where a price is not fixed; here: where nobody knows it. Never zero, which would be free.
const UNKNOWN: &str = "-1";
/// Nano-dollars per million tokens are dollars per token with so many decimal places.
const PLACES: usize = 15;

/// The `pricing` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Pricing {
    prompt: String,
    completion: String,
    request: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write_1h: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_search: Option<String>,
}

impl Pricing {
    /// The standard prices at an instant.
    pub(super) fn of(prices: &PriceList, at: UnixMs) -> Self {
        let rates = prices.standard(at);
        let rate = |class: TokenClass| rates.and_then(|rates| rates.get(class)).map(per_token);
        let fees = prices.period(at).map(|period| period.fees).unwrap_or_default();
        let is_known = prices.is_priced(at);
        let plain = |class: TokenClass| match rate(class) {
            Some(price) => price,
            None if is_known => "0".to_owned(),
            None => UNKNOWN.to_owned(),
        };
        Self {
            prompt: plain(TokenClass::Input),
            completion: plain(TokenClass::Output),
            request: fees.request.map_or_else(|| "0".to_owned(), |fee| fee.to_string()),
            input_cache_read: rate(TokenClass::CacheRead),
            input_cache_write: rate(TokenClass::CacheWrite5m),
            input_cache_write_1h: rate(TokenClass::CacheWrite1h),
            internal_reasoning: rate(TokenClass::Reasoning),
            audio: rate(TokenClass::AudioInput),
            audio_output: rate(TokenClass::AudioOutput),
            image_token: rate(TokenClass::ImageInput),
            image_output: rate(TokenClass::ImageOutput),
            web_search: fees.search.map(|fee| fee.to_string()),
        }
    }
}

/// Dollars per token, exactly, without trailing zeros.
fn per_token(price: PricePerMillion) -> String {
    let digits = format!("{:0>width$}", price.0.unsigned_abs(), width = PLACES + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - PLACES).unwrap_or((&digits, ""));
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use trunkline_catalogue::{Fees, Rates};

    use super::*;

    #[test]
    fn a_price_per_million_is_a_decimal_per_token() {
        for (dollars, text) in
            [("3", "0.000003"), ("0.0125", "0.0000000125"), ("0", "0"), ("1000000", "1"), ("2500000", "2.5")]
        {
            assert_eq!(per_token(dollars.parse().unwrap()), text);
        }
    }

    #[test]
    fn an_unknown_price_is_not_zero() {
        let unknown = Pricing::of(&PriceList::default(), UnixMs(0));
        assert_eq!((&*unknown.prompt, &*unknown.completion), ("-1", "-1"));
        let free = PriceList::flat(Rates::of(PricePerMillion::ZERO, PricePerMillion::ZERO), Fees::default());
        assert_eq!(Pricing::of(&free, UnixMs(0)).prompt, "0");
    }
}
