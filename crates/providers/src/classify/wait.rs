//! A wait that an error names in its body: in Google's details, or in the message, as OpenAI, Azure, Groq and Google
//! write it. Headers say it more exactly and are read before.

use std::time::Duration;

use trunkline_domain::attempt::{Cause, CauseClass};
use trunkline_wire::codec::ErrorWords;

use crate::rate_limits::{RETRY_AFTER_MAX, duration};

/// What is said before a wait; lower case. Groq and OpenAI: <https://github.com/openinterpreter/openinterpreter/issues/408>;
/// Azure: <https://github.com/microsoft/sample-app-aoai-chatGPT/issues/131> and
/// <https://github.com/Azure-Samples/azure-search-openai-demo/issues/177>; Google:
/// <https://discuss.ai.google.dev/t/429-errors-despite-waiting-after-retrydelay/96899>.
const BEFORE: &[&str] = &["please try again in ", "please retry in ", "please retry after ", "try again in "];

/// The wait, where the cause is one that waiting cures; at most [`RETRY_AFTER_MAX`].
pub(super) fn said(words: &ErrorWords, cause: Cause) -> Option<Duration> {
    if cause.class() != CauseClass::Capacity {
        return None;
    }
    let wait = words.message.as_deref().and_then(in_message).or(words.retry_after)?;
    Some(wait.min(RETRY_AFTER_MAX))
}

fn in_message(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    let rest = BEFORE.iter().find_map(|before| message.split_once(before).map(|(_, rest)| rest))?;
    let amount = rest.split_whitespace().next()?;
    duration(amount.trim_end_matches(['.', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_only_where_it_is_one() {
        let in_message = |message: &str| super::in_message(message);
        assert_eq!(
            in_message("Quota exceeded.\nPlease retry in 10.5s."),
            Some(Duration::from_millis(10_500))
        );
        assert_eq!(in_message("Please retry after 7 seconds. Please go here"), Some(Duration::from_secs(7)));
        let minutes = in_message("Requested 7895. Please try again in 1m0.5s. Visit https://example.com");
        assert_eq!(minutes, Some(Duration::from_millis(60_500)));
        for none in [
            "Please retry in a few seconds.",
            "Please retry in -1s.",
            "Please retry in 1e99s.",
            "Please retry in ",
            "No.",
        ] {
            assert_eq!(in_message(none), None, "{none}");
        }
    }

    #[test]
    fn only_a_lack_of_room_is_waited_for() {
        let words = ErrorWords { retry_after: Some(Duration::from_hours(100)), ..ErrorWords::default() };
        assert_eq!(said(&words, Cause::RateLimited), Some(RETRY_AFTER_MAX));
        assert_eq!(said(&words, Cause::InvalidRequest), None);
    }
}
