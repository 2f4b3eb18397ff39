//! Why an attempt failed, from status *and* body: one table of statuses, one of words. Not retry policy: what follows
//! from a cause is decided elsewhere. Where to look first: [`default_classify`], then `WORDS`.
//!
//! A caller can put text into a provider's message by having a bad parameter echoed. So only causes that are the
//! caller's own are read out of the middle of a message; what touches a credential or a whole provider needs the
//! provider's code, or the message's beginning.

use trunkline_domain::Text;
use trunkline_domain::attempt::{Cause, CauseClass, UpstreamError};

use crate::adapter::ErrorAnswer;
use crate::rate_limits::retry_after;

/// Decides by the provider's own words where they say more than the status, else by the status; for an error found
/// inside a success, by a numeric code, the type, and at last [`Cause::ServerError`].
pub fn default_classify(answer: &ErrorAnswer<'_>) -> UpstreamError {
    let cause =
        by_words(answer).or_else(|| by_status(status_of(answer))).unwrap_or_else(|| within_success(answer));
    let words = answer.words;
    let message = words.and_then(|words| words.message.clone()).map(|message| match cause.class() {
        CauseClass::Credential => without_keys(&message),
        CauseClass::Caller
        | CauseClass::Capacity
        | CauseClass::Target
        | CauseClass::Provider
        | CauseClass::Network
        | CauseClass::Policy => message,
    });
    UpstreamError {
        cause,
        status: Some(answer.status),
        message,
        code: words.and_then(|words| words.code.clone().or_else(|| words.kind.clone())),
        retry_after: retry_after(answer.headers, answer.now),
    }
}

