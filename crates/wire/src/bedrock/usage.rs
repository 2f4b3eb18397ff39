//! Usage as reported, sorted into disjoint classes. Buffered and streamed answers go through the same functions.
//!
//! Source: `TokenUsage` of the service's model; <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>:
//! `inputTokens` holds neither cache reads nor writes, `totalTokens` both; `cacheDetails` splits `cacheWriteInputTokens` by
//! time to live.

use trunkline_domain::Usage;

use crate::json::{Object, Str, wire_object};

wire_object! {
    /// A usage object.
    ignoring pub(super) struct Reported {
        "inputTokens" => input: u64,
        "outputTokens" => output: u64,
        "cacheReadInputTokens" => cache_read: u64,
        "cacheWriteInputTokens" => cache_write: u64,
        "cacheDetails" => details: Vec<Detail>,
    }
}

wire_object! {
    ignoring pub(super) struct Detail { "ttl" => ttl: Str, "inputTokens" => tokens: u64 }
}

impl Reported {
    /// The classes; `None` where nothing is reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let (five_minutes, one_hour) = self.cache_writes();
        Some(Usage {
            input_tokens: self.input.unwrap_or(0),
            cache_read_tokens: self.cache_read.unwrap_or(0),
            cache_write_5m_tokens: five_minutes,
            cache_write_1h_tokens: one_hour,
            output_tokens: self.output.unwrap_or(0),
            ..Usage::default()
        })
    }

    /// Tokens written for five minutes and for an hour. The total governs where both are said.
    fn cache_writes(&self) -> (u64, u64) {
        let (mut five_minutes, mut one_hour) = (0_u64, 0_u64);
        for detail in self.details.iter().flatten() {
            let hours = detail.ttl.as_ref().is_some_and(|ttl| &*ttl.0 == "1h");
            let class = if hours { &mut one_hour } else { &mut five_minutes };
            *class = class.saturating_add(detail.tokens.unwrap_or(0));
        }
        match self.cache_write {
            None => (five_minutes, one_hour),
            Some(total) => (total.saturating_sub(one_hour), one_hour.min(total)),
        }
    }
}

/// Writes `usage`. What has no class here (audio, images) counts as plain.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let sum = |counts: [u64; 3]| counts.into_iter().fold(0, u64::saturating_add);
    let (five_minutes, one_hour) = (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens);
    object.object("usage", |object| {
        let plain = [usage.input_tokens, usage.audio_input_tokens, usage.image_input_tokens];
        object.member("inputTokens", &sum(plain));
        object.member("outputTokens", &usage.completion_total());
        object.member("totalTokens", &usage.total());
        object.member("cacheReadInputTokens", &usage.cache_read_tokens);
        object.member("cacheWriteInputTokens", &sum([five_minutes, one_hour, 0]));
        let written = [("1h", one_hour), ("5m", five_minutes)];
        if written.iter().any(|(_, tokens)| *tokens > 0) {
            object.array("cacheDetails", |array| {
                for (ttl, tokens) in written.into_iter().filter(|(_, tokens)| *tokens > 0) {
                    array.object(|detail| {
                        detail.member("ttl", ttl);
                        detail.member("inputTokens", &tokens);
                    });
                }
            });
        }
    });
}
