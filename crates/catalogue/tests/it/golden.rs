//! Prices of well-known offers as gathered in November 2026, each with the provider's page, or with the open price
//! list that carried the figure where no page was named.

use trunkline_catalogue::{Catalogue, Offer, ServiceTier, Terms, TokenClass};
use trunkline_domain::{NanoUsd, UnixMs, Usage};

const NOW: &str = "2026-11-25T03:00:00Z";
const OPENAI: &str = "https://developers.openai.com/api/docs/pricing";
const ANTHROPIC: &str = "https://platform.claude.com/docs/en/about-claude/pricing";
const GEMINI: &str = "https://ai.google.dev/gemini-api/docs/pricing";

fn at(text: &str) -> UnixMs {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn nano(text: &str) -> NanoUsd {
    text.parse().unwrap()
}

fn offer(provider: &str, upstream: &str) -> Offer {
    let offers = Catalogue::embedded().unwrap().offers(provider).unwrap();
    let found =
        offers.into_iter().find(|offer| offer.upstream_id.as_str() == upstream && offer.region.is_none());
    found.unwrap_or_else(|| panic!("{provider} does not offer {upstream}"))
}

fn cost(offer: &Offer, usage: Usage, service_tier: ServiceTier) -> NanoUsd {
    offer.prices.cost(&usage, &Terms { service_tier, at: at(NOW) }).unwrap().round()
}

#[test]
fn standard_prices_are_those_of_the_pages() {
    for (provider, upstream, input, output, cache_read, page) in [
        ("openai", "gpt-5", "1.25", Some("10"), Some("0.125"), OPENAI),
        ("openai", "gpt-5.4", "2.5", Some("15"), Some("0.25"), OPENAI),
        ("openai", "gpt-5.5", "5", Some("30"), Some("0.5"), OPENAI),
        ("openai", "gpt-4o", "2.5", Some("10"), Some("1.25"), OPENAI),
        ("openai", "o1-pro", "150", Some("600"), None, OPENAI),
        ("openai", "text-embedding-3-small", "0.02", None, None, OPENAI),
        ("anthropic", "claude-opus-5-5", "4", Some("20"), Some("0.2"), ANTHROPIC),
        ("anthropic", "claude-sonnet-4-5", "3", Some("15"), Some("0.3"), ANTHROPIC),
        ("google-ai-studio", "gemini-2.5-pro", "1.25", Some("10"), Some("0.125"), GEMINI),
        ("google-ai-studio", "gemini-2.5-flash", "0.3", Some("2.5"), Some("0.03"), GEMINI),
        (
            "mistral",
            "mistral-large-2512",
            "0.5",
            Some("1.5"),
            Some("0.05"),
            "https://docs.mistral.ai/models/mistral-large-3-25-12",
        ),
        (
            "deepseek",
            "deepseek-v4-pro",
            "1.32",
            Some("3.96"),
            Some("0.044"),
            "https://api-docs.deepseek.com/quick_start/pricing",
        ),
        ("xai", "grok-4", "3", Some("15"), Some("0.75"), "genai-prices 0.2.3, x-ai#grok-4-0709"),
        (
            "groq",
            "llama-3.3-70b-versatile",
            "0.59",
            Some("0.79"),
            None,
            "genai-prices 0.2.3, groq#llama-3.3-70b-versatile",
        ),
        (
            "openrouter",
            "openai/gpt-5",
            "1.25",
            Some("10"),
            Some("0.125"),
            "genai-prices 0.2.3, openrouter#openai/gpt-5",
        ),
        (
            "together",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "1.04",
            Some("1.04"),
            None,
            "https://api.together.ai/v1/models",
        ),
        (
            "alibaba-dashscope",
            "qwen-plus",
            "0.4",
            Some("1.2"),
            None,
            "https://www.alibabacloud.com/help/en/model-studio/models",
        ),
    ] {
        let prices = offer(provider, upstream).prices;
        let rates = prices.standard(at(NOW)).unwrap();
        let listed = |class| rates.get(class).map(|rate| rate.to_string());
        assert_eq!(listed(TokenClass::Input).as_deref(), Some(input), "{provider} {upstream}: {page}");
        assert_eq!(listed(TokenClass::Output).as_deref(), output, "{provider} {upstream}: {page}");
        assert_eq!(listed(TokenClass::CacheRead).as_deref(), cache_read, "{provider} {upstream}: {page}");
    }
}

/// <https://ai.google.dev/gemini-api/docs/pricing>: above 200k tokens of prompt 2.50 and 15.00.
#[test]
fn gemini_re_prices_prompts_above_200k() {
    let gemini = offer("google-ai-studio", "gemini-2.5-pro");
    let usage = |input_tokens| Usage { input_tokens, output_tokens: 10_000, ..Usage::default() };
    assert_eq!(cost(&gemini, usage(200_000), ServiceTier::Standard), nano("0.35"));
    assert_eq!(cost(&gemini, usage(200_001), ServiceTier::Standard), nano("0.6500025"));
}

/// <https://platform.claude.com/docs/en/about-claude/pricing>: writes 1.25 and 2 times, reads 0.1 times the input.
#[test]
fn anthropic_prices_cache_classes_apart() {
    let sonnet = offer("anthropic", "claude-sonnet-4-5");
    let usage = Usage {
        input_tokens: 1_000,
        cache_read_tokens: 10_000,
        cache_write_5m_tokens: 10_000,
        cache_write_1h_tokens: 10_000,
        output_tokens: 100,
        ..Usage::default()
    };
    assert_eq!(cost(&sonnet, usage, ServiceTier::Standard), nano("0.105"));
}

/// <https://developers.openai.com/api/docs/pricing>: batch and flex half, priority twice; long context 5 and 22.50.
#[test]
fn openai_prices_service_tiers_and_their_long_prompts() {
    let gpt = offer("openai", "gpt-5");
    let usage = Usage { input_tokens: 1_000_000, output_tokens: 100_000, ..Usage::default() };
    for (tier, price) in [
        (ServiceTier::Standard, "2.25"),
        (ServiceTier::Batch, "1.125"),
        (ServiceTier::Flex, "1.125"),
        (ServiceTier::Priority, "4.5"),
    ] {
        assert_eq!(cost(&gpt, usage, tier), nano(price), "{tier:?}");
    }
    let long = offer("openai", "gpt-5.4");
    assert_eq!(cost(&long, usage, ServiceTier::Standard), nano("7.25"));
    assert_eq!(cost(&long, usage, ServiceTier::Batch), nano("3.625"));
}

/// <https://api-docs.deepseek.com/quick_start/pricing>: off-peak hours in UTC, weekends whole.
#[test]
fn deepseek_is_cheaper_off_peak() {
    let deepseek = offer("deepseek", "deepseek-v4-pro");
    let usage = Usage { input_tokens: 1_000_000, ..Usage::default() };
    for (moment, price) in [
        ("2026-11-25T03:00:00Z", "1.32"),
        ("2026-11-25T05:00:00Z", "0.66"),
        ("2026-11-25T12:00:00Z", "0.66"),
        ("2026-11-28T03:00:00Z", "0.66"),
    ] {
        let terms = Terms { at: at(moment), ..Terms::default() };
        assert_eq!(deepseek.prices.cost(&usage, &terms).unwrap().round(), nano(price), "{moment}");
    }
    assert!(deepseek.review);
}

/// <https://www.alibabacloud.com/help/en/model-studio/models>: thinking costs more than speaking.
#[test]
fn qwen_prices_reasoning_apart() {
    let usage = Usage { reasoning_tokens: 1_000_000, ..Usage::default() };
    assert_eq!(cost(&offer("alibaba-dashscope", "qwen-plus"), usage, ServiceTier::Standard), nano("4"));
}

/// litellm 1.109.1, `perplexity/sonar-pro`: tokens and a fee per request, here the dearest context size.
#[test]
fn perplexity_charges_per_request() {
    let sonar = offer("perplexity", "sonar-pro");
    let usage = Usage { input_tokens: 1_000, output_tokens: 1_000, ..Usage::default() };
    assert_eq!(cost(&sonar, usage, ServiceTier::Standard), nano("0.032"));
    assert_eq!(sonar.prices.bound(1_000, 1_000, 1, at(NOW)), Ok(nano("0.032")));
}