/// Where a word is looked for.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// `error.code` or `error.type` is this, whatever its case.
    Code(&'static str),
    /// The message holds this; lower case.
    Within(&'static str),
    /// The message begins with this; lower case.
    Start(&'static str),
}

const AZURE: &str = "https://learn.microsoft.com/en-us/azure/foundry/openai/concepts/content-filter";
const ALIYUN: &str = "https://help.aliyun.com/en/model-studio/error-code";
const LLAMA_CPP: &str = "seen from the server in PyPI xllamacpp 2026.10.11549";
const CLAUDE: &str = "https://platform.claude.com/docs/en/api/errors";
const COHERE: &str = "https://docs.cohere.com/reference/errors";
const RETRIES: &str = "https://www.developersdigest.tech/blog/ai-api-rate-limit-retry-guide-2026";

/// Words, what they mean, and where that was read. The first row that matches decides.
const WORDS: &[(Says, Cause, &str)] = {
    use Cause::{
        ContentBlocked, ContextTooLong, CreditsExhausted, ModelNotFound, Overloaded, RateLimited,
        ServerError, Unauthorized,
    };
    use Says::{Code, Start, Within};
    &[
        (Code("context_length_exceeded"), ContextTooLong, "https://github.com/rahul2002m/ChatPDF/issues/6"),
        (Code("exceed_context_size_error"), ContextTooLong, LLAMA_CPP),
        (Code("content_filter"), ContentBlocked, AZURE),
        (Code("ResponsibleAIPolicyViolation"), ContentBlocked, AZURE),
        (
            Code("content_policy_violation"),
            ContentBlocked,
            "https://github.com/agentscope-ai/agentscope/pull/171",
        ),
        (Code("image_content_policy_violation"), ContentBlocked, "openai/openai-openapi openapi.yaml"),
        (Code("data_inspection_failed"), ContentBlocked, ALIYUN),
        (Code("DataInspectionFailed"), ContentBlocked, ALIYUN),
        (Code("insufficient_quota"), CreditsExhausted, "https://github.com/simonw/llm/issues/494"),
        (Code("credit_balance_exhausted"), CreditsExhausted, RETRIES),
        (Code("Arrearage"), CreditsExhausted, ALIYUN),
        (Code("billing_error"), CreditsExhausted, CLAUDE),
        (Code("invalid_api_key"), Unauthorized, ALIYUN),
        (Start("incorrect api key provided"), Unauthorized, "https://docs.x.ai/developers/debugging"),
        (Code("model_not_found"), ModelNotFound, "https://github.com/Aider-AI/aider/issues/2030"),
        (Code("unknown_model"), ModelNotFound, "https://docs.mistral.ai/resources/error-glossary"),
        (Code("DeploymentNotFound"), ModelNotFound, "https://github.com/chatboxai/chatbox/issues/646"),
        (Code("ModelNotFound"), ModelNotFound, ALIYUN),
        (Code("capacity_exceeded"), Overloaded, "https://console.groq.com/docs/flex-processing"),
        (Code("overloaded_error"), Overloaded, RETRIES),
        (Code("unavailable_error"), Overloaded, LLAMA_CPP),
        (Code("rate_limit_exceeded"), RateLimited, "https://github.com/Aider-AI/aider/issues/3265"),
        (
            Start("the server had an error"),
            ServerError,
            "https://developers.openai.com/docs/guides/error-codes",
        ),
        (
            Start("prompt is too long"),
            ContextTooLong,
            "https://github.com/anthropics/claude-code/issues/12186",
        ),
        (Start("too many tokens: total number of tokens in the prompt"), ContextTooLong, COHERE),
        (Start("too many tokens: size limit exceeded"), ContextTooLong, COHERE),
        (
            Start("input length and `max_tokens` exceed context limit"),
            ContextTooLong,
            "https://github.com/docker/docker-agent/issues/569",
        ),
        (
            Start("your credit balance is too low"),
            CreditsExhausted,
            "https://github.com/anthropics/claude-quickstarts/issues/229",
        ),
        (Start("content exists risk"), ContentBlocked, "https://github.com/vm0-ai/vm0/pull/33180"),
        (
            Within("violating our usage policy"),
            ContentBlocked,
            "https://github.com/openai/codex/issues/38849",
        ),
        (
            Within("as a result of our safety system"),
            ContentBlocked,
            "https://github.com/openai/openai-openapi/issues/11",
        ),
        (
            Within("content management policy"),
            ContentBlocked,
            "https://github.com/microsoft/azurechat/issues/351",
        ),
        (
            Within("maximum context length"),
            ContextTooLong,
            "https://github.com/vllm-project/vllm/issues/20409",
        ),
        (
            Within("longer than the model's context length"),
            ContextTooLong,
            "https://github.com/QwenLM/Qwen3/issues/1321",
        ),
        (Within("exceeds the available context size"), ContextTooLong, LLAMA_CPP),
        (
            Within("exceeded maximum context window"),
            ContextTooLong,
            "https://www.scaleway.com/en/docs/generative-apis",
        ),
        (Within("tokens + max_new_tokens must be"), ContextTooLong, "https://portkey.ai/error-library"),
    ]
};

/// Types that decide for an error inside a success, where the status says nothing.
const WITHIN_SUCCESS: &[(&str, Cause)] = &[
    ("rate_limit_error", Cause::RateLimited),
    ("too_many_requests", Cause::RateLimited),
    ("service_unavailable", Cause::Overloaded),
    ("authentication_error", Cause::Unauthorized),
    ("permission_error", Cause::Forbidden),
    ("not_found_error", Cause::ModelNotFound),
    ("invalid_request_error", Cause::InvalidRequest),
];

fn by_words(answer: &ErrorAnswer<'_>) -> Option<Cause> {
    let words = answer.words?;
    let message = words.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let codes = [words.code.as_deref(), words.kind.as_deref()];
    let says = |says: &Says| match *says {
        Says::Code(code) => codes.iter().flatten().any(|word| word.eq_ignore_ascii_case(code)),
        Says::Within(part) => message.contains(part),
        Says::Start(start) => message.starts_with(start),
    };
    let (_, cause, _) = WORDS.iter().find(|(rule, _, _)| says(rule))?;
    // Behind a server error, words can only tell "no capacity" from "broken".
    let counts = status_of(answer) < 500 || cause.class() == CauseClass::Capacity;
    counts.then_some(*cause)
}

/// The status, or for an error inside a success the status its code names (OpenRouter, vLLM, llama.cpp).
fn status_of(answer: &ErrorAnswer<'_>) -> u16 {
    if !is_success(answer.status) {
        return answer.status;
    }
    let code = answer.words.and_then(|words| words.code.as_deref()).and_then(|code| code.parse().ok());
    code.filter(|code| (400..600).contains(code)).unwrap_or(answer.status)
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What a status means on its own; `None` for a success. Where nothing else is said: the tables at
/// <https://developers.openai.com/docs/guides/error-codes>, <https://api-docs.deepseek.com/quick_start/error_codes>,
/// <https://openrouter.ai/docs/api/reference/errors-and-debugging>, <https://console.groq.com/docs/errors>.
fn by_status(status: u16) -> Option<Cause> {
    Some(match status {
        200..=299 => return None,
        401 => Cause::Unauthorized,
        402 => Cause::CreditsExhausted,
        // 412: "account is suspended", https://docs.fireworks.ai/guides/inference-error-codes
        403 | 412 => Cause::Forbidden,
        // 501: llama.cpp, an operation the server was not started for
        404 | 405 | 410 | 501 => Cause::ModelNotFound,
        // A time-out and a lock time-out at the provider: openai-python `_base_client.py` (`_should_retry`)
        408 | 409 => Cause::ServerError,
        429 => Cause::RateLimited,
        // 498: the flex tier has no room, https://console.groq.com/docs/flex-processing
        498 | 503 | 529 => Cause::Overloaded,
        400..=499 => Cause::InvalidRequest,
        500..=599 => Cause::ServerError,
        // An informational answer, a redirect, or no HTTP status at all.
        _ => Cause::Malformed,
    })
}

fn within_success(answer: &ErrorAnswer<'_>) -> Cause {
    let Some(words) = answer.words else { return Cause::ServerError };
    let named = |name: &str| {
        [&words.code, &words.kind].into_iter().flatten().any(|word| word.eq_ignore_ascii_case(name))
    };
    WITHIN_SUCCESS.iter().find(|(name, _)| named(name)).map_or(Cause::ServerError, |(_, cause)| *cause)
}

/// Providers quote the key they refuse, masked or not: whatever is long enough to be one is left out.
fn without_keys(message: &str) -> Text {
    const KEY_LENGTH_MIN: usize = 16;
    let is_key = |word: &&str| word.len() >= KEY_LENGTH_MIN && !word.starts_with("https://");
    let words: Vec<_> = message.split(' ').map(|word| if is_key(&word) { "[…]" } else { word }).collect();
    Text::from(words.join(" "))
}

#[cfg(test)]
mod tests;
