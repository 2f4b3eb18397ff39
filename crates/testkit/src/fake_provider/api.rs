//! The APIs it speaks, told apart by path, and what each says of its own accord: errors and pings.

use http::HeaderMap;

use super::findings::Refusal;
use super::openai::responses::kept::Kept;
use super::plan::Accepted;
use super::{Arrived, Setup, anthropic, gemini, openai};

/// An API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    Anthropic,
    Gemini,
}

/// An error a script asks for. What an API has no word for, it says in words of its own.
#[derive(Clone, Debug)]
pub(crate) struct Scripted<'a> {
    pub(crate) status: u16,
    pub(crate) kind: &'a str,
    pub(crate) code: Option<&'a str>,
    pub(crate) message: &'a str,
}

impl Api {
    /// The API a path belongs to. Both OpenAI and Anthropic list models at the same one: the latter's callers name a
    /// version.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        if path.starts_with("/v1beta/") || path.contains(':') {
            return Self::Gemini;
        }
        let path = path.strip_prefix("/v1").unwrap_or(path);
        if path.starts_with("/messages") || path == "/models" && headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else if path.starts_with("/responses") {
            Self::Responses
        } else {
            Self::OpenAi
        }
    }

    /// Judges a request: what it asks, or why it is refused.
    pub(crate) fn judge(
        self,
        setup: &Setup,
        arrived: &Arrived,
        kept: &Kept,
    ) -> Result<Box<dyn Accepted>, Box<Refusal>> {
        match self {
            Self::OpenAi | Self::Responses => openai::strict::judge(setup, arrived, kept),
            Self::Anthropic => anthropic::strict::judge(setup, arrived),
            Self::Gemini => gemini::strict::judge(setup, arrived),
        }
    }

    /// An error's body.
    pub(crate) fn error(self, error: &Scripted<'_>) -> String {
        match self {
            Self::OpenAi | Self::Responses => openai::error::scripted(error).body(),
            Self::Anthropic => anthropic::error::scripted(error).body(),
            Self::Gemini => gemini::error::scripted(error).body(),
        }
    }

    /// An error as an event of a stream that has begun.
    pub(crate) fn error_event(self, error: &Scripted<'_>) -> String {
        let body = self.error(error);
        match self {
            Self::Responses => openai::responses::answer::error_event(error),
            Self::OpenAi | Self::Gemini => format!("data: {body}\n\n"),
            Self::Anthropic => format!("event: error\ndata: {body}\n\n"),
        }
    }

    /// The status an overloaded provider answers with.
    pub(crate) fn overloaded(self) -> u16 {
        match self {
            Self::OpenAi | Self::Responses | Self::Gemini => 503,
            Self::Anthropic => 529,
        }
    }

    /// What says only that a stream lives.
    pub(crate) fn ping(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => ": ping\n\n",
            Self::Anthropic => "event: ping\ndata: {\"type\": \"ping\"}\n\n",
            Self::Gemini => "\n\n",
        }
    }
}
