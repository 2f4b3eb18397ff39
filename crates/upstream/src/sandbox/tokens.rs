//! The one rule by which the sandbox counts: a token is a run of letters and digits, or a single other character that
//! is no white space; white space belongs to the token before it. Prompts, answers, buffered and streamed, are all
//! counted this way, so the figures agree everywhere. A token is never shorter than a byte.

/// The tokens of a text; joined they are the text, unless it is white space alone, which has none.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(end) = token_end(rest) {
        let (token, tail) = rest.split_at(end);
        tokens.push(token);
        rest = tail;
    }
    tokens
}

/// How many tokens a text has.
pub(super) fn count(text: &str) -> u64 {
    let mut tokens = 0;
    let mut rest = text;
    while let Some(end) = token_end(rest) {
        tokens += 1;
        rest = rest.split_at(end).1;
    }
    tokens
}

/// Where the first token ends, the white space around it included.
fn token_end(text: &str) -> Option<usize> {
    let core = text.trim_start();
    let first = core.chars().next()?;
    let after = if first.is_alphanumeric() {
        core.trim_start_matches(char::is_alphanumeric)
    } else {
        core.get(first.len_utf8()..).unwrap_or_default()
    };
    Some(text.len() - after.trim_start().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_punctuation_count_and_join_to_the_text() {
        for (text, tokens) in [
            ("", 0),
            ("  \n", 0),
            ("hello", 1),
            (" Hello, world! ", 4),
            ("get_weather", 3),
            ("{\"a\":1}", 7),
            ("schöne Grüße …", 3),
        ] {
            let split = split(text);
            assert_eq!(split.len(), tokens, "{text:?}");
            assert_eq!(count(text), tokens as u64, "{text:?}");
            if tokens > 0 {
                assert_eq!(split.concat(), text);
            }
        }
    }
}
