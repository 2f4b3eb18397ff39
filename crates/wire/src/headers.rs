//! Which headers cross, per dialect and direction, as data. Allow-lists: whatever is not named stays where it is, so
//! cookies, authorisation, organisation and project of an account, `x-forwarded-*`, hop-by-hop headers, the caller's
//! user agent and SDK telemetry (`x-stainless-*`), and a provider's `x-ratelimit-*` and request ids never cross.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/debugging-requests>,
//! <https://platform.claude.com/docs/en/api/versioning>, <https://platform.claude.com/docs/en/api/beta-headers>. Look
//! first at [`cross`].

use http::{HeaderMap, HeaderName};
use trunkline_domain::Dialect;

/// Which way a header goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the caller to the provider.
    Request,
    /// From the provider to the caller.
    Response,
}

/// The names of the headers that cross, in lower case.
pub fn crossing(dialect: Dialect, direction: Direction) -> &'static [&'static str] {
    match (dialect, direction) {
        (
            Dialect::OpenaiChat
            | Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings
            | Dialect::OpenaiResponses,
            Direction::Request,
        ) => &["openai-beta"],
        (
            Dialect::OpenaiChat
            | Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings
            | Dialect::OpenaiResponses,
            Direction::Response,
        ) => &["content-type", "openai-processing-ms", "openai-version"],
        (Dialect::AnthropicMessages, Direction::Request) => &["anthropic-beta", "anthropic-version"],
        (
            Dialect::AnthropicMessages
            | Dialect::GeminiGenerate
            | Dialect::GeminiEmbed
            | Dialect::GeminiBatchEmbed,
            Direction::Response,
        ) => &["content-type"],
        // Google's keys come in headers, its clients' telemetry too; nothing else does.
        (Dialect::GeminiGenerate | Dialect::GeminiEmbed | Dialect::GeminiBatchEmbed, Direction::Request)
        // Not relayed so far: on recast nothing crosses.
        | (
            Dialect::BedrockConverse | Dialect::CohereChat | Dialect::OllamaChat,
            Direction::Request | Direction::Response,
        ) => &[],
    }
}

/// Copies the headers that cross.
pub fn cross(dialect: Dialect, direction: Direction, from: &HeaderMap, into: &mut HeaderMap) {
    for &name in crossing(dialect, direction) {
        for value in from.get_all(name) {
            into.append(HeaderName::from_static(name), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_what_is_named_crosses() {
        let mut from = HeaderMap::new();
        for name in [
            "authorization",
            "cookie",
            "set-cookie",
            "connection",
            "transfer-encoding",
            "x-forwarded-for",
            "x-ratelimit-limit-requests",
            "x-request-id",
            "openai-organization",
            "openai-project",
            "x-stainless-os",
            "user-agent",
            "openai-beta",
            "openai-version",
        ] {
            from.insert(name, HeaderValue::from_static("v"));
        }
        for dialect in [
            Dialect::OpenaiChat,
            Dialect::OpenaiCompletions,
            Dialect::OpenaiEmbeddings,
            Dialect::OpenaiResponses,
        ] {
            for (direction, only) in
                [(Direction::Request, "openai-beta"), (Direction::Response, "openai-version")]
            {
                let mut into = HeaderMap::new();
                cross(dialect, direction, &from, &mut into);
                assert_eq!(into.keys().map(HeaderName::as_str).collect::<Vec<_>>(), [only]);
            }
        }
    }
}
