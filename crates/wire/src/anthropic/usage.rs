//! Usage as reported, sorted into disjoint classes. Buffered and streamed answers go through the same functions.
//!
//! Source: anthropic-sdk-python, `types/usage.py`, `types/message_delta_usage.py`, `types/cache_creation.py`,
//! `types/output_tokens_details.py`: `input_tokens` holds neither cache reads nor writes; `cache_creation` splits
//! `cache_creation_input_tokens`; `thinking_tokens` are part of `output_tokens`. A stream reports at its start and,
//! cumulatively, in every `message_delta`; what a later report leaves out stays as it was.

use trunkline_domain::{Text, Usage};

use crate::json::{Object, Str, wire_object};

wire_object! {
    /// A usage object.
    ignoring pub(super) struct Reported {
        "input_tokens" => input: u64,
        "output_tokens" => output: u64,
        "cache_creation_input_tokens" => cache_write: u64,
        "cache_read_input_tokens" => cache_read: u64,
        "cache_creation" => cache_creation: CacheCreation,
        "output_tokens_details" => details: OutputDetails,
        "server_tool_use" => server_tools: ServerTools,
        "service_tier" => service_tier: Str,
    }
}

wire_object! {
    ignoring pub(super) struct CacheCreation {
        "ephemeral_5m_input_tokens" => five_minutes: u64,
        "ephemeral_1h_input_tokens" => one_hour: u64,
    }
}

wire_object! {
    ignoring pub(super) struct OutputDetails { "thinking_tokens" => thinking: u64 }
}

wire_object! {
    ignoring pub(super) struct ServerTools { "web_search_requests" => searches: u64 }
}

/// The members of a usage object that are read.
pub(super) const KNOWN: &[&str] = &[
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
];

impl Reported {
    /// Takes over what a later report says.
    pub(super) fn merge(&mut self, later: Reported) {
        self.input = later.input.or(self.input);
        self.output = later.output.or(self.output);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.details = later.details.or(self.details.take());
        self.server_tools = later.server_tools.or(self.server_tools.take());
        self.service_tier = later.service_tier.or(self.service_tier.take());
    }

    /// The classes; `None` where nothing is reported.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let output = self.output.unwrap_or(0);
        let reasoning = self
            .details
            .as_ref()
            .and_then(|details| details.thinking)
            .map_or(0, |thinking| thinking.min(output));
        let (five_minutes, one_hour) = self.cache_writes();
        let searches = self.server_tools.as_ref().and_then(|tools| tools.searches).unwrap_or(0);
        let mut usage = Usage {
            input_tokens: self.input.unwrap_or(0),
            cache_read_tokens: self.cache_read.unwrap_or(0),
            cache_write_5m_tokens: five_minutes,
            cache_write_1h_tokens: one_hour,
            output_tokens: output.saturating_sub(reasoning),
            reasoning_tokens: reasoning,
            ..Usage::default()
        };
        usage.units.searches = u32::try_from(searches).unwrap_or(u32::MAX);
        Some(usage)
    }

    /// The tier that served the request.
    pub(super) fn tier(&self) -> Option<&Text> {
        self.service_tier.as_ref().map(|tier| &tier.0)
    }

    /// Tokens written for five minutes and for an hour. The total governs where both are said.
    fn cache_writes(&self) -> (u64, u64) {
        let split = self.cache_creation.as_ref();
        let five_minutes = split.and_then(|split| split.five_minutes).unwrap_or(0);
        let one_hour = split.and_then(|split| split.one_hour).unwrap_or(0);
        match self.cache_write {
            None => (five_minutes, one_hour),
            Some(total) => (total.saturating_sub(one_hour), one_hour.min(total)),
        }
    }
}

/// Writes the members of a usage object. What has no class here (audio, images) counts as plain.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let plain = [usage.input_tokens, usage.audio_input_tokens, usage.image_input_tokens];
    let writes = usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens);
    object.member("input_tokens", &plain.into_iter().fold(0, u64::saturating_add));
    object.member("cache_creation_input_tokens", &writes);
    object.member("cache_read_input_tokens", &usage.cache_read_tokens);
    object.object("cache_creation", |split| {
        split.member("ephemeral_5m_input_tokens", &usage.cache_write_5m_tokens);
        split.member("ephemeral_1h_input_tokens", &usage.cache_write_1h_tokens);
    });
    object.member("output_tokens", &usage.completion_total());
    if usage.reasoning_tokens > 0 {
        object.object("output_tokens_details", |details| {
            details.member("thinking_tokens", &usage.reasoning_tokens);
        });
    }
    if usage.units.searches > 0 {
        object.object("server_tool_use", |tools| {
            tools.member("web_search_requests", &usage.units.searches);
            tools.member("web_fetch_requests", &0);
        });
    }
}
