//! Why an attempt failed, from status *and* body: tables of words and of statuses, a provider's own before the shared
//! ones. Not retry policy: what follows from a cause is decided elsewhere. Where to look first: [`classify`], then
//! [`rule::Rule`], then the rows themselves: a provider's in its file, the shared ones in [`shared`].
//!
//! A caller can put text into a provider's message by having a bad parameter echoed. So only causes that are the
//! caller's own are read out of the middle of a message; what touches a credential or a whole provider needs the
//! provider's code, or the message's beginning.
//!
//! Every row of `fixtures/errors/` is classified by these tables in a test.

pub mod rule;
mod shared;
mod wait;

use trunkline_domain::Text;
use trunkline_domain::attempt::{Cause, CauseClass, UpstreamError};
use trunkline_wire::codec::ErrorWords;

use crate::adapter::ErrorAnswer;
use crate::rate_limits::retry_after;
use crate::spec::ProviderSpec;
use rule::Said;

/// What an error was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The error.
    pub error: UpstreamError,
    /// By what its cause was found.
    pub by: ClassifiedBy,
}

/// By what a cause was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifiedBy {
    /// The provider's words, or a status the provider gives a meaning of its own.
    Words,
    /// The status alone: a body that no table knows, or none.
    Status,
}

/// Decides by the provider's own words where they say more than the status, else by the status; for an error found
/// inside a success, by a numeric code, the type, and at last [`Cause::ServerError`].
pub fn classify(spec: &ProviderSpec, answer: &ErrorAnswer<'_>) -> Classified {
    let said = Said::of(answer, spec.errors.code_header);
    let status = status_of(answer);
    let (cause, by) = by_tables(spec, &said, status).map_or_else(
        || (by_status(status).unwrap_or(Cause::ServerError), ClassifiedBy::Status),
        |cause| (cause, ClassifiedBy::Words),
    );
    let asked = retry_after(answer.headers, answer.now);
    let error = UpstreamError {
        cause,
        status: Some(answer.status),
        message: answer.words.and_then(|words| message(words, cause)),
        code: said.code().map(Text::from),
        retry_after: asked.or_else(|| wait::said(answer.words?, cause)),
    };
    Classified { error, by }
}

/// The provider's words, the shared ones, the provider's statuses, and at last names that only confirm what the status
/// says already.
fn by_tables(spec: &ProviderSpec, said: &Said<'_>, status: u16) -> Option<Cause> {
    let mut rules = spec.errors.words.iter().chain(shared::WORDS);
    let found = rules.find(|rule| rule.says.matches(said)).map(|rule| rule.cause);
    // Behind a server error, words can only tell "no capacity" from "broken".
    let counts = |cause: &Cause| {
        status < 500 || cause.class() == CauseClass::Capacity || by_status(status) == Some(*cause)
    };
    found.filter(counts).or_else(|| spec.errors.of_status(status)).or_else(|| {
        let named = shared::NAMES.iter().find(|(name, _)| said.is_named(name)).map(|(_, cause)| *cause);
        let confirmed = named.is_some() || said.repeats(status);
        by_status(status).filter(|_| confirmed).or(named)
    })
}

/// The message as it may be shown, with what another provider said through this one.
fn message(words: &ErrorWords, cause: Cause) -> Option<Text> {
    let message = match (&words.message, &words.wrapped) {
        (Some(message), Some(wrapped)) => Text::from(format!("{message}: {wrapped}")),
        (message, wrapped) => message.clone().or_else(|| wrapped.clone())?,
    };
    Some(match cause.class() {
        CauseClass::Credential => without_keys(&message),
        CauseClass::Caller
        | CauseClass::Capacity
        | CauseClass::Target
        | CauseClass::Provider
        | CauseClass::Network
        | CauseClass::Answer
        | CauseClass::Policy => message,
    })
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

/// Providers quote the key they refuse, masked or not: whatever is long enough to be one is left out.
fn without_keys(message: &str) -> Text {
    const KEY_LENGTH_MIN: usize = 16;
    let is_key = |word: &&str| word.len() >= KEY_LENGTH_MIN && !word.starts_with("https://");
    let words: Vec<_> = message.split(' ').map(|word| if is_key(&word) { "[…]" } else { word }).collect();
    Text::from(words.join(" "))
}

#[cfg(test)]
mod tests;
