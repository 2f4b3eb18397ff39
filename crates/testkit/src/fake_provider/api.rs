//! The APIs it speaks, told apart by path, and what each says of its own accord: errors and pings.

use bytes::Bytes;
use http::HeaderMap;

use super::findings::{Error as _, Said, Verdict};
use super::openai::responses::kept::Kept;
use super::plan::{EVENTS, FRAMES, LINES};
use super::{Arrived, Setup, anthropic, bedrock, cohere, gemini, ollama, openai};

/// An API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    Anthropic,
    Gemini,
    Ollama,
    Cohere,
    Mistral,
    Bedrock,
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
        if path.starts_with("/model/") {
            return Self::Bedrock;
        }
        if path.starts_with("/mistral/") {
            return Self::Mistral;
        }
        if path.starts_with("/v1beta/") || path.contains(':') {
            return Self::Gemini;
        }
        if path.starts_with("/api/") {
            return Self::Ollama;
        }
        if path.starts_with("/v2/") {
            return Self::Cohere;
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
    pub(crate) fn judge(self, setup: &Setup, arrived: &Arrived, kept: &Kept) -> Verdict {
        match self {
            Self::OpenAi | Self::Responses => openai::strict::judge(setup, arrived, kept),
            Self::Anthropic => anthropic::strict::judge(setup, arrived),
            Self::Gemini => gemini::strict::judge(setup, arrived),
            Self::Ollama => ollama::strict::judge(setup, arrived),
            Self::Cohere => cohere::strict::judge(setup, arrived),
            Self::Mistral => openai::mistral::strict::judge(setup, arrived),
            Self::Bedrock => bedrock::strict::judge(setup, arrived),
        }
    }

    /// An error as it is answered.
    pub(crate) fn error(self, error: &Scripted<'_>) -> Said {
        match self {
            Self::OpenAi | Self::Responses => openai::error::scripted(error).said(),
            Self::Anthropic => anthropic::error::scripted(error).said(),
            Self::Gemini => gemini::error::scripted(error).said(),
            Self::Ollama => ollama::error(error.status, error.message),
            Self::Cohere => cohere::error(error.status, error.message),
            Self::Mistral => openai::mistral::error(error.status, error.kind, error.code, error.message),
            Self::Bedrock => bedrock::error(error.status, error.message),
        }
    }

    /// An error as an event of a stream that has begun.
    pub(crate) fn error_event(self, error: &Scripted<'_>) -> Bytes {
        let body = self.error(error).body;
        let event = match self {
            Self::Responses => openai::responses::answer::error_event(error),
            Self::OpenAi | Self::Gemini | Self::Mistral => format!("data: {body}\n\n"),
            Self::Anthropic => format!("event: error\ndata: {body}\n\n"),
            Self::Ollama => format!("{body}\n"),
            Self::Cohere => cohere::error_event(error.message),
            Self::Bedrock => return bedrock::error_event(error.message),
        };
        event.into()
    }

    /// What an overloaded provider says.
    pub(crate) fn overloaded(self) -> Scripted<'static> {
        let (status, message) = match self {
            Self::OpenAi | Self::Responses | Self::Gemini => (503, "Overloaded"),
            Self::Anthropic => (529, "Overloaded"),
            Self::Ollama => (503, ollama::BUSY),
            Self::Cohere => (503, "The service is unavailable."),
            Self::Mistral => (503, "Service tier capacity exceeded for this model."),
            Self::Bedrock => (503, "Bedrock is unable to process your request."),
        };
        Scripted { status, kind: "overloaded_error", code: None, message }
    }

    /// What its streams are announced as.
    pub(crate) fn streams_as(self) -> &'static str {
        match self {
            Self::OpenAi
            | Self::Responses
            | Self::Anthropic
            | Self::Gemini
            | Self::Cohere
            | Self::Mistral => EVENTS,
            Self::Bedrock => FRAMES,
            Self::Ollama => LINES,
        }
    }

    /// What says only that a stream lives.
    pub(crate) fn ping(self) -> Bytes {
        match self {
            Self::OpenAi | Self::Responses | Self::Cohere | Self::Mistral => {
                Bytes::from_static(b": ping\n\n")
            }
            Self::Anthropic => Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
            Self::Gemini => Bytes::from_static(b"\n\n"),
            Self::Ollama => ollama::answer::nothing_new(),
            Self::Bedrock => bedrock::answer::nothing_new(),
        }
    }
}
