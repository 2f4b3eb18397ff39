//! Usage as reported, sorted into disjoint classes. Buffered and streamed answers go through the same function.
//!
//! Sources: OpenAI's `CompletionUsage` (openai-python 3.57.0, `types/completion_usage.py`): details are parts of
//! `prompt_tokens` and `completion_tokens`. DeepSeek: `prompt_tokens` is `prompt_cache_hit_tokens` plus
//! `prompt_cache_miss_tokens` (<https://api-docs.deepseek.com/api/create-chat-completion>). xAI: "reasoning token
//! consumption will be counted separately from completion_tokens, but will be counted in the total_tokens"
//! (<https://docs.x.ai/docs/key-information/consumption-and-rate-limits>). OpenRouter: `cache_write_tokens`
//! (<https://openrouter.ai/docs/use-cases/usage-accounting>). Embedding servers may report `total_tokens` alone.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use trunkline_domain::Usage;

use crate::json::Object;
use crate::quirks::UsageConvention;

/// A usage object, whatever the convention.
#[derive(Deserialize)]
struct Reported {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_cache_hit_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

/// The same, as OpenAI's Responses name it.
#[derive(Deserialize)]
struct ResponsesReported {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    total_tokens: Option<Count>,
    input_tokens_details: Option<PromptDetails>,
    output_tokens_details: Option<CompletionDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
struct PromptDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<Count>,
    audio_tokens: Option<Count>,
}

/// Reads a usage object. `None` where it reports nothing. The classes of the prompt add up to `prompt_tokens`, those
/// of the completion to `completion_tokens` (plus the reasoning where that is counted apart), whatever the details say.
pub(crate) fn read(json: &str, convention: UsageConvention) -> Option<Usage> {
    sort(serde_json::from_str(json).ok()?, convention)
}

/// Reads a usage object of OpenAI's Responses (openai-python, `types/responses/response_usage.py`), which is the same
/// under other names. xAI counts reasoning apart there too.
pub(crate) fn read_responses(json: &str, convention: UsageConvention) -> Option<Usage> {
    let reported: ResponsesReported = serde_json::from_str(json).ok()?;
    let reported = Reported {
        prompt_tokens: reported.input_tokens,
        completion_tokens: reported.output_tokens,
        total_tokens: reported.total_tokens,
        prompt_cache_hit_tokens: None,
        prompt_tokens_details: reported.input_tokens_details,
        completion_tokens_details: reported.output_tokens_details,
    };
    sort(reported, convention)
}

fn sort(reported: Reported, convention: UsageConvention) -> Option<Usage> {
    let total = reported.total_tokens.map(|count| count.0);
    if reported.prompt_tokens.is_none() && reported.completion_tokens.is_none() && total.is_none() {
        return None;
    }
    let completion = tokens(reported.completion_tokens);
    let prompt = match (reported.prompt_tokens, total) {
        (Some(prompt), _) => prompt.0,
        (None, total) => total.unwrap_or(0).saturating_sub(completion),
    };
    let prompt_details = reported.prompt_tokens_details.unwrap_or_default();
    let cached = match convention {
        UsageConvention::DeepSeek => reported.prompt_cache_hit_tokens.or(prompt_details.cached_tokens),
        UsageConvention::OpenAi | UsageConvention::ReasoningApart => prompt_details.cached_tokens,
    };
    let details = reported.completion_tokens_details.unwrap_or_default();
    let reasoning = tokens(details.reasoning_tokens);
    let mut prompt_left = prompt;
    let mut completion_left = completion;
    if is_apart(convention, [prompt, completion, reasoning], total) {
        completion_left = completion_left.saturating_add(reasoning);
    }
    Some(Usage {
        cache_read_tokens: take(&mut prompt_left, cached),
        // The dialect does not say how long the entry lives.
        cache_write_5m_tokens: take(&mut prompt_left, prompt_details.cache_write_tokens),
        audio_input_tokens: take(&mut prompt_left, prompt_details.audio_tokens),
        image_input_tokens: take(&mut prompt_left, prompt_details.image_tokens),
        input_tokens: prompt_left,
        reasoning_tokens: take(&mut completion_left, details.reasoning_tokens),
        audio_output_tokens: take(&mut completion_left, details.audio_tokens),
        output_tokens: completion_left,
        ..Usage::default()
    })
}

/// Writes a usage object in OpenAI's convention: details are parts of the totals.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let cache_writes = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    let some = |tokens: u64| (tokens > 0).then_some(tokens);
    object.member("prompt_tokens", &usage.prompt_total());
    object.member("completion_tokens", &usage.completion_total());
    object.member("total_tokens", &usage.total());
    object.object("prompt_tokens_details", |details| {
        details.member("cached_tokens", &usage.cache_read_tokens);
        details.member("audio_tokens", &usage.audio_input_tokens);
        details.optional("cache_write_tokens", some(cache_writes));
        details.optional("image_tokens", some(usage.image_input_tokens));
    });
    object.object("completion_tokens_details", |details| {
        details.member("reasoning_tokens", &usage.reasoning_tokens);
        details.member("audio_tokens", &usage.audio_output_tokens);
        details.member("accepted_prediction_tokens", &0);
        details.member("rejected_prediction_tokens", &0);
    });
}

/// Writes a usage object of OpenAI's Responses.
pub(crate) fn write_responses(object: &mut Object<'_>, usage: &Usage) {
    object.member("input_tokens", &usage.prompt_total());
    object.object("input_tokens_details", |details| {
        details.member("cached_tokens", &usage.cache_read_tokens);
        let writes = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
        details.member("cache_write_tokens", &writes);
    });
    object.member("output_tokens", &usage.completion_total());
    object.object("output_tokens_details", |details| {
        details.member("reasoning_tokens", &usage.reasoning_tokens);
    });
    object.member("total_tokens", &usage.total());
}

/// Whether reasoning is counted beside the completion. The total decides where it fits one reading only: the same
/// models are served by others, under other conventions.
fn is_apart(
    convention: UsageConvention,
    [prompt, completion, reasoning]: [u64; 3],
    total: Option<u64>,
) -> bool {
    let inside = prompt.saturating_add(completion);
    match total {
        Some(total) if reasoning > 0 && total == inside.saturating_add(reasoning) => true,
        Some(total) if total == inside => false,
        Some(_) | None => convention == UsageConvention::ReasoningApart,
    }
}

/// Takes a class out of what is left, never more than there is.
fn take(left: &mut u64, count: Option<Count>) -> u64 {
    let taken = tokens(count).min(*left);
    *left -= taken;
    taken
}

fn tokens(count: Option<Count>) -> u64 {
    count.map_or(0, |count| count.0)
}

/// A number of tokens. Some servers write it with a fraction; a negative one is none.
#[derive(Clone, Copy)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(number: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of tokens")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Count, E> {
                Ok(Count(u64::try_from(number).unwrap_or(0)))
            }

            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the cast saturates, which is what is wanted of an absurd number"
            )]
            fn visit_f64<E>(self, number: f64) -> Result<Count, E> {
                Ok(Count(number.ceil() as u64))
            }
        }
        number.deserialize_any(CountVisitor)
    }
}
